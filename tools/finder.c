#include "tools/finder.h"

#include "runtime/util/error.h"
#include "tools/alike.h"

#include <stdlib.h>
#include <string.h>

enum { MORE = 16 /* asked for beyond the top, then */, GROWTH = 4 /* times as many */ };

void collection_fill(struct collection *collection, struct device *dev, struct string_list *names, struct photo *photos,
                     float *rows, size_t dim, struct ann *ann)
{
    struct contents contents = contents_of(ann ? NULL : photos, names->count);
    for (size_t c = 0; c < contents.count; c++) { /* never behind the first file that has it */
        size_t file = contents.files[contents.first[c]];
        if (file > c)
            memcpy(rows + c * dim, rows + file * dim, dim * sizeof *rows);
    }
    if (contents.count < names->count) /* the rest is given back */
        rows = mem_grow(rows, contents.count * dim, sizeof *rows);
    *collection = (struct collection){.dev = dev,
                                      .names = *names,
                                      .photos = photos,
                                      .contents = contents,
                                      .embeddings = rows,
                                      .search = search_open(dev, rows, contents.count, dim),
                                      .dim = dim};
    search_use_ann(collection->search, ann);
    *names = (struct string_list){0};
}

void collection_free(struct collection *collection)
{
    string_list_free(&collection->names);
    free(collection->photos);
    search_close(collection->search);
    contents_free(&collection->contents);
    free(collection->embeddings);
    *collection = (struct collection){0};
}

const float *collection_embedding(const struct collection *collection, size_t row)
{
    return collection->embeddings + collection->contents.of[row] * collection->dim;
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
    size_t top, seen;  /* as many are wanted; hits looked at */
    bool is_exhausted; /* no later hit can match */
};

static bool are_alike(const struct collection *collection, size_t a, size_t b)
{
    return alike(&collection->photos[a], collection_embedding(collection, a), &collection->photos[b],
                 collection_embedding(collection, b), collection->dim);
}

/* What was found already and looks the same; NULL for none. */
static struct finding *find_alike(const struct finder *finder, size_t row)
{
    for (size_t i = 0; i < finder->found->count; i++)
        if (are_alike(finder->found->collection, row, finder->found->items[i].row))
            return &finder->found->items[i];
    return NULL;
}

