#include "models/tokenizers/vocabulary.h"

#include "runtime/util/file.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum {
    LONGEST_TOKEN = 512, /* bytes; public vocabularies stay under 100 */
    MOST_BYTES = 64 << 20,
};

struct slot {
    uint32_t hash;
    uint32_t offset; /* of the token in text, "##" not counted */
    uint16_t length;
    bool inside;
    int id; /* -1: empty */
};

struct vocabulary {
    struct slot *slots; // [mask + 1], at most half of them taken
    size_t mask;
    char *text; // [used of capacity], the tokens one after another
    size_t used, capacity;
    size_t longest; /* bytes of the longest token */
    int size;
};

/* FNV-1a, because the hash of every beginning of a word falls out on the way to the hash of the whole. */
static uint32_t hash_start(bool inside)
{
    return inside ? 0x050C5D1Fu : 0x811C9DC5u;
}

static uint32_t hash_add(uint32_t hash, char byte)
{
    return (hash ^ (unsigned char)byte) * 0x01000193u;
}

static uint32_t hash_of(bool inside, const char *text, size_t length)
{
    uint32_t hash = hash_start(inside);
    for (size_t i = 0; i < length; i++)
        hash = hash_add(hash, text[i]);
    return hash;
}

/* The token's slot, or the empty one where it belongs. */
static struct slot *slot_of(const struct vocabulary *v, uint32_t hash, bool inside, const char *text, size_t length)
{
    for (size_t at = (hash ^ hash >> 15) & v->mask;; at = (at + 1) & v->mask) {
        struct slot *slot = &v->slots[at];
        if (slot->id < 0 || (slot->hash == hash && slot->inside == inside && slot->length == length &&
                             memcmp(v->text + slot->offset, text, length) == 0))
            return slot;
    }
}

static struct vocabulary *new_for(size_t tokens)
{
    struct vocabulary *v = mem_new(1, sizeof *v);
    for (v->mask = 1; v->mask < 2 * tokens; v->mask = 2 * v->mask + 1)
        ;
    v->slots = mem_new(v->mask + 1, sizeof *v->slots);
    for (size_t i = 0; i <= v->mask; i++)
        v->slots[i].id = -1;
    return v;
}

/* The later of two equal tokens wins, as in the dictionary the reference builds. */
static int add(struct vocabulary *v, const char *token, size_t length, int id, const char *path, struct error *err)
{
    if (length > LONGEST_TOKEN)
        return error_set(err, EXIT_BAD_DATA, "%s: token %d has %zu bytes; up to %d are believed", path, id, length,
                         LONGEST_TOKEN);
    if (id >= v->size)
        v->size = id + 1;
    bool inside = length >= 2 && memcmp(token, "##", 2) == 0;
    if (inside) {
        token += 2;
        length -= 2;
    }
    if (length == 0) /* matches nothing, but its line counts */
        return 0;
    uint32_t hash = hash_of(inside, token, length);
    struct slot *slot = slot_of(v, hash, inside, token, length);
    if (slot->id < 0) {
        if (v->used + length > v->capacity) {
            v->capacity = 2 * v->capacity + LONGEST_TOKEN;
            v->text = mem_grow(v->text, v->capacity, 1);
        }
        memcpy(v->text + v->used, token, length);
        *slot = (struct slot){.hash = hash, .offset = (uint32_t)v->used, .length = (uint16_t)length, .inside = inside};
        v->used += length;
        if (length > v->longest)
            v->longest = length;
    }
    slot->id = id;
    return 0;
}

static int check_count(size_t count, const char *path, struct error *err)
{
    if (count > VOCABULARY_MOST_IDS)
        return error_set(err, EXIT_BAD_DATA, "%s: %zu tokens; up to %d are believed", path, count, VOCABULARY_MOST_IDS);
    return 0;
}

static size_t count_lines(const char *text, size_t size)
{
    size_t lines = size > 0 && text[size - 1] != '\n';
    for (size_t i = 0; i < size; i++)
        lines += text[i] == '\n';
    return lines;
}

static int add_lines(struct vocabulary *v, const char *text, size_t size, const char *path, struct error *err)
{
    int id = 0;
    for (const char *line = text, *end = text + size; line < end; id++) {
        const char *newline = memchr(line, '\n', (size_t)(end - line));
        const char *stop = newline ? newline : end;
        size_t length = (size_t)(stop - line);
        if (length > 0 && line[length - 1] == '\r')
            length--;
        if (add(v, line, length, id, path, err) != 0)
            return -1;
        line = newline ? newline + 1 : end;
    }
    return 0;
}

int vocabulary_load_text(struct vocabulary **out, const char *path, struct error *err)
{
    char *text;
    size_t size;
    *out = NULL;
    if (file_read(&text, &size, path, MOST_BYTES, err) != 0)
        return -1;
    size_t lines = count_lines(text, size);
    int result = check_count(lines, path, err);
    if (result == 0) {
        *out = new_for(lines);
        result = add_lines(*out, text, size, path, err);
    }
    free(text);
    if (result != 0) {
        vocabulary_free(*out);
        *out = NULL;
    }
    return result;
}

int vocabulary_load_json(struct vocabulary **out, json_t *tokens, const char *path, struct error *err)
{
    *out = NULL;
    if (!json_is_object(tokens))
        return error_set(err, EXIT_BAD_DATA, "%s: model.vocab is not an object of tokens and ids", path);
    if (check_count(json_object_size(tokens), path, err) != 0)
        return -1;
    struct vocabulary *v = new_for(json_object_size(tokens));
    const char *token;
    json_t *id;
    json_object_foreach(tokens, token, id)
    {
        json_int_t value = json_integer_value(id);
        int result = 0;
        if (!json_is_integer(id) || value < 0 || value >= VOCABULARY_MOST_IDS)
            result = error_set(err, EXIT_BAD_DATA, "%s: model.vocab: the id of \"%.64s\" is not an integer in 0..%d",
                               path, token, VOCABULARY_MOST_IDS - 1);
        else
            result = add(v, token, strlen(token), (int)value, path, err);
        if (result != 0) {
            vocabulary_free(v);
            return -1;
        }
    }
    *out = v;
    return 0;
}

void vocabulary_free(struct vocabulary *v)
{
    if (!v)
        return;
    free(v->slots);
    free(v->text);
    free(v);
}

int vocabulary_size(const struct vocabulary *v)
{
    return v->size;
}

int vocabulary_find(const struct vocabulary *v, const char *token)
{
    size_t length = strlen(token);
    return slot_of(v, hash_of(false, token, length), false, token, length)->id;
}

static bool is_character_start(char byte)
{
    return ((unsigned char)byte & 0xC0) != 0x80;
}

int vocabulary_longest_piece(size_t *length, const struct vocabulary *v, bool inside, const char *text, size_t bytes)
{
    uint32_t hashes[LONGEST_TOKEN + 1]; /* hashes[n] is that of the first n bytes */
    size_t reach = bytes < v->longest ? bytes : v->longest;
    hashes[0] = hash_start(inside);
    for (size_t i = 0; i < reach; i++)
        hashes[i + 1] = hash_add(hashes[i], text[i]);
    for (size_t n = reach; n > 0; n--) {
        if (n < bytes && !is_character_start(text[n]))
            continue;
        int id = slot_of(v, hashes[n], inside, text, n)->id;
        if (id >= 0) {
            *length = n;
            return id;
        }
    }
    return -1;
}
