#include "models/files/captions.h"

#include "models/files/captions_kinds.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CAPTIONS_MAX = 1 << 26 };

/* Asked in this order; any file may be a table. */
static const struct captions_kind *const kinds[] = {&captions_synthetic, &captions_webdataset, &captions_folder,
                                                    &captions_classes,   &captions_karpathy,   &captions_coco,
                                                    &captions_csv};
enum { KINDS = sizeof kinds / sizeof *kinds };

static const struct captions_kind *detect(const char *path)
{
    int i = 0;
    while (!kinds[i]->detect(path))
        i++;
    return kinds[i];
}

const char *captions_detect(const char *path)
{
    return detect(path)->name;
}

static const struct captions_kind *find_kind(const char *path, const char *name)
{
    if (!name || strcmp(name, "auto") == 0)
        return detect(path);
    for (int i = 0; i < KINDS; i++)
        if (strcmp(kinds[i]->name, name) == 0)
            return kinds[i];
    DIE("no kind of collection is called \"%s\"", name);
}

void captions_skip(struct captions_reader *reader, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    string_list_add(&reader->captions->broken, text);
}

void captions_set_root(struct captions_reader *reader, const char *folder)
{
    free(reader->captions->root);
    reader->captions->root = mem_format("%s", folder);
}

/* Without the blanks around it; caller frees. */
static char *stripped(const char *text)
{
    while (isspace((unsigned char)*text))
        text++;
    size_t length = strlen(text);
    while (length > 0 && isspace((unsigned char)text[length - 1]))
        length--;
    return mem_format("%.*s", (int)length, text);
}

int captions_add(struct captions_reader *reader, const char *where, const char *photo, const char *text,
                 struct error *err)
{
    struct captions *captions = reader->captions;
    char *caption = stripped(text);
    if (captions->texts.count == CAPTIONS_MAX) {
        free(caption);
        return error_set(err, EXIT_BAD_DATA, "%s: more than %d captions", reader->path, CAPTIONS_MAX);
    }
    if (!*photo || !*caption) {
        captions_skip(reader, "%s: lacks its %s", where, *photo ? "text" : "photo's name");
    } else {
        size_t capacity = captions->texts.capacity;
        string_list_add(&captions->texts, caption);
        if (captions->texts.capacity != capacity)
            captions->photo_of = mem_grow(captions->photo_of, captions->texts.capacity, sizeof *captions->photo_of);
        captions->photo_of[captions->texts.count - 1] = names_add(&reader->photos, photo);
    }
    free(caption);
    return 0;
}

static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? mem_format("%.*s", (int)(slash - path + (slash == path)), path) : mem_format(".");
}

int captions_read(struct captions *captions, const char *path, const struct captions_format *format, struct error *err)
{
    *captions = (struct captions){.root = folder_of(path)};
    struct captions_reader reader = {.path = path, .format = format, .captions = captions};
    int result = find_kind(path, format->kind)->read(&reader, err);
    captions->photos = names_take(&reader.photos);
    if (result == 0 && captions->texts.count == 0)
        result = error_set(err, EXIT_BAD_DATA, "%s: holds no captions (%zu broken, the first: %s)", path,
                           captions->broken.count, captions->broken.count ? captions->broken.items[0] : "none");
    if (result != 0)
        captions_free(captions);
    return result;
}

void captions_free(struct captions *captions)
{
    string_list_free(&captions->photos);
    string_list_free(&captions->texts);
    string_list_free(&captions->broken);
    free(captions->photo_of);
    free(captions->root);
    *captions = (struct captions){0};
}
