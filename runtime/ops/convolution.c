/* Convolution as a matrix product: windows become rows, some megabytes of them at a time. Where a window is one pixel,
 * the picture is that matrix already. */
#include "runtime/gemm/gemm.h"
#include "runtime/launch.h"
#include "runtime/ops/window.h"

enum { WINDOW_BYTES = 16 << 20 };                         /* at a time: what a CPU's cache may hold */
enum { ALIGNED_ROWS = BUFFER_ALIGNMENT / sizeof(float) }; /* a view may begin behind so many rows, however wide */

struct shape {
    int batch, height, width, in, out_height, out_width, out;
    int side, stride, padding;
};

static struct shape shape_of(const struct tensor *x, const struct tensor *weight, int stride, int padding)
{
    int side = weight->dim[1];
    return (struct shape){.batch = x->dim[0],
                          .height = x->dim[1],
                          .width = x->dim[2],
                          .in = x->dim[3],
                          .out_height = (x->dim[1] + 2 * padding - side) / stride + 1,
                          .out_width = (x->dim[2] + 2 * padding - side) / stride + 1,
                          .out = weight->dim[0],
                          .side = side,
                          .stride = stride,
                          .padding = padding};
}

static bool is_product(const struct shape *s)
{
    return s->side == 1 && s->stride == 1 && s->padding == 0;
}

static int window_size(const struct shape *s)
{
    return s->side * s->side * s->in;
}

/* ---- chunks: consecutive rows of the output, and their windows ---- */

struct chunk {
    int first, count;
    struct tensor windows; // [count, window_size]
    struct tensor outputs; // [count, out]: part of the output, or of its gradient
};

static int rows_at_once(const struct shape *s, int rows)
{
    int most = (int)(WINDOW_BYTES / ((size_t)window_size(s) * sizeof(float)));
    most = most > ALIGNED_ROWS ? most / ALIGNED_ROWS * ALIGNED_ROWS : ALIGNED_ROWS;
    return is_product(s) || rows < most ? rows : most;
}

/* Moves on from a chunk, at first {0}; after the last it lets the memory go. pixels: x or its gradient. */
static bool next_chunk(struct chunk *c, const struct shape *s, const struct tensor *outputs,
                       const struct tensor *pixels)
{
    int rows = tensor_rows(outputs), most = rows_at_once(s, rows);
    size_t row_bytes = (size_t)s->out * sizeof(float), window_bytes = (size_t)window_size(s) * sizeof(float);
    struct buffer *memory = c->windows.buffer;
    buffer_drop(c->outputs.buffer);
    c->first += c->count;
    c->count = rows - c->first < most ? rows - c->first : most;
    if (c->count == 0) {
        buffer_drop(memory);
        return false;
    }
    if (!memory)
        memory = is_product(s) ? buffer_share(pixels->buffer) : buffer_new(pixels->dev, (size_t)most * window_bytes);
    struct buffer *part =
        c->count == rows ? buffer_share(outputs->buffer)
                         : buffer_view(outputs->buffer, (size_t)c->first * row_bytes, (size_t)c->count * row_bytes);
    const struct tensor matrix = {.dev = pixels->dev, .dtype = DTYPE_F32, .ndim = 2, .dim = {c->count}};
    c->windows = c->outputs = matrix;
    c->windows.dim[1] = window_size(s);
    c->windows.buffer = memory;
    c->outputs.dim[1] = s->out;
    c->outputs.buffer = part;
    return true;
}

/* Fills c->windows from x. */
static void gather(const struct chunk *c, const struct tensor *x, const struct shape *s)
{
    if (is_product(s))
        return;
    LAUNCH_WITH(x->dev, "convolution.cl", "convolution_windows", window_options(s->side, s->stride, s->padding).text,
                range_row_blocks(x->dev, (size_t)c->count, window_size(s)), ARG_BUFFER(&c->windows), ARG_BUFFER(x),
                ARG_INT(c->first), ARG_INT(c->count), ARG_INT(s->height), ARG_INT(s->width), ARG_INT(s->in),
                ARG_INT(s->out_height), ARG_INT(s->out_width));
}

/* The line of pixels, counted over all pictures, that is `below` the top of the window of an output row. */
static int line_of(const struct shape *s, int row, int below)
{
    int line = row / s->out_width, y = line % s->out_height * s->stride - s->padding + below;
    y = y < 0 ? 0 : y > s->height ? s->height : y;
    return line / s->out_height * s->height + y;
}

