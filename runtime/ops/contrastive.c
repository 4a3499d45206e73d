#include "runtime/launch.h"
#include "runtime/ops/pair_blocks.h"

#include <math.h>
#include <stdlib.h>

/* What both passes work with, among a node's saved tensors and numbers. */
enum {
    IMAGE,
    TEXT,
    ALL_IMAGE,
    ALL_TEXT,
    SCALE,
    LSE, /* and hits: [3, batch] */
    TILT,
    PHOTOS,
    SHARES,
    TEACHER_IMAGE,
    TEACHER_TEXT,
    TEACHER_ALL_IMAGE,
    TEACHER_ALL_TEXT,
    TEACHER_SCALE,
    TEACHER_LSE
};
enum { RAW, FIRST };
enum { HARDNESS, SMOOTHING, DISTILLATION };

/* How logits are weighed in a sum of exp: those of right pairs are shifted, those of wrong ones multiplied and tilted.
 */
struct weighing {
    struct tensor *tilt; // [2, batch]
    float shift, factor;
};

static struct pair_sides sides_of(const struct node *node)
{
    return (struct pair_sides){node->saved[IMAGE], node->saved[TEXT], node->saved[ALL_IMAGE], node->saved[ALL_TEXT],
                               node->integer[FIRST]};
}

static struct pair_sides sides_of_teacher(const struct node *node)
{
    return (struct pair_sides){node->saved[TEACHER_IMAGE], node->saved[TEACHER_TEXT], node->saved[TEACHER_ALL_IMAGE],
                               node->saved[TEACHER_ALL_TEXT], node->integer[FIRST]};
}

/* The teacher's similarities of the same pairs, where there is a teacher; the caller frees. */
static struct tensor *teacher_block(const struct node *node, const struct pair_blocks *block)
{
    struct pair_sides sides = sides_of_teacher(node);
    return node->real[DISTILLATION] == 0 ? NULL : pair_blocks_beside(block, &sides);
}

/* The last row of lse [3, batch] += the sum over each of the block's rows of targets times logits */
static void add_hits(struct tensor *lse, const struct pair_blocks *block, const struct node *node)
{
    if (!block->own_images)
        return;
    struct tensor *teacher = teacher_block(node, block);
    LAUNCH(lse->dev, "contrastive.cl", "contrastive_hits", range_rows(lse->dev, (size_t)block->rows), ARG_BUFFER(lse),
           ARG_BUFFER(block->similarities), ARG_BUFFER(node->saved[PHOTOS]), ARG_BUFFER(node->saved[SHARES]),
           ARG_BUFFER(node->saved[SCALE]), ARG_INT(node->integer[RAW]), ARG_INT(block->row), ARG_INT(block->column),
           ARG_INT(block->columns), ARG_INT(lse->dim[1]), ARG_FLOAT(node->real[SMOOTHING]),
           ARG_FLOAT(node->real[DISTILLATION]), ARG_BUFFER(teacher), ARG_BUFFER(node->saved[TEACHER_LSE]),
           ARG_BUFFER(node->saved[TEACHER_SCALE]));
    tensor_free(teacher);
}

/* lse [2 or 3, batch] = log of the sum of exp of block's logits over this rank's rows, then over its columns, going on
 * from the blocks before */
