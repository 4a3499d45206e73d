/* Folders of photos: with a text beside each, or a folder for each class. Names are relative to the folder. */
#include "models/files/captions_kinds.h"
#include "models/files/templates.h"
#include "models/images/decode.h"
#include "runtime/util/lines.h"

#include <stdlib.h>
#include <string.h>

/* The path within the folder. */
static const char *within(const char *folder, const char *path)
{
    path += strlen(folder);
    return path + strspn(path, "/");
}

static int list_pictures(struct string_list *pictures, const struct captions_reader *reader, struct error *err)
{
    if (file_list(pictures, reader->path, picture_extensions, err) != 0)
        return -1;
    return pictures->count
               ? 0
               : error_set(err, EXIT_BAD_DATA, "%s: holds no pictures (%s)", reader->path, picture_extensions);
}

/* ---- photo.jpg and photo.txt ---- */

static char *text_beside(const char *picture)
{
    return mem_format("%.*s.txt", (int)(strrchr(picture, '.') - picture), picture);
}

static int add_pair(struct captions_reader *reader, const char *picture, struct error *err)
{
    char *path = text_beside(picture);
    struct string_list lines = {0};
    struct error unreadable;
    int result = 0;
    if (!file_exists(path))
        captions_skip(reader, "%s: has no %s beside it", picture, strrchr(path, '/') + 1);
    else if (lines_read(&lines, path, LINES_FILLED, &unreadable) != 0)
        captions_skip(reader, "%s", unreadable.text);
    for (size_t i = 0; result == 0 && i < lines.count; i++)
        result = captions_add(reader, path, within(reader->path, picture), lines.items[i], err);
    string_list_free(&lines);
    free(path);
    return result;
}

static int read_pairs(struct captions_reader *reader, struct error *err)
{
    struct string_list pictures = {0};
    int result = list_pictures(&pictures, reader, err);
    captions_set_root(reader, reader->path);
    for (size_t i = 0; result == 0 && i < pictures.count; i++)
        result = add_pair(reader, pictures.items[i], err);
    string_list_free(&pictures);
    return result;
}

static bool has_texts(const char *path)
{
    struct string_list pictures = {0};
    struct error ignored;
    bool found = false;
    if (!file_is_folder(path) || file_list(&pictures, path, picture_extensions, &ignored) != 0)
        return false;
    for (size_t i = 0; !found && i < pictures.count; i++) {
        char *text = text_beside(pictures.items[i]);
        found = file_exists(text);
        free(text);
    }
    string_list_free(&pictures);
    return found;
}

/* ---- a folder a class ---- */

/* "golden_retriever/1.jpg" is of the class "golden retriever"; a picture that is in no folder has no class, "". */
static char *class_of(const char *name)
{
    char *class = mem_format("%.*s", (int)(strchr(name, '/') ? strcspn(name, "/") : 0), name);
    for (char *at = class; *at; at++)
        *at = *at == '_' ? ' ' : *at;
    return class;
}

static int add_classified(struct captions_reader *reader, const char *picture, const struct string_list *templates,
                          struct error *err)
{
    const char *name = within(reader->path, picture);
    char *class = class_of(name);
    int result = 0;
    if (!*class)
        captions_skip(reader, "%s: is in no folder of a class", picture);
    for (size_t t = 0; result == 0 && *class && t < templates->count; t++) {
        char *text = template_fill(templates->items[t], class);
        result = captions_add(reader, picture, name, text, err);
        free(text);
    }
    free(class);
    return result;
}

static int read_classes(struct captions_reader *reader, struct error *err)
{
    struct string_list pictures = {0}, templates = {0};
    int result = templates_read(&templates, reader->format->templates, err);
    if (result == 0)
        result = list_pictures(&pictures, reader, err);
    captions_set_root(reader, reader->path);
    for (size_t i = 0; result == 0 && i < pictures.count; i++)
        result = add_classified(reader, pictures.items[i], &templates, err);
    string_list_free(&pictures);
    string_list_free(&templates);
    return result;
}

const struct captions_kind captions_folder = {"folder", has_texts, read_pairs};
const struct captions_kind captions_classes = {"classes", file_is_folder, read_classes};
