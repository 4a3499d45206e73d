#include "runtime/profile.h"

#include "runtime/opencl.h"
#include "runtime/util/file.h"
#include "runtime/util/progress.h"

#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* A line of the table: all commands of one name. */
struct row {
    const char *name, *category;
    bool host; /* waits of the host; all others are the device's commands */
    long count;
    double seconds, flops, bytes;
};

enum { QUEUED, SUBMITTED, START, END, TIMES };

struct record {
    int row;
    int m, n, k; /* 0 but for matrix products */
    size_t bytes;
    int64_t times[TIMES]; /* nanoseconds, on the device's clock; on the host's for its waits */
};

/* A command that may not have run yet. */
struct pending {
    cl_event event; /* NULL if it could not be queued */
    int64_t queued; /* on the host's clock */
    struct record record;
};

struct profile {
    struct row *rows;        // [row_count]
    struct pending *pending; // [pending_count]
    struct record *records;  // [record_count], for the next trace
    size_t row_count, pending_count, pending_room, record_count, record_room;
    long left_out;
    int m, n, k; /* of the next launch */

    int64_t began, wait_began;     /* host's clock */
    int64_t clock_ahead;           /* of the device's clock before the host's */
    int64_t first_start, last_end; /* device's clock; 0 before the first command */
    int64_t starved, starting;     /* idle between commands: nothing was queued; the next one was */
};

static int64_t host_nanoseconds(void)
{
    return (int64_t)(clock_seconds() * 1e9);
}

/* ---- collecting ---- */

void device_profile_start(struct device *dev)
{
    CHECK(!dev->profile, "%s is profiled already", dev->info.label);
    if (device_failed(dev))
        return;
    cl_int code;
    cl_command_queue queue = clCreateCommandQueue(dev->context, dev->id, CL_QUEUE_PROFILING_ENABLE, &code);
    if (opencl_failed(dev, code, "cannot create a queue that is profiled"))
        return;
    clFinish(dev->queue);
    clReleaseCommandQueue(dev->queue);
    dev->queue = queue;
    dev->profile = mem_new(1, sizeof *dev->profile);
    dev->profile->began = host_nanoseconds();
    dev->profile->clock_ahead = INT64_MAX;
}

void profile_free(struct profile *profile)
{
    if (!profile)
        return;
    for (size_t i = 0; i < profile->pending_count; i++)
        if (profile->pending[i].event)
            clReleaseEvent(profile->pending[i].event);
    free(profile->rows);
    free(profile->pending);
    free(profile->records);
    free(profile);
}

static int row_of(struct profile *profile, const char *name, const char *category, bool host)
{
    for (size_t i = 0; i < profile->row_count; i++)
        if (strcmp(profile->rows[i].name, name) == 0 && strcmp(profile->rows[i].category, category) == 0)
            return (int)i;
    profile->rows = mem_grow(profile->rows, profile->row_count + 1, sizeof *profile->rows);
    profile->rows[profile->row_count] = (struct row){.name = name, .category = category, .host = host};
    return (int)profile->row_count++;
}

/* Room for one more in an array that doubles. */
static void *room_for_one(void *array, size_t count, size_t *room, size_t size)
{
    if (count < *room)
        return array;
    *room = *room ? 2 * *room : 4096;
    return mem_grow(array, *room, size);
}

static void keep(struct profile *profile, const struct record *record)
{
    struct row *row = &profile->rows[record->row];
    row->count++;
    row->seconds += (double)(record->times[END] - record->times[START]) / 1e9;
    row->flops += 2.0 * record->m * record->n * record->k;
    row->bytes += (double)record->bytes;
    if (profile->record_count == PROFILE_MOST) {
        profile->left_out++;
        return;
    }
    profile->records =
        room_for_one(profile->records, profile->record_count, &profile->record_room, sizeof *profile->records);
    profile->records[profile->record_count++] = *record;
}

/* The queue runs in order, so what lies between two commands is idle time. */
static void count_idle(struct profile *profile, const int64_t *times)
{
    if (profile->last_end == 0) {
        profile->first_start = times[START];
    } else if (times[START] > profile->last_end) {
        int64_t queued = times[QUEUED] < times[START] ? times[QUEUED] : times[START];
        int64_t ready = queued > profile->last_end ? queued : profile->last_end;
        profile->starved += ready - profile->last_end;
        profile->starting += times[START] - ready;
    }
    if (times[END] > profile->last_end)
        profile->last_end = times[END];
}

