/* Which files a pattern of shards means. */
#include "models/files/shards.h"

#include <stdlib.h>
#include <string.h>

enum { SHARDS_MAX = 1 << 20 };

static int too_many(const char *pattern, struct error *err)
{
    return error_set(err, EXIT_BAD_DATA, "%s: more than %d shards", pattern, SHARDS_MAX);
}

/* {000..012}: the numbers of a range; `inside` is what the braces hold. False: it is no range. */
static bool parse_range(long *first, long *last, int *digits, const char *inside, size_t length)
{
    char text[32], *end;
    if (length >= sizeof text)
        return false;
    memcpy(text, inside, length);
    text[length] = '\0';
    size_t count = strspn(text, "0123456789");
    if (count == 0 || count > 9 || strncmp(text + count, "..", 2) != 0)
        return false;
    const char *second = text + count + 2;
    size_t rest = strspn(second, "0123456789");
    if (rest == 0 || rest > 9 || second[rest])
        return false;
    *first = strtol(text, &end, 10);
    *last = strtol(second, &end, 10);
    *digits = text[0] == '0' || second[0] == '0' ? (int)(count > rest ? count : rest) : 0;
    return true;
}

/* Replaces the first braces by each of their alternatives, and goes on with what follows them. */
static int expand(struct string_list *list, const char *pattern, struct error *err)
{
    const char *open = strchr(pattern, '{'), *close = open ? strchr(open, '}') : NULL;
    if (list->count >= SHARDS_MAX)
        return too_many(pattern, err);
    if (!close) {
        string_list_add(list, pattern);
        return 0;
    }
    long first, last;
    int digits, result = 0;
    if (parse_range(&first, &last, &digits, open + 1, (size_t)(close - open - 1))) {
        long step = first <= last ? 1 : -1;
        for (long i = first; result == 0; i += step) {
            char *one = mem_format("%.*s%0*ld%s", (int)(open - pattern), pattern, digits, i, close + 1);
            result = expand(list, one, err);
            free(one);
            if (i == last)
                break;
        }
        return result;
    }
    for (const char *at = open + 1; result == 0;) {
        size_t length = strcspn(at, ",}");
        char *one = mem_format("%.*s%.*s%s", (int)(open - pattern), pattern, (int)length, at, close + 1);
        result = expand(list, one, err);
        free(one);
        at += length;
        if (at >= close)
            break;
        at++;
    }
    return result;
}

int shards_list(struct string_list *shards, const char *pattern, struct error *err)
{
    size_t before = shards->count;
    if (file_is_folder(pattern)) {
        if (file_list(shards, pattern, ".tar", err) != 0)
            return -1;
        return shards->count > before ? 0 : error_set(err, EXIT_BAD_DATA, "%s: holds no .tar files", pattern);
    }
    if (file_exists(pattern)) {
        string_list_add(shards, pattern);
        return 0;
    }
    if (expand(shards, pattern, err) != 0)
        return -1;
    for (size_t i = before; i < shards->count; i++)
        if (!file_exists(shards->items[i]))
            return error_set(err, EXIT_BAD_DATA, "%s: no such shard (of %s)", shards->items[i], pattern);
    return 0;
}
