#include "tools/query_rows.h"

#include "tools/row_length.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double shortest = 1e-4; /* of a sum that still points somewhere */

/* The terms of one kind, over all queries. */
struct terms {
    const char **texts; // [count]
    float *rows;        // [count, dim]
    bool *bad;          // [count]
    size_t count;
};

static struct terms gather(const struct query *queries, size_t n, bool pictures, size_t dim)
{
    struct terms terms = {0};
    for (size_t i = 0; i < n; i++)
        for (size_t t = 0; t < queries[i].count; t++)
            terms.count += queries[i].terms[t].is_picture == pictures;
    terms.texts = mem_new(terms.count, sizeof *terms.texts);
    terms.rows = mem_new(terms.count * dim, sizeof *terms.rows);
    terms.bad = mem_new(terms.count, sizeof *terms.bad);
    size_t at = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t t = 0; t < queries[i].count; t++)
            if (queries[i].terms[t].is_picture == pictures)
                terms.texts[at++] = queries[i].terms[t].text;
    return terms;
}

static void terms_free(struct terms *terms)
{
    free(terms->texts);
    free(terms->rows);
    free(terms->bad);
}

bool query_scale_to_unit(float *sum, size_t dim)
{
    double length = row_length(sum, dim);
    bool points = isfinite(length) && length > shortest;
    for (size_t i = 0; points && i < dim; i++)
        sum[i] = (float)((double)sum[i] / length);
    return points;
}

static void add_scaled(float *sum, const float *row, float weight, size_t dim)
{
    for (size_t i = 0; i < dim; i++)
        sum[i] += weight * row[i];
}

static bool say_that_nothing_is_left(const struct query *query)
{
    struct error err;
    error_set(&err, EXIT_BAD_DATA, "\"%s\": its terms cancel out", query->words);
    error_warn(&err);
    return false;
}

/* Takes the query's terms off the front of both kinds; false where the query has no vector. */
static bool add_up(float *row, float *probe, const struct query *query, struct terms kinds[2], const float *mean,
                   size_t dim)
{
    bool readable = true;
    memset(row, 0, dim * sizeof *row);
    if (probe)
        memset(probe, 0, dim * sizeof *probe);
    for (size_t t = 0; t < query->count; t++) {
        const struct query_term *term = &query->terms[t];
        struct terms *kind = &kinds[term->is_picture];
        readable &= !*kind->bad;
        add_scaled(row, kind->rows, term->weight, dim);
        if (probe && query_is_of_texts(query)) {
            add_scaled(probe, kind->rows, term->weight, dim);
            add_scaled(probe, mean, -term->weight, dim);
        }
        kind->rows += dim;
        kind->bad++;
    }
    if (probe)
        query_scale_to_unit(probe, dim);
    return readable && (query_scale_to_unit(row, dim) || say_that_nothing_is_left(query));
}

int query_rows(float *rows, float *probes, bool *bad, const struct query *queries, size_t n, const struct clip *clip,
               const float *mean, const struct encode_options *options, struct error *err)
{
    size_t dim = (size_t)clip->embed_dim;
    struct terms texts = gather(queries, n, false, dim), pictures = gather(queries, n, true, dim);
    int result = 0;
    if (texts.count)
        result = encode_texts(texts.rows, clip, texts.texts, texts.count, options, err);
    if (result == 0 && pictures.count)
        result = encode_images(pictures.rows, pictures.bad, clip, pictures.texts, pictures.count, options, err);
    struct terms left[2] = {texts, pictures};
    for (size_t i = 0; result == 0 && i < n; i++)
        bad[i] = !add_up(rows + i * dim, mean ? probes + i * dim : NULL, &queries[i], left, mean, dim);
    terms_free(&texts);
    terms_free(&pictures);
    return result;
}
