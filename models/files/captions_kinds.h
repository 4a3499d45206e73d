/* The kinds of collections that captions_read knows: each is one file, captions_KIND.c, and a row of the table in
 * captions.c. */
#ifndef OCLIP_CAPTIONS_KINDS_H
#define OCLIP_CAPTIONS_KINDS_H

#include "models/files/captions.h"
#include "runtime/util/names.h"

struct captions_reader {
    const char *path;
    const struct captions_format *format;
    struct captions *captions; /* root is the path's folder to begin with */
    struct names photos;       /* become captions->photos */
};

struct captions_kind {
    const char *name;
    bool (*detect)(const char *path);
    int (*read)(struct captions_reader *reader, struct error *err);
};

extern const struct captions_kind captions_csv, captions_coco, captions_karpathy, captions_webdataset, captions_folder,
    captions_classes, captions_synthetic;

/* Blanks around the text are dropped; an empty text or name is skipped as broken. Fails when there are too many. */
int captions_add(struct captions_reader *reader, const char *where, const char *photo, const char *text,
                 struct error *err) MUST_CHECK;

/* Something that is skipped: "where: why". */
void captions_skip(struct captions_reader *reader, const char *format, ...) PRINTF_LIKE(2, 3);

/* Names are relative to this folder. */
void captions_set_root(struct captions_reader *reader, const char *folder);

#endif
