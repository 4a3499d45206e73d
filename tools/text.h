/* Lines of text files in, JSON lines out.
 *
 *     struct string_list classes = {0};
 *     if (text_read_lines(&classes, "classes.txt", LINES_FILLED, &err) != 0) return -1;
 *     json_t *object = json_pack("{s:o}", "class", text_json(classes.items[0]));
 *     text_print_json(object);                                    // one line on stdout; takes the reference
 */
#ifndef OCLIP_TEXT_H
#define OCLIP_TEXT_H

#include "runtime/util/file.h"
#include "runtime/util/json.h"

enum lines_wanted {
    LINES_ALL,    /* an empty line is an item of its own */
    LINES_FILLED, /* lines of blanks alone are left out, and blanks around the others */
};

/* Every line, without its end (\n or \r\n). A file with a zero byte or without a line wanted is an error. */
int text_read_lines(struct string_list *lines, const char *path, enum lines_wanted wanted,
                    struct error *err) MUST_CHECK;

/* A JSON string; what is no UTF-8 (file names may be anything) becomes U+FFFD, a byte each. */
json_t *text_json(const char *text);

/* A score with six digits behind the point. */
json_t *text_json_score(double score);

void text_print_json(json_t *object);

#endif
