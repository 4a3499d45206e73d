#include "tools/request.h"

#include "models/images/orientation.h"
#include "runtime/util/base64.h"
#include "tools/text.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_MAX = 4096, IMAGES_MAX = 1000, IDS_MAX = 10000, IMAGES = 10 };

/* ---- members; null is the same as absent ---- */

static json_t *member(const json_t *object, const char *key)
{
    json_t *value = json_object_get(object, key);
    return json_is_null(value) ? NULL : value;
}

static int take_text(const char **text, const json_t *object, const char *key, struct error *err)
{
    const json_t *value = member(object, key);
    if (value && !json_is_string(value))
        return error_set(err, EXIT_BAD_DATA, "%s: must be a text", key);
    *text = json_string_value(value);
    return 0;
}

static int take_int(long long *number, const json_t *object, const char *key, long long low, long long high,
                    struct error *err)
{
    const json_t *value = member(object, key);
    if (!value)
        return 0;
    if (!json_is_integer(value) || json_integer_value(value) < low || json_integer_value(value) > high)
        return error_set(err, EXIT_BAD_DATA, "%s: must be a whole number from %lld to %lld", key, low, high);
    *number = json_integer_value(value);
    return 0;
}

/* ---- what is looked for ---- */

static int read_text(struct ask *ask, struct error *err)
{
    const char *text = NULL;
    if (take_text(&text, ask->body, "text", err) != 0)
        return -1;
    if (!text || text[strspn(text, " \t\r\n")] == '\0')
        return 0;
    if (strlen(text) > TEXT_MAX)
        return error_set(err, EXIT_BAD_DATA, "text: is longer than %d bytes", TEXT_MAX);
    return query_parse_texts(&ask->query, text, err);
}

static int make_pixels(struct ask *ask, const unsigned char *bytes, size_t size, const struct preprocess *preprocess,
                       struct error *err)
{
    struct picture picture;
    if (picture_decode_memory(&picture, bytes, size, "image", err) != 0)
        return -1;
    if (preprocess->upright)
        picture_upright(&picture);
    ask->pixels = mem_new(preprocess_bytes(preprocess), 1);
    int result = preprocess_picture(ask->pixels, preprocess, &picture, "image", err);
    picture_free(&picture);
    return result;
}

static int read_image(struct ask *ask, const struct preprocess *preprocess, struct error *err)
{
    const char *text = NULL;
    unsigned char *bytes;
    size_t size;
    if (take_text(&text, ask->body, "image", err) != 0)
        return -1;
    if (!text)
        return 0;
    const char *comma = strncmp(text, "data:", 5) == 0 ? strchr(text, ',') : NULL;
    if (!base64_read(&bytes, &size, comma ? comma + 1 : text))
        return error_set(err, EXIT_BAD_DATA, "image: is no base64");
    json_object_del(ask->body, "image"); /* large, and not needed while the ask waits */
    int result = make_pixels(ask, bytes, size, preprocess, err);
    free(bytes);
    return result;
}

static int read_vector(struct ask *ask, size_t dim, struct error *err)
{
    const json_t *list = member(ask->body, "embedding_input");
    double squares = 0;
    if (!list)
        return 0;
    if (!json_is_array(list) || json_array_size(list) != dim)
        return error_set(err, EXIT_BAD_DATA, "embedding_input: must be a list of %zu numbers", dim);
    ask->vector = mem_new(dim, sizeof *ask->vector);
    for (size_t i = 0; i < dim; i++) {
        const json_t *value = json_array_get(list, i);
        double number = json_number_value(value);
        if (!json_is_number(value) || fabs(number) > FLT_MAX)
            return error_set(err, EXIT_BAD_DATA, "embedding_input: number %zu is none that fits float32", i);
        ask->vector[i] = (float)number;
        squares += number * number;
    }
    for (size_t i = 0; squares > 0 && i < dim; i++) /* so that it weighs as much as what else is asked */
        ask->vector[i] = (float)(ask->vector[i] / sqrt(squares));
    return 0;
}

static int read_like(struct ask *ask, size_t count, struct error *err)
{
    long long row = -1;
    if (take_int(&row, ask->body, "like", 0, (long long)count - 1, err) != 0)
        return -1;
    ask->like_row = (size_t)row;
    ask->like = row >= 0 ? &ask->like_row : NULL;
    return 0;
}

static int read_sought(struct ask *ask, const struct clip *clip, const struct collection *pictures, struct error *err)
{
    if (member(ask->body, "image_url"))
        return error_set(err, EXIT_BAD_DATA, "image_url: this server fetches nothing; send the picture as \"image\"");
    if (read_text(ask, err) != 0 || read_vector(ask, pictures->dim, err) != 0 ||
        read_like(ask, pictures->names.count, err) != 0 || read_image(ask, &clip->preprocess, err) != 0)
        return -1;
    if (ask->query.count || ask->pixels || ask->vector || ask->like)
        return 0;
    return error_set(err, EXIT_BAD_DATA,
                     "nothing is asked: give one of \"text\", \"image\", \"embedding_input\" and \"like\"");
}

/* ---- how ---- */

