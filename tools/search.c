#include "tools/search.h"

#include "runtime/ops/row_scores.h"

#include <stdbool.h>
#include <stdlib.h>

enum { PART_BYTES = 64 << 20 /* of rows a launch */, QUERIES_MAX = 64 /* at once */ };

struct search {
    struct device *dev;
    size_t n, dim, part_rows, parts;
    struct tensor **rows; // [parts] of [part_rows, dim], the last one shorter
};

struct search *search_open(struct device *dev, const float *rows, size_t n, size_t dim)
{
    struct search *search = mem_new(1, sizeof *search);
    size_t part_rows = PART_BYTES / (dim * sizeof *rows);
    *search = (struct search){.dev = dev, .n = n, .dim = dim, .part_rows = part_rows ? part_rows : 1};
    search->parts = (n + search->part_rows - 1) / search->part_rows;
    search->rows = mem_new(search->parts, sizeof *search->rows);
    for (size_t p = 0; p < search->parts; p++) {
        size_t first = p * search->part_rows, left = n - first;
        int count = (int)(left < search->part_rows ? left : search->part_rows);
        search->rows[p] = tensor_new(dev, DTYPE_F32, 2, (int[]){count, (int)dim});
        tensor_upload(search->rows[p], rows + first * dim);
    }
    return search;
}

void search_close(struct search *search)
{
    if (!search)
        return;
    for (size_t p = 0; p < search->parts; p++)
        tensor_free(search->rows[p]);
    free(search->rows);
    free(search);
}

static bool is_better(struct hit a, struct hit b)
{
    return a.score > b.score || (a.score == b.score && a.row < b.row);
}

/* The hits are a heap with the worst at its root: heap[at] sinks to where it belongs. */
static void sink(struct hit *heap, size_t at, size_t count)
{
    for (size_t child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && is_better(heap[child], heap[child + 1]))
            child++;
        if (!is_better(heap[at], heap[child]))
            return;
        struct hit swap = heap[at];
        heap[at] = heap[child];
        heap[child] = swap;
    }
}

/* Offers one more row; `seen` rows have been offered before. */
static void offer(struct hit *heap, size_t k, size_t seen, struct hit hit)
{
    if (seen < k) {
        heap[seen] = hit;
        for (size_t at = k / 2; seen + 1 == k && at-- > 0;)
            sink(heap, at, k);
    } else if (is_better(hit, heap[0])) {
        heap[0] = hit;
        sink(heap, 0, k);
    }
}

static int compare_hits(const void *a, const void *b)
{
    const struct hit *x = a, *y = b;
    return is_better(*y, *x) - is_better(*x, *y);
}

/* At most QUERIES_MAX queries against every part. */
static void run_block(struct hit *hits, struct search *search, const float *queries, size_t q, size_t k)
{
    struct tensor *right = tensor_new(search->dev, DTYPE_F32, 2, (int[]){(int)q, (int)search->dim});
    float *scores = mem_new(search->part_rows * q, sizeof *scores); // [part_rows, q]
    tensor_upload(right, queries);
    for (size_t p = 0; p < search->parts && !device_failed(search->dev); p++) {
        struct tensor *rows = search->rows[p];
        size_t count = (size_t)rows->dim[0], first = p * search->part_rows;
        struct tensor *product = tensor_new(search->dev, DTYPE_F32, 2, (int[]){(int)count, (int)q});
        row_scores(product, rows, right);
        tensor_download(scores, product);
        tensor_free(product);
        for (size_t r = 0; r < count; r++)
            for (size_t i = 0; i < q; i++)
                offer(hits + i * k, k, first + r, (struct hit){first + r, scores[r * q + i]});
    }
    for (size_t i = 0; i < q; i++)
        qsort(hits + i * k, k, sizeof *hits, compare_hits);
    free(scores);
    tensor_free(right);
}

int search_run(struct hit *hits, struct search *search, const float *queries, size_t q, size_t k, struct error *err)
{
    CHECK(k <= search->n, "the best %zu of %zu rows", k, search->n);
    for (size_t done = 0; k > 0 && done < q; done += QUERIES_MAX) {
        size_t count = q - done < QUERIES_MAX ? q - done : QUERIES_MAX;
        run_block(hits + done * k, search, queries + done * search->dim, count, k);
    }
    return device_finish(search->dev, err);
}
