#include "runtime/program.h"

#include "runtime/kernel_sources.h"
#include "runtime/paths.h"
#include "runtime/quirks.h"
#include "runtime/util/file.h"
#include "runtime/util/hash.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct program {
    cl_program handle;
    const char *file;
    char *options; /* the caller's, without the ones every program gets */
    struct kernel *kernels;
    struct program *next;
};

/* The head of a cache entry; the binary follows. */
struct entry_head {
    char magic[8];
    struct hash key, content;
    uint64_t size;
};
static const char entry_magic[8] = "OCLIPBN1";

static const char *source_of(const char *file)
{
    for (const struct kernel_source *source = kernel_sources; source->name; source++)
        if (strcmp(source->name, file) == 0)
            return source->text;
    DIE("there is no kernel file cl/%s", file);
}

/* What every program is built with, beside its own options. */
static char *full_options(const struct device *dev, const char *options)
{
    return mem_format("-w -cl-std=CL1.2 -cl-kernel-arg-info -DVEC=%d -DGROUP=%d -DCHUNK=2048 %s %s",
                      device_vector_width(dev), device_group_size(dev), quirks_of(&dev->info).build_options, options);
}

static struct hash entry_key(const struct device *dev, const char *source, const char *options)
{
    struct hash key = hash_begin();
    const char *parts[] = {source_of("common.clh"),   source,           options,           dev->info.name,
                           dev->info.vendor,          dev->info.driver, dev->info.version, dev->info.platform_name,
                           dev->info.platform_version};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        hash_add_text(&key, parts[i]);
    return key;
}

static char *entry_path(struct hash key)
{
    char name[HASH_TEXT];
    hash_text(name, key);
    char *folder = device_cache_folder("programs"), *path = mem_format("%s/%s.bin", folder, name);
    free(folder);
    return path;
}

/* A program made from the cached binary, or NULL when there is none that is whole and that the driver takes. */
static cl_program load_entry(struct device *dev, struct hash key, const char *options)
{
    char *path = entry_path(key);
    struct file_map map = {0};
    struct error ignored;
    cl_program program = NULL;
    if (!path_is_on(dev, PATH_PROGRAM_CACHE) || !file_exists(path) || file_map(&map, path, &ignored) != 0)
        goto done;

    struct entry_head head;
    if (map.size < sizeof head)
        goto done;
    memcpy(&head, map.data, sizeof head);
    const unsigned char *binary = map.data + sizeof head;
    size_t size = map.size - sizeof head;
    struct hash content = hash_begin();
    hash_add(&content, binary, size);
    if (memcmp(head.magic, entry_magic, sizeof entry_magic) != 0 || memcmp(&head.key, &key, sizeof key) != 0 ||
        head.size != size || memcmp(&head.content, &content, sizeof content) != 0)
        goto done;

    cl_int status, code;
    program = clCreateProgramWithBinary(dev->context, 1, &dev->id, &size, &binary, &status, &code);
    if (code == CL_SUCCESS && status == CL_SUCCESS &&
        clBuildProgram(program, 1, &dev->id, options, NULL, NULL) == CL_SUCCESS) {
        dev->counters.programs_loaded++;
        goto done;
    }
    if (program)
        clReleaseProgram(program);
    program = NULL;
done:
    file_unmap(&map);
    free(path);
    return program;
}

static void save_entry(struct device *dev, cl_program program, struct hash key)
{
    size_t size = 0;
    if (!path_is_on(dev, PATH_PROGRAM_CACHE) || dev->program_cache_off ||
        clGetProgramInfo(program, CL_PROGRAM_BINARY_SIZES, sizeof size, &size, NULL) != CL_SUCCESS || size == 0)
        return;
    unsigned char *binary = mem_new(size, 1);
    char *folder = device_cache_folder("programs"), *path = entry_path(key);
    struct error err;
    struct file_writer writer;
    if (clGetProgramInfo(program, CL_PROGRAM_BINARIES, sizeof binary, &binary, NULL) != CL_SUCCESS)
        goto done;
    struct entry_head head = {.key = key, .content = hash_begin(), .size = size};
    memcpy(head.magic, entry_magic, sizeof entry_magic);
    hash_add(&head.content, binary, size);
    if (file_make_folders(folder, &err) != 0 || file_create(&writer, path, &err) != 0) {
        dev->program_cache_off = true;
    } else {
        file_write(&writer, &head, sizeof head);
        file_write(&writer, binary, size);
        dev->program_cache_off = file_commit(&writer, &err) != 0;
    }
    if (dev->program_cache_off)
        fprintf(stderr, "oclip: kernels will be compiled at each start: %s\n", err.text);
done:
    free(path);
    free(folder);
    free(binary);
}

