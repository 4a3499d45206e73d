#include "tools/service.h"

#include "runtime/util/progress.h"
#include "tools/calibration.h"
#include "tools/query_rows.h"
#include "tools/text_cache.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum {
    BATCH = 64,         /* asks answered together */
    WAITING_MAX = 1024, /* and no more than so many wait */
    TEXTS_KNOWN = 1024,
};

struct service {
    struct service_options options;
    struct metrics *metrics;
    size_t dim;
    pthread_t thread;

    pthread_mutex_t lock; /* of these: */
    pthread_cond_t change;
    struct ask *first, **last;
    size_t waiting;
    bool is_closing, has_failed;
    struct error failure;

    /* The thread's own. */
    struct calibration calibration; /* made before the first batch */
    struct text_cache *cache;       /* of rows, and behind each its probe */
    bool *only;                     // [pictures]
};

struct ask *ask_new(void)
{
    return mem_new(1, sizeof(struct ask));
}

void ask_free(struct ask *ask)
{
    if (!ask)
        return;
    query_free(&ask->query);
    free(ask->pixels);
    free(ask->vector);
    json_decref(ask->body);
    free(ask->problem);
    free(ask->row);
    found_free(&ask->found);
    free(ask);
}

/* ---- vectors ---- */

static void refuse(struct ask *ask, const char *problem)
{
    ask->outcome = ASK_REFUSED;
    if (!ask->problem)
        ask->problem = mem_format("%s", problem);
}

static void add(float *sum, const float *row, size_t dim)
{
    for (size_t i = 0; i < dim; i++)
        sum[i] += row[i];
}

/* The texts that the cache does not know go through the tower together.  vectors [n, 2, dim]: row, probe */
static int encode_unknown(float *vectors, struct service *service, struct ask *const *asks, const size_t *unknown,
                          size_t n, struct error *err)
{
    size_t dim = service->dim;
    struct query queries[BATCH];
    bool bad[BATCH];
    float *rows = mem_new(n * dim, sizeof *rows), *probes = mem_new(n * dim, sizeof *probes); // [n, dim], both
    for (size_t i = 0; i < n; i++)
        queries[i] = asks[unknown[i]]->query;
    int result = query_rows(rows, probes, bad, queries, n, service->options.clip, service->calibration.mean,
                            &service->options.encode, err);
    for (size_t i = 0; result == 0 && i < n; i++) {
        float *vector = vectors + unknown[i] * 2 * dim;
        memcpy(vector, rows + i * dim, dim * sizeof *vector);
        memcpy(vector + dim, probes + i * dim, dim * sizeof *vector);
        if (bad[i])
            refuse(asks[unknown[i]], "the query's terms cancel out");
        else
            text_cache_add(service->cache, queries[i].words, vector);
    }
    free(rows);
    free(probes);
    return result;
}

/* vectors [n, 2, dim]: the row and the probe of each ask's texts; zeros where it has none. */
static int embed_texts(float *vectors, size_t *known, struct service *service, struct ask *const *asks, size_t n,
                       struct error *err)
{
    size_t unknown[BATCH], count = 0, width = 2 * service->dim;
    *known = 0;
    for (size_t i = 0; i < n; i++) {
        if (asks[i]->query.count == 0)
            continue;
        const float *vector = text_cache_find(service->cache, asks[i]->query.words);
        if (vector)
            memcpy(vectors + i * width, vector, width * sizeof *vectors);
        else
            unknown[count++] = i;
        *known += vector != NULL;
    }
    if (count == 0)
        return 0;
    return encode_unknown(vectors, service, asks, unknown, count, err);
}

/* Adds the vectors of pictures to rows [n, dim]. */
static int embed_pictures(float *rows, struct service *service, struct ask *const *asks, size_t n, struct error *err)
{
    const struct clip *clip = service->options.clip;
    size_t bytes = preprocess_bytes(&clip->preprocess), dim = service->dim, count = 0;
    for (size_t i = 0; i < n; i++)
        count += asks[i]->pixels != NULL;
    if (count == 0)
        return 0;
    unsigned char *pixels = mem_new(count, bytes);            // [count, crop, crop, 3]
    float *pictures = mem_new(count * dim, sizeof *pictures); // [count, dim]
    for (size_t i = 0, at = 0; i < n; i++)
        if (asks[i]->pixels)
            memcpy(pixels + at++ * bytes, asks[i]->pixels, bytes);
    int result = encode_pixels(pictures, clip, pixels, count, &service->options.encode, err);
    for (size_t i = 0, at = 0; result == 0 && i < n; i++)
        if (asks[i]->pixels)
            add(rows + i * dim, pictures + at++ * dim, dim);
    free(pixels);
    free(pictures);
    return result;
}

