/* Approximate search: which rows are worth an exact look, by an index of faiss's.
 *
 *     struct ann *ann;
 *     if (ann_open(&ann, &gallery, "photos.ann", &options, false, &err) != 0) return -1;     // ann may be NULL: exact
 *     size_t count;
 *     const size_t *rows = ann_candidates(&count, ann, query, 10);      // [count]; NULL: look at all of them
 *     ann_close(ann);
 *
 * Its rows are known by their photos' content, so an index serves while photos move, go and are filtered out. New ones
 * are looked at one by one; when they are more than a hundredth it is made anew. It belongs to one model.
 */
#ifndef OCLIP_ANN_H
#define OCLIP_ANN_H

#include "tools/gallery.h"

struct ann;

enum { ANN_FROM = 1000 * 1000 };
struct ann_options {
    bool wanted;
    int from; /* pictures on; with fewer exact search is as quick */
};

// clang-format off
#define ANN_OPTIONS(a) \
    {"ann", OPTION_FLAG, &(a).wanted, NULL, "search large galleries by an approximate index (faiss)", 0}, \
    {"ann-from", OPTION_INT, &(a).from, "N in [1, inf)", "pictures from which on --ann does so", 0}
// clang-format on

/* The index in the file `path`, made there where none fits. *out is NULL where exact search is to be used; that, and
 * why, is said on stderr. */
int ann_open(struct ann **out, const struct gallery *gallery, const char *path, const struct ann_options *options,
             bool quiet, struct error *err) MUST_CHECK;
void ann_close(struct ann *ann); /* NULL is fine */

/* At least k rows of the gallery, among which the best k for query [dim] very likely are, in no order; they are the
 * ann's until the next call. NULL where all rows should be looked at. */
const size_t *ann_candidates(size_t *count, struct ann *ann, const float *query, size_t k);

#endif
