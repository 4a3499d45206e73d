/* Answers queries from collections of pictures and of texts, in words, JSON and HTML.
 *
 *     struct retriever retriever = {.clip = clip, .top = 10, .options = options};
 *     collection_fill(&retriever.pictures, clip, &paths, rows);
 *     if (retriever_answer(&retriever, &(struct query){"a red dress", false}, 1, &err) != 0) return -1;
 *     retriever_free(&retriever);
 *
 * A text is answered with pictures, a picture with pictures and texts, as far as there are any.
 */
#ifndef OCLIP_RETRIEVER_H
#define OCLIP_RETRIEVER_H

#include "models/encoder.h"
#include "runtime/util/file.h"
#include "tools/html.h"
#include "tools/search.h"

/* Things that can be found. */
struct collection {
    struct string_list names; /* paths, or the texts themselves */
    struct search *search;    /* over their embeddings */
};

/* Takes both the names and rows [names->count, embed_dim] over. */
void collection_fill(struct collection *collection, const struct clip *clip, struct string_list *names, float *rows);

struct query {
    const char *text; /* or the path of a picture */
    bool is_picture;
};

struct retriever {
    const struct clip *clip;
    size_t top;
    bool json;
    bool headings;                 /* the query above its results */
    struct html *page;             /* gets each answer, too; may be NULL */
    struct encode_options options; /* for texts */
    struct collection pictures, texts;
    size_t answered, unreadable; /* queries; an unreadable picture is said on stderr and has no answer */
};

/* The texts of a file: a captions table (models/files/captions.h), or one a line. Each is taken once. */
int retriever_read_texts(struct retriever *retriever, const char *path, struct error *err) MUST_CHECK;

int retriever_answer(struct retriever *retriever, const struct query *queries, size_t n, struct error *err) MUST_CHECK;
void retriever_free(struct retriever *retriever);

#endif