static void add_exps(struct tensor *lse, const struct pair_blocks *block, struct tensor *scale, bool raw,
                     struct tensor *photos, const struct weighing *how)
{
    struct device *dev = lse->dev;
    int vector = device_vector_width(dev);
    size_t strips = (size_t)((block->columns + vector - 1) / vector);
    if (block->own_images)
        LAUNCH(dev, "contrastive.cl", "contrastive_rows", range_rows(dev, (size_t)block->rows), ARG_BUFFER(lse),
               ARG_BUFFER(block->similarities), ARG_BUFFER(how->tilt), ARG_BUFFER(photos), ARG_BUFFER(scale),
               ARG_INT(raw), ARG_INT(block->row), ARG_INT(block->column), ARG_INT(block->columns),
               ARG_FLOAT(how->shift), ARG_FLOAT(how->factor));
    if (block->own_texts)
        LAUNCH(dev, "contrastive.cl", "contrastive_columns", range_items(dev, strips, 1, 1), ARG_BUFFER(lse),
               ARG_BUFFER(block->similarities), ARG_BUFFER(how->tilt), ARG_BUFFER(photos), ARG_BUFFER(scale),
               ARG_INT(raw), ARG_INT(block->row), ARG_INT(block->column), ARG_INT(block->rows), ARG_INT(block->columns),
               ARG_INT(lse->dim[1]), ARG_FLOAT(how->shift), ARG_FLOAT(how->factor));
}

/* The tilt of hard negatives [2, batch], from zeros: of each side's wrong pairs, log(count / sum of exp(hardness l)).
 */
static void weigh_negatives(const struct node *node, const struct slice *slice, const float *wrong)
{
    struct tensor *tilt = node->saved[TILT], *zero = node->saved[LSE]; /* not needed before */
    int batch = tilt->dim[1];
    buffer_zero(zero->buffer, 0, tensor_bytes(zero));
    struct weighing how = {zero, -INFINITY, node->real[HARDNESS]};
    struct pair_sides sides = sides_of(node);
    struct pair_blocks block = pair_blocks_begin(&sides, true);
    while (pair_blocks_next(&block))
        add_exps(tilt, &block, node->saved[SCALE], node->integer[RAW], node->saved[PHOTOS], &how);
    slice_share_columns(slice, tilt);
    struct tensor *counts = tensor_new(tilt->dev, DTYPE_F32, 1, &batch);
    tensor_upload(counts, wrong);
    LAUNCH(tilt->dev, "contrastive.cl", "contrastive_tilt", range_items(tilt->dev, 2 * (size_t)batch, 1, 1),
           ARG_BUFFER(tilt), ARG_BUFFER(counts), ARG_INT(batch));
    tensor_free(counts);
}

/* The teacher's own log of the sum of exp: every pair as it is. */
static void read_teacher(const struct node *node, const struct slice *slice)
{
    struct weighing how = {node->saved[TILT], 0, 1};
    struct pair_sides sides = sides_of_teacher(node);
    struct pair_blocks block = pair_blocks_begin(&sides, true);
    while (pair_blocks_next(&block))
        add_exps(node->saved[TEACHER_LSE], &block, node->saved[TEACHER_SCALE], true, node->saved[PHOTOS], &how);
    slice_share_columns(slice, node->saved[TEACHER_LSE]);
}

static void forward(struct tensor *loss, const struct node *node, const struct slice *slice)
{
    struct device *dev = loss->dev;
    struct tensor *lse = node->saved[LSE];
    struct weighing how = {node->saved[TILT], 0, 1 + node->real[HARDNESS]};
    struct pair_sides sides = sides_of(node);
    struct pair_blocks block = pair_blocks_begin(&sides, true);
    while (pair_blocks_next(&block)) {
        add_exps(lse, &block, node->saved[SCALE], node->integer[RAW], node->saved[PHOTOS], &how);
        add_hits(lse, &block, node);
    }
    slice_share_columns(slice, lse);
    LAUNCH(dev, "contrastive.cl", "contrastive_loss", range_rows(dev, 1), ARG_BUFFER(loss), ARG_BUFFER(lse),
           ARG_INT(lse->dim[1]), ARG_FLOAT(1 + node->real[DISTILLATION]));
}

