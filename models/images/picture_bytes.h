/* The bytes behind a picture's name, which is one of
 *
 *     photos/0001.jpg                         a file
 *     shards/000.tar@1536+20480:0001.jpg      20,480 bytes of a tar archive, from 1,536 on, and their name in it
 *     synthetic:17                            made up
 *
 *     struct picture_bytes bytes;
 *     if (picture_bytes_open(&bytes, name, &err) != 0) return -1;
 *     ... bytes.data // [bytes.size]
 *     picture_bytes_close(&bytes);
 */
#ifndef OCLIP_PICTURE_BYTES_H
#define OCLIP_PICTURE_BYTES_H

#include "runtime/util/file.h"

struct picture_bytes {
    const unsigned char *data; // [size]
    size_t size;
    struct file_map map; /* of a file */
    void *owned;         /* otherwise */
};

int picture_bytes_open(struct picture_bytes *bytes, const char *name, struct error *err) MUST_CHECK;
void picture_bytes_close(struct picture_bytes *bytes);

/* The name of a member; caller frees. */
char *picture_bytes_member(const char *archive, size_t offset, size_t size, const char *member);

/* The file that the bytes are in, "" for none; caller frees. */
char *picture_bytes_file(const char *name);

/* Whether that file is there. */
bool picture_bytes_exist(const char *name);

#endif
