// Matrix product on matrix units (fragment.clh): numbers of 16 bits, multiplied exactly and added in float. Built with what
// fragment.clh takes, -DTILE, -DSUBGROUPS_M, -DSUBGROUPS_N, and -DDTYPE= what c and residual are stored as.
//
// A work-group computes TILE x TILE numbers of c, STEP numbers of k at a time; each of its SUBGROUPS_M x SUBGROUPS_N
// sub-groups a part of that, FRAGMENTS_M x FRAGMENTS_N fragments that stay in registers. While the sub-groups multiply
// one step, the numbers of the next are on their way from memory to registers.

#include "fragment.clh"

#define ITEMS (SUBGROUPS_M * SUBGROUPS_N * LANES)
#define STEP 32
#define STRIDE (STEP + (VEC > 8 ? VEC : 8)) // of local tiles: whole vectors, and rows that start in different banks
#define VECTORS (TILE * STEP / VEC)         // in a local tile
#define HELD ((VECTORS + ITEMS - 1) / ITEMS)
#define PART_M (TILE / SUBGROUPS_M)
#define PART_N (TILE / SUBGROUPS_N)
#define FRAGMENTS_M (PART_M / FRAGMENT_M)
#define FRAGMENTS_N (PART_N / FRAGMENT_N)
#define STRIP (SUBGROUPS_M * FRAGMENT_M) // rows of c that are stored at once

typedef XCAT(ushort, VEC) vushort;

#define INLINE static inline __attribute__((always_inline)) // their arrays must become registers

// Where the v-th vector of a tile stands: neighbours read neighbouring memory, along k or, in transposed matrices, along
// the rows.
static inline int vector_row(int v, int transposed) { return transposed ? v % TILE : v / (STEP / VEC); }
static inline int vector_step(int v, int transposed) { return (transposed ? v / TILE : v % (STEP / VEC)) * VEC; }

// An item's share of rows `row` and steps `step` onwards of x [rows, k], or [k, rows] when transposed; zeros beyond.
INLINE void fetch(vushort held[HELD], global const ushort *x, int row, int step, int rows, int k, int transposed,
                         int item)
{
    UNROLL for (int h = 0; h < HELD; h++) {
        int v = item + h * ITEMS, r = row + vector_row(v, transposed), s = step + vector_step(v, transposed);
        held[h] = 0;
        if (v >= VECTORS || r >= rows)
            continue;
        if (!transposed && s + VEC <= k) {
            held[h] = XCAT(vload, VEC)(0, x + (size_t)r * k + s);
        } else {
            ushort part[VEC];
            UNROLL for (int j = 0; j < VEC; j++)
                part[j] = s + j >= k ? 0 : transposed ? x[(size_t)(s + j) * rows + r] : x[(size_t)r * k + s + j];
            held[h] = XCAT(vload, VEC)(0, part);
        }
    }
}

INLINE void put(local ushort *tile, const vushort held[HELD], int transposed, int item)
{
    UNROLL for (int h = 0; h < HELD; h++) {
        int v = item + h * ITEMS;
        if (v < VECTORS)
            *(local vushort *)(tile + vector_row(v, transposed) * STRIDE + vector_step(v, transposed)) = held[h];
    }
}

// A sub-group's part of one step: rows from `a` on, columns from `b` on.
INLINE void multiply_step(fragment_c sums[FRAGMENTS_M][FRAGMENTS_N], local const ushort *a, local const ushort *b,
                                 local ushort *exchange, int lane)
{
    UNROLL for (int step = 0; step < STEP; step += FRAGMENT_K) {
        fragment_b columns[FRAGMENTS_N];
        UNROLL for (int j = 0; j < FRAGMENTS_N; j++)
            load_b(&columns[j], b + j * FRAGMENT_N * STRIDE + step, STRIDE, lane);
        UNROLL for (int i = 0; i < FRAGMENTS_M; i++) {
            fragment_a rows;
            load_a(&rows, a + i * FRAGMENT_M * STRIDE + step, STRIDE, lane);
            UNROLL for (int j = 0; j < FRAGMENTS_N; j++)
                multiply(&sums[i][j], &rows, &columns[j], exchange, lane);
        }
    }
}

// A sub-group's floats of c in one row of its fragments, to their places in a strip [STRIP, TILE].
INLINE void put_strip(local float *strip, const fragment_c sums[FRAGMENTS_N], int part_row, int part_column, int lane)
{
    UNROLL for (int j = 0; j < FRAGMENTS_N; j++)
        UNROLL for (int e = 0; e < FLOATS_C; e++)
            strip[(part_row * FRAGMENT_M + c_row(lane, e)) * TILE + part_column * PART_N + j * FRAGMENT_N +
                  c_column(lane, e)] = sums[j].number[e];
}

FIXED_SUBGROUP kernel __attribute__((reqd_work_group_size(ITEMS, 1, 1))) void
gemm_matrix(global number *c, global const ushort *a, global const ushort *b, global const float *bias,
            global const number *residual, int m, int n, int k, int a_transposed, int b_transposed, int accumulate,
            int activation)
{
    local union {
        ushort tile[2][TILE * STRIDE];
        float strip[STRIP * TILE];
    } shared __attribute__((aligned(64)));
    local ushort exchanges[SUBGROUPS_M * SUBGROUPS_N][EXCHANGE];
    int item = (int)get_local_id(0), lane = item % LANES, subgroup = item / LANES;
    int part_row = subgroup / SUBGROUPS_N, part_column = subgroup % SUBGROUPS_N;
    int row = (int)get_group_id(1) * TILE, column = (int)get_group_id(0) * TILE;

    fragment_c sums[FRAGMENTS_M][FRAGMENTS_N];
    UNROLL for (int i = 0; i < FRAGMENTS_M * FRAGMENTS_N; i++)
        sums[i / FRAGMENTS_N][i % FRAGMENTS_N].all = 0;

    vushort held_a[HELD], held_b[HELD];
    fetch(held_a, a, row, 0, m, k, a_transposed, item);
    fetch(held_b, b, column, 0, n, k, !b_transposed, item);
    for (int step = 0; step < k; step += STEP) {
        put(shared.tile[0], held_a, a_transposed, item);
        put(shared.tile[1], held_b, !b_transposed, item);
        barrier(CLK_LOCAL_MEM_FENCE);
        fetch(held_a, a, row, step + STEP, m, k, a_transposed, item);
        fetch(held_b, b, column, step + STEP, n, k, !b_transposed, item);
        multiply_step(sums, shared.tile[0] + part_row * PART_M * STRIDE, shared.tile[1] + part_column * PART_N * STRIDE,
                      exchanges[subgroup], lane);
        barrier(CLK_LOCAL_MEM_FENCE);
    }

    // A lane's floats of c are no neighbours, so they go through local memory: a row of each sub-group's fragments a time.
    UNROLL for (int i = 0; i < FRAGMENTS_M; i++) {
        put_strip(shared.strip, sums[i], part_row, part_column, lane);
        barrier(CLK_LOCAL_MEM_FENCE);
        for (int v = item; v < STRIP * TILE / VEC; v += ITEMS) {
            int in_strip = v * VEC / TILE, to_column = column + v * VEC % TILE;
            int to_row = row + in_strip / FRAGMENT_M * PART_M + i * FRAGMENT_M + in_strip % FRAGMENT_M;
            if (to_row < m && to_column < n)
                store_product(c, bias, residual, to_row, to_column, n, ((local const vfloat *)shared.strip)[v], accumulate,
                              activation);
        }
        barrier(CLK_LOCAL_MEM_FENCE);
    }
}
