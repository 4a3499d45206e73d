#include "models/images/thumbnail.h"
#include "runtime/util/names.h"
#include "trainer/page.h"
#include "trainer/records.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* So many epochs are shown, the last one large, and so many pixels a photo has. */
enum { EPOCHS = 6, SIDE = 160 };

const char page_examples_style[] =
    ".asked{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,340px),1fr));gap:16px}\n"
    ".asked article{padding:14px;border:1px solid var(--line);border-radius:12px;background:var(--card);"
    "box-shadow:var(--shadow);--right:#1a7f4b}\n"
    "@media(prefers-color-scheme:dark){.asked article{--right:#5fd19a}}\n"
    ".asked h3{margin:0 0 10px;font-size:1rem;line-height:1.4;overflow-wrap:anywhere}\n"
    ".beside{display:flex;gap:14px}.beside>.photo{flex:0 0 108px;align-self:flex-start}\n"
    ".photo{aspect-ratio:1;border-radius:8px;background:var(--line) center/cover;print-color-adjust:exact}\n"
    ".answers{margin:0;padding:0;list-style:none;font-size:.875rem;line-height:1.4;min-width:0}\n"
    ".answers li{display:flex;gap:8px;padding:3px 0}.answers .score{flex:none}.answers "
    "span{overflow-wrap:anywhere;min-width:0}\n"
    ".answers .right,.strip .right .score{color:var(--right)}\n"
    ".strip{display:grid;grid-template-columns:repeat(4,1fr);gap:8px;font-size:.75rem;text-align:center}\n"
    ".strip .right .photo{outline:3px solid var(--right);outline-offset:-1px}\n"
    ".asked .rank{margin:8px 0 0;font-size:.8125rem;color:var(--quiet)}\n"
    ".asked details{margin-top:6px;font-size:.8125rem}\n"
    ".earlier{display:grid;grid-template-columns:auto auto 1fr;gap:8px 12px;align-items:center;margin-top:8px;"
    "color:var(--quiet)}\n"
    ".earlier .strip{max-width:200px}.earlier .score{display:none}\n";

/* The examples of some epochs, in order. */
struct history {
    json_t *epochs[EPOCHS]; // [count]
    int count;
    struct names photos; /* each is in the page once, as the class pN */
};

static int count_records(const char *folder)
{
    struct records records;
    int count = 0;
    records_begin(&records, folder, "examples.jsonl");
    while (records_next(&records))
        count++;
    return count;
}

/* Takes the first epoch, the last, and some evenly between them. */
static void read_history(struct history *history, const char *folder)
{
    struct records records;
    int all = count_records(folder), wanted = all < EPOCHS ? all : EPOCHS, number = 0;
    *history = (struct history){0};
    records_begin(&records, folder, "examples.jsonl");
    for (json_t *record; (record = records_next(&records)); number++) {
        long next = wanted > 1 ? (long)history->count * (all - 1) / (wanted - 1) : all - 1;
        if (history->count < wanted && number == next)
            history->epochs[history->count++] = json_incref(record);
    }
}

/* ---- parts of a card ---- */

static void write_photo(struct html *page, struct history *history, const char *path)
{
    const char *slash = strrchr(path, '/');
    fprintf(page->writer.stream, "<div class=\"photo p%d\" role=\"img\" aria-label=\"",
            names_add(&history->photos, path));
    html_text(page, slash ? slash + 1 : path);
    html_raw(page, "\" title=\"");
    html_text(page, path);
    html_raw(page, "\"></div>");
}

static void begin_answer(struct html *page, const char *element, const json_t *answer)
{
    bool right = json_bool_or(answer, "right", false);
    fprintf(page->writer.stream, "<%s%s>", element, right ? " class=\"right\" title=\"right\"" : "");
}

static void write_score(struct html *page, const json_t *answer)
{
    bool right = json_bool_or(answer, "right", false);
    fprintf(page->writer.stream, "<span class=\"score\">%s%.3f</span>", right ? "✓ " : "",
            json_real_or(answer, "score", 0));
}

static void write_captions(struct html *page, const json_t *found, size_t limit)
{
    html_raw(page, "<ol class=\"answers\">\n");
    for (size_t i = 0; i < json_array_size(found) && i < limit; i++) {
        const json_t *answer = json_array_get(found, i);
        begin_answer(page, "li", answer);
        write_score(page, answer);
        html_raw(page, "<span>");
        html_text(page, json_text_or(answer, "text", ""));
        html_raw(page, "</span></li>\n");
    }
    html_raw(page, "</ol>\n");
}

