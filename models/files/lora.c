#include "models/files/lora.h"

#include "models/files/layout.h"
#include "runtime/util/file.h"
#include "runtime/util/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How peft names what belongs to a module: LORA_PREFIX, module, part. */
static const char part_a[] = ".lora_A.weight", part_b[] = ".lora_B.weight";

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

static void add(struct tensor_list *list, const char *module, const char *part, long rows, long columns,
                const float *numbers /* [rows, columns] */)
{
    char name[320];
    snprintf(name, sizeof name, LORA_PREFIX "%s%s", module, part);
    tensor_list_add_copy(list, &(struct stored_tensor){.name = name,
                                                       .dtype = STORED_F32,
                                                       .ndim = 2,
                                                       .shape = {rows, columns},
                                                       .count = rows * columns,
                                                       .data = numbers});
}

void lora_collect(struct tensor_list *list, const struct arena *arena, const struct param *weight, const char *theirs,
                  int part, int parts)
{
    const struct param *lora_a = sibling(arena, weight, "lora_a");
    if (!lora_a || strcmp(strrchr(weight->name, '.'), ".weight") != 0)
        return;
    const struct param *lora_b = sibling(arena, weight, "lora_b");
    int rank = lora_a->tensor->dim[0], in = lora_a->tensor->dim[1], out = lora_b->tensor->dim[0] / parts;
    char module[256];
    snprintf(module, sizeof module, "%.*s", (int)(strlen(theirs) - strlen(".weight")), theirs);
    float *a = download(arena, lora_a), *b = download(arena, lora_b); // [rank, in], [parts * out, rank]
    add(list, module, part_a, rank, in, a);
    add(list, module, part_b, out, rank, b + (size_t)part * (size_t)out * (size_t)rank);
    free(b);
    free(a);
}

/* Of all updates in the list. */
static json_t *list_modules(const struct tensor_list *list)
{
    json_t *modules = json_array();
    for (int i = 0; i < list->count; i++) {
        const char *name = list->items[i].name + strlen(LORA_PREFIX), *end = strstr(name, part_a);
        if (end)
            json_array_append_new(modules, json_stringn(name, (size_t)(end - name)));
    }
    return modules;
}

int lora_write(const char *folder, const struct tensor_list *list, const struct lora *lora, const char *base,
               json_t *saved, struct error *err)
{
    json_t *config = json_pack("{s:s, s:s?, s:n, s:i, s:f, s:f, s:s, s:b, s:b, s:o, s:o}", "peft_type", "LORA",
                               "base_model_name_or_path", base, "task_type", "r", lora->rank, "lora_alpha",
                               (double)lora->alpha, "lora_dropout", 0.0, "bias", "none", "fan_in_fan_out", 0,
                               "inference_mode", 1, "target_modules", list_modules(list), "modules_to_save", saved);
    CHECK(config, "cannot make adapter_config.json");
    char *path = path_join(folder, "adapter_config.json"), *weights = path_join(folder, "adapter_model.safetensors");
    int result = file_make_folders(folder, err);
    if (result == 0)
        result = json_write(config, path, err);
    if (result == 0)
        result = safetensors_write(weights, list->items, list->count, NULL, err);
    free(weights);
    free(path);
    json_decref(config);
    return result;
}