/* Adds what needs no tower: vectors that were given, and those of pictures in the gallery. */
static void add_known(float *row, struct service *service, const struct ask *ask)
{
    size_t dim = service->dim;
    if (ask->vector)
        add(row, ask->vector, dim);
    if (ask->like)
        add(row, collection_embedding(service->options.pictures, *ask->like), dim);
}

/* Gives each ask its row; probes [n, dim] are those of texts. */
static int embed(float *probes, size_t *known, struct service *service, struct ask **asks, size_t n, struct error *err)
{
    size_t dim = service->dim;
    float *texts = mem_new(n * 2 * dim, sizeof *texts); // [n, 2, dim]
    float *rows = mem_new(n * dim, sizeof *rows);       // [n, dim]
    int result = embed_texts(texts, known, service, asks, n, err);
    if (result == 0)
        result = embed_pictures(rows, service, asks, n, err);
    for (size_t i = 0; result == 0 && i < n; i++) {
        float *row = rows + i * dim;
        add(row, texts + i * 2 * dim, dim);
        memcpy(probes + i * dim, texts + i * 2 * dim + dim, dim * sizeof *probes);
        add_known(row, service, asks[i]);
        bool is_sum = asks[i]->pixels || asks[i]->vector || asks[i]->like; /* texts alone have unit length already */
        if (asks[i]->outcome == ASK_ANSWERED && is_sum && !query_scale_to_unit(row, dim))
            refuse(asks[i], "what is asked adds up to nothing");
        asks[i]->row = mem_new(dim, sizeof *row);
        memcpy(asks[i]->row, row, dim * sizeof *row);
    }
    free(texts);
    free(rows);
    return result;
}

/* ---- searches ---- */

static bool is_of_texts_alone(const struct ask *ask)
{
    return ask->query.count > 0 && !ask->pixels && !ask->vector && !ask->like;
}

static struct wish wish_of(const struct service *service, const struct ask *ask, const float *probe)
{
    bool is_probed = ask->calibrated && is_of_texts_alone(ask);
    return (struct wish){.row = ask->row,
                         .top = ask->top,
                         .least = ask->least,
                         .probe = is_probed ? probe : NULL,
                         .evidence = service->calibration.threshold,
                         .but = ask->like,
                         .unfolded = ask->unfolded};
}

static bool has_filter(const struct filter *filter)
{
    return filter->path || filter->after || filter->before || filter->orientation || filter->min_width > 0 ||
           filter->min_height > 0;
}

static int search_filtered(struct service *service, struct ask *ask, struct wish wish, struct error *err)
{
    const struct collection *pictures = service->options.pictures;
    for (size_t i = 0; i < pictures->names.count; i++) {
        const char *path = pictures->names.items[i] + service->options.folder_length;
        service->only[i] = filter_takes(&ask->filter, path, &pictures->photos[i]);
        wish.only_count += service->only[i];
    }
    wish.only = service->only;
    return finder_run(&ask->found, pictures, &wish, err);
}

/* probes [n, dim] */
static int search(struct service *service, struct ask **asks, const float *probes, size_t n, struct error *err)
{
    struct wish wishes[BATCH];
    struct found found[BATCH];
    struct ask *together[BATCH];
    size_t count = 0;
    int result = 0;
    for (size_t i = 0; result == 0 && i < n; i++) {
        if (!asks[i]->searches || asks[i]->outcome != ASK_ANSWERED)
            continue;
        struct wish wish = wish_of(service, asks[i], probes + i * service->dim);
        if (has_filter(&asks[i]->filter)) {
            result = search_filtered(service, asks[i], wish, err);
        } else {
            wishes[count] = wish;
            together[count++] = asks[i];
        }
    }
    if (result == 0 && count > 0)
        result = finder_run_many(found, service->options.pictures, wishes, count, err);
    for (size_t i = 0; result == 0 && i < count; i++)
        together[i]->found = found[i];
    return result;
}

