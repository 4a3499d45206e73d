/* Contiguous arrays on a device, outermost dimension first.
 *
 *     struct tensor *x = tensor_new(dev, DTYPE_F32, 2, (int[]){rows, width});
 *     tensor_upload(x, numbers);
 *     tensor_download(numbers, x);                 // waits for the device
 *     tensor_free(x);
 *
 * A view of part of a tensor is a view of its buffer (buffer.h) under another shape; a transpose is a kernel. Tensors
 * made by ops belong to the tape, parameters to the arena; only what tensor_new() gave is freed by tensor_free().
 */
#ifndef OCLIP_TENSOR_H
#define OCLIP_TENSOR_H

#include "runtime/buffer.h"

enum dtype { DTYPE_F32, DTYPE_I32, DTYPE_U8, DTYPE_BF16, DTYPE_F16 };

struct tensor {
    struct device *dev;
    enum dtype dtype;
    int ndim, dim[4];
    struct buffer *buffer; /* NULL once the tape has let it go */
    struct tensor *grad;   /* same shape; NULL until something flows back */
    bool needs_grad;       /* a parameter that is trained, or computed from one */
    bool constant;         /* a parameter that never changes: what is derived from it may be kept */
    bool exact;            /* a parameter whose products are never those of integers (gemm.h) */
    bool on_tape;          /* owned by a tape */
    int maker;             /* 1 + the node on the tape whose output it is; 0: none */
    int saves;             /* backward passes to come that need the values */
    struct bucket *bucket; /* of a trained parameter: where its gradient lives (bucket.h), */
    size_t in_bucket;      /* from this number on */
    int uses;              /* of a trained parameter: nodes on a tape that will add to its gradient */
    struct buffer *packed; /* derived from a constant, freed with the tensor: for a product, */
    int packed_panel;      /* in panels of so many columns, */
    enum dtype packed_for; /* whose other side is of these numbers */
};

struct tensor *tensor_new(struct device *dev, enum dtype dtype, int ndim, const int *dim);
struct tensor *tensor_zeros(struct device *dev, enum dtype dtype, int ndim, const int *dim);
struct tensor *
tensor_sent(struct device *dev, enum dtype dtype, int ndim, const int *dim,
            const void *numbers); /* with these, which are on their way ahead if they can be (upload.h) */
/* Over numbers of the host, which stay as they are until it is freed: read in place where the device's memory is the
 * host's, copied elsewhere. */
struct tensor *tensor_over(struct device *dev, enum dtype dtype, int ndim, const int *dim, const void *numbers);
void tensor_free(struct tensor *tensor); /* with its gradient; NULL is fine */

void tensor_upload(struct tensor *tensor, const void *numbers);
void tensor_download(void *numbers, const struct tensor *tensor);

size_t tensor_count(const struct tensor *tensor); /* of numbers */
size_t tensor_bytes(const struct tensor *tensor);
int tensor_rows(const struct tensor *tensor);  /* the product of all but the last dimension */
int tensor_width(const struct tensor *tensor); /* the last dimension */
size_t dtype_bytes(enum dtype dtype);
enum dtype dtype_of_precision(enum precision precision);
const char *dtype_options(enum dtype dtype); /* what kernels over such numbers are built with (DTYPE in common.clh) */

struct buffer *tensor_buffer(const struct tensor *tensor); /* NULL for NULL */

/* "[32, 50, 768]"; for messages. */
struct shape_text {
    char text[64];
};
struct shape_text tensor_shape(const struct tensor *tensor);

/* Dies unless the tensor has this dtype and shape; a dimension of -1 takes any. `what` names it: "layernorm: weight".
 */
void tensor_expect(const struct tensor *tensor, const char *what, enum dtype dtype, int ndim, const int *dim);
#define EXPECT(tensor, what, dtype, ...)                                                                               \
    tensor_expect(tensor, what, dtype, (int)(sizeof((int[]){__VA_ARGS__}) / sizeof(int)), (int[]){__VA_ARGS__})

/* The same for an activation, of any shape or of this one: its dtype is one that they may have. Returns that. */
enum dtype tensor_expect_real(const struct tensor *tensor, const char *what);
#define EXPECT_REAL(tensor, what, ...) EXPECT(tensor, what, tensor_expect_real(tensor, what), __VA_ARGS__)

#endif
