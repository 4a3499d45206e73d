#include "tools/finder.h"

#include "runtime/util/error.h"
#include "tools/alike.h"

#include <stdlib.h>
#include <string.h>

enum { MORE = 16 /* asked for beyond the top, then */, GROWTH = 4 /* times as many */ };

void collection_fill(struct collection *collection, struct device *dev, struct string_list *names, struct photo *photos,
                     float *rows, size_t dim)
{
    *collection = (struct collection){
        .dev = dev, .names = *names, .photos = photos, .search = search_open(dev, rows, names->count, dim), .dim = dim};
    *names = (struct string_list){0};
    free(rows);
}

void collection_free(struct collection *collection)
{
    string_list_free(&collection->names);
    free(collection->photos);
    search_close(collection->search);
    *collection = (struct collection){0};
}

const char *found_name(const struct found *found, size_t i)
{
    return found->collection->names.items[found->items[i].row];
}

void found_free(struct found *found)
{
    free(found->items);
    *found = (struct found){0};
}

/* ---- one hit after the other ---- */

/* A search on its way. */
struct finder {
    struct found *found;
    const struct wish *wish;
    float *rows;       // [top, dim], of what was found
    float *hit_row;    // [dim]
    bool is_exhausted; /* no later hit can match */
};

static float dot(const float *a, const float *b, size_t dim)
{
    double sum = 0;
    for (size_t i = 0; i < dim; i++)
        sum += (double)a[i] * (double)b[i];
    return (float)sum;
}

/* What was found already and looks the same; NULL for none. */
static struct finding *find_alike(const struct finder *finder, size_t row)
{
    const struct collection *collection = finder->found->collection;
    for (size_t i = 0; i < finder->found->count; i++) {
        struct finding *item = &finder->found->items[i];
        if (alike(&collection->photos[row], finder->hit_row, &collection->photos[item->row],
                  finder->rows + i * collection->dim, collection->dim))
            return item;
    }
    return NULL;
}

static bool is_gone(const char *path)
{
    if (file_exists(path))
        return false;
    struct error err;
    error_set(&err, EXIT_BAD_DATA, "%s: gone since it was indexed", path);
    error_warn(&err);
    return true;
}

static void examine(struct finder *finder, const struct hit *hit)
{
    const struct wish *wish = finder->wish;
    struct found *found = finder->found;
    const struct collection *collection = found->collection;
    finder->is_exhausted |= !(hit->score >= (wish->probe ? wish->evidence : wish->least));
    if (finder->is_exhausted || (wish->but && *wish->but == hit->row))
        return;
    search_row(finder->hit_row, collection->search, hit->row);
    struct finding *same = collection->photos && !wish->unfolded ? find_alike(finder, hit->row) : NULL;
    if (same)
        same->folded++;
    else if (found->count < wish->top && !(collection->photos && is_gone(collection->names.items[hit->row]))) {
        memcpy(finder->rows + found->count * collection->dim, finder->hit_row, collection->dim * sizeof *finder->rows);
        found->items[found->count++] = (struct finding){
            .row = hit->row,
            .score = wish->probe ? dot(wish->row, finder->hit_row, collection->dim) : hit->score,
        };
    }
}

static int compare_findings(const void *a, const void *b)
{
    const struct finding *x = a, *y = b;
    return x->score != y->score ? (x->score < y->score) - (x->score > y->score) : (x->row > y->row) - (x->row < y->row);
}

int finder_run(struct found *found, const struct collection *collection, const struct wish *wish, struct error *err)
{
    size_t n = collection->names.count, dim = collection->dim, seen = 0;
    size_t top = wish->top < n ? wish->top : n, k = n - top < MORE ? n : top + MORE;
    *found = (struct found){.collection = collection, .items = mem_new(top, sizeof *found->items)};
    struct finder finder = {.found = found,
                            .wish = wish,
                            .rows = mem_new(top * dim, sizeof *finder.rows),
                            .hit_row = mem_new(dim, sizeof *finder.hit_row)};
    struct hit *hits = NULL; // [k]
    int result = 0;
    for (bool more = n > 0; more;) {
        hits = mem_grow(hits, k, sizeof *hits);
        result = search_run(hits, collection->search, wish->probe ? wish->probe : wish->row, 1, k, err);
        for (; result == 0 && seen < k && !finder.is_exhausted; seen++)
            examine(&finder, &hits[seen]);
        more = result == 0 && found->count < top && !finder.is_exhausted && k < n;
        k = n / GROWTH < k ? n : GROWTH * k;
    }
    if (result == 0 && n > 0)
        result = device_finish(collection->dev, err);
    if (wish->probe)
        qsort(found->items, found->count, sizeof *found->items, compare_findings);
    free(hits);
    free(finder.rows);
    free(finder.hit_row);
    if (result != 0)
        found_free(found);
    return result;
}
