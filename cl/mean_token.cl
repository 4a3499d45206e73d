// The mean of each picture's patches before them, and positions added to all. A work-group owns a picture.

// y [batch, tokens, width], patches [batch, tokens - 1, width], position [tokens, width]
ROW_KERNEL void mean_token_forward(global number *y, global const number *patches, global const float *position,
                                   int tokens, int width)
{
    size_t picture = get_group_id(0);
    y += picture * tokens * width;
    patches += picture * (tokens - 1) * width;
    for (EACH(i, width)) {
        vfloat sum = 0;
        for (int t = 1; t < tokens; t++) {
            vfloat v = num_load(patches + (size_t)(t - 1) * width, i, width, 0);
            sum += v;
            num_store(y + (size_t)t * width, i, width, v + vec_load(position + (size_t)t * width, i, width, 0));
        }
        num_store(y, i, width, sum / (tokens - 1) + vec_load(position, i, width, 0));
    }
}

// dpatches [batch, tokens - 1, width], dy [batch, tokens, width]
ROW_KERNEL void mean_token_backward(global number *dpatches, global const number *dy, int tokens, int width,
                                    int accumulate)
{
    size_t picture = get_group_id(0);
    dpatches += picture * (tokens - 1) * width;
    dy += picture * tokens * width;
    for (EACH(i, width)) {
        vfloat share = num_load(dy, i, width, 0) / (tokens - 1);
        for (int t = 1; t < tokens; t++)
            num_store_grad(dpatches + (size_t)(t - 1) * width, i, width,
                           share + num_load(dy + (size_t)t * width, i, width, 0), accumulate);
    }
}
