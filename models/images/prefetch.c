#include "models/images/prefetch.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { WORKERS_MAX = 256, SLOTS_PER_WORKER = 4 };

/* Picture i passes through slot i % slot_count. */
struct slot {
    char *name;
    uint64_t seed;
    struct picture_facts *facts; /* wanted, too; or NULL */
    unsigned char *pixels;       // [crop, crop, 3]
    bool ready;
    int result;
    struct error err;
};

struct prefetch {
    struct preprocess preprocess;
    struct augment augment;
    bool augments;

    pthread_mutex_t lock; /* guards all below, except a slot's contents while one thread fills or empties it */
    pthread_cond_t slot_ready, slot_filled;
    struct slot *slots; // [slot_count]
    size_t slot_count;
    size_t added;   /* pictures that prefetch_add was given */
    size_t started; /* pictures that a worker has begun */
    size_t taken;   /* pictures that prefetch_next has given */
    bool closing;

    pthread_t *workers; // [worker_count]
    int worker_count;
};

/* Waits until a picture may be begun. False: the queue is being closed. */
static bool begin_picture(struct prefetch *prefetch, size_t *index)
{
    pthread_mutex_lock(&prefetch->lock);
    while (!prefetch->closing && prefetch->started == prefetch->added)
        pthread_cond_wait(&prefetch->slot_filled, &prefetch->lock);
    bool more = !prefetch->closing;
    if (more)
        *index = prefetch->started++;
    pthread_mutex_unlock(&prefetch->lock);
    return more;
}

static int read_picture(struct slot *slot, const struct prefetch *prefetch)
{
    const struct preprocess *preprocess = &prefetch->preprocess;
    if (slot->facts)
        return preprocess_file_facts(slot->pixels, slot->facts, preprocess, slot->name, &slot->err);
    if (prefetch->augments)
        return augment_file(slot->pixels, preprocess, &prefetch->augment, slot->seed, slot->name, &slot->err);
    return preprocess_file(slot->pixels, preprocess, slot->name, &slot->err);
}

static void *work(void *argument)
{
    struct prefetch *prefetch = argument;
    for (size_t index; begin_picture(prefetch, &index);) {
        struct slot *slot = &prefetch->slots[index % prefetch->slot_count];
        slot->result = read_picture(slot, prefetch);

        pthread_mutex_lock(&prefetch->lock);
        slot->ready = true;
        pthread_cond_signal(&prefetch->slot_ready);
        pthread_mutex_unlock(&prefetch->lock);
    }
    return NULL;
}

static int choose_worker_count(int wanted)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    long workers = wanted > 0 ? wanted : processors > 0 ? processors : 1;
    return workers > WORKERS_MAX ? WORKERS_MAX : (int)workers;
}

/* A system short of threads gets fewer workers; one that has none at all cannot go on. */
static void start_workers(struct prefetch *prefetch, int wanted)
{
    prefetch->workers = mem_new((size_t)wanted, sizeof *prefetch->workers);
    while (prefetch->worker_count < wanted &&
           pthread_create(&prefetch->workers[prefetch->worker_count], NULL, work, prefetch) == 0)
        prefetch->worker_count++;
    CHECK(prefetch->worker_count > 0, "the system gives no thread to decode pictures in");
}

struct prefetch *prefetch_open(const struct preprocess *preprocess, const struct augment *augment, size_t ahead,
                               int workers)
{
    int wanted = choose_worker_count(workers);
    size_t least = (size_t)wanted * SLOTS_PER_WORKER;
    struct prefetch *prefetch = mem_new(1, sizeof *prefetch);
    prefetch->preprocess = *preprocess;
    prefetch->augments = augment != NULL;
    if (augment)
        prefetch->augment = *augment;
    prefetch->slot_count = ahead > least ? ahead : least;
    prefetch->slots = mem_new(prefetch->slot_count, sizeof *prefetch->slots);
    for (size_t i = 0; i < prefetch->slot_count; i++)
        prefetch->slots[i].pixels = mem_new(preprocess_bytes(preprocess), 1);
    pthread_mutex_init(&prefetch->lock, NULL);
    pthread_cond_init(&prefetch->slot_ready, NULL);
    pthread_cond_init(&prefetch->slot_filled, NULL);
    start_workers(prefetch, wanted);
    return prefetch;
}

