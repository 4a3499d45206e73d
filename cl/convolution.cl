// What turns a convolution into a matrix product: windows to rows and back. Channels come last, so a window is SIDE
// runs of SIDE * in numbers that lie side by side in the picture.
//
// SIDE, STRIDE, PADDING   of the window

// Numbers i to i + VEC of a run; those before `from` and from `to` on are 0, and are not read.
static inline vfloat load_between(global const float *run, int i, int from, int to)
{
    if (i >= from && i + VEC <= to)
        return XCAT(vload, VEC)(0, run + i);
    float part[VEC];
    for (int j = 0; j < VEC; j++)
        part[j] = i + j >= from && i + j < to ? run[i + j] : 0;
    return XCAT(vload, VEC)(0, part);
}

// The windows of the output's rows first to first + count, a row being one place in one picture.
// windows [count, SIDE, SIDE, in], x [batch, height, width, in]
ROW_KERNEL void convolution_windows(global float *windows, global const float *x, int first, int count, int height,
                                    int width, int in, int out_height, int out_width)
{
    const int run = SIDE * in, lanes = lanes_of(run), block = BLOCK_ROWS(SIDE * run);
    int start = (int)get_group_id(0) * block, end = min(count, start + block);
    for (EACH_ROW(r, start, end, lanes)) {
        struct spot spot = spot_of(first + r, out_height, out_width);
        int top = spot.y * STRIDE - PADDING, left = spot.x * STRIDE - PADDING;
        int from = max(0, -left) * in, to = min(SIDE, width - left) * in;
        for (int dy = 0; dy < SIDE; dy++) {
            bool inside = top + dy >= 0 && top + dy < height;
            long corner = ((long)spot.picture * height + top + dy) * width + left;
            global const float *source = x + corner * in;
            global float *target = windows + ((size_t)r * SIDE + dy) * run;
            for (EACH_STRIP(i, run, lanes))
                vec_store(target, i, run, inside ? load_between(source, i, from, to) : (vfloat)0);
        }
    }
}

// The other way, for the gradient: each of `pixels` pixels from `pixel` on adds up what those windows had of it.
// dx [batch, height, width, in] += windows [count, SIDE, SIDE, in]
ROW_KERNEL void convolution_pixels(global float *dx, global const float *windows, int pixel, int pixels, int first,
                                   int count, int height, int width, int in, int out_height, int out_width)
{
    const int lanes = lanes_of(in), block = BLOCK_ROWS(in);
    int start = (int)get_group_id(0) * block, end = min(pixels, start + block);
    for (EACH_ROW(p, start, end, lanes)) {
        struct spot spot = spot_of(pixel + p, height, width);
        int y = spot.y + PADDING, x = spot.x + PADDING;
        for (EACH_STRIP(i, in, lanes)) {
            vfloat sum = 0;
            for (int oy = max(0, (y - SIDE + STRIDE) / STRIDE); oy <= min(y / STRIDE, out_height - 1); oy++)
                for (int ox = max(0, (x - SIDE + STRIDE) / STRIDE); ox <= min(x / STRIDE, out_width - 1); ox++) {
                    int row = (spot.picture * out_height + oy) * out_width + ox - first;
                    int tap = (y - oy * STRIDE) * SIDE + x - ox * STRIDE;
                    if (row >= 0 && row < count)
                        sum += vec_load(windows + ((size_t)row * SIDE * SIDE + tap) * in, i, in, 0);
                }
            vec_store_grad(dx + (size_t)(pixel + p) * in, i, in, sum, 1);
        }
    }
}