static void build_failed(struct device *dev, cl_program program, const char *file, cl_int code)
{
    char log[4096] = "";
    size_t size = 0;
    if (clGetProgramBuildInfo(program, dev->id, CL_PROGRAM_BUILD_LOG, 0, NULL, &size) == CL_SUCCESS && size > 1) {
        char *whole = mem_new(size + 1, 1);
        clGetProgramBuildInfo(program, dev->id, CL_PROGRAM_BUILD_LOG, size, whole, NULL);
        snprintf(log, sizeof log, "%s", whole);
        free(whole);
    }
    opencl_failed(dev, code, "cannot build cl/%s", file);
    size_t used = strlen(dev->failure.text);
    snprintf(dev->failure.text + used, sizeof dev->failure.text - used, "\n%s", log);
}

static cl_program build(struct device *dev, const char *file, const char *source, const char *options)
{
    const char *texts[] = {source_of("common.clh"), source};
    cl_int code;
    cl_program program = clCreateProgramWithSource(dev->context, 2, texts, NULL, &code);
    if (opencl_failed(dev, code, "cannot create a program of cl/%s", file))
        return NULL;
    code = clBuildProgram(program, 1, &dev->id, options, NULL, NULL);
    if (code == CL_SUCCESS) {
        dev->counters.programs_built++;
        return program;
    }
    build_failed(dev, program, file, code);
    clReleaseProgram(program);
    return NULL;
}

static struct program *open_program(struct device *dev, const char *file, const char *options)
{
    const char *source = source_of(file);
    char *all = full_options(dev, options);
    struct hash key = entry_key(dev, source, all);
    cl_program handle = load_entry(dev, key, all);
    if (!handle) {
        handle = build(dev, file, source, all);
        if (handle)
            save_entry(dev, handle, key);
    }
    free(all);
    if (!handle)
        return NULL;
    struct program *program = mem_new(1, sizeof *program);
    *program =
        (struct program){.handle = handle, .file = file, .options = mem_format("%s", options), .next = dev->programs};
    return dev->programs = program;
}

/* Pointer arguments are written "float*" and the like in the kernel's own argument information. */
static void read_arg_types(struct kernel *kernel)
{
    kernel->arg_types_known = true;
    for (int i = 0; i < kernel->arg_count; i++) {
        char type[128] = "";
        if (clGetKernelArgInfo(kernel->handle, (cl_uint)i, CL_KERNEL_ARG_TYPE_NAME, sizeof type - 1, type, NULL) !=
            CL_SUCCESS)
            kernel->arg_types_known = false;
        kernel->arg_is_pointer[i] = strchr(type, '*') != NULL;
    }
}

static struct kernel *open_kernel(struct device *dev, struct program *program, const char *name)
{
    cl_int code;
    cl_kernel handle = clCreateKernel(program->handle, name, &code);
    CHECK(code != CL_INVALID_KERNEL_NAME, "cl/%s has no kernel %s", program->file, name);
    if (opencl_failed(dev, code, "cannot create kernel %s of cl/%s", name, program->file))
        return NULL;
    cl_uint arg_count = 0;
    clGetKernelInfo(handle, CL_KERNEL_NUM_ARGS, sizeof arg_count, &arg_count, NULL);
    CHECK(arg_count <= KERNEL_MAX_ARGS, "kernel %s takes %u arguments, more than %d", name, arg_count, KERNEL_MAX_ARGS);
    struct kernel *kernel = mem_new(1, sizeof *kernel);
    *kernel = (struct kernel){
        .handle = handle, .name = mem_format("%s", name), .arg_count = (int)arg_count, .next = program->kernels};
    read_arg_types(kernel);
    return program->kernels = kernel;
}

struct kernel *program_kernel(struct device *dev, const char *file, const char *options, const char *name)
{
    if (device_failed(dev))
        return NULL;
    struct program *program = dev->programs;
    while (program && (strcmp(program->file, file) != 0 || strcmp(program->options, options) != 0))
        program = program->next;
    if (!program)
        program = open_program(dev, file, options);
    if (!program)
        return NULL;
    for (struct kernel *kernel = program->kernels; kernel; kernel = kernel->next)
        if (strcmp(kernel->name, name) == 0)
            return kernel;
    return open_kernel(dev, program, name);
}

void programs_free(struct program *programs)
{
    while (programs) {
        struct program *program = programs;
        programs = program->next;
        while (program->kernels) {
            struct kernel *kernel = program->kernels;
            program->kernels = kernel->next;
            clReleaseKernel(kernel->handle);
            free(kernel->name);
            free(kernel);
        }
        clReleaseProgram(program->handle);
        free(program->options);
        free(program);
    }
}
