#include "tools/text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The bytes of the UTF-8 sequence at `text`, 0 if it is none. */
static size_t sequence_length(const char *text)
{
    for (size_t length = 1; length <= 4; length++) {
        json_t *letter = json_stringn(text, length);
        json_decref(letter);
        if (letter)
            return length;
        if (!text[length])
            break;
    }
    return 0;
}

json_t *text_json(const char *text)
{
    json_t *string = json_string(text);
    if (string)
        return string;
    char *clean = mem_new(3 * strlen(text) + 1, 1), *end = clean; /* U+FFFD takes three bytes */
    while (*text) {
        size_t length = sequence_length(text);
        const char *from = length ? text : "\xEF\xBF\xBD";
        for (size_t i = 0; i < (length ? length : 3); i++)
            *end++ = from[i];
        text += length ? length : 1;
    }
    string = json_string(clean);
    free(clean);
    return string;
}

json_t *text_json_score(double score)
{
    return isfinite(score) ? json_real(round(score * 1e6) / 1e6) : json_null();
}

void text_print_json(json_t *object)
{
    char *line = json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(9));
    CHECK(line, "a result cannot be written as JSON");
    puts(line);
    fflush(stdout);
    free(line);
    json_decref(object);
}
