// Attention within segments, a block of scores at a time, as flash attention does it (Dao et al. 2022).
//
// HEAD_DIM  numbers of a head's query, key or value
// LANES     rows a work-item owns, one in each lane of its vectors; a multiple of 4, or 1
// BLOCK     scores of a lane held at once; a multiple of TILE
// SPLIT     work-items that share a row, each with PART of its numbers; more than 1 only with one lane, on GPUs
// CAUSAL    1: a query sees the keys up to its own position
//
// A work-item turns its queries (or keys) into HEAD_DIM vectors of LANES numbers. What follows are products of two
// kinds, `dots` with the rows of another matrix and `mix` of such rows, and in both each number of a row is read once
// and feeds all lanes. Exponentials are to base 2, with log2(e) part of the factor of the scores. Lanes past a
// segment's end repeat its last row: they compute and write the same numbers as the lane that owns it.
//
// qkv and its gradient are [total, 3 * heads * HEAD_DIM]: q, k and v side by side, heads side by side in each; out and
// its gradient [total, heads * HEAD_DIM]; lse (log2 of the sum of a query's exponentials) and delta [heads, total].
// Work-items are (blocks of LANES rows times SPLIT, heads, segments). Those that share a row add their parts of a dot
// product up through local memory, so that a work-group goes through its blocks in step.

#if LANES == 1
typedef float lanes;
typedef int lane_ints;
#else
typedef XCAT(float, LANES) lanes;
typedef XCAT(int, LANES) lane_ints;
#endif

// Everything below works on private arrays that should live in registers, or in the nearest cache: functions are
// inlined, loops over a tile unrolled, and with one lane the loops over a row and over a block too.
#if LANES == 1
#define UNROLL_ROW _Pragma("unroll")
#define HELD(n) BLOCK // scores past n are of the last row again, and count for nothing
#else
#define UNROLL_ROW
#define HELD(n) (n)
#endif

// Products are made this many at a time. Eight sums keep two multiply-add units busy; on CPU-class devices a sum of 16
// lanes is two registers where VEC is 8 and one where it is 16.
#define TILE (VEC == 16 ? 8 : 4)
#define PART ((HEAD_DIM + SPLIT - 1) / SPLIT)
#define COLUMNS ((PART + TILE - 1) / TILE * TILE)
#define GROUP_ROWS (GROUP * LANES / SPLIT)
#define SCALE rsqrt((float)HEAD_DIM)
#define SCORE_FACTOR (SCALE * M_LOG2E_F)

// The rows of a work-item: `first` to first + LANES of a segment of `count` rows, of which the first is row `start`. Its
// work-group has rows `begin` to `end` of the segment. Of each row it has numbers `column` to column + PART.
struct place {
    int head, first, start, count, begin, end, column;
    bool mine; // false: only keeps its work-group company
    size_t width;
};

INLINE void find_place(struct place *at, global const int *starts, int heads)
{
    int segment = get_global_id(2), start = starts[segment], count = starts[segment + 1] - start;
    int begin = get_group_id(0) * GROUP_ROWS, first = begin + LANE / SPLIT * LANES;
    *at = (struct place){.head = get_global_id(1),
                         .first = min(first, count - 1),
                         .start = start,
                         .count = count,
                         .begin = begin,
                         .end = min(begin + GROUP_ROWS, count),
                         .column = min(LANE % SPLIT * PART, HEAD_DIM - 1),
                         .mine = first < count,
                         .width = (size_t)heads * HEAD_DIM};
}

// Where this head's part of the segment begins in a matrix with rows of `stride` numbers.
INLINE size_t head_offset(struct place at, size_t stride)
{
    return at.start * stride + at.head * HEAD_DIM + at.column;
}

// Numbers of a row that are this work-item's; a constant where the parts come out even, else none are left for some.
INLINE int part_columns(void) { return HEAD_DIM % SPLIT ? clamp(HEAD_DIM - LANE % SPLIT * PART, 0, PART) : PART; }

// s[j] for j < count: the sum over the work-items that share a row, the same to the bit in each of them.
INLINE void team_sum(lanes *s, int count, local float *parts)
{
#if SPLIT > 1
    barrier(CLK_LOCAL_MEM_FENCE);
#pragma unroll
    for (int j = 0; j < count; j++)
        parts[j * GROUP + LANE] = s[j];
    barrier(CLK_LOCAL_MEM_FENCE);
#pragma unroll
    for (int j = 0; j < count; j++) {
        s[j] = 0;
        for (int t = 0; t < SPLIT; t++)
            s[j] += parts[j * GROUP + LANE - LANE % SPLIT + t];
    }
#endif
}

