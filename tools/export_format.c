#define _GNU_SOURCE
#include "tools/export_format.h"

#include "runtime/util/base64.h"
#include "tools/text.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

void export_id(char id[EXPORT_ID], const char *path)
{
    struct hash hash = hash_begin();
    hash_add_text(&hash, path);
    uint64_t high = (hash.high & ~0xF000ull) | 0x8000, low = hash.low >> 2 | 1ull << 63; /* version, variant */
    snprintf(id, EXPORT_ID, "%08x-%04x-%04x-%04x-%012llx", (unsigned)(high >> 32), (unsigned)(high >> 16 & 0xFFFF),
             (unsigned)(high & 0xFFFF), (unsigned)(low >> 48), (unsigned long long)(low & 0xFFFFFFFFFFFF));
}

bool export_has_date(const struct photo *photo)
{
    struct tm date = {.tm_isdst = -1};
    if (sscanf(photo->taken, "%d-%d-%d %d:%d:%d", &date.tm_year, &date.tm_mon, &date.tm_mday, &date.tm_hour,
               &date.tm_min, &date.tm_sec) != 6 ||
        date.tm_year < 1)
        return false;
    date.tm_year -= 1900;
    date.tm_mon--;
    struct tm same = date;
    return timegm(&same) != (time_t)-1 && same.tm_mon == date.tm_mon && same.tm_mday == date.tm_mday &&
           same.tm_hour == date.tm_hour && same.tm_min == date.tm_min && same.tm_sec == date.tm_sec;
}

static json_t *base64_json(const char *bytes)
{
    char *text = NULL;
    size_t size;
    FILE *stream = open_memstream(&text, &size);
    CHECK(stream, "no memory stream");
    base64_write(stream, (const unsigned char *)bytes, strlen(bytes));
    fclose(stream);
    json_t *string = json_string(text);
    free(text);
    return string;
}

json_t *export_facts(const struct exported *exported, size_t i)
{
    const char *path = exported->gallery->paths.items[i];
    const struct photo *photo = &exported->gallery->photos[i];
    char hash[HASH_TEXT];
    hash_text(hash, photo->hash);
    json_t *facts = json_pack("{s:o, s:i, s:i, s:s}", "image_path", text_json(path), "width", photo->width, "height",
                              photo->height, "hash", hash);
    if (export_has_date(photo))
        json_object_set_new(facts, "taken", json_string(photo->taken));
    if (strcmp(json_string_value(json_object_get(facts, "image_path")), path) != 0)
        json_object_set_new(facts, "image_path_base64", base64_json(path));
    return facts;
}

void export_vector(FILE *stream, const struct exported *exported, size_t i)
{
    size_t dim = exported->gallery->dim;
    const float *row = exported->gallery->rows + i * dim; // [dim]
    for (size_t j = 0; j < dim; j++)
        fprintf(stream, "%c%.9g", j ? ',' : '[', (double)row[j]);
    fputc(']', stream);
}

void export_members(FILE *stream, json_t *object)
{
    CHECK(json_dumpf(object, stream, JSON_COMPACT | JSON_EMBED) == 0 || ferror(stream), "an object that is no JSON");
    json_decref(object);
}

void export_lines(FILE *stream, const struct exported *exported)
{
    for (size_t i = 0; i < exported->gallery->paths.count; i++) {
        fputc('{', stream);
        export_members(stream, export_facts(exported, i));
        fputs("}\n", stream);
    }
}
