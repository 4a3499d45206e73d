// Matrix product on matrix units (fragment.clh): numbers of 16 bits, multiplied exactly and added in float. Built with what
// fragment.clh and stored.clh take, -DTILE, -DSUBGROUPS_M, -DSUBGROUPS_N, and -DDTYPE= what c and residual are stored as.
//
// A work-group computes TILE x TILE numbers of c, STEP numbers of k at a time; each of its SUBGROUPS_M x SUBGROUPS_N
// sub-groups a part of that, FRAGMENTS_M x FRAGMENTS_N fragments that stay in registers. While the sub-groups multiply
// one step, the numbers of the next are on their way from memory: to registers, or to the other stage of local memory.

#include "fragment.clh"
#include "stored.clh"

#define ITEMS (SUBGROUPS_M * SUBGROUPS_N * LANES)
#define STEP 32
#define STRIDE (STEP + PAD)                // of local tiles
#define VECTORS (TILE * STEP / STORED_VEC) // in a local tile
#define HELD ((VECTORS + ITEMS - 1) / ITEMS)
#define PART_M (TILE / SUBGROUPS_M)
#define PART_N (TILE / SUBGROUPS_N)
#define FRAGMENTS_M (PART_M / FRAGMENT_M)
#define FRAGMENTS_N (PART_N / FRAGMENT_N)
#define STRIP (SUBGROUPS_M * FRAGMENT_M) // rows of c that are stored at once

// One side of the product, x [rows, k], or [k, rows] when transposed: a, or b as if it were transposed.
struct side {
    global const stored *x;
    int row, rows, k, transposed; // row: the first of this work-group
};

// Where the v-th vector of a tile stands: neighbours read neighbouring memory, along k or, in transposed matrices, along
// the rows.
INLINE int vector_row(int v, int transposed) { return transposed ? v % TILE : v / (STEP / STORED_VEC); }
INLINE int vector_step(int v, int transposed) { return (transposed ? v / TILE : v % (STEP / STORED_VEC)) * STORED_VEC; }

// An item's share of steps `step` onwards sets out for a tile, with zeros beyond the matrix.
INLINE void fetch(stored_vector held[HELD], local ushort *tile, struct side side, int step, int item)
{
    UNROLL for (int h = 0; h < HELD; h++) {
        int v = item + h * ITEMS, in_row = vector_row(v, side.transposed), in_step = vector_step(v, side.transposed);
        int row = side.row + in_row, s = step + in_step, end = row < side.rows ? side.k : 0;
        if (v >= VECTORS)
            continue;
        if (side.transposed) {
            stored_numbers part;
            UNROLL for (int j = 0; j < STORED_VEC; j++)
                part.one[j] = s + j < end ? side.x[(size_t)(s + j) * side.rows + row] : 0;
            held[h] = part.all;
        } else if (COPIES) {
            copy(tile + in_row * STRIDE + in_step, side.x + (size_t)min(row, side.rows - 1) * side.k, s, end);
        } else {
            held[h] = stored_load(side.x + (size_t)min(row, side.rows - 1) * side.k, s, end);
        }
    }
}

// It arrives, and can be read after a barrier.
INLINE void put(local ushort *tile, const stored_vector held[HELD], struct side side, int item)
{
    if (COPIES && !side.transposed) {
        copies_finish();
        return;
    }
    UNROLL for (int h = 0; h < HELD; h++) {
        int v = item + h * ITEMS;
        if (v < VECTORS)
            tile_put(tile + vector_row(v, side.transposed) * STRIDE + vector_step(v, side.transposed), held[h], 1);
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

TILE_KERNEL(ITEMS)
gemm_matrix(global number *c, global const stored *a, global const stored *b, global const float *bias,
            global const number *residual, int m, int n, int k, int a_transposed, int b_transposed, int accumulate,
            int activation)
{
    local union {
        struct {
            ushort a[TILE * STRIDE], b[TILE * STRIDE];
        } stage[2];
        float strip[STRIP * TILE];
    } shared TILE_ALIGNED;
    local ushort exchanges[SUBGROUPS_M * SUBGROUPS_N][EXCHANGE] TILE_ALIGNED;
    int item = (int)get_local_id(0), lane = item % LANES, subgroup = item / LANES;
    int part_row = subgroup / SUBGROUPS_N, part_column = subgroup % SUBGROUPS_N;
    int row = (int)get_group_id(1) * TILE, column = (int)get_group_id(0) * TILE;
    struct side left = {a, row, m, k, a_transposed}, right = {b, column, n, k, !b_transposed};

    fragment_c sums[FRAGMENTS_M][FRAGMENTS_N];
    UNROLL for (int i = 0; i < FRAGMENTS_M * FRAGMENTS_N; i++)
        sums[i / FRAGMENTS_N][i % FRAGMENTS_N].all = 0;

    // One barrier a step: a stage is filled again only when all have passed that of the step after it.
    stored_vector held_a[HELD], held_b[HELD];
    fetch(held_a, shared.stage[0].a, left, 0, item);
    fetch(held_b, shared.stage[0].b, right, 0, item);
    for (int step = 0, stage = 0; step < k; step += STEP, stage ^= 1) {
        put(shared.stage[stage].a, held_a, left, item);
        put(shared.stage[stage].b, held_b, right, item);
        barrier(CLK_LOCAL_MEM_FENCE);
        if (step + STEP < k) {
            fetch(held_a, shared.stage[stage ^ 1].a, left, step + STEP, item);
            fetch(held_b, shared.stage[stage ^ 1].b, right, step + STEP, item);
        }
        multiply_step(sums, shared.stage[stage].a + part_row * PART_M * STRIDE,
                      shared.stage[stage].b + part_column * PART_N * STRIDE, exchanges[subgroup], lane);
    }
    barrier(CLK_LOCAL_MEM_FENCE);

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
