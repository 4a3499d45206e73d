// Attention within segments on matrix units, as flash attention does it (Dao et al. 2022; Dao 2023): operands rounded to
// 16 bits, products added and statistics kept in float, no atomics. Built with what fragment.clh takes, and
//
// HEAD_DIM   numbers of a head's query, key or value
// CAUSAL     1: a query sees the keys up to its own position
// SUBGROUPS  of a work-group
// BLOCK      far rows in local memory at once; a multiple of 16
// HOLD       1: own rows stay in registers; 0: in local memory
//
// Each sub-group has OWN rows (fragment_rows.clh), of queries, or of keys in the last kernel; the far rows, of keys, or of
// queries, pass by in blocks that all sub-groups of a work-group share. There are two kinds of products: `dots` of own with
// far rows, whose sums are scores, and `mix`, sums of far rows weighted by scores. Exponentials are to base 2.
//
// qkv and its gradient are [total, 3 * heads * HEAD_DIM]: q, k and v side by side, heads side by side in each; out and
// its gradient [total, heads * HEAD_DIM]; lse (log2 of the sum of a query's exponentials) and delta [heads, total].
// Work-groups are (blocks of ROWS own rows, heads, segments).

#include "attention_tile.clh"

INLINE void clear(fragment_c *sums, int count)
{
    UNROLL for (int i = 0; i < count; i++)
        sums[i].all = 0;
}

// scores [count fragments] of own rows with the far rows of a tile from `far` on.
INLINE void dots(fragment_c *scores, const struct own_rows *own, local const ushort *tile, int far, int count,
                 struct place at)
{
    clear(scores, count);
    UNROLL for (int step = 0; step < STEPS; step++) {
        own_fragment operand;
        own_at(&operand, own, step, at);
        UNROLL for (int f = 0; f < count; f++) {
            far_fragment rows;
            load_far(&rows, tile + (far + f * FAR) * ALONG + step * FRAGMENT_K, ALONG, at.lane);
            multiply_own(&scores[f], &operand, &rows, at.exchange, at.lane);
        }
    }
}

// result += weights [STRIP fragments] times the far rows of a tile, used as `uses` says, from `far` on.
INLINE void mix(fragment_c result[COLUMNS], const fragment_c *weights, local const ushort *tile, int uses, int far,
                struct place at)
{
    own_fragment own;
    operand_of_sums(&own, weights, at.exchange, at.lane);
    local const ushort *across = tile + ACROSS_AT(uses);
    UNROLL for (int c = 0; c < COLUMNS; c++) {
        far_fragment columns;
        if (TRANSPOSING_LOADS)
            load_far_across(&columns, tile + far * ALONG + c * FAR, ALONG, at.lane);
        else
            load_far(&columns, across + c * FAR * ACROSS + far, ACROSS, at.lane);
        multiply_own(&result[c], &own, &columns, at.exchange, at.lane);
    }
}

INLINE bool seen(int query, int key, struct place at) { return key < at.count && (!CAUSAL || key <= query); }

// Scores become their exponentials; the sums so far, of exponentials and of weighted rows, are brought to the new largest.
INLINE void softmax_block(fragment_c scores[BLOCK / FAR], fragment_c result[COLUMNS], float largest[OWN_SLOTS],
                          float sum[OWN_SLOTS], int block, struct place at)
{
    float before[OWN_SLOTS], kept[OWN_SLOTS];
    UNROLL for (int slot = 0; slot < OWN_SLOTS; slot++)
        before[slot] = largest[slot];
    UNROLL for (int f = 0; f < BLOCK / FAR; f++)
        UNROLL for (int i = 0; i < FLOATS_C; i++) {
            bool counts = seen(at.own + own_of(at.lane, i), block + f * FAR + far_of(at.lane, i), at);
            float score = counts ? SCORE_FACTOR * scores[f].number[i] : -INFINITY;
            scores[f].number[i] = score;
            largest[OWN_SLOT(i)] = fmax(largest[OWN_SLOT(i)], score);
        }
    max_sharers(largest, at.exchange, at.lane);
    UNROLL for (int slot = 0; slot < OWN_SLOTS; slot++) {
        kept[slot] = exp2(before[slot] - largest[slot]);
        sum[slot] *= kept[slot];
    }
    UNROLL for (int f = 0; f < BLOCK / FAR; f++)
        UNROLL for (int i = 0; i < FLOATS_C; i++) {
            scores[f].number[i] = exp2(scores[f].number[i] - largest[OWN_SLOT(i)]);
            sum[OWN_SLOT(i)] += scores[f].number[i];
        }
    UNROLL for (int c = 0; c < COLUMNS; c++)
        UNROLL for (int i = 0; i < FLOATS_C; i++)
            result[c].number[i] *= kept[OWN_SLOT(i)];
}

