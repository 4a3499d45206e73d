#include "tools/zeroshot.h"

#include "models/files/templates.h"
#include "runtime/util/lines.h"
#include "tools/kept_rows.h"
#include "tools/row_length.h"

#include <math.h>
#include <stdlib.h>

static void normalise(float *row, size_t dim)
{
    float factor = (float)(1 / fmax(row_length(row, dim), 1e-12));
    for (size_t j = 0; j < dim; j++)
        row[j] *= factor;
}

static int encode_classes(float *rows, const struct clip *clip, const struct string_list *classes,
                          const struct string_list *templates, const struct encode_options *options, struct error *err)
{
    size_t dim = (size_t)clip->embed_dim, count = templates->count;
    struct string_list texts = {0}; /* the templates of class 0, of class 1, ... */
    for (size_t i = 0; i < classes->count * count; i++) {
        char *text = template_fill(templates->items[i % count], classes->items[i / count]);
        string_list_add(&texts, text);
        free(text);
    }
    float *embeddings = mem_new(texts.count * dim, sizeof *embeddings); // [classes * templates, dim]
    int result = encode_texts(embeddings, clip, (const char *const *)texts.items, texts.count, options, err);
    for (size_t i = 0; result == 0 && i < texts.count; i++)
        for (size_t j = 0; j < dim; j++)
            rows[i / count * dim + j] += embeddings[i * dim + j];
    for (size_t c = 0; c < classes->count; c++)
        normalise(rows + c * dim, dim);
    free(embeddings);
    string_list_free(&texts);
    return result;
}

/* What the classes' rows depend on. */
static struct hash key_of(const struct clip *clip, const struct string_list *classes,
                          const struct string_list *templates)
{
    struct hash key = clip->fingerprint;
    const struct string_list *const lists[] = {classes, templates};
    for (int l = 0; l < 2; l++) {
        hash_add(&key, &lists[l]->count, sizeof lists[l]->count);
        for (size_t i = 0; i < lists[l]->count; i++)
            hash_add_text(&key, lists[l]->items[i]);
    }
    return key;
}

/* ---- the whole ---- */

int zeroshot_open(struct zeroshot *zeroshot, const struct clip *clip, const char *classes_path,
                  const char *templates_path, const struct encode_options *options, struct error *err)
{
    *zeroshot = (struct zeroshot){0};
    struct string_list templates = {0};
    int result = -1;
    if (lines_read(&zeroshot->classes, classes_path, LINES_FILLED, err) != 0 ||
        templates_read(&templates, templates_path, err) != 0)
        goto done;
    size_t count = zeroshot->classes.count, dim = (size_t)clip->embed_dim;
    zeroshot->rows = mem_new(count * dim, sizeof *zeroshot->rows);
    struct hash key = key_of(clip, &zeroshot->classes, &templates);
    result = 0;
    if (kept_rows_find(zeroshot->rows, "classes", key, count, dim))
        goto done;
    result = encode_classes(zeroshot->rows, clip, &zeroshot->classes, &templates, options, err);
    if (result == 0)
        kept_rows_keep("classes", key, zeroshot->rows, count, dim);
done:
    if (result != 0)
        zeroshot_close(zeroshot);
    string_list_free(&templates);
    return result;
}

void zeroshot_close(struct zeroshot *zeroshot)
{
    string_list_free(&zeroshot->classes);
    free(zeroshot->rows);
    *zeroshot = (struct zeroshot){0};
}

struct zeroshot_logits zeroshot_logits(const struct clip *clip)
{
    struct zeroshot_logits logits = {.sigmoid = clip->logit_bias != NULL};
    tensor_download(&logits.scale, clip->logit_scale);
    if (logits.sigmoid)
        tensor_download(&logits.bias, clip->logit_bias);
    if (!clip->raw_scale)
        logits.scale = !logits.sigmoid && logits.scale > logf(100) ? 100 : expf(logits.scale);
    return logits;
}

void zeroshot_probabilities(float *scores, size_t n, struct zeroshot_logits logits)
{
    double scale = (double)logits.scale, largest = -INFINITY, sum = 0;
    for (size_t i = 0; i < n; i++)
        largest = fmax(largest, scale * (double)scores[i]);
    for (size_t i = 0; i < n; i++)
        sum += exp(scale * (double)scores[i] - largest);
    for (size_t i = 0; i < n; i++) {
        double logit = scale * (double)scores[i];
        scores[i] = (float)(logits.sigmoid ? 1 / (1 + exp(-logit - (double)logits.bias)) : exp(logit - largest) / sum);
    }
}
