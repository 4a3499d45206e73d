/* Errors of the outside world, and the exit codes every program shares.
 *
 *     struct error err = {0};
 *     if (file_read(&text, &size, path, limit, &err) != 0)
 *         return error_report(&err);        // one line on stderr, returns the exit code
 *
 * A function that can meet a world error (missing file, no device, out of memory) returns 0 or -1
 * and fills a struct error whose text names the thing, the place and the remedy.
 * A programmer's mistake (shapes that do not fit) calls DIE(), which never returns.
 */
#ifndef OCLIP_ERROR_H
#define OCLIP_ERROR_H

#include <stddef.h>

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(string_index, first) __attribute__((format(printf, string_index, first)))

enum exit_code {
    EXIT_OK = 0,
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,
    EXIT_NO_DEVICE = 3,
    EXIT_NO_MEMORY = 4,
    EXIT_DEVICE_LOST = 5,
    EXIT_BAD_DATA = 6,
    EXIT_INTERRUPTED = 75, /* resumable */
};

struct error {
    enum exit_code code;
    char text[6000]; /* long enough for the head of a build log */
};

/* Fills err and returns -1, so that a failing function can `return error_set(...)`. */
int error_set(struct error *err, enum exit_code code, const char *format, ...) PRINTF_LIKE(3, 4);

/* Puts "context: " before the text that err already holds; returns -1. */
int error_wrap(struct error *err, const char *format, ...) PRINTF_LIKE(2, 3);

/* Prints err on stderr as "oclip: text" and returns its exit code. */
int error_report(const struct error *err);

/* Prints err, which the program survives, as one line on stderr: a control character, which file names may hold, as
 * '?'. */
void error_warn(const struct error *err);

_Noreturn void error_die(const char *file, int line, const char *format, ...) PRINTF_LIKE(3, 4);
#define DIE(...) error_die(__FILE__, __LINE__, __VA_ARGS__)
#define CHECK(condition, ...) ((condition) ? (void)0 : DIE(__VA_ARGS__))

/* Host memory: zeroed, never NULL. A program that runs out says so and exits with EXIT_NO_MEMORY.
 * Sizes that come from a file must be bounded before they get here. */
void *mem_new(size_t count, size_t size);
void *mem_grow(void *old, size_t count, size_t size);        /* like realloc; new bytes are not zeroed */
char *mem_format(const char *format, ...) PRINTF_LIKE(1, 2); /* caller frees */

#endif
