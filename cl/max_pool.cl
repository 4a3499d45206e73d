// The largest number of each window. A row is the channels of one pixel.
//
// SIDE, STRIDE, PADDING   of the window

// y, winner [rows, channels]: the number, and which of the window's SIDE * SIDE it was (as a float, or NULL); x [batch,
// height, width, channels]. Not a number is larger than all others.
ROW_KERNEL void max_pool_forward(global float *y, global float *winner, global const float *x, int rows, int height,
                                 int width, int channels, int out_height, int out_width)
{
    const int lanes = lanes_of(channels), block = BLOCK_ROWS(channels);
    int start = (int)get_group_id(0) * block, end = min(rows, start + block);
    for (EACH_ROW(r, start, end, lanes)) {
        struct spot spot = spot_of(r, out_height, out_width);
        int top = spot.y * STRIDE - PADDING, left = spot.x * STRIDE - PADDING;
        int first_y = max(0, top), first_x = max(0, left);
        global const float *picture = x + (size_t)spot.picture * height * width * channels;
        for (EACH_STRIP(i, channels, lanes)) {
            vfloat best = 0, which = 0;
            for (int py = first_y; py < min(height, top + SIDE); py++)
                for (int px = first_x; px < min(width, left + SIDE); px++) {
                    vfloat v = vec_load(picture + ((size_t)py * width + px) * channels, i, channels, 0);
                    bool first = py == first_y && px == first_x;
                    vint better = first ? (vint)-1 : (v > best) | isnan(v);
                    best = better ? v : best;
                    which = better ? (vfloat)((py - top) * SIDE + px - left) : which;
                }
            vec_store(y + (size_t)r * channels, i, channels, best);
            if (winner)
                vec_store(winner + (size_t)r * channels, i, channels, which);
        }
    }
}

// Each pixel adds up the gradients of the windows that it won.  dx [pixels, channels]
ROW_KERNEL void max_pool_backward(global float *dx, global const float *dy, global const float *winner, int pixels,
                                  int height, int width, int channels, int out_height, int out_width, int accumulate)
{
    const int lanes = lanes_of(channels), block = BLOCK_ROWS(channels);
    int start = (int)get_group_id(0) * block, end = min(pixels, start + block);
    for (EACH_ROW(p, start, end, lanes)) {
        struct spot spot = spot_of(p, height, width);
        int y = spot.y + PADDING, x = spot.x + PADDING;
        for (EACH_STRIP(i, channels, lanes)) {
            vfloat sum = 0;
            for (int oy = max(0, (y - SIDE + STRIDE) / STRIDE); oy <= min(y / STRIDE, out_height - 1); oy++)
                for (int ox = max(0, (x - SIDE + STRIDE) / STRIDE); ox <= min(x / STRIDE, out_width - 1); ox++) {
                    size_t row = (((size_t)spot.picture * out_height + oy) * out_width + ox) * channels;
                    float tap = (y - oy * STRIDE) * SIDE + x - ox * STRIDE;
                    vfloat g = vec_load(dy + row, i, channels, 0);
                    sum += vec_load(winner + row, i, channels, -1) == tap ? g : (vfloat)0;
                }
            vec_store_grad(dx + (size_t)p * channels, i, channels, sum, accumulate);
        }
    }
}
