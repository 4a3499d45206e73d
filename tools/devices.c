/* Lists the OpenCL devices as clinfo numbers them, with what oclip knows of each. */
#include "runtime/device.h"
#include "runtime/util/file.h"
#include "runtime/util/options.h"
#include "tools/text.h"

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
    } backends[8];
    int count;
};

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
}

/* A tuning file names its device in the first line. */
static struct tuning tuning_of(const struct device_info *info, const struct cache *cache)
{
    struct tuning tuning = {0};
    char *head = mem_format("# %s, driver %s:", info->label, info->driver);
    for (size_t i = 0; !tuning.file && i < cache->files.count; i++) {
        struct string_list lines = {0};
        struct error ignored;
        if (text_read_lines(&lines, cache->files.items[i], LINES_FILLED, &ignored) == 0 &&
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

static void print_device(const struct device_info *info, bool automatic, const struct tuning *tuning)
{
    const double gib = 1024.0 * 1024 * 1024;
    printf("%s%s\n", info->label, automatic ? "   <- auto" : "");
    printf("    %-9s %s, %d units, %d MHz, vectors of %d floats\n", "class", class_names[info->device_class],
           info->units, info->clock_mhz, info->native_floats);
    printf("    %-9s %.1f GiB, %.1f GiB at once, %lu KiB local\n", "memory", (double)info->memory_bytes / gib,
           (double)info->largest_bytes / gib, info->local_bytes / 1024);
    printf("    %-9s %s, driver %s, %s\n", "driver", info->vendor, info->driver, info->version);
    printf("    %-9s", "products");
    for (int b = 0; b < tuning->count; b++)
        printf("%s %s for %d classes of sizes", b ? "," : "", tuning->backends[b].name, tuning->backends[b].classes);
    if (tuning->count)
        printf(" (%s)\n", tuning->file);
    else
        printf(" not measured yet\n");
}

static json_t *json_of_device(const struct device_info *info, bool automatic, const struct tuning *tuning)
{
    json_t *chosen = json_object();
    for (int b = 0; b < tuning->count; b++)
        json_object_set_new(chosen, tuning->backends[b].name, json_integer(tuning->backends[b].classes));
    return json_pack("{s:i, s:i, s:i, s:b, s:s, s:o, s:o, s:o, s:o, s:I, s:I, s:I, s:i, s:i, s:i, s:o}", "index",
                     info->index, "platform", info->platform, "number", info->number, "auto", automatic, "class",
                     class_names[info->device_class], "name", text_json(info->name), "vendor", text_json(info->vendor),
                     "driver", text_json(info->driver), "platform_name", text_json(info->platform_name), "memory_bytes",
                     (json_int_t)info->memory_bytes, "largest_bytes", (json_int_t)info->largest_bytes, "local_bytes",
                     (json_int_t)info->local_bytes, "units", info->units, "clock_mhz", info->clock_mhz, "native_floats",
                     info->native_floats, "gemm", chosen);
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

int main(int argc, char **argv)
{
    struct error err = {0};
    bool json = false;
    struct device_info *infos;
    struct device *dev;
    int count, automatic = -1;
    const struct option_row rows[] = {{"json", OPTION_FLAG, &json, NULL, "one JSON object", 0}, {0}};
    if (options_parse("devices", "", "Lists the OpenCL devices; what --device takes are their numbers or names.", rows,
                      argc, argv, &err) < 0 ||
        device_list(&infos, &count, &err) != 0)
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
