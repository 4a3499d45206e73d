/* The dtypes that tensors have in files, as .safetensors names them, and conversions from and to float.
 *
 *     enum stored_dtype dtype = stored_dtype_of("BF16");
 *     if (stored_dtypes[dtype].to_float)
 *         stored_dtypes[dtype].to_float(numbers, bytes, count);      // numbers: [count], bytes: [count * size]
 */
#ifndef OCLIP_STORED_DTYPE_H
#define OCLIP_STORED_DTYPE_H

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

struct stored_dtype_row {
    const char *name;
    long size; /* bytes an element */
    /* Little-endian bytes that may lie anywhere. To float is exact; from float rounds to the nearest, ties to even, and
     * what is too large becomes infinite. NULL where numbers are not read. */
    void (*to_float)(float *out, const unsigned char *data, long count);
    void (*from_float)(unsigned char *out, const float *numbers, long count);
};
extern const struct stored_dtype_row stored_dtypes[STORED_UNKNOWN + 1];

enum stored_dtype stored_dtype_of(const char *name);

#endif
