#include "tools/text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const size_t file_limit = (size_t)1 << 30;

static char *strip(char *line)
{
    static const char blanks[] = " \t\f\v";
    line += strspn(line, blanks);
    size_t length = strlen(line);
    while (length > 0 && strchr(blanks, line[length - 1]))
        length--;
    line[length] = '\0';
    return line;
}

int text_read_lines(struct string_list *lines, const char *path, enum lines_wanted wanted, struct error *err)
{
    char *text;
    size_t size;
    if (file_read(&text, &size, path, file_limit, err) != 0)
        return -1;
    int result = 0;
    if (strlen(text) != size)
        result = error_set(err, EXIT_BAD_DATA, "%s: not a text file (byte %zu is zero)", path, strlen(text));
    static const char byte_order_mark[] = "\xEF\xBB\xBF";
    size_t mark = strncmp(text, byte_order_mark, 3) == 0 ? 3 : 0;
    for (char *line = text + mark, *next; result == 0 && *line; line = next) {
        size_t length = strcspn(line, "\n");
        next = line + length + (line[length] == '\n');
        if (length > 0 && line[length - 1] == '\r')
            length--;
        line[length] = '\0';
        if (wanted == LINES_FILLED)
            line = strip(line);
        if (wanted == LINES_ALL || *line)
            string_list_add(lines, line);
    }
    free(text);
    if (result == 0 && lines->count == 0)
        result = error_set(err, EXIT_BAD_DATA, "%s: holds no text", path);
    return result;
}

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
