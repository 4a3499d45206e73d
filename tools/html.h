/* A page of search results that stands alone: the pictures are inside it, it needs no network and no other file.
 *
 *     struct html page;
 *     if (html_begin(&page, "results.html", "Search", "416 photos, searched by text.", &err) != 0) return -1;
 *     html_section(&page, &(struct html_section){
 *         .query_text = "a red dress",
 *         .results = (struct html_result[]){{.picture = "photos/7.jpg", .score = 0.31f}}, .count = 1});
 *     html_raw(&page, "<h2>How it was made</h2>");               // trusted HTML of the caller's own
 *     return html_end(&page, &err);                              // the page appears whole or not at all
 *
 * All other texts are escaped. The colours follow the reader's light or dark setting; a raw part may use the classes
 * and the variables --text, --quiet, --line, --card and --accent of the style sheet.
 */
#ifndef OCLIP_HTML_H
#define OCLIP_HTML_H

#include "runtime/util/file.h"

struct html {
    struct file_writer writer;
};

struct html_result {
    const char *picture; /* its path, or NULL for an answer in words */
    const char *text;    /* the answer; under a picture its caption, NULL for the file's name */
    float score;
    size_t alike; /* near-duplicates of the picture that are not shown */
};

struct html_section {
    const char *query_text, *query_picture; /* at least one; a text beside a picture is its caption */
    const char *note;                       /* one more line under the query, or NULL */
    const struct html_result *results;      // [count], best first
    int count;
};

/* lead: a sentence under the title, or NULL. */
int html_begin(struct html *page, const char *path, const char *title, const char *lead, struct error *err) MUST_CHECK;
void html_section(struct html *page, const struct html_section *section);
void html_text(struct html *page, const char *text); /* escaped */
void html_raw(struct html *page, const char *html);
int html_end(struct html *page, struct error *err) MUST_CHECK;
void html_discard(struct html *page); /* instead of html_end */

#endif
