// The symmetric cross-entropy of a batch of pairs over blocks of its batch x batch matrix of similarities (before the
// scale): block [rows, columns], from image `row` and text `column` on.
//
// photos [batch + 16]: pairs of one photo are right for each other. lse [2 or 3, batch]: log of the sum of exp over each
// row of the whole matrix, over each column, and hits; tilt [2, batch] is added to the logits of wrong pairs there.
#pragma OPENCL FP_CONTRACT OFF // a - b is exactly 0 where both are the same product

static inline float scale_of(global const float *logit_scale, int raw)
{
    return raw ? *logit_scale : exp(*logit_scale);
}

// Logits i to i + VEC of a row of n; those past its end are -infinity, which no exp() counts.
static inline vfloat load_logits(global const float *row, int i, int n, float scale)
{
    if (i + VEC <= n)
        return scale * XCAT(vload, VEC)(0, row + i);
    float part[VEC];
    for (int j = 0; j < VEC; j++)
        part[j] = i + j < n ? scale * row[i + j] : -INFINITY;
    return XCAT(vload, VEC)(0, part);
}

static inline vint is_photo(global const int *photos, int i, int photo)
{
    return XCAT(vload, VEC)(0, photos + i) == photo;
}

// What goes into a sum of exp: right pairs as they are but for `shift`, wrong ones by their weight.
static inline vfloat weigh(vfloat logits, vint right, float shift, float factor, vfloat tilt)
{
    return right ? logits + shift : factor * logits + tilt;
}

// log(exp(a) + exp(b)) where either may be -infinity; first: there is no a yet.
static inline float log_add(float a, float b, int first)
{
    float top = first ? b : fmax(fmax(a, b), -FLT_MAX);
    return first ? b : top + log(exp(a - top) + exp(b - top));
}

ROW_KERNEL void contrastive_rows(global float *lse, global const float *block, global const float *tilt,
                                 global const int *photos, global const float *logit_scale, int raw, int row,
                                 int column, int columns, float shift, float factor)
{
    ROW_SCRATCH(scratch);
    int r = (int)get_group_id(0), photo = photos[row + r];
    global const float *logits = block + (size_t)r * columns;
    float scale = scale_of(logit_scale, raw), add = tilt[row + r];
    vfloat largest = -FLT_MAX, sum = 0;
    for (EACH(i, columns))
        largest = fmax(largest, weigh(load_logits(logits, i, columns, scale), is_photo(photos, column + i, photo),
                                      shift, factor, add));
    float top = row_max(vec_max(largest), scratch);
    for (EACH(i, columns))
        sum += exp(weigh(load_logits(logits, i, columns, scale), is_photo(photos, column + i, photo), shift, factor,
                         add) - top);
    float total = row_sum(vec_sum(sum), scratch);
    if (LANE == 0)
        lse[row + r] = log_add(lse[row + r], top + log(total), column == 0);
}

// VEC columns a work-item.
ROW_KERNEL void contrastive_columns(global float *lse, global const float *block, global const float *tilt,
                                    global const int *photos, global const float *logit_scale, int raw, int row,
                                    int column, int rows, int columns, int batch, float shift, float factor)
{
    int i = (int)get_global_id(0) * VEC;
    if (i >= columns)
        return;
    float scale = scale_of(logit_scale, raw);
    vfloat top = -FLT_MAX, sum = 0, add = vec_load(tilt + batch, column + i, batch, 0);
    for (int r = 0; r < rows; r++)
        top = fmax(top, weigh(load_logits(block + (size_t)r * columns, i, columns, scale),
                              is_photo(photos, column + i, photos[row + r]), shift, factor, add));
    for (int r = 0; r < rows; r++)
        sum += exp(weigh(load_logits(block + (size_t)r * columns, i, columns, scale),
                         is_photo(photos, column + i, photos[row + r]), shift, factor, add) - top);
    float tops[VEC], sums[VEC];
    XCAT(vstore, VEC)(top, 0, tops);
    XCAT(vstore, VEC)(sum, 0, sums);
    for (int j = 0; j < min(VEC, columns - i); j++)
        lse[batch + column + i + j] = log_add(lse[batch + column + i + j], tops[j] + log(sums[j]), row == 0);
}

// tilt [2, batch] comes as the log of the sum of exp(hardness * logit) over wrong pairs, of which there are `wrong`
// [batch], and becomes what makes their weights 1 in the mean.
kernel void contrastive_tilt(global float *tilt, global const float *wrong, int batch)
{
    int i = (int)get_global_id(0);
    if (i >= 2 * batch)
        return;
    float count = wrong[i < batch ? i : i - batch];
    tilt[i] = count > 0 ? log(count) - tilt[i] : 0;
}

