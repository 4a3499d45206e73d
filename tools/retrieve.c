/* Searches a folder of pictures by text or by picture, and texts by picture. */
#include "tools/dedupe.h"
#include "tools/draw.h"
#include "tools/pictures.h"
#include "tools/retriever.h"
#include "tools/session.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct settings {
    struct session session;
    struct gallery_options gallery;
    struct ann_options ann;
    const char *captions, *queries, *html, *html_lead, *min_score, *pictures;
    struct option_list images;
    int top, like;
    bool unfold, zeros, opens;
    float least; /* of --min-score; the lowest number unless it is one */
    bool dedupe; /* no option: the first word */
};

/* "auto", "none" or a number, which then is in *least. */
static int read_min_score(float *least, const char *text, struct error *err)
{
    char *end;
    *least = -FLT_MAX;
    if (strcmp(text, "auto") == 0 || strcmp(text, "none") == 0)
        return 0;
    *least = strtof(text, &end);
    if (end == text || *end || !isfinite(*least))
        return error_set(err, EXIT_USAGE, "--min-score '%s': must be auto, none or a number", text);
    return 0;
}

static int check_settings(struct settings *s, struct error *err)
{
    if (s->top < 1)
        return error_set(err, EXIT_USAGE, "--top %d: must be at least 1", s->top);
    if (s->dedupe && !s->gallery.folder)
        return error_set(err, EXIT_USAGE, "nothing to compare: give --gallery DIR");
    if (!s->gallery.folder && !s->captions)
        return error_set(err, EXIT_USAGE, "nothing to search in: give --gallery DIR (or --captions FILE with --image)");
    if (s->session.json && s->zeros)
        return error_set(err, EXIT_USAGE, "--json and --zeros: one form of output only");
    if (strcmp(s->pictures, "always") == 0 && !draw_is_built_in())
        return error_set(err, EXIT_USAGE, "--pictures always: this oclip was built without libchafa (libchafa-dev)");
    return read_min_score(&s->least, s->min_score, err);
}

static int read_settings(struct settings *s, int argc, char **argv, struct error *err)
{
    const struct option_row rows[] = {
        GALLERY_OPTIONS(s->gallery),
        ANN_OPTIONS(s->ann),
        {"top", OPTION_INT, &s->top, "N", "results a query", 'k'},
        {"image", OPTION_LIST, &s->images, "FILE...", "search by these pictures", 'i'},
        {"like", OPTION_INT, &s->like, "N", "then more like picture N of the last answer", 0},
        {"queries", OPTION_TEXT, &s->queries, "FILE",
         "JSON lines: a text, or {\"query\" or \"image\": TEXT, \"id\": ID}", 0},
        {"min-score", OPTION_TEXT, &s->min_score, "SCORE",
         "of a match; auto: better than texts about other things; none", 0},
        {"unfold", OPTION_FLAG, &s->unfold, NULL, "show near-duplicates each for themselves", 0},
        {"captions", OPTION_TEXT, &s->captions, "FILE", "answer pictures with texts: a line each, or a captions table",
         0},
        {"pictures", OPTION_TEXT, &s->pictures, "auto|never|always", "draw them; auto: on a terminal", 0},
        {"open", OPTION_FLAG, &s->opens, NULL, "open the page, or else each best picture, with xdg-open", 0},
        {"html", OPTION_TEXT, &s->html, "FILE", "also write a page with the pictures", 0},
        {"html-lead", OPTION_TEXT, &s->html_lead, "FILE", "a piece of HTML of your own that opens that page", 0},
        {"zeros", OPTION_FLAG, &s->zeros, NULL, "only paths, each ended by a zero byte, as for xargs -0", '0'},
        SESSION_OPTIONS(s->session),
        {0}};
    int first =
        options_parse("retrieve", "[dedupe] --gallery DIR [QUERY...]",
                      "Searches a folder of pictures by text or by picture: 'a dog + snow - people', '2:a car', "
                      "./a.jpg.\nWithout a query it asks for them. dedupe lists copies and near-duplicates.",
                      rows, argc, argv, err);
    if (first < 0 || check_settings(s, err) != 0)
        return -1;
    return first;
}

/* ---- queries as they come ---- */

static void remove_line_end(char *line)
{
    line[strcspn(line, "\r\n")] = '\0';
}

/* "like 3" is about the last answer. A mistyped query is said and asked for again on a terminal. */
static int answer_line(struct retriever *retriever, const char *line, bool terminal, struct error *err)
{
    int number, end = 0;
    struct query query;
    if (sscanf(line, " like %d %n", &number, &end) == 1 && end > 0 && line[end] == '\0') {
        if (retriever_like(retriever, number, err) == 0)
            return 0;
    } else if (query_parse(&query, line, err) == 0) {
        int result = retriever_answer(retriever, &query, 1, err);
        query_free(&query);
        return result;
    }
    if (!terminal)
        return -1;
    error_warn(err);
    return 0;
}

