#define _GNU_SOURCE
#include "runtime/device.h"

#include "runtime/abilities.h"
#include "runtime/gemm/gemm.h"
#include "runtime/opencl.h"
#include "runtime/paths.h"
#include "runtime/quirks.h"
#include "runtime/util/file.h"

#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void read_text(char *text, size_t room, cl_device_id id, cl_device_info what)
{
    text[0] = '\0';
    clGetDeviceInfo(id, what, room, text, NULL);
    text[room - 1] = '\0';
}

#define READ(field, id, what) clGetDeviceInfo(id, what, sizeof(field), &(field), NULL)

/* OCLIP_DEVICE_CLASS=gpu runs the GPU shape of every kernel on a CPU device, so that it can be tested anywhere. */
static enum device_class class_of(const struct device_info *info)
{
    const char *forced = getenv("OCLIP_DEVICE_CLASS");
    if (forced && forced[0])
        return strcmp(forced, "gpu") == 0 ? DEVICE_GPU : DEVICE_CPU;
    const enum device_class *as = quirks_of(info).as;
    return as ? *as : info->is_gpu ? DEVICE_GPU : DEVICE_CPU;
}

static struct device_info describe(cl_platform_id platform, cl_device_id id, int index, int platform_index, int number)
{
    struct device_info info = {.index = index, .platform = platform_index, .number = number};
    read_text(info.name, sizeof info.name, id, CL_DEVICE_NAME);
    read_text(info.vendor, sizeof info.vendor, id, CL_DEVICE_VENDOR);
    read_text(info.driver, sizeof info.driver, id, CL_DRIVER_VERSION);
    read_text(info.version, sizeof info.version, id, CL_DEVICE_VERSION);
    clGetPlatformInfo(platform, CL_PLATFORM_NAME, sizeof info.platform_name - 1, info.platform_name, NULL);
    clGetPlatformInfo(platform, CL_PLATFORM_VERSION, sizeof info.platform_version - 1, info.platform_version, NULL);

    cl_device_type type = 0;
    cl_ulong memory = 0, largest = 0, local = 0;
    cl_uint units = 0, clock = 0, floats = 0;
    size_t group = 0;
    READ(type, id, CL_DEVICE_TYPE);
    READ(memory, id, CL_DEVICE_GLOBAL_MEM_SIZE);
    READ(largest, id, CL_DEVICE_MAX_MEM_ALLOC_SIZE);
    READ(local, id, CL_DEVICE_LOCAL_MEM_SIZE);
    READ(group, id, CL_DEVICE_MAX_WORK_GROUP_SIZE);
    READ(units, id, CL_DEVICE_MAX_COMPUTE_UNITS);
    READ(clock, id, CL_DEVICE_MAX_CLOCK_FREQUENCY);
    READ(floats, id, CL_DEVICE_NATIVE_VECTOR_WIDTH_FLOAT);
    info.is_gpu = type & CL_DEVICE_TYPE_GPU;
    info.memory_bytes = memory;
    info.largest_bytes = largest;
    info.local_bytes = local;
    info.largest_group = (int)group;
    info.units = (int)units;
    info.clock_mhz = (int)clock;
    info.native_floats = (int)floats;
    info.device_class = class_of(&info);
    abilities_read(&info, id);
    snprintf(info.label, sizeof info.label, "device %d (%d:%d) %s, %s", index, platform_index, number, info.name,
             info.platform_name);
    return info;
}

/* Every device with its OpenCL handles, in clinfo's order. */
struct found {
    struct device_info *infos; // [count]
    cl_device_id *ids;         // [count]
    int count, platforms;
};

static void found_free(struct found *found)
{
    free(found->infos);
    free(found->ids);
}