static void backward_block(const struct pair_blocks *block, struct tensor *scale_parts, const struct node *node)
{
    struct device *dev = scale_parts->dev;
    struct tensor *teacher = teacher_block(node, block);
    LAUNCH(dev, "contrastive.cl", "contrastive_backward", range_rows(dev, (size_t)block->rows),
           ARG_BUFFER(block->similarities), ARG_BUFFER(block->own_images ? scale_parts : NULL),
           ARG_BUFFER(node->out->grad), ARG_BUFFER(node->saved[LSE]), ARG_BUFFER(node->saved[TILT]),
           ARG_BUFFER(node->saved[PHOTOS]), ARG_BUFFER(node->saved[SHARES]), ARG_BUFFER(node->saved[SCALE]),
           ARG_INT(node->integer[RAW]), ARG_INT(block->row), ARG_INT(block->column), ARG_INT(block->columns),
           ARG_INT(scale_parts->dim[0]), ARG_FLOAT(1 + node->real[HARDNESS]), ARG_FLOAT(node->real[SMOOTHING]),
           ARG_FLOAT(node->real[DISTILLATION]), ARG_BUFFER(teacher), ARG_BUFFER(node->saved[TEACHER_LSE]),
           ARG_BUFFER(node->saved[TEACHER_SCALE]));
    tensor_free(teacher);
}

static void contrastive_backward(struct tape *tape, const struct node *node)
{
    struct device *dev = tape_device(tape);
    struct tensor *logit_scale = node->saved[SCALE];
    int batch = node->saved[LSE]->dim[1], add_image, add_text, accumulate;
    struct tensor *dimage = tape_grad(tape, node->saved[IMAGE], &add_image);
    struct tensor *dtext = tape_grad(tape, node->saved[TEXT], &add_text);
    struct tensor *scale_parts = tensor_zeros(dev, DTYPE_F32, 1, &batch); /* other ranks' rows stay so */
    struct pair_sides sides = sides_of(node);
    struct pair_blocks block = pair_blocks_begin(&sides, true);
    while (pair_blocks_next(&block)) {
        backward_block(&block, scale_parts, node);
        pair_blocks_backward(&block, dimage, dtext, add_image, add_text);
    }
    struct tensor *dlogit_scale = tape_grad(tape, logit_scale, &accumulate);
    if (dlogit_scale)
        LAUNCH(dev, "contrastive.cl", "contrastive_scale", range_rows(dev, 1), ARG_BUFFER(dlogit_scale),
               ARG_BUFFER(scale_parts), ARG_BUFFER(logit_scale), ARG_INT(batch), ARG_INT(node->integer[RAW]),
               ARG_INT(accumulate));
    tensor_free(scale_parts);
}
static const struct op contrastive_op = {.name = "contrastive", .backward = contrastive_backward};

struct member {
    int photo, pair;
};
static int by_photo(const void *a, const void *b)
{
    const struct member *x = a, *y = b;
    return (x->photo > y->photo) - (x->photo < y->photo);
}

/* For each pair, how many of the batch are of its photo, itself among them. photos [batch] or NULL; caller frees. */
static int *count_rights(const int *photos, int batch)
{
    int *rights = mem_new((size_t)batch, sizeof *rights); // [batch]
    for (int i = 0; i < batch; i++)
        rights[i] = 1;
    if (!photos)
        return rights;
    struct member *members = mem_new((size_t)batch, sizeof *members); // [batch], by photo
    for (int i = 0; i < batch; i++)
        members[i] = (struct member){photos[i], i};
    qsort(members, (size_t)batch, sizeof *members, by_photo);
    for (int first = 0, end; first < batch; first = end) {
        for (end = first + 1; end < batch && members[end].photo == members[first].photo;)
            end++;
        for (int i = first; i < end; i++)
            rights[members[i].pair] = end - first;
    }
    free(members);
    return rights;
}

/* What the kernels take of each pair's rights: 1 / their number, and how many are wrong. Both [batch] */
static void fill_shares(float *shares, float *wrong, const int *photos, int batch)
{
    int *rights = count_rights(photos, batch);
    for (int i = 0; i < batch; i++) {
        shares[i] = 1 / (float)rights[i];
        wrong[i] = (float)(batch - rights[i]);
    }
    free(rights);
}