// What the predictions of both sides are to add up to: rights of each row are `share` [batch] each, less what
// `smoothing` spreads over all; teacher: a block like `logits`, and its lse, whose softmax counts `distillation` times.
struct targets {
    float smoothing, distillation;
    int row, column, columns, batch;
};
static inline vfloat targets_of(struct targets t, int r, int i, vint right, float share, global const float *teacher,
                                global const float *teacher_lse, global const float *teacher_scale)
{
    vfloat target = 2 * (right ? (vfloat)((1 - t.smoothing) * share) : (vfloat)0) + 2 * t.smoothing / (float)t.batch;
    if (t.distillation == 0)
        return target;
    vfloat logits = load_logits(teacher + (size_t)r * t.columns, i, t.columns, *teacher_scale);
    return target + t.distillation * (exp(logits - teacher_lse[t.row + r]) +
                                      exp(logits - vec_load(teacher_lse + t.batch, t.column + i, t.batch, 0)));
}

// The last row of lse [3, batch]: the sum over each row of targets times logits.
ROW_KERNEL void contrastive_hits(global float *lse, global const float *block, global const int *photos,
                                 global const float *shares, global const float *logit_scale, int raw, int row,
                                 int column, int columns, int batch, float smoothing, float distillation,
                                 global const float *teacher, global const float *teacher_lse,
                                 global const float *teacher_scale)
{
    ROW_SCRATCH(scratch);
    int r = (int)get_group_id(0), photo = photos[row + r];
    struct targets targets = {smoothing, distillation, row, column, columns, batch};
    float scale = scale_of(logit_scale, raw), share = shares[row + r];
    vfloat sum = 0;
    for (EACH(i, columns))
        sum += scale * vec_load(block + (size_t)r * columns, i, columns, 0) *
               targets_of(targets, r, i, is_photo(photos, column + i, photo), share, teacher, teacher_lse,
                          teacher_scale);
    float total = row_sum(vec_sum(sum), scratch);
    global float *hits = lse + 2 * batch;
    if (LANE == 0)
        hits[row + r] = column == 0 ? total : hits[row + r] + total;
}

// One work-group: the mean over rows and columns of weight * lse less what was hit. What rounding takes from each sum is
// put back (Kahan 1965): a batch has tens of thousands of terms, each small next to their sum.
ROW_KERNEL void contrastive_loss(global float *loss, global const float *lse, int batch, float weight)
{
    ROW_SCRATCH(scratch);
    vfloat sum = 0, excess = 0;
    for (EACH(r, batch)) {
        vfloat lse_both = vec_load(lse, r, batch, 0) + vec_load(lse + batch, r, batch, 0);
        vfloat term = weight * lse_both - vec_load(lse + 2 * batch, r, batch, 0) - excess, next = sum + term;
        excess = (next - sum) - term;
        sum = next;
    }
    float total = row_sum(vec_sum(sum), scratch);
    if (LANE == 0)
        *loss = total / (2 * (float)batch);
}

// In place, similarities become their gradient. scale_parts [batch]: each row's part of the gradient of the
// scale; NULL: it is not wanted.
ROW_KERNEL void contrastive_backward(global float *block, global float *scale_parts, global const float *dloss,
                                     global const float *lse, global const float *tilt, global const int *photos,
                                     global const float *shares, global const float *logit_scale, int raw, int row,
                                     int column, int columns, int batch, float factor, float smoothing,
                                     float distillation, global const float *teacher, global const float *teacher_lse,
                                     global const float *teacher_scale)
{
    ROW_SCRATCH(scratch);
    int r = (int)get_group_id(0), photo = photos[row + r];
    global float *similarities = block + (size_t)r * columns;
    struct targets targets = {smoothing, distillation, row, column, columns, batch};
    float scale = scale_of(logit_scale, raw), share = shares[row + r], each = *dloss / (2 * (float)batch);
    vfloat dscale = 0;
    for (EACH(i, columns)) {
        vint right = is_photo(photos, column + i, photo);
        vfloat logits = load_logits(similarities, i, columns, scale);
        vfloat by_row = weigh(logits, right, 0, factor, tilt[row + r]) - lse[row + r];
        vfloat by_column = weigh(logits, right, 0, factor, vec_load(tilt + batch, column + i, batch, 0)) -
                           vec_load(lse + batch, column + i, batch, 0);
        vfloat g = (1 + distillation) * (exp(by_row) + exp(by_column)) -
                   targets_of(targets, r, i, right, share, teacher, teacher_lse, teacher_scale);
        dscale += g * vec_load(similarities, i, columns, 0);
        vec_store(similarities, i, columns, each * scale * g);
    }
    float part = each * row_sum(vec_sum(dscale), scratch);
    if (LANE == 0 && scale_parts)
        scale_parts[row + r] = column == 0 ? part : scale_parts[row + r] + part;
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
    float d = raw ? dscale : dscale * scale_of(logit_scale, raw);
    if (LANE == 0)
        *dlogit_scale = accumulate ? *dlogit_scale + d : d;
}
