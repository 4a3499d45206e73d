/* Weights in .safetensors files (specification: github.com/huggingface/safetensors, "Format").
 *
 *     struct safetensors *file;
 *     if (safetensors_open_folder(&file, "model", &err) != 0) return -1;
 *     const struct stored_tensor *bias = safetensors_find(file, "ln_final.bias");   // NULL when there is none
 *     if (bias && safetensors_to_float(values, bias, &err) != 0) ...                // values: [bias->count]
 *     safetensors_close(file);                                                      // tensors die with it
 *
 * The file is mapped, never copied. Nothing in it is trusted: a header that lies is refused with EXIT_BAD_DATA. A model
 * in several files (shards) with a model.safetensors.index.json opens as one.
 */
#ifndef OCLIP_SAFETENSORS_H
#define OCLIP_SAFETENSORS_H

#include "models/files/stored_dtype.h"
#include "runtime/util/error.h"

#include <jansson.h>

enum { STORED_MAX_DIMENSIONS = 8 };

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

/* Several files as one; no tensor may be in two of them.  paths [count] */
int safetensors_open_shards(struct safetensors **file, const char *const *paths, int count,
                            struct error *err) MUST_CHECK;

/* Opens what a model folder has: model.safetensors, the shards of model.safetensors.index.json, or
 * open_clip_model.safetensors. Where only a PyTorch pickle stands, the error says how to convert it. */
int safetensors_open_folder(struct safetensors **file, const char *folder, struct error *err) MUST_CHECK;

/* That error, for a pickle of which the folder should hold what it is converted to; returns -1. */
int safetensors_refuse_pickle(const char *pickle, const char *folder, struct error *err);

void safetensors_close(struct safetensors *file);

int safetensors_count(const struct safetensors *file);
const struct stored_tensor *safetensors_at(const struct safetensors *file, int index); /* sorted by name, bytewise */
const struct stored_tensor *safetensors_find(const struct safetensors *file, const char *name);

/* Finds a tensor and notes that it is used; the first in the file that nobody took, or NULL. */
const struct stored_tensor *safetensors_take(struct safetensors *file, const char *name);
const struct stored_tensor *safetensors_next_left(const struct safetensors *file, int *index); /* from *index on */

/* The numbers have been read: their pages need not stay in memory. They come back when they are read again. */
void safetensors_release(const struct stored_tensor *tensor);

/* Converts F32, F16 and BF16 exactly; any other dtype is an error. */
int safetensors_to_float(float *out, const struct stored_tensor *tensor, struct error *err) MUST_CHECK;

/* Writes tensors with distinct names, the same bytes as Python's safetensors.torch.save_file writes.
 * `metadata`: an object of texts that joins {"format": "pt"}, or NULL. */
int safetensors_write(const char *path, const struct stored_tensor *tensors, int count, json_t *metadata,
                      struct error *err) MUST_CHECK;

#endif
