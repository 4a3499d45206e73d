/* The regular files of a tar archive, in their order.
 *
 *     struct tar tar;
 *     if (tar_open(&tar, "shards/000.tar", &err) != 0) return -1;
 *     struct tar_member member;
 *     int found;
 *     while ((found = tar_next(&member, &tar, &err)) > 0)
 *         ... member.name, tar.map.data + member.offset // [member.size]
 *     tar_close(&tar);                                     // found < 0: the archive is broken from there on
 *
 * POSIX.1-2001 (ustar and pax) and GNU's long names. Headers are not trusted: each one's checksum, and that the member
 * lies within the file. Compressed archives are refused: pictures in them are compressed already.
 */
#ifndef OCLIP_TAR_H
#define OCLIP_TAR_H

#include "runtime/util/file.h"

struct tar_member {
    const char *name; /* the archive's, until the next call */
    size_t offset, size;
};

struct tar {
    struct file_map map;
    char *path;
    size_t at;       /* of the next header */
    char *name;      /* of the last member */
    char *long_name; /* of the next member, from a header of its own; NULL: the member's header has it */
};

int tar_open(struct tar *tar, const char *path, struct error *err) MUST_CHECK;
int tar_next(struct tar_member *member, struct tar *tar, struct error *err) MUST_CHECK; /* 1; 0 at the end; -1 */
void tar_close(struct tar *tar);

#endif
