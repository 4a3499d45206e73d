/* Small tar archives for tests.
 *
 *     tar_file_write("shard.tar", (struct tar_entry[]){{"0.txt", "A dog", 0}, {"0.jpg", bytes, 0}, {0}});
 */
#ifndef OCLIP_TESTS_TAR_FILE_H
#define OCLIP_TESTS_TAR_FILE_H

/* How the name is written: in the header, or in one of its own, GNU's or pax's. */
enum tar_entry_name { TAR_ENTRY_USTAR, TAR_ENTRY_GNU_NAME, TAR_ENTRY_PAX };

struct tar_entry {
    const char *name, *text; /* name NULL: the end */
    enum tar_entry_name kind;
};

void tar_file_write(const char *path, const struct tar_entry *entries);

#endif
