/* NumPy's .npy files, float32, C order (format: numpy.lib.format, version 1.0).
 *
 *     npy_write("x.npy", rows, 2, (long[]){n, d}, &err);
 *     struct npy x;  npy_read(&x, "x.npy", &err);  ... x.data // [x.shape[0], x.shape[1]] ...  npy_free(&x);
 */
#ifndef OCLIP_NPY_H
#define OCLIP_NPY_H

#include "runtime/util/error.h"

struct npy {
    float *data;  // product of shape
    int ndim;     /* 0 to 4 */
    long shape[4];
};

int npy_write(const char *path, const float *data, int ndim, const long *shape, struct error *err) MUST_CHECK;
int npy_read(struct npy *array, const char *path, struct error *err) MUST_CHECK; /* <f4, C order only; all bounds checked */
void npy_free(struct npy *array);

#endif
