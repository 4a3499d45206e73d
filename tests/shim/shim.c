/* An OpenCL driver with faults, for tests: a layer that the loader (ocl-icd 2.3, Khronos' own) puts between a program
 * and whatever driver there is.
 *
 *     OPENCL_LAYERS=build/tests/libshim.so SHIM=work_group=64,local_memory=16384 ./trainer ...
 *
 * SHIM is a list of
 *     work_group=N          the largest work-group
 *     local_memory=BYTES    of a work-group
 *     allocation=BYTES      the largest buffer
 *     no_sub_groups, no_images
 *     refuse=KERNEL/OPTION  the kernel does not compile with build options that have this text (none: with any)
 *     spoil=KERNEL/OPTION   a number of its first argument is wrong after each launch
 *     memory=N              the N-th buffer and all later ones are one too many
 *     lost=N                the N-th command and all calls after it fail: CL_DEVICE_NOT_AVAILABLE
 *     exhausted=N           the same with CL_OUT_OF_RESOURCES, as NVIDIA's driver says it
 *     write_fills           fills are writes, since Oclgrind takes memory that was filled for uninitialised
 *     report                writes to stderr, at the end, how many commands and buffers there were
 */
#define _GNU_SOURCE
#include <CL/cl_layer.h>

#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const cl_icd_dispatch *driver;
static cl_icd_dispatch layer;

enum { TEXT = 8192 };

/* A kernel by name and a part of its program's build options. */
struct target {
    char *kernel, *option; /* kernel is NULL for none */
};

/* What was asked for; 0 for what was not. */
static struct {
    size_t work_group, local_memory, allocation, memory, lost_at;
    bool no_sub_groups, no_images, exhausted, write_fills, report;
    struct target refuse, spoil;
} faults;

/* Where the words of SHIM go. */
static const struct fault {
    const char *name;
    size_t *number;
    bool *flag;
    struct target *target;
} fault_words[] = {
    {"work_group", .number = &faults.work_group},
    {"local_memory", .number = &faults.local_memory},
    {"allocation", .number = &faults.allocation},
    {"no_sub_groups", .flag = &faults.no_sub_groups},
    {"no_images", .flag = &faults.no_images},
    {"refuse", .target = &faults.refuse},
    {"spoil", .target = &faults.spoil},
    {"memory", .number = &faults.memory},
    {"lost", .number = &faults.lost_at},
    {"exhausted", .number = &faults.lost_at, .flag = &faults.exhausted},
    {"write_fills", .flag = &faults.write_fills},
    {"report", .flag = &faults.report},
    {0},
};

static atomic_size_t buffers, commands;
static atomic_bool lost;
static cl_mem spoilt; /* the first argument of the kernel to spoil */

static struct target read_target(char *text)
{
    struct target target = {.kernel = strsep(&text, "/")};
    target.option = text ? text : "";
    return target;
}

static void read_faults(void)
{
    char *rest = strdup(getenv("SHIM") ? getenv("SHIM") : ""); /* names of kernels stay in it */
    for (char *value; (value = strsep(&rest, ","));) {
        const char *name = strsep(&value, "=");
        const struct fault *fault = fault_words;
        while (fault->name && strcmp(fault->name, name) != 0)
            fault++;
        if (fault->number)
            *fault->number = value ? strtoul(value, NULL, 10) : 0;
        if (fault->flag)
            *fault->flag = true;
        if (fault->target)
            *fault->target = read_target(value);
        if (!fault->name && *name) {
            fprintf(stderr, "shim: there is no fault \"%s\"\n", name);
            abort();
        }
    }
}

static cl_int lost_code(void)
{
    return faults.exhausted ? CL_OUT_OF_RESOURCES : CL_DEVICE_NOT_AVAILABLE;
}

/* ---- limits ---- */

/* Words that name sub-groups become spaces, which leaves the text as long as it was. */
static void blank_sub_groups(char *extensions)
{
    for (char *word; (word = strstr(extensions, "subgroup"));) {
        while (word > extensions && word[-1] != ' ')
            word--;
        memset(word, ' ', strcspn(word, " "));
    }
}

static void shrink(void *value, size_t limit)
{
    size_t *number = value;
    if (limit && *number > limit)
        *number = limit;
}

static cl_int CL_API_CALL get_device_info(cl_device_id device, cl_device_info what, size_t room, void *value,
                                          size_t *size)
{
    cl_int code = driver->clGetDeviceInfo(device, what, room, value, size);
    if (code != CL_SUCCESS || !value)
        return code;
    switch (what) {
    case CL_DEVICE_MAX_WORK_GROUP_SIZE:
        shrink(value, faults.work_group);
        break;
    case CL_DEVICE_MAX_WORK_ITEM_SIZES:
        for (size_t i = 0; i < 3; i++)
            shrink((size_t *)value + i, faults.work_group);
        break;
    case CL_DEVICE_LOCAL_MEM_SIZE:
        shrink(value, faults.local_memory);
        break;
    case CL_DEVICE_MAX_MEM_ALLOC_SIZE:
        shrink(value, faults.allocation);
        break;
    case CL_DEVICE_IMAGE_SUPPORT:
        if (faults.no_images)
            *(cl_bool *)value = CL_FALSE;
        break;
    case CL_DEVICE_EXTENSIONS:
        if (faults.no_sub_groups)
            blank_sub_groups(value);
        break;
    }
    return code;
}