// The row of its segment in each lane.
INLINE lane_ints lane_rows(struct place at)
{
    lane_ints rows;
    for (int lane = 0; lane < LANES; lane++)
        ((int *)&rows)[lane] = min(at.first + lane, at.count - 1);
    return rows;
}

// One number a lane, from an array over the rows of a segment.
INLINE lanes gather_numbers(global const float *numbers, lane_ints rows)
{
    lanes x;
    for (int lane = 0; lane < LANES; lane++)
        ((float *)&x)[lane] = numbers[((int *)&rows)[lane]];
    return x;
}

INLINE void scatter_numbers(global float *numbers, lanes x, lane_ints rows, struct place at)
{
    if (!at.mine || LANE % SPLIT > 0)
        return;
    for (int lane = 0; lane < LANES; lane++)
        numbers[((int *)&rows)[lane]] = ((float *)&x)[lane];
}

#if LANES == 1
INLINE void gather(lanes *x, global const number *rows, struct place at, size_t stride, float factor)
{
    int columns = part_columns();
    UNROLL_ROW
    for (int d = 0; d < PART; d++)
        x[d] = d < columns ? factor * num_get(rows, at.first * stride + d) : 0;
}

INLINE void scatter(global number *rows, const lanes *x, struct place at, size_t stride, lanes factor)
{
    int columns = at.mine ? part_columns() : 0;
    UNROLL_ROW
    for (int d = 0; d < PART; d++)
        if (d < columns)
            num_put(rows, at.first * stride + d, factor * x[d]);
}
#else
INLINE size_t lane_offset(struct place at, int lane, size_t stride)
{
    return min(at.first + lane, at.count - 1) * stride;
}

#if DTYPE == FLOAT32
#define quad_load(from) vload4(0, from)
#define quad_store(to, v) vstore4(v, 0, to)
#else
INLINE float4 quad_load(global const number *from)
{
    return (float4)(num_get(from, 0), num_get(from, 1), num_get(from, 2), num_get(from, 3));
}
INLINE void quad_store(global number *to, float4 v)
{
    num_put(to, 0, v.x);
    num_put(to, 1, v.y);
    num_put(to, 2, v.z);
    num_put(to, 3, v.w);
}
#endif

// x[d] = factor * number d of each lane's row; blocks of 4 x 4 numbers are transposed in registers.
INLINE void gather(lanes *x, global const number *rows, struct place at, size_t stride, float factor)
{
    for (int lane = 0; lane < LANES; lane += 4) {
        float *to = (float *)x + lane; // [HEAD_DIM, LANES]
        global const number *row0 = rows + lane_offset(at, lane, stride);
        global const number *row1 = rows + lane_offset(at, lane + 1, stride);
        global const number *row2 = rows + lane_offset(at, lane + 2, stride);
        global const number *row3 = rows + lane_offset(at, lane + 3, stride);
        for (int d = 0; d < HEAD_DIM / 4 * 4; d += 4) {
            float4 a = factor * quad_load(row0 + d), b = factor * quad_load(row1 + d);
            float4 c = factor * quad_load(row2 + d), e = factor * quad_load(row3 + d);
            vstore4((float4)(a.x, b.x, c.x, e.x), 0, to + d * LANES);
            vstore4((float4)(a.y, b.y, c.y, e.y), 0, to + (d + 1) * LANES);
            vstore4((float4)(a.z, b.z, c.z, e.z), 0, to + (d + 2) * LANES);
            vstore4((float4)(a.w, b.w, c.w, e.w), 0, to + (d + 3) * LANES);
        }
        for (int d = HEAD_DIM / 4 * 4; d < HEAD_DIM; d++)
            vstore4(factor * (float4)(num_get(row0, d), num_get(row1, d), num_get(row2, d), num_get(row3, d)), 0, to + d * LANES);
    }
}

