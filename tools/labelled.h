/* Photos with what belongs to them, as evaluate needs them: those that can be read, embedded, and nothing else.
 *
 *     struct labelled set;
 *     if (labelled_read(&set, clip, "captions.csv", "photos", &format, &options, &err) != 0) return -1;
 *     ... set.rows [set.photos, embed_dim]; set.texts.items[t] belongs to photo set.photo_of[t] ...
 *     labelled_free(&set);
 *
 * A photo that is missing or cannot be read is left out with its texts; the others keep theirs.
 */
#ifndef OCLIP_LABELLED_H
#define OCLIP_LABELLED_H

#include "models/encoder.h"
#include "models/files/captions.h"

struct labelled {
    size_t photos, left_out;
    float *rows; // [photos, embed_dim]
    struct string_list texts;
    int *photo_of; // [texts.count]
};

/* image_root: NULL for the table's own folder. The missing are counted on stderr, the unreadable named; a set without
 * a single readable photo is an error. */
int labelled_read(struct labelled *set, const struct clip *clip, const char *table_path, const char *image_root,
                  const struct captions_format *format, const struct encode_options *options,
                  struct error *err) MUST_CHECK;
void labelled_free(struct labelled *set);

#endif