/* Queries from stdin, one a line. */
static int answer_stdin(struct retriever *retriever, struct error *err)
{
    bool terminal = isatty(STDIN_FILENO);
    char *line = NULL;
    size_t room = 0;
    int result = 0;
    retriever->style.heading = !terminal;
    while (result == 0) {
        if (terminal) {
            fputs("query> ", stderr);
            fflush(stderr);
        }
        if (getline(&line, &room, stdin) < 0)
            break;
        remove_line_end(line);
        if (line[strspn(line, " \t")] != '\0')
            result = answer_line(retriever, line, terminal, err);
    }
    if (terminal)
        fputc('\n', stderr);
    free(line);
    return result;
}

static int answer_all(struct retriever *retriever, const struct settings *s, char **words, int word_count,
                      struct error *err)
{
    struct query_list list = {0};
    int result = query_list_add_words(&list, words, word_count, err);
    for (int i = 0; result == 0 && i < s->images.count; i++)
        query_list_add(&list, query_of_picture(s->images.items[i]));
    if (result == 0 && s->queries)
        result = query_list_read(&list, s->queries, err);
    retriever->style.heading = list.count > 1 || s->like;
    if (result == 0)
        result = retriever_answer(retriever, list.items, list.count, err);
    if (result == 0 && s->like)
        result = retriever_like(retriever, s->like, err);
    query_list_free(&list);
    return result;
}

/* ---- the whole ---- */

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

static int end_page(struct html *page, const struct settings *s, int result, struct error *err)
{
    if (result != 0) {
        html_discard(page);
        return result;
    }
    if (html_end(page, err) != 0)
        return -1;
    return s->opens ? retriever_show(s->html, err) : 0;
}

static struct retriever retriever_of(const struct settings *s)
{
    bool terminal = isatty(STDOUT_FILENO);
    bool draw = strcmp(s->pictures, "always") == 0 || (terminal && strcmp(s->pictures, "auto") == 0);
    struct retriever retriever = {.clip = s->session.clip,
                                  .top = (size_t)s->top,
                                  .least = s->least,
                                  .calibrated = strcmp(s->min_score, "auto") == 0,
                                  .unfolded = s->unfold,
                                  .form = s->session.json ? ANSWER_JSON
                                          : s->zeros      ? ANSWER_PATHS
                                                          : ANSWER_LINES,
                                  .style = {.terminal = terminal, .draw = draw},
                                  .opens = s->opens,
                                  .options = session_encode(&s->session, ENCODE_EMBEDDINGS, "captions")};
    return retriever;
}

static int search(struct settings *s, char **words, int word_count, struct error *err)
{
    struct retriever retriever = retriever_of(s);
    struct html page;
    int result = -1;
    if ((s->gallery.folder && pictures_open(&retriever.pictures, &s->session, &s->gallery, &s->ann, err) != 0) ||
        (s->captions && retriever_read_texts(&retriever, s->captions, err) != 0) ||
        (s->html && begin_page(&page, &retriever, s, err) != 0))
        goto done;
    retriever.page = s->html ? &page : NULL;
    bool asks = s->images.count + word_count == 0 && !s->queries && !s->like;
    result = asks ? answer_stdin(&retriever, err) : answer_all(&retriever, s, words, word_count, err);
    if (s->html)
        result = end_page(&page, s, result, err);
    if (result == 0 && retriever.unreadable)
        result = EXIT_BAD_DATA; /* said on stderr when it was met */
done:
    retriever_free(&retriever);
    return result;
}

static int dedupe(struct settings *s, struct error *err)
{
    struct gallery gallery;
    struct dedupe groups;
    if (gallery_open(&gallery, &s->session, &s->gallery, err) != 0)
        return -1;
    dedupe_find(&groups, &gallery, s->session.quiet);
    dedupe_print(&groups, &gallery, s->session.json ? DEDUPE_JSON : s->zeros ? DEDUPE_PATHS : DEDUPE_LINES);
    session_say(&s->session, "%zu groups\n", groups.count);
    dedupe_free(&groups);
    gallery_free(&gallery);
    return 0;
}

int main(int argc, char **argv)
{
    struct error err = {0};
    struct settings s = {
        .session.stores_half = true, .ann.from = ANN_FROM, .top = 10, .min_score = "auto", .pictures = "auto"};
    s.dedupe = argc > 1 && strcmp(argv[1], "dedupe") == 0;
    argc -= s.dedupe;
    argv += s.dedupe;
    int first = read_settings(&s, argc, argv, &err);
    if (first < 0 || session_open(&s.session, &err) != 0)
        return error_report(&err);
    int result = s.dedupe ? dedupe(&s, &err) : search(&s, argv + first, argc - first, &err);
    session_close(&s.session);
    return result < 0 ? error_report(&err) : result;
}
