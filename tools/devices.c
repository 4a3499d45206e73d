/* Lists the OpenCL devices as clinfo numbers them, with what oclip knows of each. */
#include "runtime/device.h"
#include "runtime/paths.h"
#include "runtime/selftest.h"
#include "runtime/tuning.h"
#include "runtime/util/file.h"
#include "runtime/util/options.h"
#include "tools/driver_check.h"
#include "tools/text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char *const class_names[] = {[DEVICE_CPU] = "cpu", [DEVICE_GPU] = "gpu"};

/* What earlier runs left in one of the cache's folders. */
struct cache {
    char *folder;
    struct string_list files;
    unsigned long bytes;
};

static struct cache cache_look(const char *subfolder, const char *extension)
{
    struct cache cache = {.folder = device_cache_folder(subfolder)};
    struct error ignored;
    if (file_is_folder(cache.folder) && file_list(&cache.files, cache.folder, extension, &ignored) != 0)
        string_list_free(&cache.files);
    for (size_t i = 0; i < cache.files.count; i++) {
        struct stat status;
        if (stat(cache.files.items[i], &status) == 0)
            cache.bytes += (unsigned long)status.st_size;
    }
    return cache;
}

static void cache_free(struct cache *cache)
{
    free(cache->folder);
    string_list_free(&cache->files);
}

/* What the tuning file says of a device: which way was fastest for how many classes of work of one kind. */
struct measured {
    struct {
        char name[32];
        int classes;
        double gflops; /* its best rate */
    } ways[8];
    int count;
};

static void measured_add(struct measured *measured, const struct tuning_line *line)
{
    char name[32];
    if (sscanf(line->choice, "%31s", name) != 1)
        return;
    int w = 0;
    while (w < measured->count && strcmp(measured->ways[w].name, name) != 0)
        w++;
    if (w == (int)(sizeof measured->ways / sizeof *measured->ways))
        return;
    if (w == measured->count)
        memcpy(measured->ways[measured->count++].name, name, sizeof name);
    measured->ways[w].classes++;
    measured->ways[w].gflops = fmax(measured->ways[w].gflops, line->gflops);
}

/* kind: the first word of the work, "gemm" or "attention" */
static struct measured measured_of(const struct tuning *tuning, const struct device_info *info, const char *kind)
{
    struct measured measured = {0};
    const struct tuning_line *line = NULL;
    while ((line = tuning_next(tuning, info, NULL, line)))
        if (tuning_is_measured(tuning, line) && strncmp(line->work, kind, strlen(kind)) == 0)
            measured_add(&measured, line);
    return measured;
}

static void print_measured(const char *title, const struct measured *measured)
{
    printf("    %-9s", title);
    for (int w = 0; w < measured->count; w++)
        printf("%s %s for %d class%s of sizes, up to %.0f GFLOP/s", w ? "," : "", measured->ways[w].name,
               measured->ways[w].classes, measured->ways[w].classes == 1 ? "" : "es", measured->ways[w].gflops);
    printf("%s\n", measured->count ? "" : " not measured yet");
}

/* Classes by way, and the best rate of each. */
static void json_of_measured(json_t **classes, json_t **rates, const struct measured *measured)
{
    *classes = json_object();
    *rates = json_object();
    for (int w = 0; w < measured->count; w++) {
        json_object_set_new(*classes, measured->ways[w].name, json_integer(measured->ways[w].classes));
        json_object_set_new(*rates, measured->ways[w].name, json_real(measured->ways[w].gflops));
    }
}

struct verdicts {
    int right, wrong;
};

static void count_verdict(void *context, const char *name, bool right)
{
    struct verdicts *verdicts = context;
    (void)name;
    *(right ? &verdicts->right : &verdicts->wrong) += 1;
}

static struct verdicts verdicts_of(const struct device_info *info)
{
    struct verdicts verdicts = {0};
    selftest_verdicts(info, count_verdict, &verdicts);
    return verdicts;
}

static void print_abilities(const struct device_info *info)
{
    printf("    %-9s%s%s%s%s%s%s\n", "abilities", info->fp16 ? " fp16" : "", info->bf16 ? " bf16" : "",
           info->int8 ? " int8" : "", info->matrix_unit[0] ? " matrix unit " : "", info->matrix_unit,
           info->fp16 || info->bf16 || info->int8 || info->matrix_unit[0] ? "" : " fp32 only");
    if (info->pci[0] || info->uuid[0])
        printf("    %-9s%s%s%s%s\n", "address", info->pci[0] ? " PCI " : "", info->pci, info->uuid[0] ? " UUID " : "",
               info->uuid);
    struct verdicts verdicts = verdicts_of(info);
    if (verdicts.right + verdicts.wrong)
        printf("    %-9s %d kernels right, %d wrong and not used\n", "selftest", verdicts.right, verdicts.wrong);
    else
        printf("    %-9s not run yet\n", "selftest");
}

