/* Answers queries from collections of pictures and of texts, in words, JSON and HTML.
 *
 *     struct retriever retriever = {.clip = clip, .top = 10, .least = -1, .options = options};
 *     collection_fill(&retriever.pictures, dev, &gallery.paths, gallery.photos, gallery.rows, gallery.dim);
 *     if (retriever_answer(&retriever, queries, count, &err) != 0) return -1;
 *     if (retriever_like(&retriever, 3, &err) != 0) return -1;       // more like the third picture of the last answer
 *     retriever_free(&retriever);
 *
 * A text is answered with pictures, a picture with pictures and texts, as far as there are any.
 */
#ifndef OCLIP_RETRIEVER_H
#define OCLIP_RETRIEVER_H

#include "models/encoder.h"
#include "tools/answer.h"
#include "tools/calibration.h"

enum answer_form { ANSWER_LINES, ANSWER_JSON, ANSWER_PATHS };

struct retriever {
    const struct clip *clip;
    size_t top;
    float least;     /* scores below are no match */
    bool calibrated; /* and texts have to beat unrelated ones (tools/calibration.h) */
    bool unfolded;   /* near-duplicates each for themselves */
    enum answer_form form;
    struct answer_style style;
    struct html *page;             /* gets each answer, too; may be NULL */
    bool opens;                    /* the best picture of each answer with the desktop's program */
    struct encode_options options; /* for texts */
    struct collection pictures, texts;
    struct calibration calibration; /* made with the first text */
    size_t *last;                   // [last_count] rows of the pictures in the last answer
    size_t last_count;
    size_t answered, unreadable; /* queries; one with an unreadable picture is said on stderr and has no answer */
};

/* The texts of a file: a captions table (models/files/captions.h), or one a line. Each is taken once. */
int retriever_read_texts(struct retriever *retriever, const char *path, struct error *err) MUST_CHECK;

int retriever_answer(struct retriever *retriever, const struct query *queries, size_t n, struct error *err) MUST_CHECK;
int retriever_like(struct retriever *retriever, int number, struct error *err) MUST_CHECK; /* from 1 on */
void retriever_free(struct retriever *retriever);

/* Opens a file with the desktop's own program (xdg-open), without waiting for it. */
int retriever_show(const char *path, struct error *err) MUST_CHECK;

#endif