TILE_KERNEL(ITEMS)
attention_matrix_forward(global stored *out, global float *lse, global const stored *qkv, global const int *starts, int heads,
                         int total)
{
    local ushort key_tile[STAGES][TILE_NUMBERS(DOTS)] TILE_ALIGNED;
    local ushort value_tile[STAGES][TILE_NUMBERS(MIX)] TILE_ALIGNED;
    local ushort exchanges[SUBGROUPS * EXCHANGE] TILE_ALIGNED;
    struct place at;
    find_place(&at, starts, heads, exchanges);
    if (at.first >= at.count)
        return;
    size_t stride = row_stride(at, 3), width = row_stride(at, 1);
    global const stored *queries = qkv + head_offset(at, 3), *keys = queries + width, *values = keys + width;
    local ushort own_tile[OWN_NUMBERS] TILE_ALIGNED;
    struct own_rows q;
    load_own(&q, own_tile, queries, stride, at);
    fragment_c result[COLUMNS], scores[BLOCK / FAR];
    clear(result, COLUMNS);
    float largest[OWN_SLOTS], sum[OWN_SLOTS];
    UNROLL for (int slot = 0; slot < OWN_SLOTS; slot++) {
        largest[slot] = -INFINITY;
        sum[slot] = 0;
    }
    int end = CAUSAL ? min(at.first + ROWS, at.count) : at.count;
    stored_vector held_keys[HELD], held_values[HELD];
    fetch(held_keys, key_tile[0], DOTS, keys, 0, stride, at);
    fetch(held_values, value_tile[0], MIX, values, 0, stride, at);
    for (int block = 0, stage = 0; block < end; block += BLOCK, stage = NEXT(stage)) {
        put(key_tile[stage], DOTS, held_keys, at);
        put(value_tile[stage], MIX, held_values, at);
        barrier(CLK_LOCAL_MEM_FENCE);
        fetch(held_keys, key_tile[NEXT(stage)], DOTS, keys, block + BLOCK, stride, at);
        fetch(held_values, value_tile[NEXT(stage)], MIX, values, block + BLOCK, stride, at);
        dots(scores, &q, key_tile[stage], 0, BLOCK / FAR, at);
        softmax_block(scores, result, largest, sum, block, at);
        UNROLL for (int far = 0; far < BLOCK; far += FRAGMENT_K)
            mix(result, scores + far / FAR, value_tile[stage], MIX, far, at);
        block_done();
    }
    sum_sharers(sum, at.exchange, at.lane);
    float factor[OWN_SLOTS];
    UNROLL for (int slot = 0; slot < OWN_SLOTS; slot++) {
        factor[slot] = 1 / sum[slot];
        sum[slot] = largest[slot] + log2(sum[slot]);
    }
    store(out + head_offset(at, 1), result, factor, width, at);
    store_numbers(lse + (size_t)at.head * total + at.start, sum, at);
}

// delta[slot]: the dot product of each own row's output with its gradient.
INLINE void own_deltas(float delta[OWN_SLOTS], global const stored *out_grad, global const stored *out, struct place at)
{
    size_t width = row_stride(at, 1);
    UNROLL for (int slot = 0; slot < OWN_SLOTS; slot++) {
        size_t row = min(own_row(slot, at), at.count - 1) * width;
        delta[slot] = 0;
        for (int d = at.lane / SHARER_STRIDE % SHARERS; d < HEAD_DIM; d += SHARERS)
            delta[slot] = fma(stored_widen(out_grad[row + d]), stored_widen(out[row + d]), delta[slot]);
    }
    sum_sharers(delta, at.exchange, at.lane);
}

