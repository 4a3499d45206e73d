/* Typed, counted kernel launches.
 *
 *     LAUNCH(dev, "layernorm.cl", "layernorm_forward", range_rows(dev, rows),
 *            ARG_BUFFER(y), ARG_BUFFER(x), ARG_INT(width), ARG_FLOAT(eps));
 *
 * The program is built on first use (program.h) and the kernel kept. The number of arguments and, where the driver
 * tells, their types are held against the kernel's own: a mismatch is a programmer's mistake and dies with the
 * kernel's name. World errors stick to the device.
 */
#ifndef OCLIP_LAUNCH_H
#define OCLIP_LAUNCH_H

#include "runtime/buffer.h"
#include "runtime/tensor.h"

enum arg_kind { ARG_KIND_BUFFER, ARG_KIND_INT, ARG_KIND_FLOAT };

struct launch_arg {
    enum arg_kind kind;
    const struct buffer *buffer;
    int integer;
    float real;
};

#define ARG_BUFFER(tensor_or_null)                                                                                     \
    {                                                                                                                  \
        .kind = ARG_KIND_BUFFER, .buffer = tensor_buffer(tensor_or_null)                                               \
    }
#define ARG_MEMORY(buffer_or_null)                                                                                     \
    {                                                                                                                  \
        .kind = ARG_KIND_BUFFER, .buffer = (buffer_or_null)                                                            \
    }
#define ARG_INT(value)                                                                                                 \
    {                                                                                                                  \
        .kind = ARG_KIND_INT, .integer = (value)                                                                       \
    }
#define ARG_FLOAT(value)                                                                                               \
    {                                                                                                                  \
        .kind = ARG_KIND_FLOAT, .real = (value)                                                                        \
    }

/* Work-groups of `group` items in dimension 0, one item wide in the others. */
struct launch_range {
    size_t groups[3];
    size_t group;
};

/* One row a work-group: of one item on CPU-class devices, device_group_size() on GPUs. */
struct launch_range range_rows(const struct device *dev, size_t rows);

/* `count` numbers in chunks of LAUNCH_CHUNK, one chunk a row (`CHUNK` in common.clh). */
enum { LAUNCH_CHUNK = 2048 };
struct launch_range range_chunks(const struct device *dev, size_t count);

/* Rows in blocks of about LAUNCH_CHUNK numbers (`BLOCK_ROWS` in common.clh), one block a row of range_rows. */
struct launch_range range_row_blocks(const struct device *dev, size_t rows, int width);

/* `items` independent work-items on either class, in groups that suit it; kernels check get_global_id() < items. */
struct launch_range range_items(const struct device *dev, size_t items, size_t dim1, size_t dim2);

void launch_kernel(struct device *dev, const char *file, const char *kernel, const char *options,
                   struct launch_range range, const struct launch_arg *args, int count);

#define LAUNCH(dev, file, kernel, range, ...) LAUNCH_WITH(dev, file, kernel, "", range, __VA_ARGS__)
/* The kernel for activations stored as those of `x` are. */
#define LAUNCH_AS(x, file, kernel, range, ...)                                                                         \
    LAUNCH_WITH((x)->dev, file, kernel, dtype_options((x)->dtype), range, __VA_ARGS__)
#define LAUNCH_WITH(dev, file, kernel, options, range, ...)                                                            \
    launch_kernel(dev, file, kernel, options, range, (const struct launch_arg[]){__VA_ARGS__},                         \
                  (int)(sizeof((const struct launch_arg[]){__VA_ARGS__}) / sizeof(struct launch_arg)))

#endif
