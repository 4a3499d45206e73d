#include "models/images/prefetch.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WORKERS_MAX = 256, SLOTS_PER_WORKER = 4 };

/* Picture i passes through slot i % slot_count. */
struct slot {
    unsigned char *pixels; // [crop, crop, 3]
    bool ready;
    int result;
    struct error err;
};

struct prefetch {
    struct preprocess preprocess;
    const char *const *paths; // [count]
    size_t count;

    pthread_mutex_t lock; /* guards all below, except a slot's contents while one thread fills or empties it */
    pthread_cond_t slot_ready, slot_empty;
    struct slot *slots; // [slot_count]
    size_t slot_count;
    size_t started; /* pictures that a worker has begun */
    size_t taken;   /* pictures that prefetch_next has given */
    bool closing;

    pthread_t *workers; // [worker_count]
    int worker_count;
};

/* Waits until a picture may be begun. False: there is nothing left to do. */
static bool begin_picture(struct prefetch *prefetch, size_t *index)
{
    pthread_mutex_lock(&prefetch->lock);
    while (!prefetch->closing && prefetch->started < prefetch->count &&
           prefetch->started == prefetch->taken + prefetch->slot_count)
        pthread_cond_wait(&prefetch->slot_empty, &prefetch->lock);
    bool more = !prefetch->closing && prefetch->started < prefetch->count;
    if (more)
        *index = prefetch->started++;
    pthread_mutex_unlock(&prefetch->lock);
    return more;
}

static void *work(void *argument)
{
    struct prefetch *prefetch = argument;
    for (size_t index; begin_picture(prefetch, &index);) {
        struct slot *slot = &prefetch->slots[index % prefetch->slot_count];
        slot->result = preprocess_file(slot->pixels, &prefetch->preprocess, prefetch->paths[index], &slot->err);

        pthread_mutex_lock(&prefetch->lock);
        slot->ready = true;
        pthread_cond_signal(&prefetch->slot_ready);
        pthread_mutex_unlock(&prefetch->lock);
    }
    return NULL;
}

static int choose_worker_count(int wanted, size_t pictures)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    long workers = wanted > 0 ? wanted : processors > 0 ? processors : 1;
    workers = workers > WORKERS_MAX ? WORKERS_MAX : workers;
    return (size_t)workers > pictures ? (int)pictures : (int)workers;
}

/* A system short of threads gets fewer workers; one that has none at all cannot go on. */
static void start_workers(struct prefetch *prefetch, int wanted)
{
    prefetch->workers = mem_new((size_t)wanted, sizeof *prefetch->workers);
    while (prefetch->worker_count < wanted &&
           pthread_create(&prefetch->workers[prefetch->worker_count], NULL, work, prefetch) == 0)
        prefetch->worker_count++;
    CHECK(wanted == 0 || prefetch->worker_count > 0, "the system gives no thread to decode pictures in");
}

struct prefetch *prefetch_open(const struct preprocess *preprocess, const char *const *paths, size_t count, int workers)
{
    int wanted = choose_worker_count(workers, count);
    struct prefetch *prefetch = mem_new(1, sizeof *prefetch);
    prefetch->preprocess = *preprocess;
    prefetch->paths = paths;
    prefetch->count = count;
    prefetch->slot_count = (size_t)wanted * SLOTS_PER_WORKER;
    prefetch->slots = mem_new(prefetch->slot_count, sizeof *prefetch->slots);
    for (size_t i = 0; i < prefetch->slot_count; i++)
        prefetch->slots[i].pixels = mem_new(preprocess_bytes(preprocess), 1);
    pthread_mutex_init(&prefetch->lock, NULL);
    pthread_cond_init(&prefetch->slot_ready, NULL);
    pthread_cond_init(&prefetch->slot_empty, NULL);
    start_workers(prefetch, wanted);
    return prefetch;
}

int prefetch_next(struct prefetch *prefetch, unsigned char *out, struct error *err)
{
    CHECK(prefetch->taken < prefetch->count, "all %zu pictures were taken already", prefetch->count);
    struct slot *slot = &prefetch->slots[prefetch->taken % prefetch->slot_count];
    pthread_mutex_lock(&prefetch->lock);
    while (!slot->ready)
        pthread_cond_wait(&prefetch->slot_ready, &prefetch->lock);
    pthread_mutex_unlock(&prefetch->lock);

    /* No worker touches the slot before it is counted as taken. */
    int result = slot->result;
    if (result == 0)
        memcpy(out, slot->pixels, preprocess_bytes(&prefetch->preprocess));
    else
        *err = slot->err;

    pthread_mutex_lock(&prefetch->lock);
    slot->ready = false;
    prefetch->taken++;
    pthread_cond_signal(&prefetch->slot_empty);
    pthread_mutex_unlock(&prefetch->lock);
    return result;
}

void prefetch_close(struct prefetch *prefetch)
{
    pthread_mutex_lock(&prefetch->lock);
    prefetch->closing = true;
    pthread_cond_broadcast(&prefetch->slot_empty);
    pthread_mutex_unlock(&prefetch->lock);
    for (int i = 0; i < prefetch->worker_count; i++)
        pthread_join(prefetch->workers[i], NULL);

    pthread_cond_destroy(&prefetch->slot_empty);
    pthread_cond_destroy(&prefetch->slot_ready);
    pthread_mutex_destroy(&prefetch->lock);
    for (size_t i = 0; i < prefetch->slot_count; i++)
        free(prefetch->slots[i].pixels);
    free(prefetch->slots);
    free(prefetch->workers);
    free(prefetch);
}