// The way back: number d of each lane's row = factor * x[d].
INLINE void scatter(global number *rows, const lanes *x, struct place at, size_t stride, lanes factor)
{
    for (int lane = 0; lane < LANES; lane += 4) {
        const float *from = (const float *)x + lane; // [HEAD_DIM, LANES]
        float4 scale = vload4(0, (float *)&factor + lane);
        global number *row0 = rows + lane_offset(at, lane, stride);
        global number *row1 = rows + lane_offset(at, lane + 1, stride);
        global number *row2 = rows + lane_offset(at, lane + 2, stride);
        global number *row3 = rows + lane_offset(at, lane + 3, stride);
        for (int d = 0; d < HEAD_DIM / 4 * 4; d += 4) {
            float4 a = scale * vload4(0, from + d * LANES), b = scale * vload4(0, from + (d + 1) * LANES);
            float4 c = scale * vload4(0, from + (d + 2) * LANES), e = scale * vload4(0, from + (d + 3) * LANES);
            quad_store(row0 + d, (float4)(a.x, b.x, c.x, e.x));
            quad_store(row1 + d, (float4)(a.y, b.y, c.y, e.y));
            quad_store(row2 + d, (float4)(a.z, b.z, c.z, e.z));
            quad_store(row3 + d, (float4)(a.w, b.w, c.w, e.w));
        }
        for (int d = HEAD_DIM / 4 * 4; d < HEAD_DIM; d++) {
            float4 a = scale * vload4(0, from + d * LANES);
            num_put(row0, d, a.x);
            num_put(row1, d, a.y);
            num_put(row2, d, a.z);
            num_put(row3, d, a.w);
        }
    }
}
#endif

INLINE void clear(lanes *x)
{
    UNROLL_ROW
    for (int d = 0; d < COLUMNS; d++)
        x[d] = 0;
}

// s[j] = sum over d of x[d] rows[j][d] for `count` rows, TILE at a time; s has room for a multiple of TILE.
INLINE void dots(lanes *s, const lanes *x, global const number *rows, int count, size_t stride, local float *parts)
{
    int last = max(part_columns() - 1, 0);
    UNROLL_ROW
    for (int j = 0; j < HELD(count); j += TILE) {
        global const number *row[TILE];
        lanes sums[TILE];
#pragma unroll
        for (int t = 0; t < TILE; t++) {
            row[t] = rows + min(j + t, count - 1) * stride;
            sums[t] = 0;
        }
        UNROLL_ROW
        for (int d = 0; d < PART; d++)
#pragma unroll
            for (int t = 0; t < TILE; t++)
                sums[t] = fma(x[d], (lanes)(num_get(row[t], HEAD_DIM % SPLIT ? min(d, last) : d)), sums[t]);
#pragma unroll
        for (int t = 0; t < TILE; t++)
            s[j + t] = sums[t];
    }
    team_sum(s, BLOCK, parts);
}

// y[d] = factor y[d] + sum over j of p[j] rows[j][d] for `count` rows, TILE columns at a time.
INLINE void mix(lanes *y, lanes factor, const lanes *p, global const number *rows, int count, size_t stride)
{
    int last = max(part_columns() - 1, 0);
    UNROLL_ROW
    for (int d = 0; d < COLUMNS; d += TILE) {
        lanes sums[TILE];
#pragma unroll
        for (int t = 0; t < TILE; t++)
            sums[t] = factor * y[d + t];
        UNROLL_ROW
        for (int j = 0; j < HELD(count); j++) {
            global const number *row = rows + (LANES == 1 ? min(j, count - 1) : j) * stride;
#pragma unroll
            for (int t = 0; t < TILE; t++)
                sums[t] = fma(p[j], (lanes)(num_get(row, min(d + t, last))), sums[t]);
        }
#pragma unroll
        for (int t = 0; t < TILE; t++)
            y[d + t] = sums[t];
    }
}

// A score that counts: key `key` seen by the lanes' queries, of `count` keys that are there.
INLINE lanes seen_score(lanes score, lane_ints queries, int key, bool there)
{
    if (CAUSAL)
        score = queries >= key ? score : (lanes)(-INFINITY);
    return LANES > 1 || there ? score : (lanes)(-INFINITY);
}

ROW_KERNEL void attention_forward(global number *out, global float *lse, global const number *qkv, global const int *starts,
                              int heads, int total)
{
    struct place at;
    find_place(&at, starts, heads);
    if (at.begin >= at.count)
        return;
    local float parts[SPLIT > 1 ? BLOCK * GROUP : 1];
    size_t stride = 3 * at.width;
    global const number *queries = qkv + head_offset(at, stride), *keys = queries + at.width, *values = keys + at.width;
    lane_ints rows = lane_rows(at);
    lanes q[COLUMNS], o[COLUMNS], p[BLOCK], largest = -INFINITY, sum = 0;
    gather(q, queries, at, stride, SCORE_FACTOR);
    clear(o);
    int seen = CAUSAL ? at.end : at.count;
    for (int block = 0; block < seen; block += BLOCK) {
        int n = min(BLOCK, seen - block);
        dots(p, q, keys + block * stride, n, stride, parts);
        lanes before = largest;
        UNROLL_ROW
        for (int j = 0; j < HELD(n); j++) {
            p[j] = seen_score(p[j], rows, block + j, j < n);
            largest = fmax(largest, p[j]);
        }
        lanes kept = exp2(before - largest);
        sum *= kept;
        UNROLL_ROW
        for (int j = 0; j < HELD(n); j++) {
            p[j] = exp2(p[j] - largest);
            sum += p[j];
        }
        mix(o, kept, p, values + block * stride, n, stride);
    }
    scatter(out + head_offset(at, at.width), o, at, at.width, 1 / sum);
    scatter_numbers(lse + (size_t)at.head * total + at.start, largest + log2(sum), rows, at);
}

