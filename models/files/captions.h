/* Photos and their captions, in the forms in which people keep them.
 *
 *     struct captions table;
 *     if (captions_read(&table, "captions.txt", &(struct captions_format){0}, &err) != 0) return -1;
 *     for (size_t i = 0; i < table.texts.count; i++)
 *         printf("%s: %s\n", table.photos.items[table.photo_of[i]], table.texts.items[i]);
 *     captions_free(&table);
 *
 * | kind | what it is |
 * | --- | --- |
 * | csv | a table. A header line and columns separated by , | ; or tab (Kaggle's Flickr8k captions.txt, Flickr30k's
 *   results.csv, open_clip's csv files), or two columns without a header (Flickr8k.token.txt: `name.jpg#0<tab>text`).
 *   Quotes follow RFC 4180, except where the separator is | or where it is tab without a header: there a quote is a
 *   letter. Blanks around a field are dropped. The last column takes all that is left of its row |
 * | coco | COCO's captions_*.json: images and annotations |
 * | karpathy | dataset_*.json of Karpathy's splits: train (with restval), val, test |
 * | webdataset | tar shards (shards.h), or a folder of them |
 * | folder | photo.jpg beside photo.txt, a caption a line |
 * | classes | a folder a class; captions are the templates (templates.h) with the folder's name |
 * | synthetic | made-up pictures, for tries without data |
 *
 * What lacks its photo's name or its text is skipped and named in `broken`. Whether the photos exist is not looked at.
 */
#ifndef OCLIP_CAPTIONS_H
#define OCLIP_CAPTIONS_H

#include "runtime/util/error.h"
#include "runtime/util/file.h"

#include <stdbool.h>

/* All zero: find out. */
struct captions_format {
    const char *kind; /* "auto", or as above */
    char separator;
    const char *image_key, *caption_key; /* names of columns */
    const char *split;                   /* karpathy; NULL: train */
    const char *templates;               /* classes: a file; NULL: a few usual ones */
    int samples;                         /* synthetic */
};

struct captions {
    struct string_list photos; /* each name once, in order of first appearance */
    char *root;                /* the folder to which the names are relative, "" for none */
    struct string_list texts;  /* in order of the file */
    int *photo_of;             // [texts.count]: index into photos
    struct string_list broken; /* "captions.csv:12: lacks its text": what was skipped, and why */
    bool has_splits;           /* the file has parts of other names than format.split */
};

/* A collection without any caption is an error, as is one whose form cannot be told. */
int captions_read(struct captions *captions, const char *path, const struct captions_format *format,
                  struct error *err) MUST_CHECK;
void captions_free(struct captions *captions);

/* The kind that captions_read would take for this path. */
const char *captions_detect(const char *path);

#endif
