/* Tables of photos and their captions, as people have them.
 *
 *     struct captions table;
 *     if (captions_read(&table, "captions.txt", &(struct captions_format){0}, &err) != 0) return -1;
 *     for (size_t i = 0; i < table.texts.count; i++)
 *         printf("%s: %s\n", table.photos.items[table.photo_of[i]], table.texts.items[i]);
 *     captions_free(&table);
 *
 * Read as they are: a header line and columns separated by , | ; or tab (Kaggle's Flickr8k captions.txt, Flickr30k's
 * results.csv, open_clip's csv files), and two columns without a header (Flickr8k.token.txt: `name.jpg#0<tab>text`).
 * Quotes follow RFC 4180, except where the separator is | or where it is tab without a header: there a quote is a
 * letter. Blanks around a field are dropped. The last column takes all that is left of its row, separators too. A row
 * that lacks a column or the text in it is skipped and counted. Whether the photos exist is not looked at.
 */
#ifndef OCLIP_CAPTIONS_H
#define OCLIP_CAPTIONS_H

#include "runtime/util/error.h"
#include "runtime/util/file.h"

/* All zero: find out. Otherwise what the header line has. */
struct captions_format {
    char separator;
    const char *image_key, *caption_key; /* names of columns */
};

struct captions {
    struct string_list photos; /* each name once, in order of first appearance */
    struct string_list texts;  /* in order of the file */
    int *photo_of;             // [texts.count]: index into photos
    long broken_rows;          /* skipped */
    long first_broken_line;    /* counted from 1; 0 when none is broken */
};

/* A table without any caption is an error, as is one whose columns cannot be told. */
int captions_read(struct captions *captions, const char *path, const struct captions_format *format,
                  struct error *err) MUST_CHECK;
void captions_free(struct captions *captions);

#endif