/* ---- the thread ---- */

static int answer(struct service *service, struct ask **asks, size_t n, struct error *err)
{
    double begin = clock_seconds();
    size_t known = 0;
    float *probes = mem_new(n * service->dim, sizeof *probes); // [n, dim]
    int result = embed(probes, &known, service, asks, n, err);
    if (result == 0)
        result = search(service, asks, probes, n, err);
    free(probes);
    metrics_count_batch(service->metrics, n, known, clock_seconds() - begin);
    return result;
}

static void fail(struct service *service, const struct error *err)
{
    pthread_mutex_lock(&service->lock);
    service->has_failed = true;
    service->failure = *err;
    pthread_mutex_unlock(&service->lock);
}

/* Waits for asks; takes all there are, at most BATCH. None when the service closes. */
static size_t take_batch(struct ask **asks, struct service *service)
{
    size_t n = 0;
    pthread_mutex_lock(&service->lock);
    while (!service->first && !service->is_closing)
        pthread_cond_wait(&service->change, &service->lock);
    for (; service->first && n < BATCH; n++) {
        asks[n] = service->first;
        service->first = asks[n]->next;
    }
    if (!service->first)
        service->last = &service->first;
    service->waiting -= n;
    pthread_mutex_unlock(&service->lock);
    return n;
}

static void *work(void *argument)
{
    struct service *service = argument;
    struct ask *asks[BATCH];
    struct error err;
    bool works = calibration_make(&service->calibration, service->options.pictures, service->options.clip,
                                  &service->options.encode, &err) == 0;
    if (!works)
        fail(service, &err);
    search_prepare(service->options.pictures->search);
    for (size_t n; (n = take_batch(asks, service)) > 0;) {
        if (works && answer(service, asks, n, &err) != 0) {
            works = false;
            fail(service, &err);
        }
        for (size_t i = 0; i < n; i++) {
            if (!works) {
                asks[i]->outcome = ASK_FAILED;
                free(asks[i]->problem);
                asks[i]->problem = mem_format("the device failed");
            }
            asks[i]->done(asks[i]);
        }
    }
    return NULL;
}

struct service *service_open(const struct service_options *options, struct metrics *metrics)
{
    struct service *service = mem_new(1, sizeof *service);
    size_t dim = (size_t)options->clip->embed_dim;
    *service = (struct service){.options = *options,
                                .metrics = metrics,
                                .dim = dim,
                                .cache = text_cache_new(TEXTS_KNOWN, 2 * dim),
                                .only = mem_new(options->pictures->names.count, sizeof *service->only)};
    service->last = &service->first;
    pthread_mutex_init(&service->lock, NULL);
    pthread_cond_init(&service->change, NULL);
    CHECK(pthread_create(&service->thread, NULL, work, service) == 0, "no thread for the device can be started");
    return service;
}

bool service_take(struct service *service, struct ask *ask)
{
    pthread_mutex_lock(&service->lock);
    bool takes = service->waiting < WAITING_MAX && !service->is_closing;
    if (takes) {
        ask->next = NULL;
        *service->last = ask;
        service->last = &ask->next;
        service->waiting++;
        pthread_cond_signal(&service->change);
    }
    pthread_mutex_unlock(&service->lock);
    return takes;
}

bool service_has_failed(struct service *service)
{
    pthread_mutex_lock(&service->lock);
    bool has_failed = service->has_failed;
    pthread_mutex_unlock(&service->lock);
    return has_failed;
}

void service_stop(struct service *service)
{
    pthread_mutex_lock(&service->lock);
    bool was_stopped = service->is_closing;
    service->is_closing = true;
    pthread_cond_signal(&service->change);
    pthread_mutex_unlock(&service->lock);
    if (!was_stopped)
        pthread_join(service->thread, NULL);
}

int service_close(struct service *service, struct error *err)
{
    if (!service)
        return 0;
    service_stop(service);
    int result = service->has_failed ? -1 : 0;
    if (result != 0)
        *err = service->failure;
    pthread_mutex_destroy(&service->lock);
    pthread_cond_destroy(&service->change);
    calibration_free(&service->calibration);
    text_cache_free(service->cache);
    free(service->only);
    free(service);
    return result;
}
