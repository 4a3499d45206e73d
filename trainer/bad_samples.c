#include "trainer/bad_samples.h"

#include "runtime/util/json.h"

#include <stdlib.h>
#include <string.h>

enum { SHOWN = 5 };

/* Names of files may be anything; what is no UTF-8 keeps its ASCII. */
static json_t *any_text(const char *text, size_t length)
{
    json_t *string = json_stringn(text, length);
    if (string)
        return string;
    char *ascii = mem_format("%.*s", (int)length, text);
    for (char *at = ascii; *at; at++)
        *at = (unsigned char)*at < 0x80 ? *at : '?';
    string = json_string(ascii);
    free(ascii);
    return string;
}

static void write_line(FILE *file, const char *text)
{
    const char *colon = strstr(text, ": ");
    size_t length = colon ? (size_t)(colon - text) : strlen(text);
    const char *reason = colon ? colon + 2 : "";
    json_t *line = json_pack("{s:o, s:o}", "sample", any_text(text, length), "error", any_text(reason, strlen(reason)));
    char *json = json_dumps(line, JSON_PRESERVE_ORDER);
    CHECK(json, "cannot make a line of bad_samples.jsonl");
    fprintf(file, "%s\n", json);
    free(json);
    json_decref(line);
}

static void write_known(struct bad_samples *bad)
{
    for (; bad->file && bad->written < bad->known.list.count; bad->written++)
        write_line(bad->file, bad->known.list.items[bad->written]);
    if (bad->file)
        fflush(bad->file);
}

void bad_samples_add(struct bad_samples *bad, const char *text)
{
    size_t known = bad->known.list.count;
    names_add(&bad->known, text);
    if (bad->known.list.count == known)
        return;
    if (!bad->quiet && known < SHOWN)
        fprintf(stderr, "%s; left out\n", text);
    if (!bad->quiet && known == SHOWN)
        fprintf(stderr, "more that is left out is in bad_samples.jsonl of the run\n");
    write_known(bad);
}

void bad_samples_add_photo(struct bad_samples *bad, const struct preprocess *preprocess, const char *name)
{
    unsigned char *square = mem_new(preprocess_bytes(preprocess), 1);
    struct error why;
    if (preprocess_file(square, preprocess, name, &why) != 0)
        bad_samples_add(bad, why.text);
    free(square);
}

int bad_samples_open(struct bad_samples *bad, const char *folder, struct error *err)
{
    char *path = path_join(folder, "bad_samples.jsonl");
    bad->file = fopen(path, "a");
    int result = bad->file ? 0 : error_set(err, EXIT_FAILED, "%s: cannot be written", path);
    write_known(bad);
    free(path);
    return result;
}

void bad_samples_share(struct bad_samples *bad, struct ranks *ranks)
{
    size_t *lengths = mem_new((size_t)ranks->count, sizeof *lengths), own_length = 0, all_length = 0; // [count]
    for (size_t i = bad->shared; i < bad->known.list.count; i++)
        own_length += strlen(bad->known.list.items[i]) + 1;
    ranks_gather_each(ranks, lengths, &own_length, sizeof own_length);
    for (int r = 0; r < ranks->count; r++)
        all_length += lengths[r];
    char *own = mem_new(own_length, 1), *all = mem_new(all_length, 1), *end = own;
    for (size_t i = bad->shared; i < bad->known.list.count; i++)
        end = stpcpy(end, bad->known.list.items[i]) + 1;
    ranks_gather(ranks, all, own, lengths);
    for (const char *text = all; text < all + all_length; text += strlen(text) + 1)
        bad_samples_add(bad, text);
    bad->shared = bad->known.list.count;
    free(lengths);
    free(own);
    free(all);
}

void bad_samples_close(struct bad_samples *bad)
{
    if (bad->file)
        fclose(bad->file);
    names_free(&bad->known);
    *bad = (struct bad_samples){0};
}

int bad_samples_check(const struct bad_samples *bad, size_t broken, size_t all, struct error *err)
{
    if (broken == 0 || (broken < all && (double)broken <= bad->limit * (double)all))
        return 0;
    const char *last = bad->known.list.count ? bad->known.list.items[bad->known.list.count - 1] : "unknown";
    return error_set(err, EXIT_BAD_DATA,
                     "%zu of %zu samples cannot be used, more than --max-bad-samples %g allows; the last: %s", broken,
                     all, bad->limit, last);
}