static void print_device(const struct device_info *info, bool automatic, const struct tuning *tuning)
{
    const double gib = 1024.0 * 1024 * 1024;
    printf("%s%s\n", info->label, automatic ? "   <- auto" : "");
    printf("    %-9s %s, %d units, %d MHz, vectors of %d floats\n", "class", class_names[info->device_class],
           info->units, info->clock_mhz, info->native_floats);
    printf("    %-9s %.1f GiB, %.1f GiB at once, %lu KiB local\n", "memory", (double)info->memory_bytes / gib,
           (double)info->largest_bytes / gib, info->local_bytes / 1024);
    printf("    %-9s %s, driver %s, %s\n", "driver", info->vendor, info->driver, info->version);
    print_abilities(info);
    struct measured gemm = measured_of(tuning, info, "gemm"), attention = measured_of(tuning, info, "attention");
    print_measured("products", &gemm);
    print_measured("attention", &attention);
}

static json_t *json_of_device(const struct device_info *info, bool automatic, const struct tuning *tuning)
{
    json_t *gemm, *gemm_rates, *attention, *attention_rates;
    struct verdicts verdicts = verdicts_of(info);
    struct measured products = measured_of(tuning, info, "gemm"), heads = measured_of(tuning, info, "attention");
    json_of_measured(&gemm, &gemm_rates, &products);
    json_of_measured(&attention, &attention_rates, &heads);
    json_t *object =
        json_pack("{s:i, s:i, s:i, s:b, s:s, s:o, s:o, s:o, s:o, s:I, s:I, s:I, s:i, s:i, s:i, s:o, s:o}", "index",
                  info->index, "platform", info->platform, "number", info->number, "auto", automatic, "class",
                  class_names[info->device_class], "name", text_json(info->name), "vendor", text_json(info->vendor),
                  "driver", text_json(info->driver), "platform_name", text_json(info->platform_name), "memory_bytes",
                  (json_int_t)info->memory_bytes, "largest_bytes", (json_int_t)info->largest_bytes, "local_bytes",
                  (json_int_t)info->local_bytes, "units", info->units, "clock_mhz", info->clock_mhz, "native_floats",
                  info->native_floats, "gemm", gemm, "gemm_gflops", gemm_rates);
    json_t *more = json_pack("{s:s, s:s, s:b, s:b, s:b, s:s, s:{s:i, s:i}, s:o, s:o}", "pci", info->pci, "uuid",
                             info->uuid, "fp16", info->fp16, "bf16", info->bf16, "int8", info->int8, "matrix_unit",
                             info->matrix_unit, "selftest", "right", verdicts.right, "wrong", verdicts.wrong,
                             "attention", attention, "attention_gflops", attention_rates);
    json_object_update(object, more);
    json_decref(more);
    return object;
}

static void print_all(const struct device_info *infos, int count, int automatic, bool json)
{
    struct cache programs = cache_look("programs", ".bin");
    struct tuning *tuning = tuning_open();
    json_t *list = json_array();
    for (int i = 0; i < count; i++)
        if (json)
            json_array_append_new(list, json_of_device(&infos[i], i == automatic, tuning));
        else
            print_device(&infos[i], i == automatic, tuning);
    if (json)
        text_print_json(json_pack("{s:O, s:{s:o, s:I, s:I}, s:o}", "devices", list, "programs", "folder",
                                  text_json(programs.folder), "count", (json_int_t)programs.files.count, "bytes",
                                  (json_int_t)programs.bytes, "tuning", text_json(tuning->path)));
    else
        printf("%zu programs cached in %s (%.1f MiB); what was measured is in %s\n", programs.files.count,
               programs.folder, (double)programs.bytes / (1024 * 1024), tuning->path);
    json_decref(list);
    tuning_free(tuning);
    cache_free(&programs);
}

static int print_paths(void)
{
    for (int path = 0; path < PATHS; path++)
        printf("%-15s %s\n", path_rows[path].name, path_rows[path].what);
    return EXIT_OK;
}

static int check(const char *spec)
{
    struct error err = {0};
    struct device *dev;
    int wrong = driver_check_files(stdout);
    if (device_open(&dev, spec, &err) != 0)
        return error_report(&err);
    printf("%s\n", device_info(dev)->label);
    bool fine = driver_check_device(stdout, dev);
    device_close(dev);
    if (wrong)
        printf("%d thing%s above may keep other devices from being seen\n", wrong, wrong == 1 ? "" : "s");
    return fine ? EXIT_OK : EXIT_FAILED;
}

int main(int argc, char **argv)
{
    struct error err = {0};
    bool json = false, paths = false;
    const char *checked = NULL;
    struct device_info *infos;
    struct device *dev;
    int count, automatic = -1;
    const struct option_row rows[] = {
        {"json", OPTION_FLAG, &json, NULL, "one JSON object", 0},
        {"check", OPTION_TEXT, &checked, "DEVICE",
         "test this device's kernels anew, and say what is wrong with drivers", 0},
        {"paths", OPTION_FLAG, &paths, NULL, "list the fast paths, each of which --without can switch off", 0},
        {0}};
    if (options_parse("devices", "", "Lists the OpenCL devices; what --device takes are their numbers or names.", rows,
                      argc, argv, &err) < 0)
        return error_report(&err);
    if (paths)
        return print_paths();
    if (checked)
        return check(checked);
    if (device_list(&infos, &count, &err) != 0)
        return error_report(&err);
    if (device_open(&dev, "auto", &err) == 0) {
        automatic = device_info(dev)->index;
        device_close(dev);
    } else {
        fprintf(stderr, "oclip: %s\n", err.text); /* the list is still worth printing */
    }
    print_all(infos, count, automatic, json);
    free(infos);
    return EXIT_OK;
}
