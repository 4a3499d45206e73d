/* Ranks as threads of one process. What one has to give is looked at by the others where it lies, between two meetings.
 */
#include "runtime/ranks/kinds.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct group {
    int count;
    pthread_mutex_t lock;
    pthread_cond_t all_here;
    int here;      /* at the meeting that is on */
    long meetings; /* that are over */
    void **posted; // [count] what each gives
};

static void meet(struct group *group)
{
    pthread_mutex_lock(&group->lock);
    long meeting = group->meetings;
    if (++group->here == group->count) {
        group->here = 0;
        group->meetings++;
        pthread_cond_broadcast(&group->all_here);
    }
    while (group->meetings == meeting)
        pthread_cond_wait(&group->all_here, &group->lock);
    pthread_mutex_unlock(&group->lock);
}

static void gather(struct ranks *ranks, void *all, const void *own, const size_t *bytes)
{
    struct group *group = ranks->group;
    group->posted[ranks->rank] = (void *)(size_t)own;
    meet(group);
    char *to = all;
    for (int r = 0; r < ranks->count; r++, to += bytes[r - 1])
        memcpy(to, group->posted[r], bytes[r]);
    meet(group);
}

/* Each rank adds up its part of the numbers for all. */
static void sum(struct ranks *ranks, float *numbers, size_t count)
{
    struct group *group = ranks->group;
    size_t n = (size_t)ranks->count, first = count * (size_t)ranks->rank / n,
           end = count * ((size_t)ranks->rank + 1) / n;
    group->posted[ranks->rank] = numbers;
    meet(group);
    float *total = group->posted[0];
    for (size_t r = 1; r < n; r++) {
        const float *next = group->posted[r];
        for (size_t i = first; i < end; i++)
            total[i] += next[i];
    }
    for (size_t r = 1; r < n; r++)
        if (first < end)
            memcpy((float *)group->posted[r] + first, total + first, (end - first) * sizeof *total);
    meet(group);
}

static const struct ranks_kind threads = {gather, sum};

struct worker {
    struct ranks ranks;
    ranks_work *work;
    void *context;
    int code;
    pthread_t thread;
};

static void *run(void *argument)
{
    struct worker *worker = argument;
    worker->code = worker->work(&worker->ranks, worker->context);
    return NULL;
}

int ranks_run_threads(int *code, int count, ranks_work *work, void *context, struct error *err)
{
    (void)err;
    struct group group = {.count = count, .posted = mem_new((size_t)count, sizeof *group.posted)};
    struct worker *workers = mem_new((size_t)count, sizeof *workers);
    pthread_mutex_init(&group.lock, NULL);
    pthread_cond_init(&group.all_here, NULL);
    for (int r = 0; r < count; r++) {
        workers[r] =
            (struct worker){.ranks = {.kind = &threads, .group = &group, .rank = r, .count = count, .neighbour = r},
                            .work = work,
                            .context = context};
        CHECK(r == 0 || pthread_create(&workers[r].thread, NULL, run, &workers[r]) == 0,
              "the system gives no thread to run rank %d in", r);
    }
    run(&workers[0]);
    for (int r = 1; r < count; r++)
        pthread_join(workers[r].thread, NULL);
    *code = workers[0].code;
    pthread_cond_destroy(&group.all_here);
    pthread_mutex_destroy(&group.lock);
    free(workers);
    free(group.posted);
    return 0;
}