static void settle(struct profile *profile, struct pending *pending)
{
    static const cl_profiling_info wanted[TIMES] = {
        [QUEUED] = CL_PROFILING_COMMAND_QUEUED,
        [SUBMITTED] = CL_PROFILING_COMMAND_SUBMIT,
        [START] = CL_PROFILING_COMMAND_START,
        [END] = CL_PROFILING_COMMAND_END,
    };
    if (!pending->event)
        return;
    int64_t *times = pending->record.times;
    cl_int code = CL_SUCCESS;
    for (int i = 0; i < TIMES && code == CL_SUCCESS; i++)
        code = clGetEventProfilingInfo(pending->event, wanted[i], sizeof times[i], &times[i], NULL);
    clReleaseEvent(pending->event);
    if (code != CL_SUCCESS) /* the command failed; the device says so itself */
        return;
    if (times[END] < times[START])
        times[END] = times[START];
    /* A command is queued after the host's clock was read: the least difference is nearest to that of the clocks. */
    if (times[QUEUED] - pending->queued < profile->clock_ahead)
        profile->clock_ahead = times[QUEUED] - pending->queued;
    count_idle(profile, times);
    keep(profile, &pending->record);
}

static bool has_run(cl_event event)
{
    cl_int status = CL_COMPLETE;
    return !event ||
           clGetEventInfo(event, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof status, &status, NULL) != CL_SUCCESS ||
           status <= CL_COMPLETE; /* below it: failed */
}

/* Takes the times of all that has run and releases its events, for a driver with many of them gets slow. */
static void collect(struct profile *profile)
{
    size_t done = 0;
    while (done < profile->pending_count && has_run(profile->pending[done].event))
        settle(profile, &profile->pending[done++]);
    profile->pending_count -= done;
    if (profile->pending_count > 0)
        memmove(profile->pending, profile->pending + done, profile->pending_count * sizeof *profile->pending);
}

cl_event *profile_add(struct profile *profile, const struct profile_note *note)
{
    if (profile->pending_count == profile->pending_room) {
        collect(profile);
        profile->pending =
            room_for_one(profile->pending, profile->pending_count, &profile->pending_room, sizeof *profile->pending);
    }
    struct pending *pending = &profile->pending[profile->pending_count++];
    *pending = (struct pending){
        .record = {.row = row_of(profile, note->name, note->category, false),
                   .m = profile->m,
                   .n = profile->n,
                   .k = profile->k,
                   .bytes = note->bytes},
        .queued = host_nanoseconds(),
    };
    profile->m = profile->n = profile->k = 0;
    return &pending->event;
}

void device_profile_shape(struct device *dev, int m, int n, int k)
{
    if (!dev->profile)
        return;
    dev->profile->m = m;
    dev->profile->n = n;
    dev->profile->k = k;
}

void profile_waiting(struct device *dev)
{
    if (dev->profile)
        dev->profile->wait_began = host_nanoseconds();
}

void profile_waited(struct device *dev, const char *what)
{
    if (!dev->profile)
        return;
    int64_t start = dev->profile->wait_began;
    struct record wait = {.row = row_of(dev->profile, what, "wait", true),
                          .times = {start, start, start, host_nanoseconds()}};
    collect(dev->profile);
    keep(dev->profile, &wait);
}

/* The device's profile, with all that was queued in it. */
static struct profile *whole_profile(struct device *dev)
{
    CHECK(dev->profile, "%s is not profiled", dev->info.label);
    struct profile *profile = dev->profile;
    /* clFinish() may come back before the events know; and a lost device might never answer. */
    for (size_t i = 0; i < profile->pending_count && !device_failed(dev); i++)
        if (profile->pending[i].event)
            clWaitForEvents(1, &profile->pending[i].event);
    collect(profile);
    return profile;
}

/* ---- the trace ---- */

static void write_thread(FILE *stream, bool host, const char *name)
{
    json_t *text = json_string(name);
    fprintf(stream, "{\"ph\":\"M\",\"pid\":1,\"tid\":%d,\"name\":\"thread_name\",\"args\":{\"name\":", 1 + host);
    if (!text || json_dumpf(text, stream, JSON_ENCODE_ANY) != 0) /* a name that is not UTF-8 */
        fputs("\"device\"", stream);
    fputs("}}", stream);
    json_decref(text);
}

