// Matrix product for CPU-class devices: one work-item computes a strip of STRIP panels of MR rows by NR columns, with
// an MR x NR tile of C held in registers. Built with -DMR, -DNV (vectors a tile row) and -DSTRIP.
//
// A is read as it is, row by row: MR broadcasts a step. B is packed in panels of NR columns, so that a step reads one
// run of NR numbers: packed[panel][k][NR], zeros beyond n.

#define NR (NV * VEC)
#define ONE_ITEM kernel __attribute__((reqd_work_group_size(1, 1, 1)))

// Rows i to i + MR (those past the last read it again) of A times one panel.
static inline void multiply_tile(vfloat acc[MR][NV], global const float *a, global const float *panel, int i, int m, int k)
{
    global const float *row[MR];
#pragma unroll
    for (int r = 0; r < MR; r++) {
        row[r] = a + (size_t)min(i + r, m - 1) * k;
#pragma unroll
        for (int v = 0; v < NV; v++)
            acc[r][v] = 0;
    }
    for (int p = 0; p < k; p++) {
        vfloat b[NV];
#pragma unroll
        for (int v = 0; v < NV; v++)
            b[v] = XCAT(vload, VEC)(0, panel + (size_t)p * NR + v * VEC);
#pragma unroll
        for (int r = 0; r < MR; r++) {
            vfloat x = row[r][p];
#pragma unroll
            for (int v = 0; v < NV; v++)
                acc[r][v] = fma(x, b[v], acc[r][v]);
        }
    }
}

ONE_ITEM void gemm_tile(global float *c, global const float *a, global const float *packed, global const float *bias,
                        global const float *residual, int m, int n, int k, int accumulate, int activation)
{
    int column = (int)get_group_id(0) * NR, first = (int)get_group_id(1) * STRIP * MR;
    global const float *panel = packed + (size_t)column * k;
    for (int i = first; i < min(m, first + STRIP * MR); i += MR) {
        vfloat acc[MR][NV];
        multiply_tile(acc, a, panel, i, m, k);
#pragma unroll
        for (int r = 0; r < MR; r++) {
#pragma unroll
            for (int v = 0; v < NV; v++) {
                int j = column + v * VEC;
                if (i + r < m && j < n)
                    store_product(c, bias, residual, i + r, j, n, acc[r][v], accumulate, activation);
            }
        }
    }
}

// packed[panel][k][NR] from B as [n, k]: a block of VEC steps is read along k and written across it.
ONE_ITEM void pack_transposed(global float *packed, global const float *b, int n, int k)
{
    int column = (int)get_group_id(0) * NR;
    global float *panel = packed + (size_t)column * k;
    for (int p = 0; p < k; p += VEC) {
        float block[NR][VEC];
        for (int j = 0; j < NR; j++) {
            vfloat x = column + j < n ? vec_load(b + (size_t)(column + j) * k, p, k, 0) : (vfloat)0;
            XCAT(vstore, VEC)(x, 0, block[j]);
        }
        for (int q = 0; q < min(VEC, k - p); q++)
            for (int j = 0; j < NR; j++)
                panel[(size_t)(p + q) * NR + j] = block[j][q];
    }
}

// packed[panel][k][NR] from B as [k, n]: PACK_STEPS steps of all panels a work-item, so that B is read in whole rows.
ONE_ITEM void pack_straight(global float *packed, global const float *b, int n, int k)
{
    int first = (int)get_group_id(0) * PACK_STEPS, last = min(k, first + PACK_STEPS);
    for (int column = 0; column < n; column += NR)
        for (int p = first; p < last; p++)
#pragma unroll
            for (int v = 0; v < NV; v++) {
                int j = column + v * VEC;
                vfloat x = j < n ? vec_load(b + (size_t)p * n, j, n, 0) : (vfloat)0;
                XCAT(vstore, VEC)(x, 0, packed + (size_t)column * k + (size_t)p * NR + v * VEC);
            }
}

// out [columns, rows] from x [rows, columns], a block of VEC x VEC at a time; one work-item a band of VEC columns.
ONE_ITEM void transpose(global float *out, global const float *x, int rows, int columns)
{
    int c = (int)get_group_id(0) * VEC;
    for (int r = 0; r < rows; r += VEC) {
        float block[VEC][VEC];
        for (int i = 0; i < min(VEC, rows - r); i++)
            XCAT(vstore, VEC)(vec_load(x + (size_t)(r + i) * columns, c, columns, 0), 0, block[i]);
        for (int j = 0; j < min(VEC, columns - c); j++) {
            float line[VEC];
            for (int i = 0; i < VEC; i++)
                line[i] = block[i][j];
            vec_store(out + (size_t)(c + j) * rows, r, rows, XCAT(vload, VEC)(0, line));
        }
    }
}
