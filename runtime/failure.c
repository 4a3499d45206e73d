/* What OpenCL's codes mean: the first failure of a device, which sticks to it. */
#include "runtime/opencl.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

static const struct {
    cl_int code;
    const char *name;
    enum exit_code exit;
} opencl_codes[] = {
    {CL_DEVICE_NOT_FOUND, "CL_DEVICE_NOT_FOUND", EXIT_NO_DEVICE},
    {CL_DEVICE_NOT_AVAILABLE, "CL_DEVICE_NOT_AVAILABLE", EXIT_DEVICE_LOST},
    {CL_COMPILER_NOT_AVAILABLE, "CL_COMPILER_NOT_AVAILABLE", EXIT_FAILED},
    {CL_MEM_OBJECT_ALLOCATION_FAILURE, "CL_MEM_OBJECT_ALLOCATION_FAILURE", EXIT_NO_MEMORY},
    {CL_OUT_OF_RESOURCES, "CL_OUT_OF_RESOURCES", EXIT_NO_MEMORY},
    {CL_OUT_OF_HOST_MEMORY, "CL_OUT_OF_HOST_MEMORY", EXIT_NO_MEMORY},
    {CL_BUILD_PROGRAM_FAILURE, "CL_BUILD_PROGRAM_FAILURE", EXIT_FAILED},
    {CL_INVALID_VALUE, "CL_INVALID_VALUE", EXIT_FAILED},
    {CL_INVALID_COMMAND_QUEUE, "CL_INVALID_COMMAND_QUEUE", EXIT_DEVICE_LOST},
    {CL_INVALID_MEM_OBJECT, "CL_INVALID_MEM_OBJECT", EXIT_FAILED},
    {CL_INVALID_BINARY, "CL_INVALID_BINARY", EXIT_FAILED},
    {CL_INVALID_BUILD_OPTIONS, "CL_INVALID_BUILD_OPTIONS", EXIT_FAILED},
    {CL_INVALID_PROGRAM_EXECUTABLE, "CL_INVALID_PROGRAM_EXECUTABLE", EXIT_FAILED},
    {CL_INVALID_KERNEL_NAME, "CL_INVALID_KERNEL_NAME", EXIT_FAILED},
    {CL_INVALID_KERNEL_ARGS, "CL_INVALID_KERNEL_ARGS", EXIT_FAILED},
    {CL_INVALID_ARG_SIZE, "CL_INVALID_ARG_SIZE", EXIT_FAILED},
    {CL_INVALID_WORK_GROUP_SIZE, "CL_INVALID_WORK_GROUP_SIZE", EXIT_FAILED},
    {CL_INVALID_WORK_ITEM_SIZE, "CL_INVALID_WORK_ITEM_SIZE", EXIT_FAILED},
    {CL_INVALID_GLOBAL_WORK_SIZE, "CL_INVALID_GLOBAL_WORK_SIZE", EXIT_FAILED},
    {CL_INVALID_EVENT, "CL_INVALID_EVENT", EXIT_FAILED},
    {CL_INVALID_OPERATION, "CL_INVALID_OPERATION", EXIT_FAILED},
    {CL_INVALID_BUFFER_SIZE, "CL_INVALID_BUFFER_SIZE", EXIT_NO_MEMORY},
    {CL_MISALIGNED_SUB_BUFFER_OFFSET, "CL_MISALIGNED_SUB_BUFFER_OFFSET", EXIT_FAILED},
    {-1001, "CL_PLATFORM_NOT_FOUND_KHR", EXIT_NO_DEVICE},
};
enum { OPENCL_CODES = sizeof opencl_codes / sizeof *opencl_codes };

static const char *code_name(cl_int code)
{
    for (int i = 0; i < OPENCL_CODES; i++)
        if (opencl_codes[i].code == code)
            return opencl_codes[i].name;
    return "an OpenCL code this program does not know";
}

/* CL_COMPLETE, or how far it came in some seconds: after a loss some drivers never get anywhere. */
static cl_int status_of(cl_event event)
{
    cl_int status = CL_QUEUED;
    for (int i = 0; i < 5000 && status > CL_COMPLETE; i++) {
        if (clGetEventInfo(event, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof status, &status, NULL) != CL_SUCCESS)
            return CL_QUEUED;
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    return status;
}

/* Whether the device still fills a few bytes of memory. */
static bool answers(const struct device *dev)
{
    const cl_uint word = 0;
    cl_int code, status = CL_QUEUED;
    cl_event event = NULL;
    cl_command_queue queue = clCreateCommandQueue(dev->context, dev->id, 0, &code);
    cl_mem memory = clCreateBuffer(dev->context, CL_MEM_READ_WRITE, sizeof word, NULL, &code);
    if (queue && memory &&
        clEnqueueFillBuffer(queue, memory, &word, sizeof word, 0, sizeof word, 0, NULL, &event) == CL_SUCCESS &&
        clFlush(queue) == CL_SUCCESS)
        status = status_of(event);
    if (event)
        clReleaseEvent(event);
    if (memory)
        clReleaseMemObject(memory);
    if (queue)
        clReleaseCommandQueue(queue);
    return status == CL_COMPLETE;
}

/* CL_OUT_OF_RESOURCES is said of a launch that asks too much, and by some drivers of a device that is gone. */
static enum exit_code exit_code_of(const struct device *dev, cl_int code)
{
    if (code == CL_OUT_OF_RESOURCES && dev->context && !answers(dev))
        return EXIT_DEVICE_LOST;
    for (int i = 0; i < OPENCL_CODES; i++)
        if (opencl_codes[i].code == code)
            return opencl_codes[i].exit;
    return EXIT_FAILED;
}

static const char *remedy_for(enum exit_code exit)
{
    if (exit == EXIT_NO_MEMORY)
        return "; a smaller --batch-size needs less memory, as does --grad-checkpointing in training";
    if (exit == EXIT_DEVICE_LOST)
        return "; the device was lost: it was reset or taken away, which the system's log (dmesg) may explain";
    return "";
}

bool opencl_failed(struct device *dev, cl_int code, const char *format, ...)
{
    if (dev->failure.code != EXIT_OK)
        return true;
    if (code == CL_SUCCESS)
        return false;
    char doing[512];
    va_list args;
    va_start(args, format);
    vsnprintf(doing, sizeof doing, format, args);
    va_end(args);
    enum exit_code exit = exit_code_of(dev, code);
    error_set(&dev->failure, exit, "%s: %s: %s (%d)%s", dev->info.label, doing, code_name(code), (int)code,
              remedy_for(exit));
    return true;
}

bool device_forgive(struct device *dev)
{
    if (dev->failure.code == EXIT_DEVICE_LOST)
        return false;
    dev->failure = (struct error){0};
    return true;
}

bool device_failed(const struct device *dev)
{
    return dev->failure.code != EXIT_OK;
}
