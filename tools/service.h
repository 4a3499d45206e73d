/* Answers what many clients ask with one device: a thread of its own, the only one that touches the device, takes all
 * that waits at a moment as one batch.
 *
 *     struct service *service = service_open(&(struct service_options){.clip = clip, .pictures = &pictures}, metrics);
 *     struct ask *ask = ask_new();
 *     ... what is asked: query_parse_texts(&ask->query, "a dog", &err), ask->top = 10 ...
 *     ask->done = wake_the_client;
 *     if (!service_take(service, ask)) ...                       // too many wait: the ask stays the caller's
 *     // later, on the service's thread: ask->done(ask); then ask->outcome, ask->found and ask->row tell the answer
 *     ask_free(ask);
 *     service_stop(service);                                     // answers what waits still, takes no more
 *     if (service_close(service, &err) != 0) return -1;
 *
 * Texts of a batch go through the text tower together, pictures through the image tower, and one search serves all
 * that have no filter. An answer does not depend on what else is in its batch, but for rounding. Until done is called,
 * the ask is the service's.
 */
#ifndef OCLIP_SERVICE_H
#define OCLIP_SERVICE_H

#include "tools/finder.h"
#include "tools/metrics.h"
#include "tools/query.h"
#include "tools/session.h"

struct service;

struct service_options {
    const struct clip *clip;
    const struct collection *pictures;
    size_t folder_length; /* of the part of each path that leads to the gallery, its slash included */
    struct encode_options encode;
};

enum ask_outcome {
    ASK_ANSWERED,
    ASK_REFUSED, /* what was asked has no answer: problem says why */
    ASK_FAILED,  /* the service can answer nothing any more */
};

struct ask {
    /* What is asked: the sum of these, as far as they are given. */
    struct query query;    /* of texts; no terms: none */
    unsigned char *pixels; // [crop, crop, 3], or NULL
    float *vector;         // [dim], or NULL
    const size_t *like;    /* a row of the pictures; NULL: none */
    size_t like_row;       /* where like may point to */

    bool searches;         /* or only the embedding is wanted */
    size_t top, described; /* as many are found; how many of them are described is the client's business */
    float least;           /* scores below are no match, */
    bool calibrated;       /* and texts have to beat unrelated ones (tools/calibration.h) */
    bool unfolded;         /* near-duplicates each for themselves */
    struct filter filter;
    json_t *body; /* what the texts of the filter belong to */

    void (*done)(struct ask *ask);
    void *context;

    enum ask_outcome outcome;
    char *problem;      /* one line, unless answered */
    float *row;         // [dim], of unit length
    struct found found; /* unless only the embedding is wanted */
    struct ask *next;   /* the service's */
};

struct ask *ask_new(void);
void ask_free(struct ask *ask); /* NULL is fine */

struct service *service_open(const struct service_options *options, struct metrics *metrics);
bool service_take(struct service *service, struct ask *ask) MUST_CHECK;
bool service_has_failed(struct service *service); /* the device was lost: nothing can be answered any more */

void service_stop(struct service *service);

/* Stops it first. Fails with what the device said when it was lost. NULL is fine. */
int service_close(struct service *service, struct error *err) MUST_CHECK;

#endif
