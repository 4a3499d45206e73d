/* Every op, with its shapes. One file an op (runtime/ops/NAME.c, forward and backward together), its kernels in
 * cl/NAME.cl, its rows in tests/test_ops_*.c.
 *
 *     struct tensor *h = op_layernorm(tape, x, norm_weight, norm_bias, 1e-6f);
 *     h = op_linear(tape, h, weight, bias, ACTIVATION_GELU);
 *     x = op_residual(tape, x, h, NULL);
 *
 * Parameters and what losses, convolutions and their like work on are float32. Activations, and so their gradients, may
 * be stored in 16 bits: what is called x, y, branch, patches, qkv or kv below. They are born as the tape's dtype
 * (op_patch_embed, op_text_tokens), each op's output is stored as its input, and op_cast() leads back to float32. What
 * is computed, and summed, is float32 all the same. "rows" is the product of all dimensions but the last. An op checks
 * its shapes (a misfit dies with the op's name), launches, and returns a tensor that the tape owns. NULL stands for an
 * absent optional parameter. Failures of the device stick to it (runtime/device.h).
 */
#ifndef OCLIP_OPS_H
#define OCLIP_OPS_H

#include "runtime/ops/slice.h"
#include "runtime/tape.h"

enum activation {
    ACTIVATION_NONE,
    ACTIVATION_GELU,
    ACTIVATION_QUICK_GELU,
    ACTIVATION_GELU_TANH,
    ACTIVATION_TANH,
    ACTIVATION_RELU
};

/* Rows that belong together, packed without padding: segment s owns rows starts[s] to starts[s + 1]. */
struct segments {
    struct tensor *starts; // [count + 1] int
    int count, total, longest;
};
/* From lengths on the host, or `count` segments of one length. The tape owns the memory. */
struct segments segments_of_lengths(struct tape *tape, const int *lengths, int count);
struct segments segments_uniform(struct tape *tape, int count, int length);

/* y = activation(x weight^T + bias).  x [rows, in], weight [out, in], bias [out] or NULL -> [rows, out] */
struct tensor *op_linear(struct tape *tape, struct tensor *x, struct tensor *weight, struct tensor *bias,
                         enum activation activation);

/* y = x, stored as this dtype; x itself where it is already. One of the two is float32. Any shape. */
struct tensor *op_cast(struct tape *tape, struct tensor *x, enum dtype dtype);

/* y = matrix x.  matrix [m, k] is constant; x [k, n] -> [m, n] */
struct tensor *op_product(struct tape *tape, struct tensor *matrix, struct tensor *x);

/* y = (x - mean) / sqrt(variance + eps) * weight + bias over the last dimension (Ba, Kiros, Hinton 2016).
 * x [rows, width], weight [width], bias [width] */
struct tensor *op_layernorm(struct tape *tape, struct tensor *x, struct tensor *weight, struct tensor *bias, float eps);

/* GELU with erf (Hendrycks, Gimpel 2016); x sigmoid(1.702 x), which OpenAI's CLIP uses; GELU approximated with tanh,
 * which SigLIP uses; tanh; max(x, 0). Any shape. */
struct tensor *op_activation(struct tape *tape, struct tensor *x, enum activation activation);

/* y = x + scale * branch.  x, branch [rows, width]; scale [width] (layer scale) or NULL for 1 */
struct tensor *op_residual(struct tape *tape, struct tensor *x, struct tensor *branch, struct tensor *scale);

/* Zeroes each number with this probability and divides the others by 1 - probability; y is x itself when the tape
 * does not record or probability is 0. */
struct tensor *op_dropout(struct tape *tape, struct tensor *x, float probability);

/* softmax(Q K^T / sqrt(head_dim)) V within each segment, fused: no tokens x tokens matrix is stored.
 * qkv [segments.total, 3 * width]: q, k and v side by side, each heads x head_dim -> [segments.total, width].
 * causal: a token sees itself and those before it. (Vaswani et al. 2017; Dao et al. 2022 for the blocked softmax) */
