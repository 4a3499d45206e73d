#include "tools/html_section.h"

#include "models/images/thumbnail.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { THUMBNAIL_SIDE = 240 };

static const char *file_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* What cannot be read is said in its place: the other pictures are still worth seeing. */
static void write_picture(struct html *page, const char *path)
{
    struct error err;
    char *uri = NULL;
    size_t size = 0;
    FILE *memory = open_memstream(&uri, &size);
    CHECK(memory, "no memory for a thumbnail");
    int result = thumbnail_write(memory, path, THUMBNAIL_SIDE, &err);
    CHECK(fclose(memory) == 0, "no memory for a thumbnail");
    if (result == 0) {
        html_raw(page, "<img loading=\"lazy\" alt=\"");
        html_text(page, file_name(path));
        html_raw(page, "\" src=\"");
        file_write(&page->writer, uri, size);
        html_raw(page, "\">");
    } else {
        html_raw(page, "<div class=\"broken\">cannot be read</div>");
    }
    free(uri);
}

static void write_score(struct html *page, float score)
{
    char text[64];
    snprintf(text, sizeof text, "<span class=\"score\">%.3f</span>", (double)score);
    html_raw(page, text);
}

static void write_query(struct html *page, const struct html_section *section)
{
    html_raw(page, "<section>\n<header>");
    if (section->query_picture)
        write_picture(page, section->query_picture);
    html_raw(page, section->query_picture ? "<div><span class=\"kind\">Picture</span><h2>"
                                          : "<div><span class=\"kind\">Text</span><h2>");
    html_text(page, section->query_text ? section->query_text : file_name(section->query_picture));
    html_raw(page, "</h2>");
    if (section->note) {
        html_raw(page, "<p class=\"note\">");
        html_text(page, section->note);
        html_raw(page, "</p>");
    }
    html_raw(page, "</div></header>\n");
}

static void write_texts(struct html *page, const struct html_section *section)
{
    bool any = false;
    for (int i = 0; i < section->count; i++) {
        const struct html_result *result = &section->results[i];
        if (result->picture)
            continue;
        html_raw(page, any ? "<li>" : "<ol class=\"texts\">\n<li>");
        any = true;
        write_score(page, result->score);
        html_raw(page, "<span>");
        html_text(page, result->text);
        html_raw(page, "</span></li>\n");
    }
    if (any)
        html_raw(page, "</ol>\n");
}

static void write_pictures(struct html *page, const struct html_section *section)
{
    bool any = false;
    for (int i = 0; i < section->count; i++) {
        const struct html_result *result = &section->results[i];
        if (!result->picture)
            continue;
        html_raw(page, any ? "<li>" : "<ol class=\"grid\">\n<li>");
        any = true;
        write_picture(page, result->picture);
        html_raw(page, "<div class=\"about\"><span class=\"name\" title=\"");
        html_text(page, result->picture);
        html_raw(page, "\">");
        html_text(page, file_name(result->picture));
        if (result->alike) {
            char text[64];
            snprintf(text, sizeof text, " (+%zu alike)", result->alike);
            html_raw(page, text);
        }
        html_raw(page, "</span>");
        write_score(page, result->score);
        html_raw(page, "</div></li>\n");
    }
    if (any)
        html_raw(page, "</ol>\n");
}

void html_section(struct html *page, const struct html_section *section)
{
    CHECK(!section->query_text != !section->query_picture, "a section has one query");
    write_query(page, section);
    write_texts(page, section);
    write_pictures(page, section);
    html_raw(page, "</section>\n");
}