static int find_devices(struct found *found, struct error *err)
{
    *found = (struct found){0};
    cl_platform_id platforms[32];
    cl_uint platform_count = 0;
    cl_int code = clGetPlatformIDs(32, platforms, &platform_count);
    if (code != CL_SUCCESS)
        platform_count = 0;
    found->platforms = (int)(platform_count < 32 ? platform_count : 32);

    for (int p = 0; p < found->platforms; p++) {
        cl_device_id ids[64];
        cl_uint count = 0;
        if (clGetDeviceIDs(platforms[p], CL_DEVICE_TYPE_ALL, 64, ids, &count) != CL_SUCCESS)
            continue; /* a platform without devices; clinfo lists it too, without a number of its own */
        size_t total = (size_t)found->count + count;
        found->infos = mem_grow(found->infos, total, sizeof *found->infos);
        found->ids = mem_grow(found->ids, total, sizeof *found->ids);
        for (int d = 0; d < (int)count && d < 64; d++) {
            found->infos[found->count] = describe(platforms[p], ids[d], found->count, p, d);
            found->ids[found->count++] = ids[d];
        }
    }
    if (found->count > 0)
        return 0;
    if (found->platforms == 0)
        return error_set(err, EXIT_NO_DEVICE,
                         "no OpenCL platform found: install a driver (pocl-opencl-icd runs on any CPU; README.md lists "
                         "the package for each vendor) and check it with `clinfo -l`");
    return error_set(err, EXIT_NO_DEVICE,
                     "%d OpenCL platform(s) found but none has a device: check `clinfo -l` and the permissions of "
                     "/dev/dri/renderD*, or install pocl-opencl-icd to run on the CPU",
                     found->platforms);
}

int device_list(struct device_info **infos, int *count, struct error *err)
{
    struct found found;
    if (find_devices(&found, err) != 0)
        return -1;
    *infos = found.infos;
    *count = found.count;
    free(found.ids);
    return 0;
}

static int best_of(const struct found *found, bool gpus)
{
    int best = -1;
    for (int i = 0; i < found->count; i++)
        if (found->infos[i].is_gpu == gpus && (best < 0 || found->infos[i].units > found->infos[best].units))
            best = i;
    return best;
}

static int match(const struct found *found, const char *spec)
{
    if (strcmp(spec, "gpu") == 0)
        return best_of(found, true);
    if (strcmp(spec, "cpu") == 0)
        return best_of(found, false);
    if (strcmp(spec, "auto") == 0 || spec[0] == '\0') {
        int gpu = best_of(found, true);
        return gpu >= 0 ? gpu : best_of(found, false);
    }
    int first, second, used = 0;
    bool pair = sscanf(spec, "%d:%d%n", &first, &second, &used) == 2 && spec[used] == '\0';
    bool single = !pair && sscanf(spec, "%d%n", &first, &used) == 1 && spec[used] == '\0';
    for (int i = 0; i < found->count; i++) {
        const struct device_info *info = &found->infos[i];
        if (pair     ? info->platform == first && info->number == second
            : single ? info->index == first
                     : abilities_match(info, spec) || strcasestr(info->name, spec) || strcasestr(info->vendor, spec) ||
                           strcasestr(info->platform_name, spec))
            return i;
    }
    return -1;
}

static int no_match(const struct found *found, const char *spec, struct error *err)
{
    size_t used = 0;
    char list[2048] = "";
    for (int i = 0; i < found->count && used < sizeof list; i++)
        used += (size_t)snprintf(list + used, sizeof list - used, "\n  %s", found->infos[i].label);
    return error_set(err, EXIT_NO_DEVICE,
                     "no device matches --device %s; give a number, P:D, part of a name, PCI address, UUID, gpu, cpu "
                     "or auto. Here are:%s",
                     spec, list);
}

/* OCLIP_WITH and OCLIP_WITHOUT: so that every test can be run with a fast path forced or off. */
static int choose_paths(struct device *dev, struct error *err)
{
    unsigned on = 0;
    const char *with = getenv("OCLIP_WITH");
    if (with && paths_parse(&on, with, err) != 0)
        return error_wrap(err, "OCLIP_WITH");
    dev->paths = paths_default(&dev->info) | on;
    return device_go_without(dev, getenv("OCLIP_WITHOUT"), err) != 0 ? error_wrap(err, "OCLIP_WITHOUT") : 0;
}

