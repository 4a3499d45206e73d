/* The best of a collection for one query, as people want them: without what does not match, what looks the same, what
 * is gone.
 *
 *     struct collection pictures;
 *     collection_fill(&pictures, dev, &gallery.paths, gallery.photos, gallery.rows, gallery.dim, NULL);
 *     struct found found;
 *     if (finder_run(&found, &pictures, &(struct wish){.row = row, .top = 10, .least = -1}, &err) != 0) return -1;
 *     for (size_t i = 0; i < found.count; i++)
 *         printf("%.3f  %s\n", found.items[i].score, found_name(&found, i));
 *     found_free(&found);
 *     collection_free(&pictures);
 *
 * Near-duplicates (tools/alike.h) are folded into the best of them. A photo that was deleted since it was indexed is
 * left out with a line on stderr. The search asks for more than the top until these are enough.
 */
#ifndef OCLIP_FINDER_H
#define OCLIP_FINDER_H

#include "runtime/util/file.h"
#include "tools/contents.h"
#include "tools/search.h"

/* Things that can be found. A row is one of them, and has a name; its embedding is that of its content. */
struct collection {
    struct device *dev;
    struct string_list names; /* paths, or the texts themselves */
    struct photo *photos;     // [names.count]; NULL for texts
    struct contents contents; /* of the photos; texts have one each, and so have all where copies are told apart */
    float *embeddings;        // [contents.count, dim]
    struct search *search;    /* over them */
    size_t dim;
};

/* Takes the names, photos (NULL for texts), rows [names->count, dim] and the approximate index over, which may be NULL;
 * where there is one, it proposes copies each. */
void collection_fill(struct collection *collection, struct device *dev, struct string_list *names, struct photo *photos,
                     float *rows, size_t dim, struct ann *ann);
void collection_free(struct collection *collection);
const float *collection_embedding(const struct collection *collection, size_t row); // [dim]

struct wish {
    const float *row; // [dim], of unit length
    size_t top;
    float least;        /* scores below are no match */
    const float *probe; // [dim], or NULL: what is looked for instead of the row, which then only gives the scores,
    float evidence;     /* and from which dot product with the probe on a row matches, instead of `least` */
    const size_t *but;  /* not this row; may be NULL */
    const bool *only;   // [names.count] rows that may match, or NULL for all
    size_t only_count;  /* how many those are */
    bool unfolded;      /* near-duplicates each for themselves */
};

struct finding {
    size_t row; /* of the collection */
    float score;
    size_t folded; /* near-duplicates among the rows looked at */
};

struct found {
    const struct collection *collection;
    struct finding *items; // [count], best first
    size_t count;
};

int finder_run(struct found *found, const struct collection *collection, const struct wish *wish,
               struct error *err) MUST_CHECK;

/* The same for several wishes, founds [count], wishes [count], with one search for all of them. */
int finder_run_many(struct found *found, const struct collection *collection, const struct wish *wishes, size_t count,
                    struct error *err) MUST_CHECK;
const char *found_name(const struct found *found, size_t i);
void found_free(struct found *found);

#endif
