/* bench: decoding and searching. */
#include "models/images/prefetch.h"
#include "runtime/util/file.h"
#include "runtime/util/random.h"
#include "tools/bench.h"
#include "tools/search.h"

#include <stdio.h>
#include <stdlib.h>

struct decoding {
    const struct string_list *paths;
    struct preprocess preprocess;
    unsigned char *square; // [crop, crop, 3]
    int workers;
};

static void decode_all(void *context)
{
    struct decoding *d = context;
    struct prefetch *prefetch = prefetch_open(&d->preprocess, NULL, 0, d->workers);
    for (size_t i = 0, added = 0; i < d->paths->count; i++) {
        struct error ignored;
        for (; added < d->paths->count && prefetch_has_room(prefetch); added++)
            prefetch_add(prefetch, d->paths->items[added], 0);
        if (prefetch_next(prefetch, d->square, &ignored) != 0)
            continue;
    }
    prefetch_close(prefetch);
}

static int run_decode(struct bench *bench, const char *const *words, int count, struct error *err)
{
    if (count < 1)
        return error_set(err, EXIT_USAGE, "decode wants a folder of pictures");
    struct string_list paths = {0};
    if (file_list(&paths, words[0], ".jpg .jpeg .png .bmp", err) != 0)
        return -1;
    struct decoding decoding = {
        .paths = &paths,
        .preprocess = {.resize = 224, .crop = 224, .filter = &resize_filters[RESIZE_BICUBIC]},
        .square = mem_new(224 * 224, 3),
        .workers = bench->session.workers,
    };
    char *name = mem_format("decode %zu pictures", paths.count);
    int result =
        bench_time(bench, name, decode_all, &decoding, &(struct bench_work){.items = (double)paths.count}, err);
    free(name);
    free(decoding.square);
    string_list_free(&paths);
    return result;
}

struct searching {
    struct search *search;
    float *query; // [dim]
    struct hit hits[10];
    struct error err; /* of the last run */
};

static void search_once(void *context)
{
    struct searching *s = context;
    if (search_run(s->hits, s->search, s->query, 1, 10, &s->err) != 0)
        return; /* the device keeps the failure; bench_time meets it */
}

static int run_search(struct bench *bench, const char *const *words, int count, struct error *err)
{
    (void)words;
    (void)count;
    size_t n = (size_t)bench->rows, dim = (size_t)bench->dim;
    float *rows = mem_new((n + 1) * dim, sizeof *rows); // [n + 1, dim], the last one is the query
    struct random random = random_begin(1);
    for (size_t i = 0; i < (n + 1) * dim; i++)
        rows[i] = (float)random_uniform(&random) - 0.5f;
    struct searching searching = {.search = search_open(bench->session.dev, rows, n, dim), .query = rows + n * dim};
    char *name = mem_format("search %zu x %zu, top 10", n, dim);
    /* Of each number at least its code is read: one byte. */
    struct bench_work work = {.items = 1, .flops = 2.0 * (double)(n * dim), .bytes = (double)(n * dim)};
    int result = bench_time(bench, name, search_once, &searching, &work, err);
    search_close(searching.search);
    free(name);
    free(rows);
    return result;
}

const struct bench_case bench_tool_cases[] = {
    {"search", "", "exact top 10 of --rows rows of --dim numbers, one query", run_search},
    {"decode", "DIR", "decoding and transforming pictures; --workers 1 for one thread", run_decode},
    {0},
};
