// Matrix product for CPU-class devices: one work-item computes a strip of NR columns by `strip` rows, with an MR x NR
// tile of C held in registers. Built with -DMR and -DNV (vectors a tile row).
//
// B is packed in panels of NR columns, so that a step reads one run of NR numbers: packed[panel][k][NR], zeros beyond n.
// A is read as it is, row by row: MR broadcasts a step. A transposed one (-DA_PACKED=1) would be a page a step, so it
// is packed in panels of MR columns first: [panel][k][MR]. Panels and A are float; with DTYPE that is what C is stored as
// and, where something is packed, what it is packed from.

#define NR (NV * VEC)
#define ONE_ITEM kernel __attribute__((reqd_work_group_size(1, 1, 1)))

// Adds rows i to i + MR (those past the last read it again, or zeros) of A times one panel, steps `from` to `to` of k.
static inline void multiply_tile(vfloat acc[MR][NV], global const float *a, global const float *panel, int i, int m, int k,
                                 int from, int to)
{
    global const float *row[MR];
#pragma unroll
    for (int r = 0; r < MR; r++)
        row[r] = A_PACKED ? a + (size_t)i * k + r : a + (size_t)min(i + r, m - 1) * k;
    for (int p = from; p < to; p++) {
        vfloat b[NV];
#pragma unroll
        for (int v = 0; v < NV; v++)
            b[v] = XCAT(vload, VEC)(0, panel + (size_t)p * NR + v * VEC);
#pragma unroll
        for (int r = 0; r < MR; r++) {
            vfloat x = row[r][A_PACKED ? (size_t)p * MR : p];
#pragma unroll
            for (int v = 0; v < NV; v++)
                acc[r][v] = fma(x, b[v], acc[r][v]);
        }
    }
}

ONE_ITEM void gemm_tile(global number *c, global const float *a, global const float *packed, global const float *bias,
                        global const number *residual, int m, int n, int k, int strip, int block, int accumulate,
                        int activation)
{
    int column = (int)get_group_id(0) * NR, first = (int)get_group_id(1) * strip;
    global const float *panel = packed + (size_t)column * k;
    for (int from = 0; from < k; from += block) { // what the steps before have come to lies in c
        int to = min(k, from + block);
        for (int i = first; i < min(m, first + strip); i += MR) {
            vfloat acc[MR][NV];
#pragma unroll
            for (int r = 0; r < MR; r++)
#pragma unroll
                for (int v = 0; v < NV; v++)
                    acc[r][v] = from > 0 && i + r < m && column + v * VEC < n
                                    ? num_load(c + (size_t)(i + r) * n, column + v * VEC, n, 0)
                                    : (vfloat)0;
            multiply_tile(acc, a, panel, i, m, k, from, to);
#pragma unroll
            for (int r = 0; r < MR; r++) {
#pragma unroll
                for (int v = 0; v < NV; v++) {
                    int j = column + v * VEC;
                    if (i + r >= m || j >= n)
                        continue;
                    if (to < k)
                        num_store(c + (size_t)(i + r) * n, j, n, acc[r][v]);
                    else
                        store_product(c, bias, residual, i + r, j, n, acc[r][v], accumulate, activation);
                }
            }
        }
    }
}

// A square block in registers: each round interleaves its upper and its lower half, which moves one bit of the row's
// number into the column's.
static inline void transpose(vfloat block[VEC])
{
#pragma unroll
    for (int round = 1; round < VEC; round *= 2) {
        vfloat mixed[VEC];
#pragma unroll
        for (int i = 0; i < VEC / 2; i++) {
            mixed[2 * i].even = block[i].lo;
            mixed[2 * i].odd = block[i + VEC / 2].lo;
            mixed[2 * i + 1].even = block[i].hi;
            mixed[2 * i + 1].odd = block[i + VEC / 2].hi;
        }
#pragma unroll
        for (int i = 0; i < VEC; i++)
            block[i] = mixed[i];
    }
}

// packed[panel][rows][PANEL] from x [width, rows], a panel a work-item.
ONE_ITEM void pack_transposed(global float *restrict packed, global const number *restrict x, int width, int rows)
{
    int column = (int)get_group_id(0) * PANEL;
    global float *panel = packed + (size_t)column * rows;
    for (int row = 0; row < rows; row += VEC) {
        for (int part = 0; part < PANEL; part += VEC) {
            vfloat block[VEC];
#pragma unroll
            for (int j = 0; j < VEC; j++) {
                int line = column + part + j;
                block[j] = line < width ? num_load(x + (size_t)line * rows, row, rows, 0) : (vfloat)0;
            }
            transpose(block);
#pragma unroll
            for (int i = 0; i < VEC; i++)
                if (row + i < rows)
                    XCAT(vstore, VEC)(block[i], 0, panel + (size_t)(row + i) * PANEL + part);
        }
    }
}

// packed[panel][rows][PANEL] from x [rows, width], PACK_STEPS rows of all panels a work-item, so
// that x is read in whole rows.
ONE_ITEM void pack_columns(global float *restrict packed, global const number *restrict x, int width, int rows)
{
    int first = (int)get_group_id(0) * PACK_STEPS, last = min(rows, first + PACK_STEPS), whole = width / PANEL * PANEL;
    for (int column = 0; column < whole; column += PANEL)
        for (int row = first; row < last; row++)
#pragma unroll
            for (int j = 0; j < PANEL; j++)
                packed[(size_t)column * rows + row * PANEL + j] = num_get(x, (size_t)row * width + column + j);
    for (int row = first; row < last && whole < width; row++)
        for (int j = 0; j < PANEL; j++)
            packed[(size_t)whole * rows + row * PANEL + j] = whole + j < width ? num_get(x, (size_t)row * width + whole + j) : 0;
}