static int read_min_score(struct ask *ask, struct error *err)
{
    const json_t *value = member(ask->body, "min_score");
    const char *word = json_is_string(value) ? json_string_value(value) : "none";
    ask->least = json_is_number(value) ? (float)json_number_value(value) : -FLT_MAX;
    ask->calibrated = strcmp(word, "auto") == 0;
    if ((value && !json_is_number(value) && !json_is_string(value)) || (!ask->calibrated && strcmp(word, "none") != 0))
        return error_set(err, EXIT_BAD_DATA, "min_score: must be \"auto\", \"none\" or a number");
    return 0;
}

static int read_counts(struct ask *ask, struct error *err)
{
    long long images = IMAGES, ids = 0;
    if (take_int(&images, ask->body, "num_images", 1, IMAGES_MAX, err) != 0 ||
        take_int(&ids, ask->body, "num_result_ids", 1, IDS_MAX, err) != 0)
        return -1;
    ask->described = (size_t)images;
    ask->top = (size_t)(ids ? ids : images);
    return 0;
}

static int check_orientation(const char *word, struct error *err)
{
    static const char *const words[] = {"landscape", "portrait", "square"};
    for (size_t i = 0; word && i < sizeof words / sizeof *words; i++)
        if (strcmp(word, words[i]) == 0)
            return 0;
    return word ? error_set(err, EXIT_BAD_DATA, "orientation: must be landscape, portrait or square") : 0;
}

static int read_filter(struct ask *ask, struct error *err)
{
    const json_t *object = member(ask->body, "filter");
    struct filter *filter = &ask->filter;
    long long width = 0, height = 0;
    if (!object)
        return 0;
    if (!json_is_object(object))
        return error_set(err, EXIT_BAD_DATA, "filter: must be an object");
    if (take_text(&filter->path, object, "path", err) != 0 || take_text(&filter->after, object, "after", err) != 0 ||
        take_text(&filter->before, object, "before", err) != 0 ||
        take_text(&filter->orientation, object, "orientation", err) != 0 ||
        take_int(&width, object, "min_width", 0, 1000000, err) != 0 ||
        take_int(&height, object, "min_height", 0, 1000000, err) != 0 ||
        check_orientation(filter->orientation, err) != 0)
        return -1;
    filter->min_width = (int)width;
    filter->min_height = (int)height;
    if (filter->path && strlen(filter->path) > TEXT_MAX / 16)
        return error_set(err, EXIT_BAD_DATA, "path: is longer than %d bytes", TEXT_MAX / 16);
    return filter_check(filter, err);
}

static int read_how(struct ask *ask, struct error *err)
{
    const char *modality = NULL;
    if (take_text(&modality, ask->body, "modality", err) != 0 || read_counts(ask, err) != 0 ||
        read_min_score(ask, err) != 0 || read_filter(ask, err) != 0)
        return -1;
    if (modality && strcmp(modality, "image") != 0)
        return error_set(err, EXIT_BAD_DATA, "modality: this server answers with photos, \"image\", alone");
    ask->unfolded = !json_bool_or(ask->body, "deduplicate", true);
    return 0;
}

int request_read(struct ask *ask, const char *body, size_t size, const struct clip *clip,
                 const struct collection *pictures, struct error *err)
{
    json_error_t why;
    ask->body = json_loadb(body, size, JSON_REJECT_DUPLICATES, &why);
    if (!ask->body)
        return error_set(err, EXIT_BAD_DATA, "the body is no JSON: %s", why.text);
    if (!json_is_object(ask->body))
        return error_set(err, EXIT_BAD_DATA, "the body is no JSON object");
    if (read_how(ask, err) != 0)
        return -1;
    return read_sought(ask, clip, pictures, err);
}

/* ---- answers ---- */

static char *write_json(json_t *root)
{
    char *text = json_dumps(root, JSON_COMPACT | JSON_REAL_PRECISION(9));
    CHECK(text, "an answer cannot be written as JSON");
    json_decref(root);
    return text;
}

static void describe(json_t *object, const struct found *found, size_t i, size_t folder_length)
{
    const struct finding *item = &found->items[i];
    const struct photo *photo = &found->collection->photos[item->row];
    char url[32];
    snprintf(url, sizeof url, "/picture/%zu", item->row);
    json_object_update_new(object,
                           json_pack("{s:s, s:o, s:i, s:i, s:s, s:I}", "url", url, "image_path",
                                     text_json(found_name(found, i) + folder_length), "width", photo->width, "height",
                                     photo->height, "taken", photo->taken, "alike", (json_int_t)item->folded));
}

char *request_found(const struct ask *ask, size_t folder_length)
{
    json_t *list = json_array();
    for (size_t i = 0; i < ask->found.count; i++) {
        const struct finding *item = &ask->found.items[i];
        json_t *object =
            json_pack("{s:I, s:o}", "id", (json_int_t)item->row, "similarity", text_json_score((double)item->score));
        if (i < ask->described)
            describe(object, &ask->found, i, folder_length);
        json_array_append_new(list, object);
    }
    return write_json(list);
}

char *request_embedding(const struct ask *ask, size_t dim)
{
    json_t *list = json_array();
    for (size_t i = 0; i < dim; i++)
        json_array_append_new(list, json_real((double)ask->row[i]));
    return write_json(json_pack("{s:o}", "embedding", list));
}