struct tensor *op_attention(struct tape *tape, struct tensor *qkv, const struct segments *segments, int heads,
                            bool causal);

/* Attention of one query, the same for all segments, to the tokens of each: softmax(query K^T / sqrt(head_dim)) V.
 * query [1, width]; kv [segments.total, 2 * width]: k and v side by side, heads side by side in each
 * -> [segments.count, width]. (Lee et al. 2019, pooling by multihead attention, with one seed) */
struct tensor *op_attention_pool(struct tape *tape, struct tensor *query, struct tensor *kv,
                                 const struct segments *segments, int heads);

/* Non-overlapping patches of 8-bit pictures through a linear map: (pixel / 255 - mean) / std, then weight and bias.
 * images [batch, side, side, 3] u8; weight [width, 3, patch, patch]; bias [width] or NULL; mean, std: 3 host floats
 * -> [batch * (side / patch)^2, width], patches row by row. No gradient flows to the pictures. */
struct tensor *op_patch_embed(struct tape *tape, struct tensor *images, struct tensor *weight, struct tensor *bias,
                              const float *mean, const float *std);

/* A class token (if there is one) before each picture's patches, and positions added to all.
 * class_token [width] or NULL, position [tokens, width], patches [batch * (tokens - 1), width], or [batch * tokens,
 * width] without a class token -> [batch * tokens, width] */
struct tensor *op_image_tokens(struct tape *tape, struct tensor *patches, struct tensor *class_token,
                               struct tensor *position);

/* Pictures as numbers: (pixel / 255 - mean) / std.  images [batch, side, side, 3] u8; mean, std: 3 host floats
 * -> [batch, side, side, 3]. No gradient flows to the pictures. */
struct tensor *op_pixels(struct tape *tape, struct tensor *images, const float *mean, const float *std);

/* y[o] = sum over a window of x weight[o], the window moving by `stride` over pictures that have `padding` zeros around
 * them; channels come last.  x [batch, height, width, in], weight [out, side, side, in]
 * -> [batch, (height + 2 padding - side) / stride + 1, the same of width, out] */
struct tensor *op_convolution(struct tape *tape, struct tensor *x, struct tensor *weight, int stride, int padding);

/* Batch norm (Ioffe, Szegedy 2015), with what ResNets have behind it:
 * y = activation((x - mean) / sqrt(variance + eps) * weight + bias + residual) for each column of x [rows, width].
 * `training`: mean and variance are those of the rows, and the running ones move towards them by `momentum` (towards
 * the unbiased variance, as in PyTorch); else they are the running ones. residual [rows, width] or NULL. */
struct batch_norm {
    struct tensor *weight, *bias;                   // [width]
    struct tensor *running_mean, *running_variance; // [width]; they get no gradient
    float eps, momentum;
};
struct tensor *op_batch_norm(struct tape *tape, struct tensor *x, const struct batch_norm *norm,
                             struct tensor *residual, bool relu, bool training);

/* The largest number of each window, each channel for itself; the gradient goes to the first of equals.
 * x [batch, height, width, channels] -> as op_convolution. padding < side */
struct tensor *op_max_pool(struct tape *tape, struct tensor *x, int side, int stride, int padding);

/* The mean of each side x side square; what is left at the right and below is not looked at.
 * x [batch, height, width, channels] -> [batch, height / side, width / side, channels] */
struct tensor *op_average_pool(struct tape *tape, struct tensor *x, int side);

/* The mean of each picture's patches before them, and positions added to all: what CLIP's attention pooling sees.
 * patches [batch * (tokens - 1), width], position [tokens, width] -> [batch * tokens, width] */
struct tensor *op_mean_token(struct tape *tape, struct tensor *patches, struct tensor *position);