int device_open(struct device **out, const char *spec, struct error *err)
{
    struct found found;
    if (find_devices(&found, err) != 0)
        return -1;
    int chosen = match(&found, spec);
    if (chosen < 0) {
        no_match(&found, spec, err);
        found_free(&found);
        return -1;
    }
    struct device *dev = mem_new(1, sizeof *dev);
    dev->info = found.infos[chosen];
    dev->id = found.ids[chosen];
    found_free(&found);
    if (choose_paths(dev, err) != 0) {
        free(dev);
        return -1;
    }

    cl_int code;
    dev->context = clCreateContext(NULL, 1, &dev->id, NULL, NULL, &code);
    if (opencl_failed(dev, code, "cannot create a context"))
        goto failed;
    dev->queue = clCreateCommandQueue(dev->context, dev->id, 0, &code);
    if (opencl_failed(dev, code, "cannot create a queue"))
        goto failed_queue;
    dev->pool = pool_new();
    gemm_set_tuning(dev, "quick");
    *out = dev;
    return 0;

failed_queue:
    clReleaseContext(dev->context);
failed:
    *err = dev->failure;
    free(dev);
    return -1;
}

void device_close(struct device *dev)
{
    if (!dev)
        return;
    if (dev->failure.code != EXIT_DEVICE_LOST || dev->info.device_class == DEVICE_CPU)
        clFinish(dev->queue); /* a GPU that is gone may never get there */
    if (dev->mark)
        clReleaseEvent(dev->mark);
    profile_free(dev->profile);
    gemm_choices_free(dev->choices);
    attention_choices_free(dev->attention);
    tuning_free(dev->tuning);
    selftests_free(dev->selftests);
    programs_free(dev->programs);
    uploads_free(dev->uploads);
    pool_free(dev->pool);
    clReleaseCommandQueue(dev->queue);
    clReleaseContext(dev->context);
    free(dev);
}

const struct device_info *device_info(const struct device *dev)
{
    return &dev->info;
}

const struct device_counters *device_counters(const struct device *dev)
{
    return &dev->counters;
}

int device_vector_width(const struct device *dev)
{
    if (dev->info.device_class == DEVICE_GPU)
        return 4;
    return dev->info.native_floats >= 16 ? 16 : 8;
}

enum precision device_precision(const struct device *dev)
{
    return dev->precision;
}

int device_group_size(const struct device *dev)
{
    int size = dev->info.device_class == DEVICE_GPU ? 64 : 1;
    while (size > 1 && size > dev->info.largest_group)
        size /= 2;
    return size;
}

void device_mark(struct device *dev)
{
    if (dev->mark)
        clReleaseEvent(dev->mark);
    dev->mark = NULL;
    if (device_failed(dev))
        return;
    opencl_failed(dev, clEnqueueMarkerWithWaitList(dev->queue, 0, NULL, &dev->mark), "marking the end of a step");
    opencl_failed(dev, clFlush(dev->queue), "handing a step to the device");
}

bool device_idle(const struct device *dev)
{
    cl_int status = CL_COMPLETE;
    if (dev->mark)
        clGetEventInfo(dev->mark, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof status, &status, NULL);
    return status <= CL_COMPLETE;
}

int device_finish(struct device *dev, struct error *err)
{
    if (!device_failed(dev)) {
        dev->counters.waits++;
        profile_waiting(dev);
        struct patience_wait wait = patience_begin(dev, &dev->finish_wait);
        opencl_failed(dev, clFinish(dev->queue), "waiting for the device");
        patience_end(&wait);
        profile_waited(dev, "finish");
    }
    if (!device_failed(dev))
        return 0;
    *err = dev->failure;
    return -1;
}

char *device_cache_folder(const char *subfolder)
{
    const char *own = getenv("OCLIP_CACHE"), *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    if (own && own[0])
        return mem_format("%s/%s", own, subfolder);
    if (xdg && xdg[0])
        return mem_format("%s/oclip/%s", xdg, subfolder);
    return mem_format("%s/.cache/oclip/%s", home && home[0] ? home : ".", subfolder);
}