static void check(struct tensor *image, struct tensor *text, struct tensor *logit_scale, const struct contrastive *how)
{
    EXPECT(image, "contrastive: image", DTYPE_F32, how->slice ? how->slice->count : -1, -1);
    EXPECT(text, "contrastive: text", DTYPE_F32, image->dim[0], image->dim[1]);
    EXPECT(logit_scale, "contrastive: logit scale", DTYPE_F32, 1);
    CHECK(how->smoothing >= 0 && how->smoothing < 1 && how->hardness >= 0 && how->distillation >= 0,
          "contrastive: smoothing %g, hardness %g, distillation %g", (double)how->smoothing, (double)how->hardness,
          (double)how->distillation);
    if (how->distillation == 0)
        return;
    CHECK(how->hardness == 0, "contrastive: weighted negatives have no softmax for a teacher to be compared with");
    EXPECT(how->teacher_image, "contrastive: teacher's image", DTYPE_F32, image->dim[0], -1);
    EXPECT(how->teacher_text, "contrastive: teacher's text", DTYPE_F32, image->dim[0], how->teacher_image->dim[1]);
    EXPECT(how->teacher_scale, "contrastive: teacher's scale", DTYPE_F32, 1);
}

struct tensor *op_contrastive(struct tape *tape, struct tensor *image, struct tensor *text, struct tensor *logit_scale,
                              const struct contrastive *options)
{
    struct contrastive how = options ? *options : (struct contrastive){0};
    check(image, text, logit_scale, &how);
    struct slice whole = slice_whole(image->dim[0]);
    const struct slice *slice = how.slice ? how.slice : &whole;
    int batch = slice->batch;
    float *shares = mem_new(2 * (size_t)batch, sizeof *shares), *wrong = shares + batch; // [batch] each
    fill_shares(shares, wrong, how.photos, batch);
    struct tensor *loss = TAPE_TENSOR(tape, DTYPE_F32, 1), *tilt = TAPE_TENSOR(tape, DTYPE_F32, 2, batch);
    struct node node = {
        .op = &contrastive_op,
        .in = {image, text, logit_scale},
        .out = loss,
        .saved = {[IMAGE] = image,
                  [TEXT] = text,
                  [ALL_IMAGE] = slice_all_rows(tape, slice, image),
                  [ALL_TEXT] = slice_all_rows(tape, slice, text),
                  [SCALE] = logit_scale,
                  [LSE] = TAPE_TENSOR(tape, DTYPE_F32, 3, batch),
                  [TILT] = tilt,
                  [PHOTOS] = pair_photos(tape, how.photos, batch),
                  [SHARES] = tape_upload(tape, DTYPE_F32, 1, &batch, shares)},
        .integer = {[RAW] = how.raw_scale, [FIRST] = slice->first},
        .real = {[HARDNESS] = how.hardness, [SMOOTHING] = how.smoothing, [DISTILLATION] = how.distillation}};
    buffer_zero(tilt->buffer, 0, tensor_bytes(tilt));
    if (how.hardness != 0)
        weigh_negatives(&node, slice, wrong);
    free(shares);
    if (how.distillation != 0) {
        node.saved[TEACHER_IMAGE] = how.teacher_image;
        node.saved[TEACHER_TEXT] = how.teacher_text;
        node.saved[TEACHER_ALL_IMAGE] = slice_all_rows(tape, slice, how.teacher_image);
        node.saved[TEACHER_ALL_TEXT] = slice_all_rows(tape, slice, how.teacher_text);
        node.saved[TEACHER_SCALE] = how.teacher_scale;
        node.saved[TEACHER_LSE] = TAPE_TENSOR(tape, DTYPE_F32, 2, batch);
        read_teacher(&node, slice);
    }
    forward(loss, &node, slice);
    tape_push(tape, node);
    return loss;
}
