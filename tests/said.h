/* What is said: on stderr in a part of a test, and in messages.
 *
 *     struct listening listening = said_begin();
 *     ...
 *     char *said = said_end(&listening);           // caller frees
 *     assert_mentions(said, "wrong results");
 *     assert_int_equal(said_times(said, "wrong results"), 1);
 */
#ifndef OCLIP_TESTS_SAID_H
#define OCLIP_TESTS_SAID_H

#include <stdio.h>
#include <string.h>

/* stderr is a file meanwhile. */
struct listening {
    FILE *file;
    int stderr_before;
};

struct listening said_begin(void);
char *said_end(struct listening *listening);

int said_times(const char *text, const char *part);

#define assert_mentions(text, part)                                                                                    \
    do {                                                                                                               \
        if (!strstr(text, part))                                                                                       \
            fail_msg("'%s' does not mention '%s'", text, part);                                                        \
    } while (0)

#endif
