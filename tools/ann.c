#include "tools/ann.h"

#include "tools/ann_file.h"
#include "tools/hits.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ASKED_MAX = 512, /* of faiss: whoever needs more, by a narrow filter say, is answered better by exact search */
    MORE = 16,       /* asked for than wanted */
    FRESH_SHARE = 100,
};
static const size_t gone = SIZE_MAX;
static const char effort[] = "nprobe=16"; /* lists looked into, measured: tests/peers/README.md */

struct ann {
    struct ann_file file;
    size_t dim, matched;
    size_t *row_of;    // [file.count] the gallery's row, or gone
    size_t *fresh;     // [fresh_count] the gallery's rows that the index lacks
    float *fresh_rows; // [fresh_count, dim]
    size_t fresh_count;
    size_t *candidates; // of the last query
};

void ann_close(struct ann *ann)
{
    if (!ann)
        return;
    ann_file_free(&ann->file);
    free(ann->row_of);
    free(ann->fresh);
    free(ann->fresh_rows);
    free(ann->candidates);
    free(ann);
}

/* ---- whose rows are whose ---- */

struct place {
    struct hash hash;
    size_t number;
};

static int compare_places(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    int order = hash_compare(&x->hash, &y->hash);
    return order ? order : (x->number > y->number) - (x->number < y->number);
}

/* Sorted by hash; hashes [count]. Caller frees. */
static struct place *sort_places(const struct hash *hashes, size_t count)
{
    struct place *places = mem_new(count, sizeof *places);
    for (size_t i = 0; i < count; i++)
        places[i] = (struct place){hashes[i], i};
    qsort(places, count, sizeof *places, compare_places);
    return places;
}

/* Pairs the index's rows with the gallery's, whose photos' hashes are these [n]; of copies each with one. */
static void match(struct ann *ann, const struct hash *hashes, size_t n)
{
    size_t kept = ann->file.count, i = 0;
    struct place *ours = sort_places(ann->file.hashes, kept), *theirs = sort_places(hashes, n);
    ann->row_of = mem_new(kept, sizeof *ann->row_of);
    ann->fresh = mem_new(n, sizeof *ann->fresh);
    for (size_t r = 0; r < kept; r++)
        ann->row_of[r] = gone;
    for (size_t j = 0; j < n; j++) {
        while (i < kept && hash_compare(&ours[i].hash, &theirs[j].hash) < 0)
            i++;
        if (i < kept && hash_compare(&ours[i].hash, &theirs[j].hash) == 0)
            ann->row_of[ours[i++].number] = theirs[j].number;
        else
            ann->fresh[ann->fresh_count++] = theirs[j].number;
    }
    ann->matched = n - ann->fresh_count;
    free(ours);
    free(theirs);
}

static void copy_fresh_rows(struct ann *ann, const float *rows /* [n, dim] */)
{
    ann->fresh_rows = mem_new(ann->fresh_count * ann->dim, sizeof *rows);
    for (size_t i = 0; i < ann->fresh_count; i++)
        memcpy(ann->fresh_rows + i * ann->dim, rows + ann->fresh[i] * ann->dim, ann->dim * sizeof *rows);
}

/* ---- the index: the one that is there, or a new one ---- */

