#include "tools/labelled.h"

#include "models/images/picture_bytes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Paths of the photos that are there; place[i] is photo i's place among them, -1 if it is missing. */
static int find_photos(struct string_list *paths, int *place, const struct captions *table, const char *root,
                       struct error *err)
{
    const char *first_missing = NULL;
    for (size_t i = 0; i < table->photos.count; i++) {
        char *path = path_join(root, table->photos.items[i]);
        place[i] = picture_bytes_exist(path) ? (int)paths->count : -1;
        if (place[i] >= 0)
            string_list_add(paths, path);
        else if (!first_missing)
            first_missing = table->photos.items[i];
        free(path);
    }
    if (paths->count == 0)
        return error_set(err, EXIT_BAD_DATA, "%s: none of the %zu photos is there (the first is %s); give --image-root",
                         root, table->photos.count, first_missing);
    if (first_missing)
        fprintf(stderr, "oclip: %s: %zu of %zu photos are missing (the first is %s); left out with their texts\n", root,
                table->photos.count - paths->count, table->photos.count, first_missing);
    return 0;
}

/* Moves the readable rows together; place[] follows. */
static void drop_unreadable(struct labelled *set, int *place, size_t places, const bool *bad, size_t dim)
{
    for (size_t i = 0; i < places; i++) {
        if (place[i] < 0)
            continue;
        size_t row = (size_t)place[i];
        place[i] = bad[row] ? -1 : (int)set->photos;
        if (!bad[row])
            memmove(set->rows + set->photos++ * dim, set->rows + row * dim, dim * sizeof *set->rows);
    }
    set->left_out = places - set->photos;
}

static void take_texts(struct labelled *set, const struct captions *table, const int *place)
{
    set->photo_of = mem_new(table->texts.count, sizeof *set->photo_of);
    for (size_t t = 0; t < table->texts.count; t++) {
        int photo = place[table->photo_of[t]];
        if (photo < 0)
            continue;
        set->photo_of[set->texts.count] = photo;
        string_list_add(&set->texts, table->texts.items[t]);
    }
}

int labelled_read(struct labelled *set, const struct clip *clip, const char *table_path, const char *image_root,
                  const struct captions_format *format, const struct encode_options *options, struct error *err)
{
    *set = (struct labelled){0};
    struct captions table;
    if (captions_read(&table, table_path, format, err) != 0)
        return -1;
    if (table.broken.count)
        fprintf(stderr, "oclip: %s: %zu captions skipped (the first: %s)\n", table_path, table.broken.count,
                table.broken.items[0]);
    struct string_list paths = {0};
    int *place = mem_new(table.photos.count, sizeof *place);
    bool *bad = NULL;
    const char *root = image_root ? image_root : table.root;
    int result = find_photos(&paths, place, &table, root, err);
    if (result == 0) {
        size_t dim = (size_t)clip->embed_dim;
        set->rows = mem_new(paths.count * dim, sizeof *set->rows);
        bad = mem_new(paths.count, sizeof *bad);
        result = encode_images(set->rows, bad, clip, (const char *const *)paths.items, paths.count, options, err);
        if (result == 0)
            drop_unreadable(set, place, table.photos.count, bad, dim);
    }
    if (result == 0 && set->photos == 0)
        result = error_set(err, EXIT_BAD_DATA, "%s: none of the %zu photos can be read", root, paths.count);
    if (result == 0)
        take_texts(set, &table, place);
    else
        labelled_free(set);
    free(bad);
    free(place);
    string_list_free(&paths);
    captions_free(&table);
    return result;
}

void labelled_free(struct labelled *set)
{
    free(set->rows);
    free(set->photo_of);
    string_list_free(&set->texts);
    *set = (struct labelled){0};
}
