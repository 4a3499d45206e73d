/* COCO's captions and Karpathy's splits. */
#include "models/files/captions_kinds.h"
#include "runtime/util/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const size_t file_limit = (size_t)2 << 30;

static int need_array(const json_t **array, const json_t *root, const char *key, const char *path, struct error *err)
{
    *array = json_object_get(root, key);
    if (json_is_array(*array))
        return 0;
    return error_set(err, EXIT_BAD_DATA, "%s: \"%s\" is no list", path, key);
}

/* ---- COCO: {"images": [{"id", "file_name"}], "annotations": [{"image_id", "caption"}]} ---- */

/* Ids are numbers, in some copies texts. */
static bool id_text(char *text, size_t room, const json_t *id)
{
    if (json_is_integer(id))
        snprintf(text, room, "%lld", (long long)json_integer_value(id));
    else if (json_is_string(id))
        snprintf(text, room, "%s", json_string_value(id));
    return json_is_integer(id) || json_is_string(id);
}

/* The ids' numbers are those of the names in `files`. */
static void read_images(struct names *ids, struct string_list *files, struct captions_reader *reader,
                        const json_t *images)
{
    char id[64];
    for (size_t i = 0; i < json_array_size(images); i++) {
        const json_t *image = json_array_get(images, i);
        const char *name = json_text_or(image, "file_name", "");
        if (!id_text(id, sizeof id, json_object_get(image, "id")) || !*name)
            captions_skip(reader, "%s: image %zu lacks its id or file_name", reader->path, i);
        else if ((size_t)names_add(ids, id) == files->count)
            string_list_add(files, name);
        else
            captions_skip(reader, "%s: image %zu has the id %s of another", reader->path, i, id);
    }
}

static int read_annotations(struct captions_reader *reader, const struct names *ids, const struct string_list *files,
                            const json_t *annotations, struct error *err)
{
    int result = 0;
    char id[64];
    for (size_t i = 0; result == 0 && i < json_array_size(annotations); i++) {
        const json_t *annotation = json_array_get(annotations, i);
        const json_t *caption = json_object_get(annotation, "caption");
        int image = -1;
        if (id_text(id, sizeof id, json_object_get(annotation, "image_id")))
            image = names_find(ids, id);
        char *where = mem_format("%s: annotation %zu", reader->path, i);
        if (image < 0 || !json_is_string(caption))
            captions_skip(reader, "%s: %s", where, image < 0 ? "is of no image there is" : "has no caption");
        else
            result = captions_add(reader, where, files->items[image], json_string_value(caption), err);
        free(where);
    }
    return result;
}

static int read_coco(struct captions_reader *reader, struct error *err)
{
    json_t *root;
    const json_t *images, *annotations;
    struct names ids = {0};
    struct string_list files = {0}; // [ids]
    if (json_read_large(&root, reader->path, file_limit, err) != 0)
        return -1;
    int result = need_array(&images, root, "images", reader->path, err);
    if (result == 0)
        result = need_array(&annotations, root, "annotations", reader->path, err);
    if (result == 0) {
        read_images(&ids, &files, reader, images);
        result = read_annotations(reader, &ids, &files, annotations, err);
    }
    if (result == 0 && reader->captions->texts.count == 0 && json_array_size(annotations) > 0)
        result = error_set(err, EXIT_BAD_DATA, "%s: none of its annotations is a caption; captions_*.json is wanted",
                           reader->path);
    string_list_free(&files);
    names_free(&ids);
    json_decref(root);
    return result;
}

/* ---- Karpathy: {"images": [{"filepath", "filename", "split", "sentences": [{"raw"}]}]} ---- */

/* COCO's "restval" is what of its validation set is neither val nor test here, and trained on. */
static bool in_split(const char *split, const char *wanted)
{
    return strcmp(split, wanted) == 0 || (strcmp(wanted, "train") == 0 && strcmp(split, "restval") == 0);
}

static int read_sentences(struct captions_reader *reader, const json_t *image, size_t number, struct error *err)
{
    const char *folder = json_text_or(image, "filepath", ""), *file = json_text_or(image, "filename", "");
    const json_t *sentences = json_object_get(image, "sentences");
    char *name = path_join(folder, file), *where = mem_format("%s: image %zu", reader->path, number);
    int result = 0;
    if (!*file || json_array_size(sentences) == 0)
        captions_skip(reader, "%s: lacks its %s", where, *file ? "sentences" : "filename");
    for (size_t s = 0; result == 0 && *file && s < json_array_size(sentences); s++)
        result = captions_add(reader, where, name, json_text_or(json_array_get(sentences, s), "raw", ""), err);
    free(where);
    free(name);
    return result;
}

static int read_karpathy(struct captions_reader *reader, struct error *err)
{
    json_t *root;
    const json_t *images;
    const char *wanted = reader->format->split ? reader->format->split : "train";
    if (json_read_large(&root, reader->path, file_limit, err) != 0)
        return -1;
    int result = need_array(&images, root, "images", reader->path, err);
    size_t count = result == 0 ? json_array_size(images) : 0;
    for (size_t i = 0; result == 0 && i < count; i++) {
        const json_t *image = json_array_get(images, i);
        if (in_split(json_text_or(image, "split", ""), wanted))
            result = read_sentences(reader, image, i, err);
        else
            reader->captions->has_splits = true;
    }
    if (result == 0 && reader->captions->texts.count == 0)
        result = error_set(err, EXIT_BAD_DATA, "%s: none of its %zu images is of the split \"%s\"", reader->path, count,
                           wanted);
    json_decref(root);
    return result;
}

/* ---- which is it ---- */

static bool is_json(const char *path)
{
    return file_has_extension(path, ".json");
}

/* Sentences stand in the first image already; COCO's annotations stand anywhere. */
static bool has_sentences(const char *path)
{
    struct file_map map;
    struct error ignored;
    if (!is_json(path) || file_map(&map, path, &ignored) != 0)
        return false;
    char *head =
        mem_format("%.*s", map.size < 1 << 16 ? (int)map.size : 1 << 16, map.data ? (const char *)map.data : "");
    bool found = strstr(head, "\"sentences\"") != NULL;
    free(head);
    file_unmap(&map);
    return found;
}

const struct captions_kind captions_coco = {"coco", is_json, read_coco};
const struct captions_kind captions_karpathy = {"karpathy", has_sentences, read_karpathy};
