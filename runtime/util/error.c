#define _GNU_SOURCE
#include "runtime/util/error.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int error_set(struct error *err, enum exit_code code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
    err->code = code;
    return -1;
}

int error_wrap(struct error *err, const char *format, ...)
{
    char inner[sizeof err->text];
    memcpy(inner, err->text, sizeof inner);

    va_list args;
    va_start(args, format);
    int used = vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
    if (used >= 0 && (size_t)used + 3 < sizeof err->text) {
        size_t room = sizeof err->text - (size_t)used - 3;
        memcpy(err->text + used, ": ", 2);
        size_t length = strnlen(inner, room);
        memcpy(err->text + used + 2, inner, length);
        err->text[(size_t)used + 2 + length] = '\0';
    }
    return -1;
}

int error_report(const struct error *err)
{
    fprintf(stderr, "oclip: %s\n", err->text);
    return err->code == EXIT_OK ? EXIT_FAILED : (int)err->code;
}

void error_warn(const struct error *err)
{
    char line[sizeof err->text];
    memcpy(line, err->text, sizeof line);
    for (char *at = line; *at; at++)
        if ((unsigned char)*at < ' ' || *at == 0x7F)
            *at = '?';
    fprintf(stderr, "oclip: %s\n", line);
}

void error_die(const char *file, int line, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "%s:%d: ", file, line);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    abort();
}

static _Noreturn void out_of_memory(size_t count, size_t size)
{
    fprintf(stderr, "oclip: out of host memory (asked for %zu x %zu bytes)\n", count, size);
    exit(EXIT_NO_MEMORY);
}

void *mem_new(size_t count, size_t size)
{
    void *memory = calloc(count ? count : 1, size ? size : 1);
    if (!memory)
        out_of_memory(count, size);
    return memory;
}

void *mem_grow(void *old, size_t count, size_t size)
{
    void *memory = reallocarray(old, count ? count : 1, size ? size : 1);
    if (!memory)
        out_of_memory(count, size);
    return memory;
}

char *mem_format(const char *format, ...)
{
    char *text = NULL;
    va_list args;
    va_start(args, format);
    int length = vasprintf(&text, format, args);
    va_end(args);
    if (length < 0)
        out_of_memory(1, strlen(format));
    return text;
}
