#define _GNU_SOURCE
#include "tools/retriever.h"

#include "models/files/captions.h"
#include "runtime/util/lines.h"
#include "tools/query_rows.h"

#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum { BLOCK = 256 /* queries encoded together */ };

void retriever_free(struct retriever *retriever)
{
    collection_free(&retriever->pictures);
    collection_free(&retriever->texts);
    calibration_free(&retriever->calibration);
    free(retriever->last);
}

/* ---- texts to be found ---- */

/* A table by its name, or by its first line: a header that begins with "image", or a tab. */
static bool is_table(const char *path, const char *first_line)
{
    const char *dot = strrchr(path, '.');
    if (dot && (strcasecmp(dot, ".csv") == 0 || strcasecmp(dot, ".tsv") == 0))
        return true;
    return strchr(first_line, '\t') || (strncasecmp(first_line, "image", 5) == 0 && strpbrk(first_line, ",|;"));
}

static int read_texts(struct string_list *texts, const char *path, struct error *err)
{
    if (lines_read(texts, path, LINES_FILLED, err) != 0)
        return -1;
    if (!is_table(path, texts->items[0]))
        return 0;
    string_list_free(texts);
    struct captions table;
    if (captions_read(&table, path, &(struct captions_format){0}, err) != 0)
        return -1;
    *texts = table.texts;
    table.texts = (struct string_list){0};
    captions_free(&table);
    return 0;
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void sort_once(struct string_list *texts)
{
    size_t kept = 0;
    qsort(texts->items, texts->count, sizeof *texts->items, compare_texts);
    for (size_t i = 0; i < texts->count; i++) {
        if (kept > 0 && strcmp(texts->items[i], texts->items[kept - 1]) == 0)
            free(texts->items[i]);
        else
            texts->items[kept++] = texts->items[i];
    }
    texts->count = kept;
}

int retriever_read_texts(struct retriever *retriever, const char *path, struct error *err)
{
    struct string_list texts = {0};
    if (read_texts(&texts, path, err) != 0) {
        string_list_free(&texts);
        return -1;
    }
    sort_once(&texts);
    float *rows = mem_new(texts.count * (size_t)retriever->clip->embed_dim, sizeof *rows); // [texts, embed_dim]
    int result =
        encode_texts(rows, retriever->clip, (const char *const *)texts.items, texts.count, &retriever->options, err);
    if (result == 0) {
        collection_fill(&retriever->texts, retriever->clip->dev, &texts, NULL, rows, (size_t)retriever->clip->embed_dim,
                        NULL);
        return 0;
    }
    string_list_free(&texts);
    free(rows);
    return result;
}

/* ---- answers ---- */

int retriever_show(const char *path, struct error *err)
{
    pid_t child;
    char *words[] = {"xdg-open", mem_format("%s", path), NULL};
    int code = posix_spawnp(&child, words[0], NULL, NULL, words, environ);
    free(words[1]);
    return code == 0
               ? 0
               : error_set(err, EXIT_FAILED, "%s: xdg-open cannot be started to show it: %s", path, strerror(code));
}

static void keep_last(struct retriever *retriever, const struct found *pictures)
{
    retriever->last_count = pictures->count;
    retriever->last = mem_grow(retriever->last, pictures->count, sizeof *retriever->last);
    for (size_t i = 0; i < pictures->count; i++)
        retriever->last[i] = pictures->items[i].row;
}

/* Not an error: a threshold is there to give nothing. */
static void say_nothing_matches(const struct retriever *retriever, const struct answer *answer)
{
    if (answer->pictures.count + answer->texts.count > 0 || retriever->options.quiet)
        return;
    fprintf(stderr, "nothing matches \"%s\"; --min-score none shows what comes nearest\n", answer->query->words);
}

static int show(struct retriever *retriever, const struct answer *answer, struct error *err)
{
    switch (retriever->form) {
    case ANSWER_JSON:
        answer_json(answer);
        break;
    case ANSWER_PATHS:
        answer_paths(answer);
        break;
    case ANSWER_LINES:
        if (retriever->style.heading && retriever->answered)
            putchar('\n');
        answer_lines(answer, &retriever->style);
    }
    say_nothing_matches(retriever, answer);
    if (retriever->page)
        answer_page(retriever->page, answer);
    else if (retriever->opens && answer->pictures.count > 0)
        return retriever_show(found_name(&answer->pictures, 0), err);
    return 0;
}

static int answer(struct retriever *retriever, const struct query *query, struct wish wish, struct error *err)
{
    static const struct collection nothing = {0};
    struct answer answer = {.query = query};
    wish.top = retriever->top;
    wish.least = retriever->least;
    wish.unfolded = retriever->unfolded;
    int result = finder_run(&answer.pictures, &retriever->pictures, &wish, err);
    if (result == 0)
        result = finder_run(&answer.texts, query_is_of_texts(query) ? &nothing : &retriever->texts, &wish, err);
    if (result == 0) {
        keep_last(retriever, &answer.pictures);
        result = show(retriever, &answer, err);
        retriever->answered++;
    }
    found_free(&answer.pictures);
    found_free(&answer.texts);
    return result;
}

/* At most BLOCK queries. */
static int answer_block(struct retriever *retriever, const struct query *queries, size_t n, struct error *err)
{
    size_t dim = (size_t)retriever->clip->embed_dim;
    const float *mean = retriever->calibration.mean;
    float *rows = mem_new(n * dim, sizeof *rows), *probes = mem_new(n * dim, sizeof *probes); // [n, dim], both
    bool *bad = mem_new(n, sizeof *bad);
    struct encode_options options = retriever->options;
    options.quiet = true;
    int result = query_rows(rows, probes, bad, queries, n, retriever->clip, mean, &options, err);
    for (size_t i = 0; result == 0 && i < n; i++) {
        bool is_probed = mean && query_is_of_texts(&queries[i]);
        if (bad[i])
            retriever->unreadable++;
        else
            result = answer(retriever, &queries[i],
                            (struct wish){.row = rows + i * dim,
                                          .probe = is_probed ? probes + i * dim : NULL,
                                          .evidence = retriever->calibration.threshold},
                            err);
    }
    free(rows);
    free(probes);
    free(bad);
    return result;
}

static int calibrate(struct retriever *retriever, const struct query *queries, size_t n, struct error *err)
{
    struct encode_options options = retriever->options;
    options.quiet = true;
    bool wanted = retriever->calibrated && !retriever->calibration.mean && retriever->pictures.names.count > 0;
    for (size_t i = 0; wanted && i < n; i++)
        if (query_is_of_texts(&queries[i]))
            return calibration_make(&retriever->calibration, &retriever->pictures, retriever->clip, &options, err);
    return 0;
}

int retriever_answer(struct retriever *retriever, const struct query *queries, size_t n, struct error *err)
{
    for (size_t i = 0; i < n; i++)
        if (query_is_of_texts(&queries[i]) && !retriever->pictures.search)
            return error_set(err, EXIT_USAGE, "\"%s\": texts search in pictures; give --gallery DIR", queries[i].words);
    if (calibrate(retriever, queries, n, err) != 0)
        return -1;
    for (size_t done = 0; done < n; done += BLOCK)
        if (answer_block(retriever, queries + done, n - done < BLOCK ? n - done : BLOCK, err) != 0)
            return -1;
    return 0;
}

int retriever_like(struct retriever *retriever, int number, struct error *err)
{
    if (number < 1 || (size_t)number > retriever->last_count)
        return error_set(err, EXIT_USAGE, "like %d: the last answer has %zu pictures", number, retriever->last_count);
    size_t at = retriever->last[number - 1];
    const float *row = collection_embedding(&retriever->pictures, at);
    struct query query = query_of_picture(retriever->pictures.names.items[at]);
    int result = answer(retriever, &query, (struct wish){.row = row, .but = &at}, err);
    query_free(&query);
    return result;
}
