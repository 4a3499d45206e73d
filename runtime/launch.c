#include "runtime/launch.h"

#include "runtime/program.h"

#include <limits.h>

struct launch_range range_rows(const struct device *dev, size_t rows)
{
    return (struct launch_range){{rows, 1, 1}, (size_t)device_group_size(dev)};
}

struct launch_range range_chunks(const struct device *dev, size_t count)
{
    CHECK(count <= INT_MAX, "%zu numbers in one launch", count); /* kernels count in int */
    return range_rows(dev, (count + LAUNCH_CHUNK - 1) / LAUNCH_CHUNK);
}

struct launch_range range_row_blocks(const struct device *dev, size_t rows, int width)
{
    size_t block = width < LAUNCH_CHUNK ? (size_t)(LAUNCH_CHUNK / width) : 1;
    return range_rows(dev, (rows + block - 1) / block);
}

struct launch_range range_items(const struct device *dev, size_t items, size_t dim1, size_t dim2)
{
    size_t group = (size_t)device_group_size(dev);
    return (struct launch_range){{(items + group - 1) / group, dim1, dim2}, group};
}

static void set_args(struct device *dev, const struct kernel *kernel, const struct launch_arg *args)
{
    for (int i = 0; i < kernel->arg_count; i++) {
        const struct launch_arg *arg = &args[i];
        bool pointer = arg->kind == ARG_KIND_BUFFER;
        CHECK(!kernel->arg_types_known || kernel->arg_is_pointer[i] == pointer, "argument %d of kernel %s is %s", i,
              kernel->name, pointer ? "no buffer" : "a buffer");
        cl_mem memory = pointer && arg->buffer ? arg->buffer->memory : NULL;
        cl_int code = pointer ? clSetKernelArg(kernel->handle, (cl_uint)i, sizeof memory, arg->buffer ? &memory : NULL)
                      : arg->kind == ARG_KIND_INT
                          ? clSetKernelArg(kernel->handle, (cl_uint)i, sizeof arg->integer, &arg->integer)
                          : clSetKernelArg(kernel->handle, (cl_uint)i, sizeof arg->real, &arg->real);
        if (opencl_failed(dev, code, "argument %d of kernel %s", i, kernel->name))
            return;
    }
}

/* What the kernel reads and writes, if it goes once through each of its buffers. */
static size_t bytes_of(const struct launch_arg *args, int count)
{
    size_t bytes = 0;
    for (int i = 0; i < count; i++)
        bytes += args[i].buffer ? args[i].buffer->bytes : 0;
    return bytes;
}

void launch_kernel(struct device *dev, const char *file, const char *name, const char *options,
                   struct launch_range range, const struct launch_arg *args, int count)
{
    if (range.groups[0] == 0 || range.groups[1] == 0 || range.groups[2] == 0)
        return;
    struct kernel *kernel = program_kernel(dev, file, options, name);
    if (!kernel)
        return;
    CHECK(kernel->arg_count == count, "kernel %s takes %d arguments, was given %d", name, kernel->arg_count, count);
    set_args(dev, kernel, args);
    if (device_failed(dev))
        return;
    size_t global[3] = {range.groups[0] * range.group, range.groups[1], range.groups[2]};
    size_t local[3] = {range.group, 1, 1};
    cl_event *event = PROFILE_EVENT(dev, .name = kernel->name, .category = file, .bytes = bytes_of(args, count));
    cl_int code = clEnqueueNDRangeKernel(dev->queue, kernel->handle, 3, NULL, global, local, 0, NULL, event);
    opencl_failed(dev, code, "launching kernel %s", name);
    dev->counters.launches++;
}