// The gradient of the queries, and delta, the dot product of each output with its gradient.
ROW_KERNEL void attention_backward_queries(global number *qkv_grad, global float *delta, global const number *out_grad,
                                       global const number *out, global const number *qkv, global const float *lse,
                                       global const int *starts, int heads, int total)
{
    struct place at;
    find_place(&at, starts, heads);
    if (at.begin >= at.count)
        return;
    local float parts[SPLIT > 1 ? BLOCK * GROUP : 1];
    size_t stride = 3 * at.width, numbers = (size_t)at.head * total + at.start;
    global const number *queries = qkv + head_offset(at, stride), *keys = queries + at.width, *values = keys + at.width;
    lane_ints rows = lane_rows(at);
    lanes q[COLUMNS], dout[COLUMNS], dq[COLUMNS], p[BLOCK], dp[BLOCK];
    gather(q, queries, at, stride, SCORE_FACTOR);
    gather(dout, out_grad + head_offset(at, at.width), at, at.width, 1);

    gather(dq, out + head_offset(at, at.width), at, at.width, 1);
    lanes my_delta = 0, my_lse = gather_numbers(lse + numbers, rows);
    UNROLL_ROW
    for (int d = 0; d < PART; d++)
        my_delta = fma(dout[d], dq[d], my_delta);
    team_sum(&my_delta, 1, parts);
    scatter_numbers(delta + numbers, my_delta, rows, at);

    clear(dq);
    int seen = CAUSAL ? at.end : at.count;
    for (int block = 0; block < seen; block += BLOCK) {
        int n = min(BLOCK, seen - block);
        dots(p, q, keys + block * stride, n, stride, parts);
        dots(dp, dout, values + block * stride, n, stride, parts);
        UNROLL_ROW
        for (int j = 0; j < HELD(n); j++) {
            p[j] = seen_score(p[j], rows, block + j, j < n);
            dp[j] = exp2(p[j] - my_lse) * (dp[j] - my_delta);
        }
        mix(dq, 1, dp, keys + block * stride, n, stride);
    }
    scatter(qkv_grad + head_offset(at, stride), dq, at, stride, SCALE);
}

// The gradients of keys and values; here the lanes are keys, and blocks are of queries.
ROW_KERNEL void attention_backward_keys(global number *qkv_grad, global const number *out_grad, global const number *qkv,
                                    global const float *lse, global const float *delta, global const int *starts,
                                    int heads, int total)
{
    struct place at;
    find_place(&at, starts, heads);
    if (at.begin >= at.count)
        return;
    local float parts[SPLIT > 1 ? BLOCK * GROUP : 1];
    size_t stride = 3 * at.width, numbers = (size_t)at.head * total + at.start;
    global const number *queries = qkv + head_offset(at, stride), *keys = queries + at.width, *values = keys + at.width;
    global const number *douts = out_grad + head_offset(at, at.width);
    lane_ints rows = lane_rows(at);
    lanes k[COLUMNS], v[COLUMNS], dk[COLUMNS], dv[COLUMNS], p[BLOCK], dp[BLOCK];
    gather(k, keys, at, stride, SCORE_FACTOR);
    gather(v, values, at, stride, 1);
    clear(dk);
    clear(dv);
    for (int block = CAUSAL ? at.begin : 0; block < at.count; block += BLOCK) {
        int n = min(BLOCK, at.count - block);
        dots(p, k, queries + block * stride, n, stride, parts);
        dots(dp, v, douts + block * at.width, n, at.width, parts);
        UNROLL_ROW
        for (int i = 0; i < HELD(n); i++) {
            size_t query = numbers + block + min(i, n - 1);
            p[i] = seen_score(p[i], -rows, -block - i, i < n);
            p[i] = exp2(p[i] - lse[query]);
            dp[i] = p[i] * (dp[i] - delta[query]);
        }
        mix(dv, 1, p, douts + block * at.width, n, at.width);
        mix(dk, 1, dp, queries + block * stride, n, stride);
    }
    global number *keys_grad = qkv_grad + head_offset(at, stride) + at.width;
    scatter(keys_grad, dk, at, stride, SCALE);
    scatter(keys_grad + at.width, dv, at, stride, 1);
}
