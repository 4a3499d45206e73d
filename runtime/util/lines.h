/* Lines of text files.
 *
 *     struct string_list classes = {0};
 *     if (lines_read(&classes, "classes.txt", LINES_FILLED, &err) != 0) return -1;
 */
#ifndef OCLIP_LINES_H
#define OCLIP_LINES_H

#include "runtime/util/file.h"

enum lines_wanted {
    LINES_ALL,    /* an empty line is an item of its own */
    LINES_FILLED, /* lines of blanks alone are left out, and blanks around the others */
};

/* Every line, without its end (\n or \r\n). A file with a zero byte or without a line wanted is an error. */
int lines_read(struct string_list *lines, const char *path, enum lines_wanted wanted, struct error *err) MUST_CHECK;

#endif
