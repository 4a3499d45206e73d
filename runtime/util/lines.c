#include "runtime/util/lines.h"

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

int lines_read(struct string_list *lines, const char *path, enum lines_wanted wanted, struct error *err)
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
