/* How answers are shown: lines, JSON, paths that end with zero, and pictures on the terminal.
 *
 *     struct answer answer = {.query = &query, .pictures = found, .texts = no_texts};
 *     answer_lines(&answer, &(struct answer_style){.heading = true});
 *     answer_json(&answer);
 *     answer_paths(&answer);
 *     answer_page(&page, &answer);
 */
#ifndef OCLIP_ANSWER_H
#define OCLIP_ANSWER_H

#include "tools/finder.h"
#include "tools/html_section.h"
#include "tools/query.h"

struct answer {
    const struct query *query;
    struct found pictures, texts; /* either may be empty */
};

struct answer_style {
    bool heading;  /* the query above its results */
    bool terminal; /* control characters in names become '?' */
    bool draw;     /* the pictures, too (tools/draw.h) */
};

void answer_lines(const struct answer *answer, const struct answer_style *style);
void answer_json(const struct answer *answer); /* one line */
void answer_paths(const struct answer *answer);
void answer_page(struct html *page, const struct answer *answer);

#endif
