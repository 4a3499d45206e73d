#include "models/towers/head.h"

#include <math.h>
#include <stdio.h>

const char *const head_names[HEAD_KINDS] = {[HEAD_MLP] = "mlp", [HEAD_LINEAR] = "linear", [HEAD_NONE] = "none"};

/* torch.nn.Linear's own start: uniform within 1 / sqrt(in). Heads take differences of features that are much alike. */
static struct linear declare_linear(struct arena *arena, int in, int out, bool bias, const char *prefix,
                                    const char *part)
{
    char name[128];
    snprintf(name, sizeof name, "%s.%s", prefix, part);
    struct linear linear = linear_declare(arena, GROUP_HEAD, in, out, bias, init_uniform(1 / sqrtf((float)in)), name);
    linear.weight->exact = true;
    return linear;
}

void head_declare(struct head *head, struct arena *arena, enum head_kind kind, int in, int out, float dropout,
                  const char *prefix)
{
    *head = (struct head){.kind = kind, .dropout = dropout, .in = in, .out = out};
    if (kind == HEAD_NONE) {
        CHECK(in == out, "%s: features of %d numbers are no embedding of %d", prefix, in, out);
        return;
    }
    head->fc1 = declare_linear(arena, in, out, kind == HEAD_MLP, prefix, "fc1");
    if (kind == HEAD_LINEAR)
        return;
    char name[128];
    snprintf(name, sizeof name, "%s.norm", prefix);
    head->fc2 = declare_linear(arena, out, out, true, prefix, "fc2");
    head->norm = norm_declare(arena, GROUP_HEAD, out, 1e-5f, name);
}

struct tensor *head_forward(struct tape *tape, const struct head *head, struct tensor *x)
{
    if (head->kind == HEAD_NONE)
        return x;
    struct tensor *y = linear_forward(tape, &head->fc1, x, ACTIVATION_NONE);
    if (head->kind == HEAD_LINEAR)
        return y;
    struct tensor *h = op_activation(tape, y, ACTIVATION_GELU);
    h = op_dropout(tape, linear_forward(tape, &head->fc2, h, ACTIVATION_NONE), head->dropout);
    return norm_forward(tape, &head->norm, op_residual(tape, y, h, NULL));
}
