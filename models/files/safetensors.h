/* Weights in .safetensors files (specification: github.com/huggingface/safetensors, "Format").
 *
 *     struct safetensors *file;
 *     if (safetensors_open_folder(&file, "model", &err) != 0) return -1;
 *     const struct stored_tensor *bias = safetensors_find(file, "ln_final.bias");   // NULL when there is none
 *     if (bias && safetensors_to_float(values, bias, &err) != 0) ...                // values: [bias->count]
 *     safetensors_close(file);                                                      // tensors die with it
 *
 * The file is mapped, never copied. Nothing in it is trusted: a header that lies is refused with EXIT_BAD_DATA.
 */
#ifndef OCLIP_SAFETENSORS_H
#define OCLIP_SAFETENSORS_H

#include "runtime/util/error.h"

#include <jansson.h>

enum { STORED_MAX_DIMENSIONS = 8 };

enum stored_dtype {
    STORED_F32,
    STORED_F16,
    STORED_BF16,
    /* These may stand in a file, but nothing here reads their numbers. */
    STORED_F64,
    STORED_F8_E4M3,
    STORED_F8_E5M2,
    STORED_I64,
    STORED_I32,
    STORED_I16,
    STORED_I8,
    STORED_U64,
    STORED_U32,
    STORED_U16,
    STORED_U8,
    STORED_BOOL,
    STORED_UNKNOWN, /* a name this list lacks; its size could not be checked */
};

struct stored_tensor {
    const char *name;
    enum stored_dtype dtype;
    int ndim;
    long shape[STORED_MAX_DIMENSIONS]; // [ndim], outermost first
    long count;                        /* product of shape */
    const void *data;                  /* [count] of dtype, little-endian; in a file perhaps not aligned */
    const char *file;                  /* the path it was read from; unused when writing */
};

struct safetensors;

int safetensors_open(struct safetensors **file, const char *path, struct error *err) MUST_CHECK;

/* Opens model.safetensors (or open_clip_model.safetensors) of a model folder. Where only a PyTorch pickle stands, the
 * error says how to convert it. */
int safetensors_open_folder(struct safetensors **file, const char *folder, struct error *err) MUST_CHECK;

void safetensors_close(struct safetensors *file);

int safetensors_count(const struct safetensors *file);
const struct stored_tensor *safetensors_at(const struct safetensors *file, int index); /* sorted by name, bytewise */
const struct stored_tensor *safetensors_find(const struct safetensors *file, const char *name);

/* Converts F32, F16 and BF16 exactly; any other dtype is an error. */
int safetensors_to_float(float *out, const struct stored_tensor *tensor, struct error *err) MUST_CHECK;

/* Writes STORED_F32 tensors with distinct names, the same bytes as Python's safetensors.torch.save_file writes.
 * `metadata`: an object of texts that joins {"format": "pt"}, or NULL. */
int safetensors_write(const char *path, const struct stored_tensor *tensors, int count, json_t *metadata,
                      struct error *err) MUST_CHECK;

#endif
