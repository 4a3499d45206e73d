// The mean of each side x side square. A row is the channels of one pixel.

// y [rows, channels], x [batch, height, width, channels]
ROW_KERNEL void average_pool_forward(global float *y, global const float *x, int rows, int height, int width,
                                     int channels, int out_height, int out_width, int side)
{
    const int lanes = lanes_of(channels), block = BLOCK_ROWS(channels);
    int start = (int)get_group_id(0) * block, end = min(rows, start + block);
    for (EACH_ROW(r, start, end, lanes)) {
        struct spot spot = spot_of(r, out_height, out_width);
        size_t corner = ((size_t)spot.picture * height + spot.y * side) * width + spot.x * side;
        for (EACH_STRIP(i, channels, lanes)) {
            vfloat sum = 0;
            for (int py = 0; py < side; py++)
                for (int px = 0; px < side; px++)
                    sum += vec_load(x + (corner + py * width + px) * channels, i, channels, 0);
            vec_store(y + (size_t)r * channels, i, channels, sum / (side * side));
        }
    }
}

// dx [pixels, channels]
ROW_KERNEL void average_pool_backward(global float *dx, global const float *dy, int pixels, int height, int width,
                                      int channels, int out_height, int out_width, int side, int accumulate)
{
    const int lanes = lanes_of(channels), block = BLOCK_ROWS(channels);
    int start = (int)get_group_id(0) * block, end = min(pixels, start + block);
    for (EACH_ROW(p, start, end, lanes)) {
        struct spot spot = spot_of(p, height, width);
        int oy = spot.y / side, ox = spot.x / side;
        bool inside = oy < out_height && ox < out_width;
        global const float *from = dy + (((size_t)spot.picture * out_height + oy) * out_width + ox) * channels;
        for (EACH_STRIP(i, channels, lanes)) {
            vfloat g = inside ? vec_load(from, i, channels, 0) / (side * side) : (vfloat)0;
            vec_store_grad(dx + (size_t)p * channels, i, channels, g, accumulate);
        }
    }
}
