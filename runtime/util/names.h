/* Texts, each once, numbered from 0 in order of first appearance.
 *
 *     struct names names = {0};
 *     int number = names_add(&names, "a.jpg");        // the same number for the same text
 *     if (names_find(&names, "b.jpg") < 0) ...        // not there
 *     puts(names.list.items[number]);
 *     names_free(&names);
 */
#ifndef OCLIP_NAMES_H
#define OCLIP_NAMES_H

#include "runtime/util/file.h"

struct names {
    struct string_list list;
    int *slots; // [capacity] number + 1, or 0; at most half of them are taken
    size_t capacity;
};

int names_add(struct names *names, const char *text);
int names_find(const struct names *names, const char *text); /* -1: not there */
struct string_list names_take(struct names *names);          /* the list becomes the caller's, the rest is freed */
void names_free(struct names *names);

#endif