static void write_record(FILE *stream, const struct profile *profile, const struct record *record)
{
    const struct row *row = &profile->rows[record->row];
    int64_t zero = profile->began + (row->host ? 0 : profile->clock_ahead);
    double at[TIMES]; /* microseconds */
    for (int i = 0; i < TIMES; i++)
        at[i] = (double)(record->times[i] - zero) / 1e3;
    char shape[40] = "";
    if (record->m > 0)
        snprintf(shape, sizeof shape, " %dx%dx%d", record->m, record->n, record->k);
    fprintf(stream, ",\n{\"ph\":\"X\",\"pid\":1,\"tid\":%d,\"cat\":\"%s\",\"name\":\"%s%s\",\"ts\":%.3f,\"dur\":%.3f,",
            1 + row->host, row->category, row->name, shape, at[START], at[END] - at[START]);
    fprintf(stream, "\"args\":{\"queued\":%.3f,\"submitted\":%.3f,\"start\":%.3f,\"end\":%.3f", at[QUEUED],
            at[SUBMITTED], at[START], at[END]);
    if (record->m > 0)
        fprintf(stream, ",\"m\":%d,\"n\":%d,\"k\":%d", record->m, record->n, record->k);
    if (record->bytes > 0)
        fprintf(stream, ",\"bytes\":%zu", record->bytes);
    fputs("}}", stream);
}

int device_profile_write(struct device *dev, const char *path, struct error *err)
{
    struct profile *profile = whole_profile(dev);
    struct file_writer writer;
    if (file_create(&writer, path, err) != 0)
        return -1;
    fprintf(writer.stream, "{\"displayTimeUnit\":\"ms\",\"otherData\":{\"left_out\":%ld},\"traceEvents\":[\n",
            profile->left_out);
    write_thread(writer.stream, false, dev->info.label);
    fputs(",\n", writer.stream);
    write_thread(writer.stream, true, "host waits");
    for (size_t i = 0; i < profile->record_count; i++)
        write_record(writer.stream, profile, &profile->records[i]);
    fputs("\n]}\n", writer.stream);
    free(profile->records);
    profile->records = NULL;
    profile->record_count = profile->record_room = 0;
    return file_commit(&writer, err);
}

/* ---- the table ---- */

static int by_seconds(const void *left, const void *right)
{
    double l = ((const struct row *)left)->seconds, r = ((const struct row *)right)->seconds;
    return (l < r) - (l > r);
}

static void print_row(FILE *stream, const struct row *row, double busy)
{
    fprintf(stream, "%-28s %9ld %12.2f %6.1f %% %11.1f", row->name, row->count, 1e3 * row->seconds,
            100 * row->seconds / busy, 1e6 * row->seconds / (double)row->count);
    if (row->flops > 0)
        fprintf(stream, " %9.1f", row->flops / row->seconds / 1e9);
    else
        fprintf(stream, " %9s %8.1f", "", row->bytes / row->seconds / 1e9);
    fputc('\n', stream);
}

void device_profile_table(struct device *dev, FILE *stream)
{
    struct profile *profile = whole_profile(dev);
    size_t count = profile->row_count;
    struct row *rows = mem_new(count, sizeof *rows); // [count], a sorted copy: records know rows by their place
    double busy = 0, waited = 0;
    long waits = 0;
    for (size_t i = 0; i < count; i++) {
        rows[i] = profile->rows[i];
        *(rows[i].host ? &waited : &busy) += rows[i].seconds;
        waits += rows[i].host ? rows[i].count : 0;
    }
    qsort(rows, count, sizeof *rows, by_seconds);

    fprintf(stream, "%-28s %9s %12s %8s %11s %9s %8s\n", "kernel", "launches", "total ms", "of busy", "mean us",
            "GFLOP/s", "GB/s");
    for (size_t i = 0; i < count; i++)
        if (!rows[i].host && rows[i].count > 0)
            print_row(stream, &rows[i], busy);
    fprintf(stream, "busy %.2f ms of %.2f; idle %.2f ms with nothing queued, %.2f ms starting what was queued\n",
            1e3 * busy, (double)(profile->last_end - profile->first_start) / 1e6, (double)profile->starved / 1e6,
            (double)profile->starting / 1e6);
    fprintf(stream, "the host waited %ld times, %.2f ms\n", waits, 1e3 * waited);
    if (profile->left_out > 0)
        fprintf(stream, "%ld commands are in this table but not in the trace, which holds %d\n", profile->left_out,
                PROFILE_MOST);
    free(rows);
}
