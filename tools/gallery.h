/* The pictures of a folder, ready to be searched.
 *
 *     struct gallery gallery;
 *     if (gallery_open(&gallery, &session, &(struct gallery_options){.folder = "photos/"}, &err) != 0) return -1;
 *     ... gallery.paths.items[i], gallery.photos[i], gallery.rows + i * gallery.dim ...
 *     gallery_free(&gallery);
 */
#ifndef OCLIP_GALLERY_H
#define OCLIP_GALLERY_H

#include "runtime/util/file.h"
#include "tools/filter.h"
#include "tools/session.h"

struct gallery {
    struct string_list paths;
    struct photo *photos; // [paths.count]
    float *rows;          // [paths.count, dim]
    size_t dim;
    size_t readable, unreadable; /* files in the index, whether the filter takes them or not */
};

struct gallery_options {
    const char *folder, *index; /* index: NULL for the usual place */
    bool rebuild;
    struct filter filter;
};

// clang-format off
#define GALLERY_OPTIONS(g) \
    {"gallery", OPTION_TEXT, &(g).folder, "DIR", "the folder of pictures to search", 'g'}, \
    {"index", OPTION_TEXT, &(g).index, "FILE", "the gallery's index (DIR/.oclip.sqlite)", 0}, \
    {"rebuild", OPTION_FLAG, &(g).rebuild, NULL, "make the index anew", 0}, \
    FILTER_OPTIONS((g).filter)
// clang-format on

/* Brings the folder's index up to date, says what changed, loads it. A gallery of which nothing can be read is an
 * error; one of which the filter leaves nothing is not. */
int gallery_open(struct gallery *gallery, const struct session *session, const struct gallery_options *options,
                 struct error *err) MUST_CHECK;
void gallery_free(struct gallery *gallery);

#endif