// The gradient of the queries, and delta.
TILE_KERNEL(ITEMS)
attention_matrix_backward_queries(global stored *qkv_grad, global float *delta, global const stored *out_grad,
                                  global const stored *out, global const stored *qkv, global const float *lse,
                                  global const int *starts, int heads, int total)
{
    local ushort key_tile[STAGES][TILE_NUMBERS(DOTS | MIX)] TILE_ALIGNED;
    local ushort value_tile[STAGES][TILE_NUMBERS(DOTS)] TILE_ALIGNED;
    local ushort exchanges[SUBGROUPS * EXCHANGE] TILE_ALIGNED;
    struct place at;
    find_place(&at, starts, heads, exchanges);
    if (at.first >= at.count)
        return;
    size_t stride = row_stride(at, 3), width = row_stride(at, 1), numbers = (size_t)at.head * total + at.start;
    global const stored *queries = qkv + head_offset(at, 3), *keys = queries + width, *values = keys + width;
    local ushort own_tiles[2][OWN_NUMBERS] TILE_ALIGNED;
    struct own_rows q, dout;
    load_own(&q, own_tiles[0], queries, stride, at);
    load_own(&dout, own_tiles[1], out_grad + head_offset(at, 1), width, at);
    float my_delta[OWN_SLOTS], my_lse[OWN_SLOTS], scale[OWN_SLOTS];
    own_deltas(my_delta, out_grad + head_offset(at, 1), out + head_offset(at, 1), at);
    store_numbers(delta + numbers, my_delta, at);
    UNROLL for (int slot = 0; slot < OWN_SLOTS; slot++) {
        my_lse[slot] = lse[numbers + min(own_row(slot, at), at.count - 1)];
        scale[slot] = SCALE;
    }
    fragment_c dq[COLUMNS];
    clear(dq, COLUMNS);
    int end = CAUSAL ? min(at.first + ROWS, at.count) : at.count;
    stored_vector held_keys[HELD], held_values[HELD];
    fetch(held_keys, key_tile[0], DOTS | MIX, keys, 0, stride, at);
    fetch(held_values, value_tile[0], DOTS, values, 0, stride, at);
    for (int block = 0, stage = 0; block < end; block += BLOCK, stage = NEXT(stage)) {
        put(key_tile[stage], DOTS | MIX, held_keys, at);
        put(value_tile[stage], DOTS, held_values, at);
        barrier(CLK_LOCAL_MEM_FENCE);
        fetch(held_keys, key_tile[NEXT(stage)], DOTS | MIX, keys, block + BLOCK, stride, at);
        fetch(held_values, value_tile[NEXT(stage)], DOTS, values, block + BLOCK, stride, at);
        for (int far = 0; far < BLOCK; far += FRAGMENT_K) {
            fragment_c p[STRIP], dp[STRIP];
            dots(p, &q, key_tile[stage], far, STRIP, at);
            dots(dp, &dout, value_tile[stage], far, STRIP, at);
            UNROLL for (int f = 0; f < STRIP; f++)
                UNROLL for (int i = 0; i < FLOATS_C; i++) {
                    int key = block + far + f * FAR + far_of(at.lane, i), slot = OWN_SLOT(i);
                    float weight = exp2(SCORE_FACTOR * p[f].number[i] - my_lse[slot]);
                    bool counts = seen(at.own + own_of(at.lane, i), key, at);
                    dp[f].number[i] = counts ? weight * (dp[f].number[i] - my_delta[slot]) : 0;
                }
            mix(dq, dp, key_tile[stage], DOTS | MIX, far, at);
        }
        block_done();
    }
    store(qkv_grad + head_offset(at, 3), dq, scale, stride, at);
}

