/* Approximate search against exact search, over rows that lie in clusters as photos do: time to make and to read the
 * index, time a query, and how many of the ten best are found.
 *
 *     ann_run 1000000 512 20000 /tmp/new.ann        rows, numbers a row, clusters, where to keep the index
 */
#include "runtime/util/progress.h"
#include "runtime/util/random.h"
#include "tools/ann.h"
#include "tools/search.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { QUERIES = 200, BEST = 10 };

/* One of the centres and as much again of its own, of unit length: a cosine of about a half within a cluster. */
static void draw(float *row, const float *centres, size_t clusters, size_t dim, struct random *random)
{
    const float *centre = centres + random_below(random, clusters) * dim;
    double squares = 0;
    random_fill_normal(row, random, dim);
    for (size_t j = 0; j < dim; j++) {
        row[j] += centre[j];
        squares += (double)row[j] * (double)row[j];
    }
    for (size_t j = 0; j < dim; j++)
        row[j] /= (float)sqrt(squares);
}

/* Milliseconds a query, asked one by one; hits [QUERIES, BEST] */
static double ask(struct hit *hits, struct search *search, const float *queries, size_t dim)
{
    struct error err;
    double started = clock_seconds();
    for (size_t i = 0; i < QUERIES; i++)
        if (search_run(hits + i * BEST, search, queries + i * dim, 1, BEST, &err) != 0)
            exit(error_report(&err));
    return (clock_seconds() - started) / QUERIES * 1e3;
}

static double recall(const struct hit *found, const struct hit *wanted)
{
    int count = 0;
    for (size_t i = 0; i < (size_t)QUERIES * BEST; i++)
        for (size_t j = i / BEST * BEST; j < i / BEST * BEST + BEST; j++)
            count += found[i].row == wanted[j].row;
    return (double)count / (QUERIES * BEST);
}

static struct ann *open_timed(const char *what, const struct gallery *gallery, const char *path)
{
    struct ann *ann;
    struct error err;
    double started = clock_seconds();
    if (ann_open(&ann, gallery, path, &(struct ann_options){.from = 1}, true, &err) != 0)
        exit(error_report(&err));
    printf("%s the index: %.1f s\n", what, clock_seconds() - started);
    fflush(stdout);
    return ann;
}

int main(int argc, char **argv)
{
    struct error err;
    struct device *dev;
    if (argc != 5 || device_open(&dev, "auto", &err) != 0)
        return argc == 5 ? error_report(&err) : EXIT_USAGE;
    size_t n = strtoul(argv[1], NULL, 10), dim = strtoul(argv[2], NULL, 10), clusters = strtoul(argv[3], NULL, 10);
    struct random random = random_begin(1);
    float *centres = mem_new(clusters * dim, sizeof *centres), *queries = mem_new(QUERIES * dim, sizeof *queries);
    struct gallery gallery = {.paths.count = n,
                              .photos = mem_new(n, sizeof *gallery.photos),
                              .rows = mem_new(n * dim, sizeof *gallery.rows),
                              .dim = dim,
                              .readable = n};
    random_fill_normal(centres, &random, clusters * dim);
    for (size_t i = 0; i < n; i++) {
        draw(gallery.rows + i * dim, centres, clusters, dim, &random);
        gallery.photos[i].hash.low = i;
    }
    for (size_t i = 0; i < QUERIES; i++)
        draw(queries + i * dim, centres, clusters, dim, &random);
    free(centres);

    ann_close(open_timed("make and keep", &gallery, argv[4]));
    struct ann *ann = open_timed("read", &gallery, argv[4]);
    struct search *search = search_open(dev, gallery.rows, n, dim);
    struct hit *wanted = mem_new(QUERIES * BEST, sizeof *wanted), *found = mem_new(QUERIES * BEST, sizeof *found);
    ask(wanted, search, queries, dim);
    printf("exact: %.2f ms a query\n", ask(wanted, search, queries, dim));
    search_use_ann(search, ann);
    ask(found, search, queries, dim);
    printf("approximate: %.2f ms a query, recall@10 %.4f\n", ask(found, search, queries, dim), recall(found, wanted));
    search_close(search);
    device_close(dev);
    free(gallery.rows);
    free(gallery.photos);
    free(queries);
    free(wanted);
    free(found);
    return 0;
}
