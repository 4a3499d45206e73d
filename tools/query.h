/* What people ask for: texts and pictures, added and taken away. The grammar is rclip's.
 *
 *     struct query query;
 *     if (query_parse(&query, "2:a dog + ./snow.jpg - people", &err) != 0) return -1;
 *     ... query.terms[0].weight is 2, query.terms[1].is_picture, query.terms[2].weight is -1 ...
 *     query_free(&query);
 *
 * Terms stand between + and - that have blanks around them. A number and a colon before a term is its weight. A term
 * that names a file is that picture; one that begins with / or ./ or ../ has to.
 */
#ifndef OCLIP_QUERY_H
#define OCLIP_QUERY_H

#include "runtime/util/json.h"

struct query_term {
    char *text; /* or the path of a picture */
    float weight;
    bool is_picture;
};

struct query {
    char *words;              /* as it was asked */
    struct query_term *terms; // [count]
    size_t count;
    json_t *id; /* from a file of queries; or NULL */
};

int query_parse(struct query *query, const char *words, struct error *err) MUST_CHECK;

/* The same, but every term is a text, also one that names a file: for words that come from elsewhere. */
int query_parse_texts(struct query *query, const char *words, struct error *err) MUST_CHECK;
void query_free(struct query *query);

struct query query_of_picture(const char *path);   /* whatever its name looks like */
bool query_is_picture(const struct query *query);  /* a single one */
bool query_is_of_texts(const struct query *query); /* without any picture */

struct query_list {
    struct query *items; // [count]
    size_t count, capacity;
};
void query_list_add(struct query_list *list, struct query query); /* takes the query over */
void query_list_free(struct query_list *list);

/* The words of a command line: one query each, but + and - that stand alone join their neighbours. */
int query_list_add_words(struct query_list *list, char *const *words, int count, struct error *err) MUST_CHECK;

/* A file of JSON lines: each is a text, or an object with "query" (a text) or "image" (a path), and perhaps an "id" of
 * any kind, which comes back with the answer. */
int query_list_read(struct query_list *list, const char *path, struct error *err) MUST_CHECK;

#endif
