#include "tools/retriever.h"

#include "models/files/captions.h"
#include "tools/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

void collection_fill(struct collection *collection, const struct clip *clip, struct string_list *names, float *rows)
{
    collection->names = *names;
    collection->search = search_open(clip->dev, rows, names->count, (size_t)clip->embed_dim);
    *names = (struct string_list){0};
    free(rows);
}

static void collection_free(struct collection *collection)
{
    string_list_free(&collection->names);
    search_close(collection->search);
    *collection = (struct collection){0};
}

void retriever_free(struct retriever *retriever)
{
    collection_free(&retriever->pictures);
    collection_free(&retriever->texts);
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
        collection_fill(&retriever->texts, retriever->clip, &texts, rows);
        return 0;
    }
    string_list_free(&texts);
    free(rows);
    return result;
}

/* ---- answers ---- */

/* What one query found in one collection. */
struct found {
    const struct collection *collection;
    struct hit *hits; // [count]
    size_t count;
};

static int find(struct found *found, const struct collection *collection, const float *row, size_t top,
                struct error *err)
{
    size_t count = collection->names.count < top ? collection->names.count : top;
    *found = (struct found){collection, mem_new(count, sizeof *found->hits), count};
    return count ? search_run(found->hits, collection->search, row, 1, count, err) : 0;
}

static const char *name_of(const struct found *found, size_t i)
{
    return found->collection->names.items[found->hits[i].row];
}

static void print_lines(const struct found *found)
{
    for (size_t i = 0; i < found->count; i++)
        printf("%.3f  %s\n", (double)found->hits[i].score, name_of(found, i));
}

static json_t *json_of(const struct found *found, const char *key)
{
    json_t *list = json_array();
    for (size_t i = 0; i < found->count; i++)
        json_array_append_new(list, json_pack("{s:o, s:o}", "score", text_json_score((double)found->hits[i].score), key,
                                              text_json(name_of(found, i))));
    return list;
}

static void add_to_page(struct html *page, const struct query *query, const struct found *pictures,
                        const struct found *texts)
{
    size_t count = pictures->count + texts->count;
    struct html_result *results = mem_new(count, sizeof *results); // [count]
    for (size_t i = 0; i < pictures->count; i++)
        results[i] = (struct html_result){.picture = name_of(pictures, i), .score = pictures->hits[i].score};
    for (size_t i = 0; i < texts->count; i++)
        results[pictures->count + i] = (struct html_result){.text = name_of(texts, i), .score = texts->hits[i].score};
    html_section(page, &(struct html_section){.query_text = query->is_picture ? NULL : query->text,
                                              .query_picture = query->is_picture ? query->text : NULL,
                                              .results = results,
                                              .count = (int)count});
    free(results);
}

static int answer(struct retriever *retriever, const struct query *query, const float *row, struct error *err)
{
    static const struct collection nothing = {0};
    struct found pictures, texts;
    int result = find(&pictures, &retriever->pictures, row, retriever->top, err);
    if (find(&texts, query->is_picture ? &retriever->texts : &nothing, row, retriever->top, err) != 0)
        result = -1;
    if (result == 0 && retriever->json) {
        text_print_json(json_pack("{s:o, s:s, s:o, s:o}", "query", text_json(query->text), "kind",
                                  query->is_picture ? "picture" : "text", "pictures", json_of(&pictures, "path"),
                                  "texts", json_of(&texts, "text")));
    } else if (result == 0) {
        if (retriever->headings)
            printf("%s# %s\n", retriever->answered ? "\n" : "", query->text);
        print_lines(&pictures);
        print_lines(&texts);
        fflush(stdout);
    }
    if (result == 0 && retriever->page)
        add_to_page(retriever->page, query, &pictures, &texts);
    retriever->answered++;
    free(pictures.hits);
    free(texts.hits);
    return result;
}

/* Answers queries that are all of one kind. */
static int answer_alike(struct retriever *retriever, const struct query *queries, size_t n, struct error *err)
{
    size_t dim = (size_t)retriever->clip->embed_dim;
    float *rows = mem_new(n * dim, sizeof *rows); // [n, dim]
    bool *bad = mem_new(n, sizeof *bad);
    const char **texts = mem_new(n, sizeof *texts);
    struct encode_options options = retriever->options;
    options.quiet = true;
    for (size_t i = 0; i < n; i++)
        texts[i] = queries[i].text;
    int result = queries[0].is_picture ? encode_images(rows, bad, retriever->clip, texts, n, &options, err)
                                       : encode_texts(rows, retriever->clip, texts, n, &options, err);
    for (size_t i = 0; result == 0 && i < n; i++) {
        if (bad[i])
            retriever->unreadable++;
        else
            result = answer(retriever, &queries[i], rows + i * dim, err);
    }
    free(rows);
    free(bad);
    free(texts);
    return result;
}

int retriever_answer(struct retriever *retriever, const struct query *queries, size_t n, struct error *err)
{
    for (size_t i = 0; i < n; i++)
        if (!queries[i].is_picture && retriever->pictures.names.count == 0)
            return error_set(err, EXIT_USAGE, "\"%s\": texts search in pictures; give --gallery DIR", queries[i].text);
    for (size_t first = 0, end; first < n; first = end) {
        for (end = first + 1; end < n && queries[end].is_picture == queries[first].is_picture;)
            end++;
        if (answer_alike(retriever, queries + first, end - first, err) != 0)
            return -1;
    }
    return 0;
}
