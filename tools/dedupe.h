/* Groups of photos that are the same: byte for byte, or nearly (tools/alike.h).
 *
 *     struct dedupe groups;
 *     dedupe_find(&groups, &gallery, quiet);
 *     for (size_t g = 0; g < groups.count; g++)
 *         ... groups.photos[groups.first[g]] to [groups.first[g + 1] - 1] are indexes of photos, the best first ...
 *     dedupe_free(&groups);
 *
 * The best of a group is the photo with the most pixels; every other one is a copy of that one or nearly the same, so
 * that whatever a chain of small differences leads to is never in a group with it.
 */
#ifndef OCLIP_DEDUPE_H
#define OCLIP_DEDUPE_H

#include "tools/gallery.h"

struct dedupe {
    size_t *photos; // [first[count]]
    size_t *first;  // [count + 1]
    size_t count;
};

void dedupe_find(struct dedupe *groups, const struct gallery *gallery, bool quiet);
void dedupe_free(struct dedupe *groups);

/* On stdout: as JSON a line a group; with zeros only the paths of what could go, which are all but the best ones. */
enum dedupe_form { DEDUPE_LINES, DEDUPE_JSON, DEDUPE_PATHS };
void dedupe_print(const struct dedupe *groups, const struct gallery *gallery, enum dedupe_form form);

#endif
