#include "models/files/lora.h"

#include "models/files/layout.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The parameter of the same matrix, "image.0.qkv.lora_a" for "image.0.qkv.weight"; NULL where there is none. */
static const struct param *sibling(const struct arena *arena, const struct param *param, const char *part)
{
    char name[256];
    const char *dot = strrchr(param->name, '.');
    if (!dot)
        return NULL;
    snprintf(name, sizeof name, "%.*s.%s", (int)(dot - param->name), param->name, part);
    return arena_find(arena, name);
}

static float *download(const struct arena *arena, const struct param *param)
{
    float *numbers = mem_new(tensor_count(param->tensor), sizeof *numbers);
    arena_download(numbers, arena, param);
    return numbers;
}

void lora_merge(float *weight, const struct arena *arena, const struct param *param)
{
    const char *dot = strrchr(param->name, '.');
    const struct param *lora_a = sibling(arena, param, "lora_a");
    if (!lora_a || strcmp(dot, ".weight") != 0)
        return;
    int out = param->tensor->dim[0], in = param->tensor->dim[1], rank = lora_a->tensor->dim[0];
    float *a = download(arena, lora_a);                          // [rank, in]
    float *b = download(arena, sibling(arena, param, "lora_b")); // [out, rank]
    float *scale = download(arena, sibling(arena, param, "lora_scale"));
    double *row = mem_new((size_t)in, sizeof *row); // [in]
    for (int i = 0; i < out; i++, weight += in) {
        memset(row, 0, (size_t)in * sizeof *row);
        for (int r = 0; r < rank; r++)
            for (int j = 0; j < in; j++)
                row[j] += (double)b[i * rank + r] * (double)a[r * in + j];
        for (int j = 0; j < in; j++)
            weight[j] = (float)((double)weight[j] + (double)scale[i] * row[j]);
    }
    free(row);
    free(scale);
    free(b);
    free(a);
}

static void collect(struct tensor_list *list, const struct arena *arena, const struct param *param, const char *part)
{
    char name[320];
    snprintf(name, sizeof name, "base_model.model.%.*s.%s.weight", (int)(strrchr(param->name, '.') - param->name),
             param->name, part);
    const struct tensor *tensor = param->tensor;
    float *numbers = download(arena, param);
    tensor_list_add_copy(list, &(struct stored_tensor){.name = name,
                                                       .dtype = STORED_F32,
                                                       .ndim = 2,
                                                       .shape = {tensor->dim[0], tensor->dim[1]},
                                                       .count = (long)tensor_count(tensor),
                                                       .data = numbers});
    free(numbers);
}

/* Of the whole arena: rank and alpha are the same everywhere. */
static json_t *describe(const struct arena *arena, const struct param *lora_a)
{
    char rank_text[32], alpha_text[32];
    int rank = lora_a->tensor->dim[0];
    float *scale = download(arena, sibling(arena, lora_a, "lora_scale"));
    snprintf(rank_text, sizeof rank_text, "%d", rank);
    snprintf(alpha_text, sizeof alpha_text, "%g", (double)scale[0] * rank);
    free(scale);
    return json_pack("{s:s, s:s}", "r", rank_text, "lora_alpha", alpha_text);
}

int lora_write(const char *path, const struct arena *arena, struct error *err)
{
    struct tensor_list list = {0};
    json_t *metadata = NULL;
    for (int i = 0; i < arena->count; i++) {
        const struct param *param = &arena->params[i];
        const char *part = strrchr(param->name, '.');
        if (!part || strcmp(part, ".lora_a") != 0)
            continue;
        collect(&list, arena, param, "lora_A");
        collect(&list, arena, sibling(arena, param, "lora_b"), "lora_B");
        if (!metadata)
            metadata = describe(arena, param);
    }
    int result = device_finish(arena->dev, err); /* numbers of a failed device are never written */
    if (result == 0 && list.count > 0)
        result = safetensors_write(path, list.items, list.count, metadata, err);
    json_decref(metadata);
    tensor_list_free(&list);
    return result;
}
