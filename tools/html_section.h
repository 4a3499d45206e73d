/* A query and what was found for it, as a section of a page; the pictures are inside it.
 *
 *     html_section(&page, &(struct html_section){
 *         .query_text = "a red dress",
 *         .results = (struct html_result[]){{.picture = "photos/7.jpg", .score = 0.31f}}, .count = 1});
 *
 * All texts are escaped.
 */
#ifndef OCLIP_HTML_SECTION_H
#define OCLIP_HTML_SECTION_H

#include "runtime/util/html.h"

struct html_result {
    const char *picture; /* its path, or NULL for an answer in words */
    const char *text;    /* that answer */
    float score;
    size_t alike; /* near-duplicates of the picture that are not shown */
};

struct html_section {
    const char *query_text, *query_picture; /* one of them */
    const char *note;                       /* one more line under the query, or NULL */
    const struct html_result *results;      // [count], best first
    int count;
};

void html_section(struct html *page, const struct html_section *section);

#endif
