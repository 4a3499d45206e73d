// Matrix product in 16-bit integers for CPU-class devices, which multiply and add twice as many of them an instruction as
// of floats. Rows are cut into blocks of BLOCK pairs of numbers, each with a scale of its own: numbers stay within MOST, and
// the Euclidean length of a block, rounding included, within LENGTH, so that by Cauchy and Schwarz no sum of products of
// two blocks, or of a part of them, leaves 32 bits. What is lost is the rounding of both sides, 1e-4 of a typical product
// each; sums are exact within blocks, and floats beyond. Smaller blocks are more exact, and slower.
//
// A step of k is a pair of numbers, which one int holds: those of A lie row by row, [m][pairs], those of B as gemm_tile.cl's
// panels do, [panel][pairs][NR]. Behind them stand the scales, as floats: [m][blocks] and [panel][blocks][NR]. Built with
// -DMR and -DNV as gemm_tile.cl, and -DBLOCK.

#define NR (NV * VEC)
#define ONE_ITEM kernel __attribute__((reqd_work_group_size(1, 1, 1)))
#define BLOCKS(pairs) (((pairs) + BLOCK - 1) / BLOCK)
#define MOST 32767.0f
#define LENGTH 46340.0f // its square is below 2^31

// A float of this size has no digits behind the point, and the integer that was added in its lowest 16 bits.
#define NEAREST 12582912.0f // 1.5 * 2^23

// Numbers `from` to `end` of a row x [k], scaled, into the same places of `to`; zeros past the row's end. Returns what they
// are to be multiplied with again: not a number where one of them is not finite.
static inline float quantise_block(global short *to, global const float *x, int from, int end, int k)
{
    vfloat largest = 0, squares = 0;
    for (int i = from; i < end; i += VEC) {
        vfloat part = vec_load(x, i, k, 0), size = fabs(part);
        largest = size > largest ? size : largest;
        squares += part * part;
    }
    float length = sqrt(vec_sum(squares)), longest = LENGTH - 0.5f * sqrt(2.0f * BLOCK) - 1;
    float scale = length > 0 ? fmin(longest / length, MOST / vec_max(largest)) : 1;
    for (int i = from; i < end; i += VEC) {
        vfloat rounded = vec_load(x, i, k, 0) * scale + NEAREST;
        XCAT(short, VEC) part = XCAT(convert_short, VEC)(XCAT(as_int, VEC)(rounded));
        if (i + VEC <= end) {
            XCAT(vstore, VEC)(part, 0, to + i);
            continue;
        }
        short numbers[VEC];
        XCAT(vstore, VEC)(part, 0, numbers);
        for (int j = 0; i + j < end; j++)
            to[i + j] = numbers[j];
    }
    return isfinite(length) ? 1 / scale : NAN;
}

// rows [height][pairs] and their scales, of x [height, k]
ROW_KERNEL void quantise_rows(global int *rows, global const float *x, int height, int k, int pairs)
{
    int row = (int)get_group_id(0);
    global short *to = (global short *)(rows + (size_t)row * pairs);
    global float *scales = (global float *)(rows + (size_t)height * pairs) + row * BLOCKS(pairs);
    for (int from = 0; from < pairs; from += BLOCK)
        *scales++ = quantise_block(to, x + (size_t)row * k, 2 * from, 2 * min(pairs, from + BLOCK), k);
}

// This work-item's panel of packed[panel][width][NR], from rows [n][width]; zeros beyond n.
static inline void pack_panel(global int *packed, global const int *rows, int n, int width)
{
    int column = (int)get_group_id(0) * NR;
    packed += (size_t)column * width;
    for (int p = 0; p < width; p++)
        for (int j = 0; j < NR; j++)
            *packed++ = column + j < n ? rows[(size_t)(column + j) * width + p] : 0;
}

// What quantise_rows made of n rows, the scales too, in panels, one a work-item.
ONE_ITEM void pack_rows(global int *restrict packed, global const int *restrict rows, int n, int pairs)
{
    pack_panel(packed, rows, n, pairs);
    pack_panel(packed + (size_t)get_num_groups(0) * NR * pairs, rows + (size_t)n * pairs, n, BLOCKS(pairs));
}

