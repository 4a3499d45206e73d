#include "tools/search.h"

#include "runtime/ops/row_codes.h"
#include "runtime/ops/row_scores.h"
#include "tools/row_length.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

enum {
    SLICE = ROW_CODES_SLICE,
    PART_BYTES = 64 << 20, /* of rows a launch */
    QUERIES_MAX = 64,      /* at once */
    CODED_MIN = 1 << 20,   /* numbers from which on codes are worth it, measured */
    CODED_DIM_MIN = 32,    /* codes are filled up to 16 numbers, so those of short rows save little */
    CENTRE_ROWS = 1000,    /* show where the rows' centre is */
};

struct part {
    size_t first, count;
    struct tensor *rows;     // [count, dim]
    struct row_codes *codes; /* NULL where the rows are too few, or not asked often */
};

struct search {
    struct device *dev;
    size_t n, dim, part_rows, part_count, slices;
    struct ann *ann;       /* or NULL */
    struct part *parts;    // [part_count]; all but the last of part_rows rows, which are whole slices
    const float *rows;     // [n, dim], the caller's
    bool was_asked;        /* a few queries, before */
    struct tensor *upper;  // [slices, SLICE]
    struct tensor *bounds; // [slices, 2]; both NULL where no part has codes
};

/* |vector|, rounded up. */
static double length_of(const float *vector, size_t dim)
{
    return row_length(vector, dim) * (1 + FLT_EPSILON);
}

/* The caller frees its numbers. */
static struct row_vector upload_vector(struct device *dev, const float *vector, size_t dim)
{
    int pitch = row_codes_pitch((int)dim);
    struct tensor *numbers = tensor_zeros(dev, DTYPE_F32, 1, &pitch);
    buffer_upload(numbers->buffer, 0, vector, dim * sizeof *vector);
    return (struct row_vector){.numbers = numbers, .length = (float)length_of(vector, dim)};
}

/* About the mean of the rows, from some of them; caller frees. */
static float *make_centre(const float *rows, size_t n, size_t dim)
{
    float *centre = mem_new(dim, sizeof *centre); // [dim]
    size_t stride = n / CENTRE_ROWS + 1, count = 0;
    for (size_t r = 0; r < n; r += stride) {
        const float *row = rows + r * dim;
        if (!row_codes_fit(length_of(row, dim)))
            continue;
        count++;
        for (size_t i = 0; i < dim; i++)
            centre[i] += (row[i] - centre[i]) / (float)count;
    }
    return centre;
}

/* Takes as long as reading all rows some times over, so a single search does without. */
void search_prepare(struct search *search)
{
    if (search->upper || search->n * search->dim < CODED_MIN || search->dim < CODED_DIM_MIN)
        return;
    search->upper = tensor_new(search->dev, DTYPE_F32, 2, (int[]){(int)search->slices, SLICE});
    search->bounds = tensor_new(search->dev, DTYPE_F32, 2, (int[]){(int)search->slices, 2});
    float *mean = make_centre(search->rows, search->n, search->dim); // [dim]
    struct row_vector centre = upload_vector(search->dev, mean, search->dim);
    for (size_t p = 0; p < search->part_count; p++)
        search->parts[p].codes = row_codes_new(search->parts[p].rows, &centre);
    tensor_free(centre.numbers);
    free(mean);
}

struct search *search_open(struct device *dev, const float *rows, size_t n, size_t dim)
{
    struct search *search = mem_new(1, sizeof *search);
    size_t part_slices = PART_BYTES / (dim * sizeof *rows * SLICE), part_rows = (part_slices ? part_slices : 1) * SLICE;
    *search = (struct search){.dev = dev, .n = n, .dim = dim, .part_rows = part_rows, .rows = rows};
    search->slices = (n + SLICE - 1) / SLICE;
    search->part_count = (n + part_rows - 1) / part_rows;
    search->parts = mem_new(search->part_count, sizeof *search->parts);
    for (size_t p = 0; p < search->part_count; p++) {
        struct part *part = &search->parts[p];
        part->first = p * part_rows;
        part->count = n - part->first < part_rows ? n - part->first : part_rows;
        part->rows = tensor_over(dev, DTYPE_F32, 2, (int[]){(int)part->count, (int)dim}, rows + part->first * dim);
    }
    return search;
}

void search_close(struct search *search)
{
    if (!search)
        return;
    struct error ignored; /* it stays with the device; what matters is that nothing reads the rows any more */
    int finished = device_finish(search->dev, &ignored);
    (void)finished;
    for (size_t p = 0; p < search->part_count; p++) {
        tensor_free(search->parts[p].rows);
        row_codes_free(search->parts[p].codes);
    }
    tensor_free(search->upper);
    tensor_free(search->bounds);
    ann_close(search->ann);
    free(search->parts);
    free(search);
}

void search_use_ann(struct search *search, struct ann *ann)
{
    search->ann = ann;
}

/* At most QUERIES_MAX queries against every row. */
static void run_block(struct hit *hits, struct search *search, const float *queries, size_t q, size_t k)
{
    struct tensor *right = tensor_new(search->dev, DTYPE_F32, 2, (int[]){(int)q, (int)search->dim});
    float *scores = mem_new(search->part_rows * q, sizeof *scores); // [part_rows, q]
    tensor_upload(right, queries);
    for (size_t p = 0; p < search->part_count && !device_failed(search->dev); p++) {
        const struct part *part = &search->parts[p];
        struct tensor *product = tensor_new(search->dev, DTYPE_F32, 2, (int[]){(int)part->count, (int)q});
        row_scores(product, part->rows, right);
        tensor_download(scores, product);
        tensor_free(product);
        for (size_t r = 0, row = part->first; r < part->count; r++, row++)
            for (size_t i = 0; i < q; i++)
                hits_offer(hits + i * k, k, row, (struct hit){row, scores[r * q + i]});
    }
    free(scores);
    tensor_free(right);
}

