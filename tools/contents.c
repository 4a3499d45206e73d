#define _GNU_SOURCE
#include "tools/contents.h"

#include "runtime/util/error.h"
#include "tools/alike.h"

#include <stdlib.h>
#include <string.h>

static int compare_files(const void *a, const void *b, void *context)
{
    const struct photo *photos = context;
    size_t x = *(const size_t *)a, y = *(const size_t *)b;
    int order = hash_compare(&photos[x].hash, &photos[y].hash);
    return order ? order : (x > y) - (x < y);
}

/* The first file with the content of each, into leader [n]; files [n] are all of them, in any order. */
static void find_leaders(size_t *leader, size_t *files, const struct photo *photos, size_t n)
{
    qsort_r(files, n, sizeof *files, compare_files, (void *)(size_t)photos);
    for (size_t i = 0; i < n; i++) {
        bool same = i > 0 && alike_is_copy(&photos[files[i]], &photos[files[i - 1]]);
        leader[files[i]] = same ? leader[files[i - 1]] : files[i];
    }
}

struct contents contents_of(const struct photo *photos, size_t n)
{
    struct contents contents = {
        .of = mem_new(n, sizeof(size_t)), .files = mem_new(n, sizeof(size_t)), .first = mem_new(n + 1, sizeof(size_t))};
    size_t *leader = mem_new(n, sizeof *leader);
    for (size_t i = 0; i < n; i++)
        leader[i] = contents.files[i] = i;
    if (photos)
        find_leaders(leader, contents.files, photos, n);
    for (size_t i = 0; i < n; i++) {
        contents.of[i] = leader[i] == i ? contents.count++ : contents.of[leader[i]];
        contents.first[contents.of[i] + 1]++;
    }
    for (size_t c = 0; c < contents.count; c++)
        contents.first[c + 1] += contents.first[c];
    size_t *next = leader; /* by content: where its next file goes */
    memcpy(next, contents.first, contents.count * sizeof *next);
    for (size_t i = 0; i < n; i++)
        contents.files[next[contents.of[i]]++] = i;
    free(leader);
    return contents;
}

void contents_free(struct contents *contents)
{
    free(contents->of);
    free(contents->files);
    free(contents->first);
    *contents = (struct contents){0};
}
