// The symmetric cross-entropy of a batch of pairs, from image text^T (the similarities, before the scale).
#pragma OPENCL FP_CONTRACT OFF // a - b is exactly 0 where both are the same product

#define LOG_100 4.605170186f

static inline float scale_of(global const float *logit_scale, int raw)
{
    return raw ? *logit_scale : exp(fmin(*logit_scale, LOG_100));
}

// Logits i to i + VEC of a row of n; those past its end are -infinity, which no exp() counts.
static inline vfloat load_logits(global const float *similarities, int i, int n, float scale)
{
    if (i + VEC <= n)
        return scale * XCAT(vload, VEC)(0, similarities + i);
    float part[VEC];
    for (int j = 0; j < VEC; j++)
        part[j] = i + j < n ? scale * similarities[i + j] : -INFINITY;
    return XCAT(vload, VEC)(0, part);
}

// lse [2, batch]: log of the sum of exp over each row, then over each column.  similarities [batch, batch]
ROW_KERNEL void contrastive_rows(global float *lse, global const float *similarities,
                                 global const float *logit_scale, int batch, int raw)
{
    ROW_SCRATCH(scratch);
    size_t r = get_group_id(0);
    global const float *row = similarities + r * batch;
    float scale = scale_of(logit_scale, raw);
    vfloat largest = -INFINITY, sum = 0;
    for (EACH(i, batch))
        largest = fmax(largest, load_logits(row, i, batch, scale));
    float top = row_max(vec_max(largest), scratch);
    for (EACH(i, batch))
        sum += exp(load_logits(row, i, batch, scale) - top);
    float total = row_sum(vec_sum(sum), scratch);
    if (LANE == 0)
        lse[r] = top + log(total);
}

// VEC columns a work-item.
ROW_KERNEL void contrastive_columns(global float *lse, global const float *similarities,
                                    global const float *logit_scale, int batch, int raw)
{
    int i = (int)get_global_id(0) * VEC;
    if (i >= batch)
        return;
    float scale = scale_of(logit_scale, raw);
    vfloat top = -INFINITY, sum = 0;
    for (int r = 0; r < batch; r++)
        top = fmax(top, load_logits(similarities + (size_t)r * batch, i, batch, scale));
    for (int r = 0; r < batch; r++)
        sum += exp(load_logits(similarities + (size_t)r * batch, i, batch, scale) - top);
    vec_store(lse + batch, i, batch, top + log(sum));
}

// One work-group: the mean of -log p of the right pairs, over rows and columns.
ROW_KERNEL void contrastive_loss(global float *loss, global const float *lse, global const float *similarities,
                                 global const float *logit_scale, int batch, int raw)
{
    ROW_SCRATCH(scratch);
    float scale = scale_of(logit_scale, raw), sum = 0;
    for (int r = LANE; r < batch; r += GROUP) {
        float right = scale * similarities[(size_t)r * batch + r];
        sum += (lse[r] - right) + (lse[batch + r] - right);
    }
    sum = row_sum(sum, scratch);
    if (LANE == 0)
        *loss = sum / (2 * (float)batch);
}

static inline vfloat one_hot(int at)
{
    float part[VEC];
    for (int j = 0; j < VEC; j++)
        part[j] = j == at;
    return XCAT(vload, VEC)(0, part);
}

// In place, similarities become their gradient. scale_parts [batch]: each row's part of the gradient of the scale.
ROW_KERNEL void contrastive_backward(global float *similarities, global float *scale_parts, global const float *lse,
                                     global const float *logit_scale, global const float *dloss, int batch, int raw)
{
    ROW_SCRATCH(scratch);
    int r = (int)get_group_id(0);
    global float *row = similarities + (size_t)r * batch;
    float scale = scale_of(logit_scale, raw), each = *dloss / (2 * (float)batch);
    vfloat dscale = 0;
    for (EACH(i, batch)) {
        vfloat logits = load_logits(row, i, batch, scale);
        vfloat g = exp(logits - lse[r]) + exp(logits - vec_load(lse + batch, i, batch, 0));
        if (i <= r && r < i + VEC)
            g -= 2 * one_hot(r - i);
        dscale += g * vec_load(row, i, batch, 0);
        vec_store(row, i, batch, each * scale * g);
    }
    float part = row_sum(vec_sum(dscale), scratch);
    if (LANE == 0)
        scale_parts[r] = each * part;
}

// One work-group. d exp(l) / dl = exp(l), and nothing flows through the clamp where it holds.
ROW_KERNEL void contrastive_scale(global float *dlogit_scale, global const float *scale_parts,
                                  global const float *logit_scale, int batch, int raw, int accumulate)
{
    ROW_SCRATCH(scratch);
    vfloat sum = 0;
    for (EACH(i, batch))
        sum += vec_load(scale_parts, i, batch, 0);
    float dscale = row_sum(vec_sum(sum), scratch);
    float d = raw ? dscale : *logit_scale > LOG_100 ? 0 : dscale * scale_of(logit_scale, raw);
    if (LANE == 0)
        *dlogit_scale = accumulate ? *dlogit_scale + d : d;
}
