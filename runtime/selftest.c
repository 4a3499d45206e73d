#define _GNU_SOURCE
#include "runtime/selftest.h"

#include "runtime/kernel_sources.h"
#include "runtime/opencl.h"
#include "runtime/util/file.h"
#include "runtime/util/hash.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct verdict {
    char *name;
    bool right, kept; /* in the file */
    struct verdict *next;
};

struct selftests {
    struct verdict *verdicts;
};

enum { LARGEST_FILE = 1 << 20 };

/* Another driver is another device, and other kernels are to be tested anew. */
static char *path_of(const struct device_info *info)
{
    struct hash key = hash_begin();
    const char *parts[] = {info->name, info->vendor, info->driver, info->platform_version,
                           info->device_class == DEVICE_CPU ? "cpu" : "gpu"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        hash_add_text(&key, parts[i]);
    for (const struct kernel_source *source = kernel_sources; source->name; source++)
        hash_add_text(&key, source->text);
    char name[HASH_TEXT], *folder = device_cache_folder("selftest");
    hash_text(name, key);
    char *path = mem_format("%s/%s.txt", folder, name);
    free(folder);
    return path;
}

static void add(struct selftests *tests, const char *name, bool right, bool kept)
{
    struct verdict *verdict = mem_new(1, sizeof *verdict);
    *verdict = (struct verdict){.name = mem_format("%s", name), .right = right, .kept = kept, .next = tests->verdicts};
    tests->verdicts = verdict;
}

/* A line is "right NAME" or "wrong NAME"; others are passed over. */
static struct selftests *load(const struct device_info *info)
{
    struct selftests *tests = mem_new(1, sizeof *tests);
    char *path = path_of(info), *text;
    struct error ignored;
    if (file_exists(path) && file_read(&text, NULL, path, LARGEST_FILE, &ignored) == 0) {
        char *rest = text;
        for (char *line; (line = strsep(&rest, "\n"));)
            if (strncmp(line, "right ", 6) == 0 || strncmp(line, "wrong ", 6) == 0)
                add(tests, line + 6, line[0] == 'r', true);
        free(text);
    }
    free(path);
    return tests;
}

/* The whole file anew, so that a reader never meets half a line. A failure costs the test again next time. */
static void save(const struct device_info *info, const struct selftests *tests)
{
    char *path = path_of(info), *folder = device_cache_folder("selftest");
    struct error ignored;
    struct file_writer writer;
    if (file_make_folders(folder, &ignored) == 0 && file_create(&writer, path, &ignored) == 0) {
        fprintf(writer.stream, "# %s, driver %s: kernels held against the host\n", info->label, info->driver);
        for (const struct verdict *verdict = tests->verdicts; verdict; verdict = verdict->next)
            if (verdict->kept)
                fprintf(writer.stream, "%s %s\n", verdict->right ? "right" : "wrong", verdict->name);
        if (file_commit(&writer, &ignored) != 0)
            fprintf(stderr, "oclip: %s\n", ignored.text);
    }
    free(path);
    free(folder);
}

/* A failure of the device is the kernel's, and is taken back, except that a lost device says nothing of a kernel. */
static bool run(struct device *dev, const char *name, selftest_error *error, const void *context, double allowed,
                enum exit_code *failure)
{
    struct error err = {0};
    double off = error(dev, context);
    *failure = device_finish(dev, &err) == 0 ? EXIT_OK : err.code;
    if (*failure != EXIT_OK && device_forgive(dev))
        fprintf(stderr, "oclip: %s does not run on this driver, a slower kernel is used: %s\n", name, err.text);
    if (*failure != EXIT_OK)
        return false;
    if (off <= allowed)
        return true;
    fprintf(stderr, "oclip: %s: %s gives wrong results on this driver (off by %.1g), a slower kernel is used\n",
            dev->info.label, name, off);
    return false;
}

bool selftest_passes(struct device *dev, const char *name, selftest_error *error, const void *context, double allowed)
{
    if (device_failed(dev))
        return true;
    if (!dev->selftests)
        dev->selftests = load(&dev->info);
    for (const struct verdict *verdict = dev->selftests->verdicts; verdict; verdict = verdict->next)
        if (strcmp(verdict->name, name) == 0)
            return verdict->right;
    enum exit_code failure;
    bool right = run(dev, name, error, context, allowed, &failure);
    if (device_failed(dev))
        return true;
    add(dev->selftests, name, right, failure != EXIT_NO_MEMORY); /* another process may have enough */
    save(&dev->info, dev->selftests);
    return right;
}

void selftest_forget(const struct device_info *info)
{
    char *path = path_of(info);
    unlink(path);
    free(path);
}

void selftest_verdicts(const struct device_info *info, void (*tell)(void *context, const char *name, bool right),
                       void *context)
{
    struct selftests *tests = load(info);
    for (const struct verdict *verdict = tests->verdicts; verdict; verdict = verdict->next)
        tell(context, verdict->name, verdict->right);
    selftests_free(tests);
}

double selftest_difference(const float *got, const double *want, size_t count)
{
    double largest = 0, off = 0;
    for (size_t i = 0; i < count; i++) {
        double difference = fabs((double)got[i] - want[i]);
        if (isnan(difference))
            return INFINITY;
        largest = fmax(largest, fabs(want[i]));
        off = fmax(off, difference);
    }
    return off / fmax(largest, 1e-30);
}

void selftests_free(struct selftests *tests)
{
    while (tests && tests->verdicts) {
        struct verdict *verdict = tests->verdicts;
        tests->verdicts = verdict->next;
        free(verdict->name);
        free(verdict);
    }
    free(tests);
}