static void say(bool quiet, const char *format, ...) PRINTF_LIKE(2, 3);
static void say(bool quiet, const char *format, ...)
{
    if (quiet)
        return;
    va_list args;
    va_start(args, format);
    fputs("--ann: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
}

static struct ann *ann_new(size_t dim)
{
    struct ann *ann = mem_new(1, sizeof *ann);
    ann->dim = dim;
    return ann;
}

/* From the file, NULL where it does not serve this gallery; a damaged one is said. */
static struct ann *take(const char *path, size_t dim, const struct hash *hashes, size_t n)
{
    struct error err;
    if (!file_exists(path))
        return NULL;
    struct ann *ann = ann_new(dim);
    if (ann_file_read(&ann->file, path, dim, &err) == 0) {
        match(ann, hashes, n);
        if (ann->fresh_count <= n / FRESH_SHARE)
            return ann;
    } else
        error_warn(&err);
    ann_close(ann);
    return NULL;
}

/* Some times the square root of the rows: as much work to choose among the lists as within some of them. */
static char *factory_for(size_t n)
{
    size_t lists = 1;
    while (lists * lists <= 4 * n && 2 * lists <= n)
        lists *= 2;
    return mem_format("IVF%zu,Flat", lists);
}

static int make(struct ann *ann, const char *path, const struct gallery *gallery, const struct hash *hashes,
                struct error *err)
{
    size_t n = gallery->paths.count;
    char problem[FAISS_PROBLEM], *factory = factory_for(n);
    int result = faiss_index_make(&ann->file.index, problem, factory, gallery->rows, n, gallery->dim);
    free(factory);
    if (result != 0)
        return error_set(err, EXIT_FAILED, "--ann: %s", problem);
    ann->file.count = n;
    ann->file.hashes = mem_new(n, sizeof *hashes);
    memcpy(ann->file.hashes, hashes, n * sizeof *hashes);
    match(ann, hashes, n);
    if (ann_file_write(path, ann->file.index, hashes, n, err) != 0)
        error_warn(err); /* it serves this once */
    return 0;
}

/* hashes [n], of the gallery's photos */
static int open_for(struct ann **out, const struct gallery *gallery, const char *path, const struct hash *hashes,
                    bool quiet, struct error *err)
{
    size_t n = gallery->paths.count;
    struct ann *ann = take(path, gallery->dim, hashes, n);
    if (!ann && n < gallery->readable) {
        say(quiet, "no index of the whole gallery yet; a filtered one is searched exactly");
        return 0;
    }
    if (!ann) {
        say(quiet, "the index of %zu pictures is made, which takes minutes", n);
        ann = ann_new(gallery->dim);
        if (make(ann, path, gallery, hashes, err) != 0) {
            ann_close(ann);
            return -1;
        }
    }
    copy_fresh_rows(ann, gallery->rows);
    *out = ann;
    return 0;
}

int ann_open(struct ann **out, const struct gallery *gallery, const char *path, const struct ann_options *options,
             bool quiet, struct error *err)
{
    size_t n = gallery->paths.count;
    *out = NULL;
    if (!faiss_index_built())
        return error_set(err, EXIT_USAGE, "--ann: this oclip was built without faiss (libfaiss-dev)");
    if (n < (size_t)options->from) {
        say(quiet, "%zu pictures are searched exactly, which is as quick (--ann-from %d)", n, options->from);
        return 0;
    }
    struct hash *hashes = mem_new(n, sizeof *hashes);
    for (size_t i = 0; i < n; i++)
        hashes[i] = gallery->photos[i].hash;
    int result = open_for(out, gallery, path, hashes, quiet, err);
    free(hashes);
    return result;
}

/* ---- candidates ---- */

/* The best k of the fresh rows come last. */
static size_t add_fresh(struct ann *ann, size_t count, const float *query, size_t k)
{
    size_t taken = k < ann->fresh_count ? k : ann->fresh_count;
    struct hit *hits = mem_new(taken, sizeof *hits);
    for (size_t i = 0; i < ann->fresh_count; i++)
        hits_offer(hits, taken, i, (struct hit){i, hits_score(ann->fresh_rows + i * ann->dim, query, ann->dim)});
    for (size_t i = 0; i < taken; i++)
        ann->candidates[count++] = ann->fresh[hits[i].row];
    free(hits);
    return count;
}

const size_t *ann_candidates(size_t *count, struct ann *ann, const float *query, size_t k)
{
    char problem[FAISS_PROBLEM];
    long numbers[ASKED_MAX];
    double share = (double)ann->matched / (double)ann->file.count, asked = (double)(k + MORE) / share;
    if (!(asked <= ASKED_MAX) ||
        faiss_index_search(numbers, problem, ann->file.index, effort, query, (size_t)asked) != 0)
        return NULL;
    ann->candidates = mem_grow(ann->candidates, (size_t)asked + k, sizeof *ann->candidates);
    *count = 0;
    for (size_t i = 0; i < (size_t)asked; i++)
        if (numbers[i] >= 0 && (size_t)numbers[i] < ann->file.count && ann->row_of[numbers[i]] != gone)
            ann->candidates[(*count)++] = ann->row_of[numbers[i]];
    *count = add_fresh(ann, *count, query, k);
    return *count >= k ? ann->candidates : NULL;
}
