// Rows of embedding tables, and the sums that are their gradients.

// y [total, width], word [vocabulary, width], position [positions, width], type [types, width] or NULL,
// rows [2, total]: each token's row of `word`, then of `position`
ROW_KERNEL void text_tokens_forward(global number *y, global const float *word, global const float *position,
                                    global const float *type, global const int *rows, int total, int width)
{
    size_t token = get_group_id(0);
    global const float *word_row = word + (size_t)rows[token] * width;
    global const float *position_row = position + (size_t)rows[total + token] * width;
    for (EACH(i, width)) {
        vfloat v = vec_load(word_row, i, width, 0) + vec_load(position_row, i, width, 0);
        if (type)
            v += vec_load(type, i, width, 0);
        num_store(y + token * width, i, width, v);
    }
}

// One work-group for each row of the table that was used: it alone adds to that row, in the order of the tokens.
// dtable [rows, width], dy [total, width]; groups [used, 3]: the row, and where its tokens in `order` begin and end
ROW_KERNEL void text_tokens_scatter(global float *dtable, global const number *dy, global const int *groups,
                                    global const int *order, int width)
{
    global const int *group = groups + 3 * get_group_id(0);
    global float *row = dtable + (size_t)group[0] * width;
    for (int k = group[1]; k < group[2]; k++) {
        global const number *from = dy + (size_t)order[k] * width;
        for (EACH(i, width))
            vec_store_grad(row, i, width, num_load(from, i, width, 0), 1);
    }
}
