#include "runtime/ops/attention.h"

#include "runtime/util/random.h"

#include <math.h>
#include <stdlib.h>

/* Two segments, of which the first is longer than any block and a multiple of none. */
enum { HEADS = 2, TOTAL = 102, SEGMENTS = 2 };
static const int starts[SEGMENTS + 1] = {0, 97, TOTAL};

struct host {
    double *out, *qkv_grad;      // [TOTAL, width], [TOTAL, 3 * width]
    const float *qkv, *out_grad; // the same shapes
    int head_dim, width;
    bool causal;
};

static double dot(const float *a, const float *b, int count)
{
    double sum = 0;
    for (int i = 0; i < count; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

/* One query of one head against keys `first` to `last`: its output, and its share of all gradients. */
static void host_query(const struct host *host, int head, int query, int first, int last)
{
    int dim = host->head_dim, stride = 3 * host->width;
    double p[TOTAL], dp[TOTAL], sum = 0, delta = 0, scale = 1 / sqrt(dim);
    const float *q = host->qkv + query * stride + head * dim, *dout = host->out_grad + query * host->width + head * dim;
    for (int j = first; j < last; j++)
        sum += p[j] = exp(scale * dot(q, host->qkv + j * stride + host->width + head * dim, dim));
    for (int j = first; j < last; j++) {
        const float *value = host->qkv + j * stride + 2 * host->width + head * dim;
        p[j] /= sum;
        dp[j] = dot(dout, value, dim);
        delta += p[j] * dp[j];
        for (int d = 0; d < dim; d++)
            host->out[query * host->width + head * dim + d] += p[j] * (double)value[d];
    }
    double *dq = host->qkv_grad + query * stride + head * dim;
    for (int j = first; j < last; j++) {
        const float *key = host->qkv + j * stride + host->width + head * dim;
        double *dk = host->qkv_grad + j * stride + host->width + head * dim, *dv = dk + host->width;
        double ds = scale * p[j] * (dp[j] - delta);
        for (int d = 0; d < dim; d++) {
            dq[d] += ds * (double)key[d];
            dk[d] += ds * (double)q[d];
            dv[d] += p[j] * (double)dout[d];
        }
    }
}

static void host_attention(const struct host *host)
{
    for (int s = 0; s < SEGMENTS; s++)
        for (int query = starts[s]; query < starts[s + 1]; query++)
            for (int head = 0; head < HEADS; head++)
                host_query(host, head, query, starts[s], host->causal ? query + 1 : starts[s + 1]);
}

static struct tensor *random_tensor(struct device *dev, float *numbers, int width, enum dtype dtype, uint64_t seed)
{
    struct tensor *wide = tensor_new(dev, DTYPE_F32, 2, (int[]){TOTAL, width});
    struct random random = random_begin(seed);
    random_fill_normal(numbers, &random, tensor_count(wide));
    tensor_upload(wide, numbers);
    struct tensor *tensor = cast_copy(wide, dtype);
    tensor_free(wide);
    return tensor;
}

/* Downloads and frees. */
static double difference(struct tensor *got, const double *want)
{
    struct tensor *wide = cast_copy(got, DTYPE_F32);
    size_t count = tensor_count(wide);
    float *numbers = mem_new(count, sizeof *numbers);
    tensor_download(numbers, wide);
    double off = selftest_difference(numbers, want, count);
    free(numbers);
    tensor_free(wide);
    tensor_free(got);
    return off;
}

double attention_error(struct device *dev, const void *context)
{
    struct attention_shape shape = *(const struct attention_shape *)context;
    shape.heads = HEADS;
    enum dtype dtype = shape.unit ? dtype_of_precision(shape.precision) : DTYPE_F32;
    int width = HEADS * shape.head_dim;
    float *numbers = mem_new((size_t)(4 * TOTAL * width), sizeof *numbers), *out_grads = numbers + 3 * TOTAL * width;
    double *wanted = mem_new((size_t)(4 * TOTAL * width), sizeof *wanted);
    struct tensor *qkv = random_tensor(dev, numbers, 3 * width, dtype, 1);
    struct tensor *out_grad = random_tensor(dev, out_grads, width, dtype, 2);
    struct tensor *out = tensor_new(dev, dtype, 2, (int[]){TOTAL, width});
    struct tensor *lse = tensor_new(dev, DTYPE_F32, 2, (int[]){HEADS, TOTAL});
    struct tensor *qkv_grad = tensor_new(dev, dtype, 2, (int[]){TOTAL, 3 * width});
    struct tensor *bounds = tensor_new(dev, DTYPE_I32, 1, (int[]){SEGMENTS + 1});
    tensor_upload(bounds, starts);
    struct segments segments = {.starts = bounds, .count = SEGMENTS, .total = TOTAL, .longest = starts[1]};

    attention_launch(out, lse, qkv, &segments, &shape);
    attention_launch_backward(qkv_grad, out_grad, out, lse, qkv, &segments, &shape);
    struct host host = {.out = wanted + 3 * TOTAL * width,
                        .qkv_grad = wanted,
                        .qkv = numbers,
                        .out_grad = out_grads,
                        .head_dim = shape.head_dim,
                        .width = width,
                        .causal = shape.causal};
    host_attention(&host);
    double off = fmax(difference(out, host.out), difference(qkv_grad, host.qkv_grad));
    tensor_free(bounds);
    tensor_free(lse);
    tensor_free(out_grad);
    tensor_free(qkv);
    free(wanted);
    free(numbers);
    return off;
}
