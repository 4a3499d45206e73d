// A class token before each picture's patches (first = 1; 0 where there is none), and positions added to all.

// A row a work-group: token, picture.
// y [batch * tokens, width], patches [batch * (tokens - first), width], class_token [width], position [tokens, width]
ROW_KERNEL void image_tokens_forward(global number *y, global const number *patches, global const float *class_token,
                                     global const float *position, int tokens, int width, int first)
{
    size_t token = get_group_id(0), picture = get_group_id(1), row = picture * tokens + token;
    for (EACH(i, width)) {
        vfloat v = token < first ? vec_load(class_token, i, width, 0)
                                 : num_load(patches + (row - (picture + 1) * first) * width, i, width, 0);
        num_store(y + row * width, i, width, v + vec_load(position + token * width, i, width, 0));
    }
}

// A row a work-group: patch, picture.
// dpatches [batch * (tokens - first), width], dy [batch * tokens, width]
ROW_KERNEL void image_tokens_patches(global number *dpatches, global const number *dy, int tokens, int width, int first,
                                     int accumulate)
{
    size_t picture = get_group_id(1), row = picture * (tokens - first) + get_group_id(0);
    global const number *from = dy + (row + (picture + 1) * first) * width;
    for (EACH(i, width))
        num_store_grad(dpatches + row * width, i, width, num_load(from, i, width, 0), accumulate);
}

// A token a work-group: sums over the batch. The class token's gradient is that of position 0; either may be NULL.
// dclass_token [width], dposition [tokens, width], dy [batch, tokens, width]
ROW_KERNEL void image_tokens_sums(global float *dclass_token, global float *dposition, global const number *dy,
                                  int batch, int tokens, int width, int accumulate_class, int accumulate_position)
{
    size_t token = get_group_id(0);
    for (int picture = 0; picture < batch; picture++) {
        global const number *from = dy + ((size_t)picture * tokens + token) * width;
        for (EACH(i, width)) {
            vfloat v = num_load(from, i, width, 0);
            if (dposition)
                vec_store_grad(dposition + token * width, i, width, v, accumulate_position || picture > 0);
            if (dclass_token && token == 0)
                vec_store_grad(dclass_token, i, width, v, accumulate_class || picture > 0);
        }
    }
}
