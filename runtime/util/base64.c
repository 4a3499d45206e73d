#include "runtime/util/base64.h"

#include "runtime/util/error.h"

#include <stdlib.h>
#include <string.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_write(FILE *stream, const unsigned char *bytes, size_t count)
{
    for (size_t i = 0; i < count; i += 3) {
        size_t left = count - i;
        unsigned long group = (unsigned long)bytes[i] << 16;
        group |= left > 1 ? (unsigned long)bytes[i + 1] << 8 : 0;
        group |= left > 2 ? (unsigned long)bytes[i + 2] : 0;
        putc(digits[group >> 18], stream);
        putc(digits[group >> 12 & 63], stream);
        putc(left > 1 ? digits[group >> 6 & 63] : '=', stream);
        putc(left > 2 ? digits[group & 63] : '=', stream);
    }
}

/* The value of each digit plus one; 0 for what is none. values [256] */
static void fill_values(unsigned char *values)
{
    memset(values, 0, 256);
    for (unsigned char i = 0; i < 64; i++)
        values[(unsigned char)digits[i]] = (unsigned char)(i + 1);
}

bool base64_read(unsigned char **bytes, size_t *count, const char *text)
{
    unsigned char values[256], *out = mem_new(strlen(text) / 4 * 3 + 3, 1);
    unsigned long group = 0;
    size_t length = 0, seen = 0;
    fill_values(values);
    for (; *text && *text != '='; text++) {
        unsigned char value = values[(unsigned char)*text];
        if (*text == '\r' || *text == '\n')
            continue;
        if (value == 0)
            break;
        group = (group << 6 | (value - 1u)) & 0xFFFFFF;
        if (++seen % 4 != 1)
            out[length++] = (unsigned char)(group >> (6 - 2 * ((seen + 3) % 4)));
    }
    *bytes = out;
    *count = length;
    if (text[strspn(text, "=\r\n")] == '\0' && seen % 4 != 1)
        return true;
    free(out);
    *bytes = NULL;
    return false;
}
