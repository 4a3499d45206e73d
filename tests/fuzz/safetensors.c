/* Weight files, one or sharded: headers, the index, and numbers as floats. */
#include "tests/fuzz/target.h"

#include "models/files/safetensors.h"

#include <stdlib.h>

static void read_tensor(const struct stored_tensor *tensor)
{
    struct error err;
    CHECK(tensor->ndim >= 0 && tensor->ndim <= STORED_MAX_DIMENSIONS && tensor->count >= 0, "a shape of nothing");
    if (tensor->dtype > STORED_BF16)
        return;
    float *values = malloc((size_t)tensor->count * sizeof *values); /* as long as told, so that one more is seen */
    CHECK(values || tensor->count == 0, "%ld numbers are more than the file holds", tensor->count);
    CHECK(safetensors_to_float(values, tensor, &err) == 0, "%s", err.text);
    free(values);
}

/* Takes every second tensor; the others must be left, in order. */
static void read_file(struct safetensors *file)
{
    int count = safetensors_count(file), at = 0;
    for (int i = 0; i < count; i++) {
        const struct stored_tensor *tensor = safetensors_at(file, i);
        read_tensor(tensor);
        safetensors_release(tensor);
        CHECK((i % 2 ? safetensors_take(file, tensor->name) : safetensors_find(file, tensor->name)) == tensor,
              "%s is not found", tensor->name);
    }
    for (int i = 0; i < count; i += 2)
        CHECK(safetensors_next_left(file, &at) == safetensors_at(file, i), "tensor %d is not left", i);
    CHECK(!safetensors_next_left(file, &at), "more is left");
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static const char *const names[] = {"model.safetensors",
                                        "open_clip_model.safetensors",
                                        "model.safetensors.index.json",
                                        "model-00001-of-00002.safetensors",
                                        "model-00002-of-00002.safetensors",
                                        NULL};
    char *folder = target_folder(bytes, size, names);
    struct safetensors *file;
    struct error err;
    if (safetensors_open_folder(&file, folder, &err) == 0) {
        read_file(file);
        safetensors_close(file);
    }
    scratch_free(folder);
    return 0;
}
