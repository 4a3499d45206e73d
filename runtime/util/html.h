/* A page that stands alone: it needs no network and no other file, and appears whole or not at all.
 *
 *     struct html page;
 *     if (html_begin(&page, "results.html", "Search", "416 photos, searched by text.", &err) != 0) return -1;
 *     html_raw(&page, "<h2>How it was made</h2>");               // trusted HTML of the caller's own
 *     html_text(&page, "5 < 6 & 7");                             // escaped
 *     return html_end(&page, &err);
 *
 * The colours follow the reader's light or dark setting; a raw part may use the classes and the variables --text,
 * --quiet, --line, --card and --accent of the style sheet. page.writer.stream may be printed to.
 */
#ifndef OCLIP_HTML_H
#define OCLIP_HTML_H

#include "runtime/util/file.h"

struct html {
    struct file_writer writer;
};

/* lead: a sentence under the title, or NULL. */
int html_begin(struct html *page, const char *path, const char *title, const char *lead, struct error *err) MUST_CHECK;
void html_text(struct html *page, const char *text); /* escaped */
void html_raw(struct html *page, const char *html);
int html_end(struct html *page, struct error *err) MUST_CHECK;
void html_discard(struct html *page); /* instead of html_end */

#endif
