#include "tools/query.h"

#include "runtime/util/file.h"
#include "runtime/util/lines.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char blanks[] = " \t\r\n";

/* ---- one query ---- */

static void add_term(struct query *query, const char *text, float weight, bool is_picture)
{
    query->terms = mem_grow(query->terms, query->count + 1, sizeof *query->terms);
    query->terms[query->count++] = (struct query_term){mem_format("%s", text), weight, is_picture};
}

/* "2:red car" -> 2, and where the rest begins. */
static const char *take_weight(float *weight, const char *text)
{
    size_t digits = strspn(text, "0123456789."), after = digits;
    if (digits == 0 || text[digits] != ':')
        return text;
    char *end;
    double number = strtod(text, &end);
    if (end != text + digits || !(number > 0 && number < 1e6))
        return text;
    *weight *= (float)number;
    after += 1 + strspn(text + digits + 1, blanks);
    return text + after;
}

static bool begins_like_path(const char *text)
{
    return text[0] == '/' || strncmp(text, "./", 2) == 0 || strncmp(text, "../", 3) == 0;
}

/* text [length] is what stands between two signs; with_files: it may name a picture. */
static int parse_term(struct query *query, const char *text, size_t length, float sign, bool with_files,
                      struct error *err)
{
    size_t lead = strspn(text, blanks);
    lead = lead < length ? lead : length;
    while (length > lead && strchr(blanks, text[length - 1]))
        length--;
    char *term = mem_format("%.*s", (int)(length - lead), text + lead);
    float weight = sign;
    const char *words = take_weight(&weight, term);
    bool is_file = with_files && *words && file_exists(words) && !file_is_folder(words);
    int result = 0;
    if (!*words)
        result = error_set(err, EXIT_USAGE, "\"%s\": a term is missing beside + or -", query->words);
    else if (with_files && !is_file && begins_like_path(words))
        result = error_set(err, EXIT_BAD_DATA, "%s: no such picture", words);
    else
        add_term(query, words, weight, is_file);
    free(term);
    return result;
}

/* The next + or - with blanks around it, or the end. */
static const char *find_sign(const char *text)
{
    for (const char *at = text; *at; at++) {
        bool stands_free = at == text || strchr(blanks, at[-1]);
        if ((*at == '+' || *at == '-') && stands_free && at[1] && strchr(blanks, at[1]))
            return at;
    }
    return text + strlen(text);
}

static int parse(struct query *query, const char *words, bool with_files, struct error *err)
{
    *query = (struct query){.words = mem_format("%s", words)};
    const char *text = query->words + strspn(query->words, blanks), *sign = find_sign(text);
    float weight = 1;
    int result = 0;
    if (sign == text && *sign) { /* "- people": nothing is added before */
        weight = *sign == '-' ? -1 : 1;
        text++;
    }
    do {
        sign = find_sign(text);
        result = parse_term(query, text, (size_t)(sign - text), weight, with_files, err);
        weight = *sign == '-' ? -1 : 1;
        text = sign + 1;
    } while (result == 0 && *sign);
    if (result != 0)
        query_free(query);
    return result;
}

int query_parse(struct query *query, const char *words, struct error *err)
{
    return parse(query, words, true, err);
}

int query_parse_texts(struct query *query, const char *words, struct error *err)
{
    return parse(query, words, false, err);
}

void query_free(struct query *query)
{
    for (size_t i = 0; i < query->count; i++)
        free(query->terms[i].text);
    free(query->terms);
    free(query->words);
    json_decref(query->id);
    *query = (struct query){0};
}

struct query query_of_picture(const char *path)
{
    struct query query = {.words = mem_format("%s", path)};
    add_term(&query, path, 1, true);
    return query;
}

bool query_is_picture(const struct query *query)
{
    return query->count == 1 && query->terms[0].is_picture && query->terms[0].weight > 0;
}

bool query_is_of_texts(const struct query *query)
{
    for (size_t i = 0; i < query->count; i++)
        if (query->terms[i].is_picture)
            return false;
    return true;
}

/* ---- many ---- */

void query_list_add(struct query_list *list, struct query query)
{
    if (list->count == list->capacity) {
        list->capacity = list->capacity ? 2 * list->capacity : 64;
        list->items = mem_grow(list->items, list->capacity, sizeof *list->items);
    }
    list->items[list->count++] = query;
}

void query_list_free(struct query_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        query_free(&list->items[i]);
    free(list->items);
    *list = (struct query_list){0};
}

static bool is_sign(const char *word)
{
    return strcmp(word, "+") == 0 || strcmp(word, "-") == 0;
}

int query_list_add_words(struct query_list *list, char *const *words, int count, struct error *err)
{
    for (int i = 0; i < count;) {
        char *joined = mem_format("%s", words[i++]);
        while (i < count && (is_sign(words[i]) || is_sign(words[i - 1]))) {
            char *longer = mem_format("%s %s", joined, words[i++]);
            free(joined);
            joined = longer;
        }
        struct query query;
        int result = query_parse(&query, joined, err);
        free(joined);
        if (result != 0)
            return -1;
        query_list_add(list, query);
    }
    return 0;
}

static int parse_line(struct query *query, const char *line, struct error *err)
{
    json_error_t why;
    json_t *root = json_loads(line, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &why);
    if (!root)
        return error_set(err, EXIT_BAD_DATA, "no JSON: %s", why.text);
    const char *words = json_is_string(root) ? json_string_value(root) : json_text_or(root, "query", NULL);
    const char *image = json_text_or(root, "image", NULL);
    int result = 0;
    if (words)
        result = query_parse(query, words, err);
    else if (image)
        *query = query_of_picture(image);
    else
        result = error_set(err, EXIT_BAD_DATA, "neither a text nor an object with \"query\" or \"image\"");
    if (result == 0)
        query->id = json_incref(json_object_get(root, "id"));
    json_decref(root);
    return result;
}

int query_list_read(struct query_list *list, const char *path, struct error *err)
{
    struct string_list lines = {0};
    int result = lines_read(&lines, path, LINES_ALL, err);
    for (size_t i = 0; result == 0 && i < lines.count; i++) {
        struct query query;
        if (lines.items[i][strspn(lines.items[i], blanks)] == '\0')
            continue;
        result = parse_line(&query, lines.items[i], err);
        if (result == 0)
            query_list_add(list, query);
        else
            error_wrap(err, "%s:%zu", path, i + 1);
    }
    string_list_free(&lines);
    return result;
}
