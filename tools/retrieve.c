/* Searches a folder of pictures by text or by picture, and texts by picture. */
#include "tools/gallery.h"
#include "tools/retriever.h"
#include "tools/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct settings {
    struct session session;
    struct gallery_options gallery;
    const char *captions, *html, *html_lead;
    struct option_list images;
    int top;
};

static int read_settings(struct settings *s, int argc, char **argv, struct error *err)
{
    const struct option_row rows[] = {
        {"top", OPTION_INT, &s->top, "N", "results a query", 'k'},
        {"image", OPTION_LIST, &s->images, "FILE...", "search by these pictures", 'i'},
        {"captions", OPTION_TEXT, &s->captions, "FILE", "answer pictures with texts: a line each, or a captions table",
         0},
        {"html", OPTION_TEXT, &s->html, "FILE", "also write a page with the pictures", 0},
        {"html-lead", OPTION_TEXT, &s->html_lead, "FILE", "a piece of HTML of your own that opens that page", 0},
        GALLERY_OPTIONS(s->gallery),
        SESSION_OPTIONS(s->session),
        {0}};
    int first = options_parse("retrieve", "--gallery DIR [QUERY...]",
                              "Searches a folder of pictures by text or by picture. Without a query it asks for them.",
                              rows, argc, argv, err);
    if (first < 0)
        return -1;
    if (s->top < 1)
        return error_set(err, EXIT_USAGE, "--top %d: must be at least 1", s->top);
    if (!s->gallery.folder && !s->captions)
        return error_set(err, EXIT_USAGE, "nothing to search in: give --gallery DIR (or --captions FILE with --image)");
    return first;
}

static int open_gallery(struct retriever *retriever, const struct settings *s, struct error *err)
{
    struct gallery gallery;
    if (gallery_open(&gallery, &s->session, &s->gallery, err) != 0)
        return -1;
    collection_fill(&retriever->pictures, retriever->clip, &gallery.paths, gallery.rows);
    free(gallery.photos);
    return 0;
}

static void remove_line_end(char *line)
{
    line[strcspn(line, "\r\n")] = '\0';
}

/* Queries from stdin, one a line, answered as they come. */
static int answer_lines(struct retriever *retriever, struct error *err)
{
    bool terminal = isatty(STDIN_FILENO);
    char *line = NULL;
    size_t room = 0;
    int result = 0;
    retriever->headings = !terminal;
    while (result == 0) {
        if (terminal) {
            fputs("query> ", stderr);
            fflush(stderr);
        }
        if (getline(&line, &room, stdin) < 0)
            break;
        remove_line_end(line);
        if (line[strspn(line, " \t")] == '\0')
            continue;
        bool is_picture = file_exists(line) && !file_is_folder(line);
        result = retriever_answer(retriever, &(struct query){line, is_picture}, 1, err);
    }
    if (terminal)
        fputc('\n', stderr);
    free(line);
    return result;
}

static int answer_arguments(struct retriever *retriever, const struct option_list *images, char **words, int word_count,
                            struct error *err)
{
    size_t count = (size_t)(images->count + word_count);
    struct query *queries = mem_new(count, sizeof *queries); // [count]
    for (int i = 0; i < word_count; i++)
        queries[i] = (struct query){words[i], false};
    for (int i = 0; i < images->count; i++)
        queries[word_count + i] = (struct query){images->items[i], true};
    retriever->headings = count > 1;
    int result = retriever_answer(retriever, queries, count, err);
    free(queries);
    return result;
}

static int begin_page(struct html *page, const struct retriever *retriever, const struct settings *s, struct error *err)
{
    size_t pictures = retriever->pictures.names.count, texts = retriever->texts.names.count;
    char *lead =
        texts ? mem_format("Among %zu pictures and %zu texts, with the model %s.", pictures, texts, s->session.model)
              : mem_format("Among %zu pictures, with the model %s.", pictures, s->session.model);
    char *opening = NULL;
    int result = s->html_lead ? file_read(&opening, NULL, s->html_lead, 16 << 20, err) : 0;
    if (result == 0)
        result = html_begin(page, s->html, "oclip: search results", lead, err);
    if (result == 0 && opening)
        html_raw(page, opening);
    free(opening);
    free(lead);
    return result;
}

static int run(struct settings *s, char **words, int word_count, struct error *err)
{
    struct retriever retriever = {.clip = s->session.clip,
                                  .top = (size_t)s->top,
                                  .json = s->session.json,
                                  .options = session_encode(&s->session, ENCODE_EMBEDDINGS, "captions")};
    struct html page;
    int result = -1;
    if ((s->gallery.folder && open_gallery(&retriever, s, err) != 0) ||
        (s->captions && retriever_read_texts(&retriever, s->captions, err) != 0) ||
        (s->html && begin_page(&page, &retriever, s, err) != 0))
        goto done;
    retriever.page = s->html ? &page : NULL;
    if (s->images.count + word_count > 0)
        result = answer_arguments(&retriever, &s->images, words, word_count, err);
    else
        result = answer_lines(&retriever, err);
    if (s->html && result != 0)
        html_discard(&page);
    else if (s->html)
        result = html_end(&page, err);
    if (result == 0 && retriever.unreadable)
        result = EXIT_BAD_DATA; /* said on stderr when it was met */
done:
    retriever_free(&retriever);
    return result;
}

int main(int argc, char **argv)
{
    struct error err = {0};
    struct settings s = {.top = 10};
    int first = read_settings(&s, argc, argv, &err);
    if (first < 0 || session_open(&s.session, &err) != 0)
        return error_report(&err);
    int result = run(&s, argv + first, argc - first, &err);
    session_close(&s.session);
    return result < 0 ? error_report(&err) : result;
}
