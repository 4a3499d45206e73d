#include "runtime/launch.h"
#include "runtime/ops/ops.h"

/* A row for each of `tokens` of each picture. */
static struct launch_range range_tokens(const struct device *dev, int tokens, int batch)
{
    return (struct launch_range){{(size_t)tokens, (size_t)batch, 1}, (size_t)device_group_size(dev)};
}

static void image_tokens_backward(struct tape *tape, const struct node *node)
{
    struct device *dev = tape_device(tape);
    const struct tensor *dy = node->out->grad;
    int tokens = node->in[2]->dim[0], width = tensor_width(dy), batch = tensor_rows(dy) / tokens;
    int first = node->in[1] != NULL;
    int accumulate = 0, accumulate_class = 0, accumulate_position = 0;

    struct tensor *dpatches = tape_grad(tape, node->in[0], &accumulate);
    if (dpatches)
        LAUNCH_AS(dy, "image_tokens.cl", "image_tokens_patches", range_tokens(dev, tokens - first, batch),
                  ARG_BUFFER(dpatches), ARG_BUFFER(dy), ARG_INT(tokens), ARG_INT(width), ARG_INT(first),
                  ARG_INT(accumulate));

    struct tensor *dclass_token = tape_grad(tape, node->in[1], &accumulate_class);
    struct tensor *dposition = tape_grad(tape, node->in[2], &accumulate_position);
    if (dclass_token || dposition)
        LAUNCH_AS(dy, "image_tokens.cl", "image_tokens_sums", range_tokens(dev, dposition ? tokens : 1, 1),
                  ARG_BUFFER(dclass_token), ARG_BUFFER(dposition), ARG_BUFFER(dy), ARG_INT(batch), ARG_INT(tokens),
                  ARG_INT(width), ARG_INT(accumulate_class), ARG_INT(accumulate_position));
}
static const struct op image_tokens_op = {.name = "image_tokens", .backward = image_tokens_backward};

struct tensor *op_image_tokens(struct tape *tape, struct tensor *patches, struct tensor *class_token,
                               struct tensor *position)
{
    EXPECT(position, "image_tokens: position", DTYPE_F32, -1, -1);
    int tokens = position->dim[0], width = position->dim[1], first = class_token != NULL;
    if (class_token)
        EXPECT(class_token, "image_tokens: class token", DTYPE_F32, width);
    EXPECT_REAL(patches, "image_tokens: patches", -1, width);
    CHECK(tokens > first && patches->dim[0] % (tokens - first) == 0, "image_tokens: patches %s for positions %s",
          tensor_shape(patches).text, tensor_shape(position).text);

    struct device *dev = tape_device(tape);
    int batch = patches->dim[0] / (tokens - first);
    struct tensor *y = TAPE_TENSOR(tape, patches->dtype, batch * tokens, width);
    LAUNCH_AS(patches, "image_tokens.cl", "image_tokens_forward", range_tokens(dev, tokens, batch), ARG_BUFFER(y),
              ARG_BUFFER(patches), ARG_BUFFER(class_token), ARG_BUFFER(position), ARG_INT(tokens), ARG_INT(width),
              ARG_INT(first));
    tape_push(tape, (struct node){.op = &image_tokens_op, .in = {patches, class_token, position}, .out = y});
    return y;
}