/* What was looked for by its probe has the score of its row. */
static float score_of(const struct finder *finder, size_t row, float score)
{
    const struct collection *collection = finder->found->collection;
    return finder->wish->probe ? hits_score(finder->wish->row, collection_embedding(collection, row), collection->dim)
                               : score;
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

static void examine(struct finder *finder, size_t row, float score)
{
    const struct wish *wish = finder->wish;
    struct found *found = finder->found;
    const struct collection *collection = found->collection;
    if ((wish->but && *wish->but == row) || (wish->only && !wish->only[row]))
        return;
    struct finding *same = collection->photos && !wish->unfolded ? find_alike(finder, row) : NULL;
    if (same)
        same->folded++;
    else if (found->count < finder->top && !(collection->photos && is_gone(collection->names.items[row])))
        found->items[found->count++] = (struct finding){.row = row, .score = score_of(finder, row, score)};
}

/* All files that have the content which was hit. */
static void examine_hit(struct finder *finder, const struct hit *hit)
{
    const struct wish *wish = finder->wish;
    const struct contents *contents = &finder->found->collection->contents;
    finder->is_exhausted |= !(hit->score >= (wish->probe ? wish->evidence : wish->least));
    if (finder->is_exhausted)
        return;
    for (size_t i = contents->first[hit->row]; i < contents->first[hit->row + 1]; i++)
        examine(finder, contents->files[i], hit->score);
}

static int compare_findings(const void *a, const void *b)
{
    const struct finding *x = a, *y = b;
    return x->score != y->score ? (x->score < y->score) - (x->score > y->score) : (x->row > y->row) - (x->row < y->row);
}

/* ---- all hits ---- */

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static const float *sought(const struct wish *wish)
{
    return wish->probe ? wish->probe : wish->row;
}

/* How many hits are looked at first: enough for some to be folded, and for the share that is not among the only ones.
 */
static size_t first_look(const struct finder *finder)
{
    const struct wish *wish = finder->wish;
    const struct collection *collection = finder->found->collection;
    size_t rows = collection->names.count, taken = wish->only ? wish->only_count : rows;
    if (taken == 0)
        return 0;
    double k = (double)(finder->top + MORE) * (double)rows / (double)taken;
    return k < (double)collection->contents.count ? (size_t)k : collection->contents.count;
}

static void finder_begin(struct finder *finder, struct found *found, const struct collection *collection,
                         const struct wish *wish)
{
    size_t top = smaller(wish->top, wish->only ? wish->only_count : collection->names.count);
    *found = (struct found){.collection = collection, .items = mem_new(top, sizeof *found->items)};
    *finder = (struct finder){.found = found, .wish = wish, .top = top};
}

static void finder_end(struct finder *finder)
{
    if (finder->wish->probe)
        qsort(finder->found->items, finder->found->count, sizeof *finder->found->items, compare_findings);
}

/* hits [k]; true when more of them are needed. */
static bool look_through(struct finder *finder, const struct hit *hits, size_t k)
{
    for (; finder->seen < k && !finder->is_exhausted; finder->seen++)
        examine_hit(finder, &hits[finder->seen]);
    return finder->found->count < finder->top && !finder->is_exhausted && k < finder->found->collection->contents.count;
}

/* After k hits were not enough. */
static int look_further(struct finder *finder, size_t k, struct error *err)
{
    const struct collection *collection = finder->found->collection;
    size_t n = collection->contents.count;
    struct hit *hits = NULL; // [k]
    int result = 0;
    for (bool more = true; result == 0 && more;) {
        k = n / GROWTH < k ? n : GROWTH * k;
        hits = mem_grow(hits, k, sizeof *hits);
        result = search_run(hits, collection->search, sought(finder->wish), 1, k, err);
        more = result == 0 && look_through(finder, hits, k);
    }
    free(hits);
    return result;
}

/* One search for all, then each for itself as far as it needs. */
static int run(struct finder *finders, const struct collection *collection, size_t count, struct error *err)
{
    size_t dim = collection->dim, k = 0;
    for (size_t i = 0; i < count; i++) {
        size_t wanted = first_look(&finders[i]);
        k = k < wanted ? wanted : k;
    }
    if (k == 0)
        return 0;
    float *rows = mem_new(count * dim, sizeof *rows);    // [count, dim]
    struct hit *hits = mem_new(count * k, sizeof *hits); // [count, k]
    for (size_t i = 0; i < count; i++)
        memcpy(rows + i * dim, sought(finders[i].wish), dim * sizeof *rows);
    int result = search_run(hits, collection->search, rows, count, k, err);
    for (size_t i = 0; result == 0 && i < count; i++)
        if (look_through(&finders[i], hits + i * k, k))
            result = look_further(&finders[i], k, err);
    free(rows);
    free(hits);
    return result == 0 ? device_finish(collection->dev, err) : result;
}

int finder_run_many(struct found *found, const struct collection *collection, const struct wish *wishes, size_t count,
                    struct error *err)
{
    struct finder *finders = mem_new(count, sizeof *finders);
    for (size_t i = 0; i < count; i++)
        finder_begin(&finders[i], &found[i], collection, &wishes[i]);
    int result = run(finders, collection, count, err);
    for (size_t i = 0; i < count; i++) {
        finder_end(&finders[i]);
        if (result != 0)
            found_free(&found[i]);
    }
    free(finders);
    return result;
}

int finder_run(struct found *found, const struct collection *collection, const struct wish *wish, struct error *err)
{
    return finder_run_many(found, collection, wish, 1, err);
}
