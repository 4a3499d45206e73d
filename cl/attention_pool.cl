// Attention of one query to the tokens of each segment. A work-group owns one head of one segment: groups are
// (segments, heads).
//
// query [heads * head_dim]; kv and its gradient [total, 2 * heads * head_dim]: k and v side by side; starts
// [segments + 1]; weights [heads, total]: the softmax; out and its gradient [segments, heads * head_dim]

// Numbers that one item wrote are read by the others of its group.
#if GROUP == 1
#define SHARE_WRITES
#else
#define SHARE_WRITES barrier(CLK_GLOBAL_MEM_FENCE)
#endif

INLINE float dot(global const number *a, global const number *b, int n, local float *scratch)
{
    vfloat sum = 0;
    for (EACH(i, n))
        sum += num_load(a, i, n, 0) * num_load(b, i, n, 0);
    return row_sum(vec_sum(sum), scratch);
}

INLINE float query_dot(global const float *query, global const number *key, int n, local float *scratch)
{
    vfloat sum = 0;
    for (EACH(i, n))
        sum += vec_load(query, i, n, 0) * num_load(key, i, n, 0);
    return row_sum(vec_sum(sum), scratch);
}

ROW_KERNEL void attention_pool_forward(global number *out, global float *weights, global const float *query,
                                       global const number *kv, global const int *starts, int heads, int head_dim,
                                       int total)
{
    ROW_SCRATCH(scratch);
    size_t segment = get_group_id(0), head = get_group_id(1), width = (size_t)heads * head_dim;
    int first = starts[segment], end = starts[segment + 1];
    global const float *q = query + head * head_dim;
    global const number *k = kv + head * head_dim, *v = k + width;
    global float *p = weights + head * total;
    float largest = -INFINITY, sum = 0, factor = rsqrt((float)head_dim);
    for (int t = first; t < end; t++) {
        float score = factor * query_dot(q, k + t * 2 * width, head_dim, scratch);
        largest = fmax(largest, score);
        if (LANE == 0)
            p[t] = score;
    }
    SHARE_WRITES;
    for (int t = first; t < end; t++)
        sum += exp(p[t] - largest);
    for (EACH(i, head_dim)) {
        vfloat y = 0;
        for (int t = first; t < end; t++)
            y += exp(p[t] - largest) / sum * num_load(v + t * 2 * width, i, head_dim, 0);
        num_store(out + segment * width + head * head_dim, i, head_dim, y);
    }
    SHARE_WRITES;
    for (int t = first + LANE; t < end; t += GROUP)
        p[t] = exp(p[t] - largest) / sum;
}

// Also each segment's part of the gradient of the query.  dquery [segments, heads * head_dim]
ROW_KERNEL void attention_pool_backward(global number *dkv, global float *dquery, global const number *dout,
                                        global const number *out, global const float *weights,
                                        global const float *query, global const number *kv, global const int *starts,
                                        int heads, int head_dim, int total)
{
    ROW_SCRATCH(scratch);
    size_t segment = get_group_id(0), head = get_group_id(1), width = (size_t)heads * head_dim;
    int first = starts[segment], end = starts[segment + 1];
    global const float *q = query + head * head_dim;
    global const number *k = kv + head * head_dim, *v = k + width;
    global const number *dy = dout + segment * width + head * head_dim;
    global const float *p = weights + head * total;
    global number *dk = dkv + head * head_dim, *dv = dk + width;
    global float *dq = dquery + segment * width + head * head_dim;
    float factor = rsqrt((float)head_dim), mean = dot(dy, out + segment * width + head * head_dim, head_dim, scratch);
    for (EACH(i, head_dim))
        vec_store(dq, i, head_dim, 0);
    for (int t = first; t < end; t++) {
        float dscore = factor * p[t] * (dot(dy, v + t * 2 * width, head_dim, scratch) - mean);
        for (EACH(i, head_dim)) {
            num_store(dk + t * 2 * width, i, head_dim, dscore * vec_load(q, i, head_dim, 0));
            num_store(dv + t * 2 * width, i, head_dim, p[t] * num_load(dy, i, head_dim, 0));
            vec_store_grad(dq, i, head_dim, dscore * num_load(k + t * 2 * width, i, head_dim, 0), 1);
        }
    }
}
