#include "models/towers/module.h"

#include <math.h>
#include <string.h>

struct linear linear_declare(struct arena *arena, int place, int in, int out, bool bias, struct param_init init,
                             const char *name)
{
    /* PyTorch draws biases like the weights when those are uniform; transformers' normal ones start at zero. */
    struct param_init bias_init = init.uniform ? init : init_constant(0);
    return (struct linear){
        .weight = arena_add(arena, place, init, 2, (int[]){out, in}, "%s.weight", name),
        .bias = bias ? arena_add(arena, place, bias_init, 1, (int[]){out}, "%s.bias", name) : NULL,
    };
}

const char *const lora_targets[LORA_TARGETS] = {
    [LORA_QKV] = "qkv", [LORA_OUT] = "out", [LORA_FC1] = "fc1", [LORA_FC2] = "fc2"};

void linear_declare_lora(struct linear *linear, struct arena *arena, int place, const struct lora *lora,
                         const char *name)
{
    int out = linear->weight->dim[0], in = linear->weight->dim[1], rank = lora->rank;
    const struct param_init init = init_uniform(1 / sqrtf((float)in)), scale = init_state(lora->alpha / (float)rank);
    linear->lora_a = arena_add(arena, place, init, 2, (int[]){rank, in}, "%s.lora_a", name);
    linear->lora_b = arena_add(arena, place, init_constant(0), 2, (int[]){out, rank}, "%s.lora_b", name);
    linear->lora_scale = arena_add(arena, place, scale, 1, &out, "%s.lora_scale", name);
}

struct tensor *linear_forward(struct tape *tape, const struct linear *linear, struct tensor *x,
                              enum activation activation)
{
    if (!linear->lora_a)
        return op_linear(tape, x, linear->weight, linear->bias, activation);
    struct tensor *y = op_linear(tape, x, linear->weight, linear->bias, ACTIVATION_NONE);
    struct tensor *update = op_linear(tape, x, linear->lora_a, NULL, ACTIVATION_NONE);
    update = op_linear(tape, update, linear->lora_b, NULL, ACTIVATION_NONE);
    return op_activation(tape, op_residual(tape, y, update, linear->lora_scale), activation);
}

struct norm norm_declare(struct arena *arena, int place, int width, float eps, const char *name)
{
    return (struct norm){
        .weight = arena_add(arena, place, init_constant(1), 1, (int[]){width}, "%s.weight", name),
        .bias = arena_add(arena, place, init_constant(0), 1, (int[]){width}, "%s.bias", name),
        .eps = eps,
    };
}

struct tensor *norm_forward(struct tape *tape, const struct norm *norm, struct tensor *x)
{
    return op_layernorm(tape, x, norm->weight, norm->bias, norm->eps);
}

/* Hugging Face's spelling before others. */
static const struct {
    const char *name;
    enum activation activation;
} activation_names[] = {{"gelu", ACTIVATION_GELU},
                        {"quick_gelu", ACTIVATION_QUICK_GELU},
                        {"gelu_pytorch_tanh", ACTIVATION_GELU_TANH},
                        {"gelu_new", ACTIVATION_GELU_TANH},
                        {"gelu_tanh", ACTIVATION_GELU_TANH},
                        {"relu", ACTIVATION_RELU}};
enum { ACTIVATION_NAMES = sizeof activation_names / sizeof *activation_names };

int activation_of_name(enum activation *activation, const char *name, struct error *err)
{
    for (size_t i = 0; i < ACTIVATION_NAMES; i++) {
        if (strcmp(activation_names[i].name, name) == 0) {
            *activation = activation_names[i].activation;
            return 0;
        }
    }
    return error_set(err, EXIT_BAD_DATA,
                     "activation \"%s\" is not one oclip knows (gelu, quick_gelu, gelu_pytorch_tanh, relu)", name);
}

const char *activation_name(enum activation activation)
{
    size_t i = 0;
    while (i < ACTIVATION_NAMES && activation_names[i].activation != activation)
        i++;
    CHECK(i < ACTIVATION_NAMES, "activation %d has no name", (int)activation);
    return activation_names[i].name;
}
