/* Prints the best rows of queries, for search_exact.py: build/tests/search_ids ROWS.npy QUERIES.npy K. A line of row
 * numbers for each query, best first; each query is searched alone, by way of the codes (tools/search.h). */
#include "runtime/util/npy.h"
#include "tools/search.h"

#include <stdio.h>
#include <stdlib.h>

static int print_best(struct search *search, const struct npy *queries, size_t k, struct error *err)
{
    struct hit *hits = mem_new(k, sizeof *hits); // [k]
    int result = 0;
    for (long q = 0; result == 0 && q < queries->shape[0]; q++) {
        result = search_run(hits, search, queries->data + q * queries->shape[1], 1, k, err);
        for (size_t i = 0; result == 0 && i < k; i++)
            printf("%zu%c", hits[i].row, i + 1 < k ? ' ' : '\n');
    }
    free(hits);
    return result;
}

int main(int argc, char **argv)
{
    struct error err = {0};
    struct device *dev;
    struct npy rows, queries;
    size_t k = argc == 4 ? strtoul(argv[3], NULL, 10) : 0;
    if (k == 0) {
        fprintf(stderr, "usage: search_ids ROWS.npy QUERIES.npy K\n");
        return EXIT_USAGE;
    }
    if (npy_read(&rows, argv[1], &err) != 0 || npy_read(&queries, argv[2], &err) != 0 ||
        device_open(&dev, "auto", &err) != 0)
        return error_report(&err);
    CHECK(rows.ndim == 2 && queries.ndim == 2 && rows.shape[1] == queries.shape[1], "two matrices of one width");
    CHECK(k <= (size_t)rows.shape[0], "the best %zu of %ld rows", k, rows.shape[0]);
    struct search *search = search_open(dev, rows.data, (size_t)rows.shape[0], (size_t)rows.shape[1]);
    int result = print_best(search, &queries, k, &err);
    search_close(search);
    device_close(dev);
    npy_free(&rows);
    npy_free(&queries);
    return result == 0 ? EXIT_OK : error_report(&err);
}