static void write_strip(struct html *page, struct history *history, const json_t *found)
{
    html_raw(page, "<div class=\"strip\">");
    for (size_t i = 0; i < json_array_size(found); i++) {
        const json_t *answer = json_array_get(found, i);
        begin_answer(page, "div", answer);
        write_photo(page, history, json_text_or(answer, "photo", ""));
        write_score(page, answer);
        html_raw(page, "</div>\n");
    }
    html_raw(page, "</div>\n");
}

/* ---- cards ---- */

/* What was asked number `index` under `key` in an epoch. */
static const json_t *question(const struct history *history, int epoch, const char *key, size_t index)
{
    return json_array_get(json_object_get(history->epochs[epoch], key), index);
}

static void write_earlier(struct html *page, struct history *history, const char *key, size_t index)
{
    if (history->count < 2)
        return;
    html_raw(page, "<details><summary>Earlier epochs</summary><div class=\"earlier\">\n");
    for (int e = 0; e + 1 < history->count; e++) {
        const json_t *asked = question(history, e, key, index), *found = json_object_get(asked, "found");
        fprintf(page->writer.stream, "<span>epoch %d</span><span>place %d</span>",
                json_int_or(history->epochs[e], "epoch", 0), json_int_or(asked, "rank", 0));
        if (strcmp(key, "photos") == 0)
            write_captions(page, found, 1);
        else
            write_strip(page, history, found);
    }
    html_raw(page, "</div></details>\n");
}

static void write_card(struct html *page, struct history *history, const char *key, size_t index)
{
    const json_t *asked = question(history, history->count - 1, key, index), *found = json_object_get(asked, "found");
    html_raw(page, "<article>");
    if (strcmp(key, "photos") == 0) {
        html_raw(page, "<div class=\"beside\">");
        write_photo(page, history, json_text_or(asked, "photo", ""));
        write_captions(page, found, SIZE_MAX);
        html_raw(page, "</div>");
    } else {
        html_raw(page, "<h3>");
        html_text(page, json_text_or(asked, "text", ""));
        html_raw(page, "</h3>");
        write_strip(page, history, found);
    }
    fprintf(page->writer.stream, "<p class=\"rank\">The right answer is in place %d.</p>\n",
            json_int_or(asked, "rank", 0));
    write_earlier(page, history, key, index);
    html_raw(page, "</article>\n");
}

static void write_questions(struct html *page, struct history *history, const char *key, const char *title)
{
    size_t count = json_array_size(json_object_get(history->epochs[history->count - 1], key));
    fprintf(page->writer.stream, "<section><h2>%s</h2>\n<div class=\"asked\">\n", title);
    for (size_t i = 0; i < count; i++)
        write_card(page, history, key, i);
    html_raw(page, "</div></section>\n");
}

/* A photo that cannot be read says so in its place. */
static void write_thumbnails(struct html *page, const struct names *photos)
{
    html_raw(page, "<style>\n");
    for (size_t i = 0; i < photos->list.count; i++) {
        struct error err;
        char *uri = NULL;
        size_t size = 0;
        FILE *memory = open_memstream(&uri, &size);
        CHECK(memory, "no memory for a thumbnail");
        int result = thumbnail_write(memory, photos->list.items[i], SIDE, &err);
        CHECK(fclose(memory) == 0, "no memory for a thumbnail");
        if (result == 0)
            fprintf(page->writer.stream, ".p%zu{background-image:url(%s)}\n", i, uri);
        else
            fprintf(page->writer.stream, ".p%zu::after{content:\"cannot be read\";font-size:.75rem}\n", i);
        free(uri);
    }
    html_raw(page, "</style>\n");
}

void page_examples(struct html *page, const char *folder)
{
    struct history history;
    read_history(&history, folder);
    if (history.count == 0)
        return;
    write_questions(page, &history, "photos", "Photos and their best captions");
    write_questions(page, &history, "captions", "Captions and their best photos");
    write_thumbnails(page, &history.photos);
    names_free(&history.photos);
    for (int i = 0; i < history.count; i++)
        json_decref(history.epochs[i]);
}
