#define _GNU_SOURCE
#include "tools/dedupe.h"

#include "runtime/util/progress.h"
#include "tools/alike.h"
#include "tools/text.h"

#include <stdio.h>
#include <stdlib.h>

/* The most pixels first; of as many, the first path. */
static int compare_worth(const void *a, const void *b, void *context)
{
    const struct photo *photos = context;
    size_t x = *(const size_t *)a, y = *(const size_t *)b;
    long long left = (long long)photos[x].width * photos[x].height,
              right = (long long)photos[y].width * photos[y].height;
    return left != right ? (left < right) - (left > right) : (x > y) - (x < y);
}

static bool are_alike(const struct gallery *gallery, size_t a, size_t b)
{
    return alike(&gallery->photos[a], gallery->rows + a * gallery->dim, &gallery->photos[b],
                 gallery->rows + b * gallery->dim, gallery->dim);
}

/* Every photo that is in no group yet leads one, if it finds others. All pairs, but a pair is mostly one comparison of
 * 64 bits. */
void dedupe_find(struct dedupe *groups, const struct gallery *gallery, bool quiet)
{
    size_t n = gallery->paths.count, used = 0;
    size_t *order = mem_new(n, sizeof *order);
    bool *taken = mem_new(n, sizeof *taken);
    *groups = (struct dedupe){.photos = mem_new(n, sizeof(size_t)), .first = mem_new(n + 1, sizeof(size_t))};
    for (size_t i = 0; i < n; i++)
        order[i] = i;
    qsort_r(order, n, sizeof *order, compare_worth, gallery->photos);
    struct progress bar = progress_begin("comparing", (long)n, "photos", quiet);
    for (size_t i = 0; i < n; i++) {
        size_t begun = used;
        groups->photos[used++] = order[i]; /* taken back if it stays alone */
        for (size_t j = i + 1; !taken[order[i]] && j < n; j++) {
            if (taken[order[j]] || !are_alike(gallery, order[i], order[j]))
                continue;
            taken[order[j]] = true;
            groups->photos[used++] = order[j];
        }
        if (used - begun == 1)
            used = begun;
        else
            groups->first[++groups->count] = used;
        progress_step(&bar, (long)i, "%s", "");
    }
    progress_end(&bar);
    free(order);
    free(taken);
}

void dedupe_free(struct dedupe *groups)
{
    free(groups->photos);
    free(groups->first);
    *groups = (struct dedupe){0};
}

/* ---- output ---- */

static void print_lines(const struct gallery *gallery, const size_t *photos, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct photo *photo = &gallery->photos[photos[i]];
        const char *what = i == 0 ? "best" : alike_is_copy(photo, &gallery->photos[photos[0]]) ? "copy" : "near";
        printf("%s  %dx%d  %s\n", what, photo->width, photo->height, gallery->paths.items[photos[i]]);
    }
    putchar('\n');
}

static void print_json(const struct gallery *gallery, const size_t *photos, size_t count)
{
    json_t *copies = json_array(), *near = json_array();
    for (size_t i = 1; i < count; i++) {
        bool is_copy = alike_is_copy(&gallery->photos[photos[i]], &gallery->photos[photos[0]]);
        json_array_append_new(is_copy ? copies : near, text_json(gallery->paths.items[photos[i]]));
    }
    text_print_json(json_pack("{s:o, s:o, s:o}", "best", text_json(gallery->paths.items[photos[0]]), "copies", copies,
                              "near", near));
}

static void print_paths(const struct gallery *gallery, const size_t *photos, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        fputs(gallery->paths.items[photos[i]], stdout);
        putchar('\0');
    }
}

void dedupe_print(const struct dedupe *groups, const struct gallery *gallery, enum dedupe_form form)
{
    static void (*const print[])(const struct gallery *, const size_t *, size_t) = {
        [DEDUPE_LINES] = print_lines, [DEDUPE_JSON] = print_json, [DEDUPE_PATHS] = print_paths};
    for (size_t g = 0; g < groups->count; g++)
        print[form](gallery, groups->photos + groups->first[g], groups->first[g + 1] - groups->first[g]);
}
