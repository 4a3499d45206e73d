/* Lists the OpenCL devices as clinfo numbers them, with what oclip knows of each. */
#include "runtime/device.h"
#include "runtime/paths.h"
#include "runtime/selftest.h"
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

/* Which backend of matrix products was chosen how often. */
struct tuning {
    const char *file; /* NULL: nothing measured yet */
    struct {
        char name[32];
        int classes;
        double gflops; /* its best rate */
    } backends[8];
    int count;
};

/* A line ends in "# GFLOP/s at 64 x 64 x 64: tile 20.1 other 3.5". */
static void tuning_add(struct tuning *tuning, const char *line)
{
    char name[32];
    if (sscanf(line, "gemm %*s %*s %*s %*s %31s", name) != 1)
        return;
    int b = 0;
    while (b < tuning->count && strcmp(tuning->backends[b].name, name) != 0)
        b++;
    if (b == (int)(sizeof tuning->backends / sizeof *tuning->backends))
        return;
    if (b == tuning->count)
        memcpy(tuning->backends[tuning->count++].name, name, sizeof name);
    tuning->backends[b].classes++;
    const char *rates = strchr(line, '#'), *rate = NULL;
    char *head = mem_format(" %s ", name);
    if (rates && (rate = strstr(rates, head)))
        tuning->backends[b].gflops = fmax(tuning->backends[b].gflops, strtod(rate + strlen(head), NULL));
    free(head);
}

/* A tuning file names its device in the first line. */
static struct tuning tuning_of(const struct device_info *info, const struct cache *cache)
{
    struct tuning tuning = {0};
    char *head = mem_format("# %s, driver %s:", info->label, info->driver);
    for (size_t i = 0; !tuning.file && i < cache->files.count; i++) {
        struct string_list lines = {0};
        struct error ignored;
        if (lines_read(&lines, cache->files.items[i], LINES_FILLED, &ignored) == 0 &&
            strncmp(lines.items[0], head, strlen(head)) == 0) {
            tuning.file = cache->files.items[i];
            for (size_t l = 1; l < lines.count; l++)
                tuning_add(&tuning, lines.items[l]);
        }
        string_list_free(&lines);
    }
    free(head);
    return tuning;
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
    printf("    %-9s", "products");
    for (int b = 0; b < tuning->count; b++)
        printf("%s %s for %d classes of sizes, up to %.0f GFLOP/s", b ? "," : "", tuning->backends[b].name,
               tuning->backends[b].classes, tuning->backends[b].gflops);
    if (tuning->count)
        printf(" (%s)\n", tuning->file);
    else
        printf(" not measured yet\n");
}

static json_t *json_of_device(const struct device_info *info, bool automatic, const struct tuning *tuning)
{
    json_t *chosen = json_object(), *rates = json_object();
    struct verdicts verdicts = verdicts_of(info);
    for (int b = 0; b < tuning->count; b++) {
        json_object_set_new(chosen, tuning->backends[b].name, json_integer(tuning->backends[b].classes));
        json_object_set_new(rates, tuning->backends[b].name, json_real(tuning->backends[b].gflops));
    }
    json_t *object =
        json_pack("{s:i, s:i, s:i, s:b, s:s, s:o, s:o, s:o, s:o, s:I, s:I, s:I, s:i, s:i, s:i, s:o, s:o}", "index",
                  info->index, "platform", info->platform, "number", info->number, "auto", automatic, "class",
                  class_names[info->device_class], "name", text_json(info->name), "vendor", text_json(info->vendor),
                  "driver", text_json(info->driver), "platform_name", text_json(info->platform_name), "memory_bytes",
                  (json_int_t)info->memory_bytes, "largest_bytes", (json_int_t)info->largest_bytes, "local_bytes",
                  (json_int_t)info->local_bytes, "units", info->units, "clock_mhz", info->clock_mhz, "native_floats",
                  info->native_floats, "gemm", chosen, "gemm_gflops", rates);
    json_t *more = json_pack("{s:s, s:s, s:b, s:b, s:b, s:s, s:{s:i, s:i}}", "pci", info->pci, "uuid", info->uuid,
                             "fp16", info->fp16, "bf16", info->bf16, "int8", info->int8, "matrix_unit",
                             info->matrix_unit, "selftest", "right", verdicts.right, "wrong", verdicts.wrong);
    json_object_update(object, more);
    json_decref(more);
    return object;
}

static void print_all(const struct device_info *infos, int count, int automatic, bool json)
{
    struct cache tuning_files = cache_look("tuning", ".txt"), programs = cache_look("programs", ".bin");
    json_t *list = json_array();
    for (int i = 0; i < count; i++) {
        struct tuning tuning = tuning_of(&infos[i], &tuning_files);
        if (json)
            json_array_append_new(list, json_of_device(&infos[i], i == automatic, &tuning));
        else
            print_device(&infos[i], i == automatic, &tuning);
    }
    if (json)
        text_print_json(json_pack("{s:O, s:{s:o, s:I, s:I}}", "devices", list, "programs", "folder",
                                  text_json(programs.folder), "count", (json_int_t)programs.files.count, "bytes",
                                  (json_int_t)programs.bytes));
    else
        printf("%zu programs cached in %s (%.1f MiB)\n", programs.files.count, programs.folder,
               (double)programs.bytes / (1024 * 1024));
    json_decref(list);
    cache_free(&tuning_files);
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