static cl_int CL_API_CALL get_kernel_work_group_info(cl_kernel kernel, cl_device_id device,
                                                     cl_kernel_work_group_info what, size_t room, void *value,
                                                     size_t *size)
{
    cl_int code = driver->clGetKernelWorkGroupInfo(kernel, device, what, room, value, size);
    if (code == CL_SUCCESS && value && what == CL_KERNEL_WORK_GROUP_SIZE)
        shrink(value, faults.work_group);
    return code;
}

/* What a driver with these limits says to a launch. */
static cl_int check_launch(cl_kernel kernel, cl_uint dimensions, const size_t *local)
{
    size_t items = 1;
    cl_ulong bytes = 0;
    for (cl_uint i = 0; local && i < dimensions; i++)
        items *= local[i];
    if (faults.work_group && items > faults.work_group)
        return CL_INVALID_WORK_GROUP_SIZE;
    if (faults.local_memory)
        driver->clGetKernelWorkGroupInfo(kernel, NULL, CL_KERNEL_LOCAL_MEM_SIZE, sizeof bytes, &bytes, NULL);
    return bytes > faults.local_memory ? CL_OUT_OF_RESOURCES : CL_SUCCESS;
}

/* ---- kernels ---- */

static cl_int CL_API_CALL build_program(cl_program program, cl_uint count, const cl_device_id *devices,
                                        const char *options,
                                        void(CL_CALLBACK *notify)(cl_program program, void *user_data), void *user_data)
{
    if (lost)
        return lost_code();
    char changed[TEXT];
    const char *given = options ? options : "";
    if (faults.refuse.kernel && strstr(given, faults.refuse.option)) {
        snprintf(changed, sizeof changed, "%s -D%s=refused-by-the-shim", given, faults.refuse.kernel);
        options = changed;
    }
    return driver->clBuildProgram(program, count, devices, options, notify, user_data);
}

static bool is_spoilt(cl_kernel kernel)
{
    char name[TEXT] = "", options[TEXT] = "";
    cl_program program;
    cl_device_id device;
    if (!faults.spoil.kernel ||
        driver->clGetKernelInfo(kernel, CL_KERNEL_FUNCTION_NAME, sizeof name, name, NULL) != CL_SUCCESS ||
        strcmp(name, faults.spoil.kernel) != 0)
        return false;
    driver->clGetKernelInfo(kernel, CL_KERNEL_PROGRAM, sizeof program, &program, NULL);
    driver->clGetProgramInfo(program, CL_PROGRAM_DEVICES, sizeof device, &device, NULL);
    driver->clGetProgramBuildInfo(program, device, CL_PROGRAM_BUILD_OPTIONS, sizeof options, options, NULL);
    return strstr(options, faults.spoil.option) != NULL;
}

static cl_int CL_API_CALL set_kernel_arg(cl_kernel kernel, cl_uint index, size_t size, const void *value)
{
    if (index == 0 && value && is_spoilt(kernel))
        memcpy(&spoilt, value, sizeof spoilt);
    return driver->clSetKernelArg(kernel, index, size, value);
}

/* ---- memory ---- */

static cl_mem CL_API_CALL create_buffer(cl_context context, cl_mem_flags flags, size_t size, void *host, cl_int *code)
{
    size_t number = ++buffers;
    cl_int refused = lost                                            ? lost_code()
                     : faults.allocation && size > faults.allocation ? CL_INVALID_BUFFER_SIZE
                     : faults.memory && number >= faults.memory      ? CL_MEM_OBJECT_ALLOCATION_FAILURE
                                                                     : CL_SUCCESS;
    if (refused == CL_SUCCESS)
        return driver->clCreateBuffer(context, flags, size, host, code);
    if (code)
        *code = refused;
    return NULL;
}

/* ---- commands ---- */

/* Counts a command; whether it may go on to the driver. What was queued before a loss is done by then: afterwards
 * nothing runs any more. */
static bool may_run(cl_command_queue queue)
{
    if (++commands == faults.lost_at) {
        driver->clFinish(queue);
        lost = true;
    }
    return !lost;
}

static cl_int CL_API_CALL launch(cl_command_queue queue, cl_kernel kernel, cl_uint dimensions, const size_t *offset,
                                 const size_t *global, const size_t *local, cl_uint count, const cl_event *waits,
                                 cl_event *event)
{
    if (!may_run(queue))
        return lost_code();
    cl_int code = check_launch(kernel, dimensions, local);
    if (code == CL_SUCCESS)
        code = driver->clEnqueueNDRangeKernel(queue, kernel, dimensions, offset, global, local, count, waits, event);
    const float wrong = 3;
    if (code == CL_SUCCESS && is_spoilt(kernel))
        code = driver->clEnqueueFillBuffer(queue, spoilt, &wrong, sizeof wrong, 0, sizeof wrong, 0, NULL, NULL);
    return code;
}

