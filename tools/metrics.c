#include "tools/metrics.h"

#include "runtime/util/error.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { COUNTERS_MAX = 256 /* pairs of route and status */ };

/* Upper ends of the classes of durations, in seconds; one more class holds what is longer. */
static const double ends[] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10};
enum { ENDS = sizeof ends / sizeof *ends };

struct histogram {
    unsigned long counts[ENDS + 1];
    double sum;
};

struct counter {
    const char *route;
    int status;
    unsigned long count;
};

struct totals {
    struct counter counters[COUNTERS_MAX]; // [counter_count]
    size_t counter_count;
    struct histogram requests, batches;
    unsigned long asks, known;
};

struct metrics {
    pthread_mutex_t lock;
    struct totals totals;
};

struct metrics *metrics_new(void)
{
    struct metrics *metrics = mem_new(1, sizeof *metrics);
    pthread_mutex_init(&metrics->lock, NULL);
    return metrics;
}

void metrics_free(struct metrics *metrics)
{
    if (!metrics)
        return;
    pthread_mutex_destroy(&metrics->lock);
    free(metrics);
}

static void histogram_add(struct histogram *histogram, double seconds)
{
    size_t at = 0;
    while (at < ENDS && seconds > ends[at])
        at++;
    histogram->counts[at]++;
    histogram->sum += seconds;
}

static struct counter *find_counter(struct totals *totals, const char *route, int status)
{
    size_t at = 0;
    while (at < totals->counter_count &&
           (totals->counters[at].status != status || strcmp(totals->counters[at].route, route) != 0))
        at++;
    CHECK(at < COUNTERS_MAX, "more than %d pairs of routes and statuses", COUNTERS_MAX);
    if (at == totals->counter_count)
        totals->counters[totals->counter_count++] = (struct counter){.route = route, .status = status};
    return &totals->counters[at];
}

void metrics_count_request(struct metrics *metrics, const char *route, int status, double seconds)
{
    pthread_mutex_lock(&metrics->lock);
    find_counter(&metrics->totals, route, status)->count++;
    histogram_add(&metrics->totals.requests, seconds);
    pthread_mutex_unlock(&metrics->lock);
}

void metrics_count_batch(struct metrics *metrics, size_t asks, size_t known, double seconds)
{
    pthread_mutex_lock(&metrics->lock);
    metrics->totals.asks += asks;
    metrics->totals.known += known;
    histogram_add(&metrics->totals.batches, seconds);
    pthread_mutex_unlock(&metrics->lock);
}

static void write_histogram(FILE *stream, const char *name, const char *help, const struct histogram *histogram)
{
    unsigned long count = 0;
    fprintf(stream, "# HELP %s %s\n# TYPE %s histogram\n", name, help, name);
    for (size_t i = 0; i < ENDS; i++) {
        count += histogram->counts[i];
        fprintf(stream, "%s_bucket{le=\"%g\"} %lu\n", name, ends[i], count);
    }
    count += histogram->counts[ENDS];
    fprintf(stream, "%s_bucket{le=\"+Inf\"} %lu\n%s_sum %.6f\n%s_count %lu\n", name, count, name, histogram->sum, name,
            count);
}

/* Linux tells it; elsewhere it is left out. */
static void write_memory(FILE *stream)
{
    unsigned long all, resident;
    FILE *status = fopen("/proc/self/statm", "r");
    if (status && fscanf(status, "%lu %lu", &all, &resident) == 2)
        fprintf(stream,
                "# HELP process_resident_memory_bytes Memory in use.\n"
                "# TYPE process_resident_memory_bytes gauge\nprocess_resident_memory_bytes %lu\n",
                resident * (unsigned long)sysconf(_SC_PAGESIZE));
    if (status)
        fclose(status);
}

static void write_counter(FILE *stream, const char *name, const char *help, unsigned long count)
{
    fprintf(stream, "# HELP %s %s\n# TYPE %s counter\n%s %lu\n", name, help, name, name, count);
}

void metrics_write(FILE *stream, struct metrics *metrics)
{
    pthread_mutex_lock(&metrics->lock);
    struct totals now = metrics->totals; /* a slow reader holds nobody up */
    pthread_mutex_unlock(&metrics->lock);
    fputs("# HELP oclip_requests_total HTTP requests answered.\n# TYPE oclip_requests_total counter\n", stream);
    for (size_t i = 0; i < now.counter_count; i++)
        fprintf(stream, "oclip_requests_total{route=\"%s\",status=\"%d\"} %lu\n", now.counters[i].route,
                now.counters[i].status, now.counters[i].count);
    write_histogram(stream, "oclip_request_seconds", "From the head of a request to its answer.", &now.requests);
    write_counter(stream, "oclip_asks_total", "Searches and embeddings that went through the device.", now.asks);
    write_counter(stream, "oclip_known_texts_total", "Texts among them that had been asked for before.", now.known);
    write_histogram(stream, "oclip_batch_seconds", "Time the device took for all that waited at a moment.",
                    &now.batches);
    write_memory(stream);
}