size_t prefetch_capacity(const struct prefetch *prefetch)
{
    return prefetch->slot_count;
}

/* Only the caller's thread changes these two counts. */
bool prefetch_has_room(const struct prefetch *prefetch)
{
    return prefetch->added - prefetch->taken < prefetch->slot_count;
}

static void add(struct prefetch *prefetch, struct picture_facts *facts, const char *name, uint64_t seed)
{
    CHECK(prefetch_has_room(prefetch), "%zu pictures wait already", prefetch->slot_count);
    struct slot *slot = &prefetch->slots[prefetch->added % prefetch->slot_count];
    free(slot->name);
    slot->name = mem_format("%s", name);
    slot->seed = seed;
    slot->facts = facts;
    pthread_mutex_lock(&prefetch->lock);
    prefetch->added++;
    pthread_cond_signal(&prefetch->slot_filled);
    pthread_mutex_unlock(&prefetch->lock);
}

void prefetch_add(struct prefetch *prefetch, const char *name, uint64_t seed)
{
    add(prefetch, NULL, name, seed);
}

void prefetch_add_facts(struct prefetch *prefetch, struct picture_facts *facts, const char *name)
{
    add(prefetch, facts, name, 0);
}

static struct timespec time_in(double seconds)
{
    struct timespec time;
    clock_gettime(CLOCK_REALTIME, &time);
    long nanoseconds = time.tv_nsec + (long)(seconds * 1e9);
    time.tv_sec += nanoseconds / 1000000000;
    time.tv_nsec = nanoseconds % 1000000000;
    return time;
}

static struct slot *next_slot(struct prefetch *prefetch)
{
    CHECK(prefetch->taken < prefetch->added, "all %zu pictures were taken already", prefetch->added);
    return &prefetch->slots[prefetch->taken % prefetch->slot_count];
}

bool prefetch_wait(struct prefetch *prefetch, double seconds)
{
    struct slot *slot = next_slot(prefetch);
    struct timespec until = time_in(seconds);
    pthread_mutex_lock(&prefetch->lock);
    for (int code = 0; !slot->ready && code == 0;)
        code = pthread_cond_timedwait(&prefetch->slot_ready, &prefetch->lock, &until);
    bool ready = slot->ready;
    pthread_mutex_unlock(&prefetch->lock);
    return ready;
}

int prefetch_next(struct prefetch *prefetch, unsigned char *out, struct error *err)
{
    struct slot *slot = next_slot(prefetch);
    pthread_mutex_lock(&prefetch->lock);
    while (!slot->ready)
        pthread_cond_wait(&prefetch->slot_ready, &prefetch->lock);
    pthread_mutex_unlock(&prefetch->lock);

    /* No worker touches the slot before it is filled anew. */
    int result = slot->result;
    if (result == 0)
        memcpy(out, slot->pixels, preprocess_bytes(&prefetch->preprocess));
    else
        *err = slot->err;
    slot->ready = false;
    prefetch->taken++;
    return result;
}

void prefetch_close(struct prefetch *prefetch)
{
    pthread_mutex_lock(&prefetch->lock);
    prefetch->closing = true;
    pthread_cond_broadcast(&prefetch->slot_filled);
    pthread_mutex_unlock(&prefetch->lock);
    for (int i = 0; i < prefetch->worker_count; i++)
        pthread_join(prefetch->workers[i], NULL);

    pthread_cond_destroy(&prefetch->slot_filled);
    pthread_cond_destroy(&prefetch->slot_ready);
    pthread_mutex_destroy(&prefetch->lock);
    for (size_t i = 0; i < prefetch->slot_count; i++) {
        free(prefetch->slots[i].name);
        free(prefetch->slots[i].pixels);
    }
    free(prefetch->slots);
    free(prefetch->workers);
    free(prefetch);
}