/* The numbers of the slices that may hold one of the best k rows, into wanted [slices]; returns how many they are. */
static size_t choose_slices(int *wanted, float *threshold, const struct search *search, size_t k)
{
    float *bounds = mem_new(2 * search->slices, sizeof *bounds); // [slices, 2]
    struct hit *surest = mem_new(k, sizeof *surest);             // [k]
    tensor_download(bounds, search->bounds);
    for (size_t s = 0; s < search->slices; s++)
        hits_offer(surest, k, s, (struct hit){s, bounds[2 * s + 1]});
    *threshold = surest[0].score;
    size_t count = 0;
    for (size_t s = 0; s < search->slices; s++)
        if (bounds[2 * s] >= *threshold)
            wanted[count++] = (int)s;
    free(surest);
    free(bounds);
    return count;
}

/* The float32 scores of the wanted slices' rows, those in question, into scores [count, SLICE]. */
static void score_slices(float *scores, const struct search *search, const struct tensor *query, const int *numbers,
                         size_t count, float threshold)
{
    struct tensor *slices = tensor_new(search->dev, DTYPE_I32, 1, (int[]){(int)count});
    struct tensor *product = tensor_new(search->dev, DTYPE_F32, 2, (int[]){(int)count, SLICE});
    tensor_upload(slices, numbers);
    struct row_scores_wanted wanted = {.slices = slices, .upper = search->upper, .threshold = threshold};
    for (size_t p = 0; p < search->part_count; p++) {
        const struct part *part = &search->parts[p];
        wanted.first_slice = (int)(part->first / SLICE);
        wanted.begin = wanted.end;
        while (wanted.end < (int)count && (size_t)numbers[wanted.end] * SLICE < part->first + part->count)
            wanted.end++;
        row_scores_wanted(product, &wanted, part->rows, query);
    }
    tensor_download(scores, product);
    tensor_free(product);
    tensor_free(slices);
}

static void offer_slices(struct hit *hits, size_t k, const float *scores, const int *numbers, size_t count, size_t n)
{
    for (size_t i = 0, seen = 0; i < count * SLICE; i++) {
        size_t row = (size_t)numbers[i / SLICE] * SLICE + i % SLICE;
        if (row < n)
            hits_offer(hits, k, seen++, (struct hit){row, scores[i]});
    }
}

/* One query, by way of the codes; search.h says why nothing is missed. */
static void run_coded(struct hit *hits, struct search *search, const float *query, size_t k)
{
    struct row_vector right = upload_vector(search->dev, query, search->dim);
    for (size_t p = 0; p < search->part_count; p++)
        row_codes_bound(search->upper, search->bounds, search->parts[p].codes, &right,
                        (int)(search->parts[p].first / SLICE));
    float threshold;
    int *wanted = mem_new(search->slices, sizeof *wanted); // [slices]
    size_t count = choose_slices(wanted, &threshold, search, k);
    if (!device_failed(search->dev)) {
        float *scores = mem_new(count * SLICE, sizeof *scores); // [count, SLICE]
        score_slices(scores, search, right.numbers, wanted, count, threshold);
        offer_slices(hits, k, scores, wanted, count, search->n);
        free(scores);
    }
    free(wanted);
    tensor_free(right.numbers);
}

static void run_few(struct hit *hits, struct search *search, const float *queries, size_t q, size_t k)
{
    for (size_t i = 0; i < q; i++) {
        const float *query = queries + i * search->dim;
        if (row_codes_fit(length_of(query, search->dim)))
            run_coded(hits + i * k, search, query, k);
        else
            run_block(hits + i * k, search, query, 1, k);
    }
}

static void run_exact(struct hit *hits, struct search *search, const float *queries, size_t q, size_t k)
{
    bool few = q <= ROW_SCORES_FEW && k <= search->slices / 4; /* beyond, the k-th slice would tell little */
    if (few && search->was_asked)
        search_prepare(search);
    search->was_asked |= few;
    (few && search->upper ? run_few : run_block)(hits, search, queries, q, k);
}

/* Scores what the approximate index proposes; where it proposes nothing, all rows. */
static void run_proposed(struct hit *hits, struct search *search, const float *queries, size_t q, size_t k)
{
    for (size_t i = 0; i < q; i++) {
        const float *query = queries + i * search->dim;
        size_t count;
        const size_t *rows = ann_candidates(&count, search->ann, query, k); // [count]
        if (!rows)
            run_exact(hits + i * k, search, query, 1, k);
        for (size_t c = 0; rows && c < count; c++) {
            float score = hits_score(search->rows + rows[c] * search->dim, query, search->dim);
            hits_offer(hits + i * k, k, c, (struct hit){rows[c], score});
        }
    }
}

int search_run(struct hit *hits, struct search *search, const float *queries, size_t q, size_t k, struct error *err)
{
    CHECK(k <= search->n, "the best %zu of %zu rows", k, search->n);
    for (size_t done = 0; k > 0 && done < q; done += QUERIES_MAX) {
        size_t count = q - done < QUERIES_MAX ? q - done : QUERIES_MAX;
        (search->ann ? run_proposed : run_exact)(hits + done * k, search, queries + done * search->dim, count, k);
    }
    for (size_t i = 0; k > 0 && i < q; i++)
        hits_sort(hits + i * k, k);
    return device_finish(search->dev, err);
}