static cl_int CL_API_CALL read_buffer(cl_command_queue queue, cl_mem buffer, cl_bool blocking, size_t offset,
                                      size_t size, void *to, cl_uint count, const cl_event *waits, cl_event *event)
{
    return may_run(queue) ? driver->clEnqueueReadBuffer(queue, buffer, blocking, offset, size, to, count, waits, event)
                          : lost_code();
}

static cl_int CL_API_CALL write_buffer(cl_command_queue queue, cl_mem buffer, cl_bool blocking, size_t offset,
                                       size_t size, const void *from, cl_uint count, const cl_event *waits,
                                       cl_event *event)
{
    return may_run(queue)
               ? driver->clEnqueueWriteBuffer(queue, buffer, blocking, offset, size, from, count, waits, event)
               : lost_code();
}

static cl_int CL_API_CALL copy_buffer(cl_command_queue queue, cl_mem from, cl_mem to, size_t from_offset,
                                      size_t to_offset, size_t size, cl_uint count, const cl_event *waits,
                                      cl_event *event)
{
    return may_run(queue)
               ? driver->clEnqueueCopyBuffer(queue, from, to, from_offset, to_offset, size, count, waits, event)
               : lost_code();
}

static cl_int write_fill(cl_command_queue queue, cl_mem buffer, const char *pattern, size_t pattern_size, size_t offset,
                         size_t size, cl_event *event)
{
    char *bytes = malloc(size);
    for (size_t i = 0; bytes && i < size; i++)
        bytes[i] = pattern[i % pattern_size];
    cl_int code = driver->clEnqueueWriteBuffer(queue, buffer, CL_TRUE, offset, size, bytes, 0, NULL, event);
    free(bytes);
    return code;
}

static cl_int CL_API_CALL fill_buffer(cl_command_queue queue, cl_mem buffer, const void *pattern, size_t pattern_size,
                                      size_t offset, size_t size, cl_uint count, const cl_event *waits, cl_event *event)
{
    if (!may_run(queue))
        return lost_code();
    if (faults.write_fills)
        return write_fill(queue, buffer, pattern, pattern_size, offset, size, event);
    return driver->clEnqueueFillBuffer(queue, buffer, pattern, pattern_size, offset, size, count, waits, event);
}

static void *CL_API_CALL map_buffer(cl_command_queue queue, cl_mem buffer, cl_bool blocking, cl_map_flags flags,
                                    size_t offset, size_t size, cl_uint count, const cl_event *waits, cl_event *event,
                                    cl_int *code)
{
    if (may_run(queue))
        return driver->clEnqueueMapBuffer(queue, buffer, blocking, flags, offset, size, count, waits, event, code);
    *code = lost_code();
    return NULL;
}

static cl_int CL_API_CALL finish(cl_command_queue queue)
{
    return lost ? lost_code() : driver->clFinish(queue);
}

static cl_int CL_API_CALL flush(cl_command_queue queue)
{
    return lost ? lost_code() : driver->clFlush(queue);
}

static void report(void)
{
    fprintf(stderr, "shim: %zu commands, %zu buffers\n", commands, buffers);
}

/* ---- what the loader asks for ---- */

cl_int CL_API_CALL clGetLayerInfo(cl_layer_info what, size_t room, void *value, size_t *size)
{
    static const cl_layer_api_version version = CL_LAYER_API_VERSION_100;
    static const char name[] = "oclip's driver with faults";
    const void *answer = what == CL_LAYER_API_VERSION ? (const void *)&version : name;
    size_t answer_size = what == CL_LAYER_API_VERSION ? sizeof version : sizeof name;
    if ((what != CL_LAYER_API_VERSION && what != CL_LAYER_NAME) || (value && room < answer_size))
        return CL_INVALID_VALUE;
    if (value)
        memcpy(value, answer, answer_size);
    if (size)
        *size = answer_size;
    return CL_SUCCESS;
}

cl_int CL_API_CALL clInitLayer(cl_uint count, const cl_icd_dispatch *target, cl_uint *own_count,
                               const cl_icd_dispatch **own)
{
    size_t known = (size_t)count * sizeof(void *);
    read_faults();
    if (faults.report)
        atexit(report);
    driver = target;
    memcpy(&layer, target, known < sizeof layer ? known : sizeof layer);
    layer.clGetDeviceInfo = get_device_info;
    layer.clGetKernelWorkGroupInfo = get_kernel_work_group_info;
    layer.clBuildProgram = build_program;
    layer.clSetKernelArg = set_kernel_arg;
    layer.clCreateBuffer = create_buffer;
    layer.clEnqueueNDRangeKernel = launch;
    layer.clEnqueueReadBuffer = read_buffer;
    layer.clEnqueueWriteBuffer = write_buffer;
    layer.clEnqueueCopyBuffer = copy_buffer;
    layer.clEnqueueFillBuffer = fill_buffer;
    layer.clEnqueueMapBuffer = map_buffer;
    layer.clFinish = finish;
    layer.clFlush = flush;
    *own = &layer;
    *own_count = sizeof layer / sizeof(void *);
    return CL_SUCCESS;
}