// sums plus the products of both numbers of each pair
typedef short shorts __attribute__((vector_size(4 * VEC)));
static inline vint add_products(vint sums, vint a, vint b)
{
#if VEC == 16 && defined(__AVX512VNNI__) && __has_builtin(__builtin_ia32_vpdpwssd512)
    return __builtin_astype(__builtin_ia32_vpdpwssd512(sums, a, b), vint);
#elif VEC == 8 && defined(__AVX2__) && __has_builtin(__builtin_ia32_pmaddwd256)
    shorts left = __builtin_astype(a, shorts), right = __builtin_astype(b, shorts);
    return sums + __builtin_astype(__builtin_ia32_pmaddwd256(left, right), vint);
#else
#error "the compiler has no name for an instruction that does this, or the processor none"
#endif
}

// Adds the products of MR rows, from row i on (those past the last read it again), and one panel: a block's pairs.
static inline void multiply_block(vint acc[MR][NV], global const int *a, global const int *panel, int i, int m, int pairs,
                                  int from, int to)
{
    global const int *row[MR];
#pragma unroll
    for (int r = 0; r < MR; r++)
        row[r] = a + (size_t)min(i + r, m - 1) * pairs;
    for (int p = from; p < to; p++) {
        vint b[NV];
#pragma unroll
        for (int v = 0; v < NV; v++)
            b[v] = XCAT(vload, VEC)(0, panel + (size_t)p * NR + v * VEC);
#pragma unroll
        for (int r = 0; r < MR; r++) {
            vint x = row[r][p];
#pragma unroll
            for (int v = 0; v < NV; v++)
                acc[r][v] = add_products(acc[r][v], x, b[v]);
        }
    }
}

// sums [MR][NV] of all blocks
static inline void multiply_tile(vfloat sums[MR][NV], global const int *a, global const int *panel,
                                 global const float *row_scales, global const float *column_scales, int i, int m, int pairs)
{
    for (int block = 0; block < BLOCKS(pairs); block++) {
        vint acc[MR][NV];
#pragma unroll
        for (int r = 0; r < MR; r++)
#pragma unroll
            for (int v = 0; v < NV; v++)
                acc[r][v] = 0;
        multiply_block(acc, a, panel, i, m, pairs, block * BLOCK, min(pairs, (block + 1) * BLOCK));
#pragma unroll
        for (int r = 0; r < MR; r++) {
            vfloat scale = row_scales[min(i + r, m - 1) * BLOCKS(pairs) + block];
#pragma unroll
            for (int v = 0; v < NV; v++)
                sums[r][v] += XCAT(convert_float, VEC)(acc[r][v]) *
                              (scale * XCAT(vload, VEC)(0, column_scales + block * NR + v * VEC));
        }
    }
}

// A strip of rows of one panel a work-item.
ONE_ITEM void gemm_int16(global float *c, global const int *a, global const int *packed, global const float *bias,
                         global const float *residual, int m, int n, int pairs, int strip, int accumulate, int activation)
{
    int column = (int)get_group_id(0) * NR, first = (int)get_group_id(1) * strip;
    size_t columns = get_num_groups(0) * NR;
    global const float *row_scales = (global const float *)(a + (size_t)m * pairs);
    global const float *column_scales = (global const float *)(packed + columns * pairs) + (size_t)column * BLOCKS(pairs);
    for (int i = first; i < min(m, first + strip); i += MR) {
        vfloat sums[MR][NV];
#pragma unroll
        for (int r = 0; r < MR; r++)
#pragma unroll
            for (int v = 0; v < NV; v++)
                sums[r][v] = 0;
        multiply_tile(sums, a, packed + (size_t)column * pairs, row_scales, column_scales, i, m, pairs);
#pragma unroll
        for (int r = 0; r < MR; r++)
#pragma unroll
            for (int v = 0; v < NV; v++)
                if (i + r < m && column + v * VEC < n)
                    store_product(c, bias, residual, i + r, column + v * VEC, n, sums[r][v], accumulate, activation);
    }
}
