#include "runtime/util/names.h"

#include "runtime/util/hash.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* Where the text is, or would go: open addressing. */
static size_t find_slot(const struct names *names, const char *text)
{
    struct hash hash = hash_begin();
    hash_add_text(&hash, text);
    size_t at = hash.low & (names->capacity - 1);
    while (names->slots[at] && strcmp(names->list.items[names->slots[at] - 1], text) != 0)
        at = (at + 1) & (names->capacity - 1);
    return at;
}

static void grow(struct names *names)
{
    free(names->slots);
    names->capacity = names->capacity ? 2 * names->capacity : 1024;
    names->slots = mem_new(names->capacity, sizeof *names->slots);
    for (size_t i = 0; i < names->list.count; i++)
        names->slots[find_slot(names, names->list.items[i])] = (int)i + 1;
}

int names_add(struct names *names, const char *text)
{
    if (2 * names->list.count >= names->capacity)
        grow(names);
    int *slot = &names->slots[find_slot(names, text)];
    if (*slot == 0) {
        CHECK(names->list.count < INT_MAX, "more than %d names", INT_MAX);
        string_list_add(&names->list, text);
        *slot = (int)names->list.count;
    }
    return *slot - 1;
}

int names_find(const struct names *names, const char *text)
{
    return names->capacity ? names->slots[find_slot(names, text)] - 1 : -1;
}

struct string_list names_take(struct names *names)
{
    struct string_list list = names->list;
    free(names->slots);
    *names = (struct names){0};
    return list;
}

void names_free(struct names *names)
{
    struct string_list list = names_take(names);
    string_list_free(&list);
}