/* dx += c->windows, each number at its pixel */
static void scatter(struct tensor *dx, const struct chunk *c, const struct shape *s)
{
    if (is_product(s))
        return;
    int pixel = line_of(s, c->first, 0) * s->width;
    int pixels = line_of(s, c->first + c->count - 1, s->side) * s->width - pixel;
    LAUNCH_WITH(dx->dev, "convolution.cl", "convolution_pixels", window_options(s->side, s->stride, s->padding).text,
                range_row_blocks(dx->dev, (size_t)pixels, s->in), ARG_BUFFER(dx), ARG_BUFFER(&c->windows),
                ARG_INT(pixel), ARG_INT(pixels), ARG_INT(c->first), ARG_INT(c->count), ARG_INT(s->height),
                ARG_INT(s->width), ARG_INT(s->in), ARG_INT(s->out_height), ARG_INT(s->out_width));
}

/* ---- the op ---- */

static void input_gradient(struct tensor *dx, const struct tensor *dy, struct tensor *weight, const struct shape *s,
                           bool accumulate)
{
    if (!accumulate && !is_product(s))
        buffer_zero(dx->buffer, 0, tensor_bytes(dx));
    struct chunk c = {0};
    while (next_chunk(&c, s, dy, dx)) {
        gemm(&(struct gemm){.m = c.count,
                            .n = window_size(s),
                            .k = s->out,
                            .a = &c.outputs,
                            .b = weight,
                            .c = &c.windows,
                            .accumulate = accumulate && is_product(s)});
        scatter(dx, &c, s);
    }
}

static void weight_gradient(struct tensor *dweight, const struct tensor *x, const struct tensor *dy,
                            const struct shape *s, bool accumulate)
{
    struct chunk c = {0};
    while (next_chunk(&c, s, dy, x)) {
        gather(&c, x, s);
        gemm(&(struct gemm){.m = s->out,
                            .n = window_size(s),
                            .k = c.count,
                            .a = &c.outputs,
                            .a_transposed = true,
                            .b = &c.windows,
                            .c = dweight,
                            .accumulate = accumulate || c.first > 0});
    }
}

static void convolution_backward(struct tape *tape, const struct node *node)
{
    struct tensor *x = node->in[0], *weight = node->in[1], *dy = node->out->grad;
    struct shape s = shape_of(x, weight, node->integer[0], node->integer[1]);
    int accumulate;
    struct tensor *dx = tape_grad(tape, x, &accumulate);
    if (dx)
        input_gradient(dx, dy, weight, &s, accumulate);
    struct tensor *dweight = tape_grad(tape, weight, &accumulate);
    if (dweight)
        weight_gradient(dweight, x, dy, &s, accumulate);
}
static const struct op convolution_op = {.name = "convolution", .backward = convolution_backward};

struct tensor *op_convolution(struct tape *tape, struct tensor *x, struct tensor *weight, int stride, int padding)
{
    EXPECT(x, "convolution: x", DTYPE_F32, -1, -1, -1, -1);
    EXPECT(weight, "convolution: weight", DTYPE_F32, -1, weight->dim[2], -1, x->dim[3]);
    struct shape s = shape_of(x, weight, stride, padding);
    CHECK(stride > 0 && padding >= 0 && s.height + 2 * padding >= s.side && s.width + 2 * padding >= s.side,
          "convolution: x %s, weight %s, stride %d, padding %d", tensor_shape(x).text, tensor_shape(weight).text,
          stride, padding);
    struct tensor *y = TAPE_TENSOR(tape, DTYPE_F32, s.batch, s.out_height, s.out_width, s.out);
    struct chunk c = {0};
    while (next_chunk(&c, &s, y, x)) {
        gather(&c, x, &s);
        gemm(&(struct gemm){.m = c.count,
                            .n = s.out,
                            .k = window_size(&s),
                            .a = &c.windows,
                            .b = weight,
                            .b_transposed = true,
                            .c = &c.outputs});
    }
    tape_push(tape, (struct node){.op = &convolution_op,
                                  .in = {x, weight},
                                  .out = y,
                                  .saved = {weight->needs_grad ? x : NULL, weight},
                                  .integer = {stride, padding}});
    return y;
}