/* Rows of embedding tables: word[ids[t]] + position[t - start of its segment] + type[0].
 * ids: segments->total ids on the host; word [vocabulary, width]; position [at least segments->longest, width];
 * type [types, width] or NULL -> [segments->total, width]. Ids out of range die: tokenizers bound them. */
struct tensor *op_text_tokens(struct tape *tape, struct tensor *word, struct tensor *position, struct tensor *type,
                              const int *ids, const struct segments *segments, const int *lengths);

/* The mean over each segment's rows.  x [segments.total, width] -> [segments.count, width] */
struct tensor *op_pool_mean(struct tape *tape, struct tensor *x, const struct segments *segments);

/* Chosen rows.  x [n, width]; rows: `count` distinct row numbers on the host -> [count, width] */
struct tensor *op_gather_rows(struct tape *tape, struct tensor *x, const int *rows, int count);

/* Matrices of one width, one below the other.  parts: `count` of [rows, width] -> [sum of rows, width] */
struct tensor *op_stack_rows(struct tape *tape, struct tensor *const *parts, int count);

/* Each row divided by max(its Euclidean norm, 1e-12).  x [rows, width] */
struct tensor *op_l2_normalise(struct tape *tape, struct tensor *x);

/* What a contrastive loss does beyond pair i being right for i alone; all zero for CLIP's own (Radford et al. 2021). */
struct contrastive {
    bool raw_scale; /* logits are logit_scale image text^T, not exp(logit_scale) image text^T */
    const struct slice *slice; /* image, text and the teacher's are these rows of the batch; NULL: all of it */
    const int *photos;  /* [batch] on the host: pairs of one photo are equally right for each other; NULL: all differ */
    float smoothing;    /* this part of each target is spread over the batch */
    float hardness;     /* wrong pairs weigh exp(hardness * logit), 1 in the mean; gradients take the weights as given
                           (Robinson et al. 2021; Radenovic et al. 2023) */
    float distillation; /* so many times the cross-entropy with the teacher's softmax is added (not with hardness) */
    struct tensor *teacher_image, *teacher_text; // [rows, any width]; no gradient flows there
    struct tensor *teacher_scale;                // [1]: what multiplies the teacher's similarities
};

/* (cross-entropy over rows + over columns) / 2 of the logits, in blocks: the batch x batch matrix is never stored.
 * image, text [rows, width]; logit_scale [1]; options: NULL for none -> [1], the same on all ranks that share the
 * batch. Gradients of image and text are those of all of it; the logit scale's are this rank's part of a sum over the
 * ranks */
struct tensor *op_contrastive(struct tape *tape, struct tensor *image, struct tensor *text, struct tensor *logit_scale,
                              const struct contrastive *options);

/* The sum over all pairs i, j of -log sigmoid(y s), divided by batch; s = exp(logit_scale) image_i text_j + logit_bias,
 * y = 1 where i and j are of one photo and -1 elsewhere (Zhai et al. 2023, SigLIP); in blocks as above.
 * image, text [rows, width]; logit_scale, logit_bias [1]; slice: NULL for all of the batch, photos [batch] on the host,
 * NULL: all differ -> [1], and gradients as above */
struct tensor *op_sigmoid_loss(struct tape *tape, struct tensor *image, struct tensor *text, struct tensor *logit_scale,
                               struct tensor *logit_bias, const struct slice *slice, const int *photos);

/* Not ops of the tape. */

/* Numbers below `low` become low, those above `high` high, in place; NaN stays.  x of any shape, float32 */
void clamp_numbers(struct tensor *x, float low, float high);

/* What backward passes share. */

/* out[c] (+)= sum over rows of x[r, c], in a fixed order.  x [rows, width] -> out [width] */
void column_sum(struct tensor *out, const struct tensor *x, bool accumulate);

/* x, stored as this dtype; one of the two is float32. A new tensor; caller frees. */
struct tensor *cast_copy(const struct tensor *x, enum dtype dtype);

#endif
