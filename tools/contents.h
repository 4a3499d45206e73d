/* Which photos are the same, byte for byte: a search looks at each content once, however many files have it.
 *
 *     struct contents contents = contents_of(photos, n);
 *     for (size_t i = contents.first[c]; i < contents.first[c + 1]; i++)
 *         ... file contents.files[i] has content c ...
 *     contents_free(&contents);
 */
#ifndef OCLIP_CONTENTS_H
#define OCLIP_CONTENTS_H

#include "tools/filter.h"

#include <stddef.h>

/* In the order of their first files. */
struct contents {
    size_t count;
    size_t *of;    // [n] the content of each file
    size_t *files; // [n] those of one content side by side, in their order
    size_t *first; // [count + 1] where a content's files begin
};

/* photos [n]; NULL: each is a content of its own. */
struct contents contents_of(const struct photo *photos, size_t n);
void contents_free(struct contents *contents);

#endif
