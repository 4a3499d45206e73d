// SigLIP's loss over blocks of the batch x batch matrix of similarities (before the scale): block [rows, columns], from
// image `row` and text `column` on. photos [batch + 16]: pairs of one photo are right for each other.

// log(1 + exp(x)) = max(x, 0) + log(1 + z), z = exp(-|x|): most z are tiny, and 1 + z would lose them. The logarithm is
// 2 artanh(s), s = z / (2 + z) <= 1/3, by its series; log1p() is computed one lane at a time by some drivers.
static inline vfloat softplus(vfloat x)
{
    vfloat z = exp(-fabs(x)), s = z / (2.0f + z), t = s * s;
    vfloat series = 1.0f / 13;
    series = series * t + 1.0f / 11;
    series = series * t + 1.0f / 9;
    series = series * t + 1.0f / 7;
    series = series * t + 1.0f / 5;
    series = series * t + 1.0f / 3;
    return fmax(x, 0.0f) + 2.0f * s * (series * t + 1.0f);
}

// 1 for texts of this photo, -1 for others.
static inline vfloat signs(global const int *photos, int i, int photo)
{
    return XCAT(vload, VEC)(0, photos + i) == photo ? (vfloat)1 : (vfloat)-1;
}

// 1 inside the row, 0 behind its end.
static inline vfloat inside(int i, int n)
{
    float part[VEC];
    for (int j = 0; j < VEC; j++)
        part[j] = i + j < n;
    return XCAT(vload, VEC)(0, part);
}

// row_losses [batch]: each image's sum over the texts.
ROW_KERNEL void sigmoid_loss_rows(global float *row_losses, global const float *block,
                                  global const float *logit_scale, global const float *logit_bias,
                                  global const int *photos, int row, int column, int columns)
{
    ROW_SCRATCH(scratch);
    int r = (int)get_group_id(0), photo = photos[row + r];
    float scale = exp(*logit_scale), bias = *logit_bias;
    vfloat sum = 0;
    for (EACH(i, columns))
        sum += inside(i, columns) * softplus(-signs(photos, column + i, photo) *
                                             (scale * vec_load(block + (size_t)r * columns, i, columns, 0) + bias));
    float total = row_sum(vec_sum(sum), scratch);
    if (LANE == 0)
        row_losses[row + r] = column == 0 ? total : row_losses[row + r] + total;
}

// One work-group: out (+)= factor * the sum of parts [batch]; factor = dloss / batch, by exp(logit_scale) where that is
// given. The optional two may be null.
ROW_KERNEL void sigmoid_loss_sum(global float *out, global const float *parts, global const float *dloss,
                                 global const float *logit_scale, int batch, int accumulate)
{
    ROW_SCRATCH(scratch);
    vfloat sum = 0;
    for (EACH(i, batch))
        sum += vec_load(parts, i, batch, 0);
    float total = row_sum(vec_sum(sum), scratch) / (float)batch;
    total *= (dloss ? *dloss : 1.0f) * (logit_scale ? exp(*logit_scale) : 1.0f);
    if (LANE == 0)
        *out = accumulate ? *out + total : total;
}

// In place, similarities become their gradient. scale_parts, bias_parts [batch]: each row's part of the gradients of
// the scale and of the bias, before the factor of sigmoid_loss_sum; NULL: they are not wanted.
ROW_KERNEL void sigmoid_loss_backward(global float *block, global float *scale_parts, global float *bias_parts,
                                      global const float *logit_scale, global const float *logit_bias,
                                      global const float *dloss, global const int *photos, int row, int column,
                                      int columns, int batch)
{
    ROW_SCRATCH(scratch);
    int r = (int)get_group_id(0), photo = photos[row + r];
    global float *similarities = block + (size_t)r * columns;
    float scale = exp(*logit_scale), bias = *logit_bias, each = *dloss / (float)batch * scale;
    vfloat dscale = 0, dbias = 0;
    for (EACH(i, columns)) {
        vfloat x = vec_load(similarities, i, columns, 0), y = signs(photos, column + i, photo);
        vfloat g = -inside(i, columns) * y / (1.0f + exp(y * (scale * x + bias)));
        dscale += g * x;
        dbias += g;
        vec_store(similarities, i, columns, each * g);
    }
    float scale_part = row_sum(vec_sum(dscale), scratch), bias_part = row_sum(vec_sum(dbias), scratch);
    if (LANE == 0 && scale_parts) {
        scale_parts[row + r] = column == 0 ? scale_part : scale_parts[row + r] + scale_part;
        bias_parts[row + r] = column == 0 ? bias_part : bias_parts[row + r] + bias_part;
    }
}
