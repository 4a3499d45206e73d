#include "models/files/shards.h"

#include "models/images/decode.h"
#include "models/images/picture_bytes.h"

#include <stdlib.h>
#include <string.h>

enum { HALVES_MAX = 1 << 14, TEXT_MAX = 1 << 16 };

/* The end of a member's name from the dot on at which its kind begins; what stands before it is its sample's name. NULL
 * where there is none. */
static const char *kind_of(const char *name)
{
    const char *slash = strrchr(name, '/'), *base = slash ? slash + 1 : name, *kind = strchr(base, '.');
    return kind != base ? kind : NULL;
}

/* Moves to the next member that has a sample's name. What breaks the archive is told after the samples before it. */
static void advance(struct shard_reader *reader)
{
    const char *kind;
    int found;
    free(reader->key);
    reader->key = NULL;
    while ((found = tar_next(&reader->member, &reader->tar, &reader->broken)) > 0)
        if ((kind = kind_of(reader->member.name))) {
            reader->key = mem_format("%.*s", (int)(kind - reader->member.name), reader->member.name);
            return;
        }
    reader->is_broken = found < 0;
}

int shard_open(struct shard_reader *reader, const char *path, struct error *err)
{
    tar_close(&reader->tar);
    reader->is_broken = false;
    if (tar_open(&reader->tar, path, err) != 0)
        return -1;
    size_t length = strlen(path); /* a picture's name could not be told from a path otherwise */
    if (length < 4 || strcmp(path + length - 4, ".tar") != 0)
        return error_set(err, EXIT_BAD_DATA, "%s: the name of a shard ends in .tar", path);
    advance(reader);
    return 0;
}

static void sample_free(struct shard_sample *sample)
{
    free(sample->key);
    free(sample->picture);
    free(sample->text);
    free(sample->fault);
    *sample = (struct shard_sample){0};
}

/* The member becomes a part of the sample, if it is one that is wanted and new. */
static void take_member(struct shard_sample *sample, const struct shard_reader *reader)
{
    const struct tar_member *member = &reader->member;
    const char *kind = kind_of(member->name);
    if (!sample->text && strcmp(kind, ".txt") == 0) {
        size_t size = member->size < TEXT_MAX ? member->size : TEXT_MAX;
        sample->text = mem_new(size + 1, 1);
        if (size)
            memcpy(sample->text, reader->tar.map.data + member->offset, size);
    } else if (!sample->picture && strchr(kind + 1, '.') == NULL && file_has_extension(kind, picture_extensions)) {
        sample->picture = picture_bytes_member(reader->tar.path, member->offset, member->size, member->name);
    }
}

/* Names what the sample lacks. If the other half of it was seen before, the two were split: by the order in the
 * archive, or by its end. */
static void find_fault(struct shard_reader *reader, const char *key, size_t offset)
{
    struct shard_sample *sample = &reader->sample;
    if (sample->picture && sample->text && sample->text[strspn(sample->text, " \t\r\n")])
        return;
    if (sample->picture && sample->text) {
        sample->fault = mem_format("its caption is empty");
        return;
    }
    struct shard_halves *halves = &reader->halves;
    const char *lacks = sample->picture ? "caption" : "photo", *has = sample->picture ? "photo" : "caption";
    int other = names_find(&halves->keys, key);
    if (other >= 0 && halves->places.items[other][0] == lacks[0]) {
        sample->fault = mem_format("split: its %s, and its parts must stand side by side (tar --sort=name)",
                                   halves->places.items[other]);
        return;
    }
    sample->fault = mem_format("has no %s", lacks);
    if (!sample->picture && !sample->text)
        return;
    if (other < 0 && halves->keys.list.count < HALVES_MAX) {
        names_add(&halves->keys, key);
        char *place = mem_format("%s is in %s at byte %zu", has, reader->tar.path, offset);
        string_list_add(&halves->places, place);
        free(place);
    }
}

int shard_next(struct shard_sample *out, struct shard_reader *reader, struct error *err)
{
    struct shard_sample *sample = &reader->sample;
    sample_free(sample);
    if (!reader->key) {
        if (reader->is_broken)
            *err = reader->broken;
        return reader->is_broken ? -1 : 0;
    }
    char *key = mem_format("%s", reader->key);
    size_t offset = reader->member.offset;
    do {
        take_member(sample, reader);
        advance(reader);
    } while (reader->key && strcmp(reader->key, key) == 0);
    sample->key = mem_format("%s:%s", reader->tar.path, key);
    find_fault(reader, key, offset);
    *out = *sample;
    free(key);
    return 1;
}

void shard_close(struct shard_reader *reader)
{
    tar_close(&reader->tar);
    sample_free(&reader->sample);
    names_free(&reader->halves.keys);
    string_list_free(&reader->halves.places);
    free(reader->key);
    *reader = (struct shard_reader){0};
}