// The gradients of keys and values; here own rows are keys, and far ones queries.
TILE_KERNEL(ITEMS)
attention_matrix_backward_keys(global stored *qkv_grad, global const stored *out_grad, global const stored *qkv,
                               global const float *lse, global const float *delta, global const int *starts, int heads,
                               int total)
{
    local ushort query_tile[STAGES][TILE_NUMBERS(DOTS | MIX)] TILE_ALIGNED;
    local ushort dout_tile[STAGES][TILE_NUMBERS(DOTS | MIX)] TILE_ALIGNED;
    local float lses[STAGES][BLOCK], deltas[STAGES][BLOCK];
    local ushort exchanges[SUBGROUPS * EXCHANGE] TILE_ALIGNED;
    struct place at;
    find_place(&at, starts, heads, exchanges);
    if (at.first >= at.count)
        return;
    size_t stride = row_stride(at, 3), width = row_stride(at, 1), numbers = (size_t)at.head * total + at.start;
    global const stored *queries = qkv + head_offset(at, 3), *keys = queries + width;
    global const stored *douts = out_grad + head_offset(at, 1);
    local ushort own_tiles[2][OWN_NUMBERS] TILE_ALIGNED;
    struct own_rows k, v;
    load_own(&k, own_tiles[0], keys, stride, at);
    load_own(&v, own_tiles[1], keys + width, stride, at);
    fragment_c dk[COLUMNS], dv[COLUMNS];
    clear(dk, COLUMNS);
    clear(dv, COLUMNS);
    int begin = CAUSAL ? at.first : 0; // queries before them do not see these keys
    stored_vector held_queries[HELD], held_douts[HELD];
    fetch(held_queries, query_tile[0], DOTS | MIX, queries, begin, stride, at);
    fetch(held_douts, dout_tile[0], DOTS | MIX, douts, begin, width, at);
    for (int block = begin, stage = 0; block < at.count; block += BLOCK, stage = NEXT(stage)) {
        put(query_tile[stage], DOTS | MIX, held_queries, at);
        put(dout_tile[stage], DOTS | MIX, held_douts, at);
        for (int j = at.item; j < BLOCK; j += ITEMS) {
            lses[stage][j] = lse[numbers + min(block + j, at.count - 1)];
            deltas[stage][j] = delta[numbers + min(block + j, at.count - 1)];
        }
        barrier(CLK_LOCAL_MEM_FENCE);
        fetch(held_queries, query_tile[NEXT(stage)], DOTS | MIX, queries, block + BLOCK, stride, at);
        fetch(held_douts, dout_tile[NEXT(stage)], DOTS | MIX, douts, block + BLOCK, width, at);
        for (int far = 0; far < BLOCK; far += FRAGMENT_K) {
            fragment_c p[STRIP], dp[STRIP];
            dots(p, &k, query_tile[stage], far, STRIP, at);
            dots(dp, &v, dout_tile[stage], far, STRIP, at);
            UNROLL for (int f = 0; f < STRIP; f++)
                UNROLL for (int i = 0; i < FLOATS_C; i++) {
                    int j = far + f * FAR + far_of(at.lane, i), query = block + j;
                    bool counts = query < at.count && seen(query, at.own + own_of(at.lane, i), at);
                    p[f].number[i] = counts ? exp2(SCORE_FACTOR * p[f].number[i] - lses[stage][j]) : 0;
                    dp[f].number[i] = p[f].number[i] * (dp[f].number[i] - deltas[stage][j]);
                }
            mix(dv, p, dout_tile[stage], DOTS | MIX, far, at);
            mix(dk, dp, query_tile[stage], DOTS | MIX, far, at);
        }
        block_done();
    }
    float scale[OWN_SLOTS], one[OWN_SLOTS];
    UNROLL for (int slot = 0; slot < OWN_SLOTS; slot++) {
        scale[slot] = SCALE;
        one[slot] = 1;
    }
    global stored *keys_grad = qkv_grad + head_offset(at, 3) + width;
    store(keys_grad, dk, scale, stride, at);
    store(keys_grad + width, dv, one, stride, at);
}
