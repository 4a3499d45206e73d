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

// out [columns, rows] from x [rows, columns]: a work-item turns a block of ROWS_TURNED x COLUMNS_TURNED, four by four in
// registers, so that whole cache lines are read and written.

static inline void turn_four(global float *out, global const float *x, int rows, int columns)
{
    float4 a = vload4(0, x), b = vload4(0, x + columns), c = vload4(0, x + 2 * (size_t)columns),
           d = vload4(0, x + 3 * (size_t)columns);
    vstore4((float4)(a.x, b.x, c.x, d.x), 0, out);
    vstore4((float4)(a.y, b.y, c.y, d.y), 0, out + rows);
    vstore4((float4)(a.z, b.z, c.z, d.z), 0, out + 2 * (size_t)rows);
    vstore4((float4)(a.w, b.w, c.w, d.w), 0, out + 3 * (size_t)rows);
}

ONE_ITEM void transpose(global float *out, global const float *x, int rows, int columns)
{
    int first_row = (int)get_group_id(1) * ROWS_TURNED, first_column = (int)get_group_id(0) * COLUMNS_TURNED;
    int last_row = min(rows, first_row + ROWS_TURNED), last_column = min(columns, first_column + COLUMNS_TURNED);
    for (int r = first_row; r < last_row; r += 4)
        for (int c = first_column; c < last_column; c += 4) {
            size_t to = (size_t)c * rows + r, from = (size_t)r * columns + c;
            if (r + 4 <= rows && c + 4 <= columns)
                turn_four(out + to, x + from, rows, columns);
            else
                for (int i = 0; i < min(4, rows - r); i++)
                    for (int j = 0; j < min(4, columns - c); j++)
                        out[to + (size_t)j * rows + i] = x[from + (size_t)i * columns + j];
        }
}
