// 8-bit pictures to rows of normalised patches, in the order of the weight's numbers: channel, y, x.
//
// PATCH   side of a patch

// A work-group a patch: column, row, picture. scale_shift [2, 3] makes (pixel / 255 - mean) / std one multiplication
// and one addition.  images [batch, side, side, 3] -> rows [batch * (side / PATCH)^2, 3, PATCH, PATCH]
ROW_KERNEL void patch_rows(global number *rows, global const uchar *images, global const float *scale_shift, int side)
{
    const int area = PATCH * PATCH;
    size_t left = get_group_id(0), top = get_group_id(2) * get_num_groups(1) + get_group_id(1);
    global const uchar *corner = images + (top * side + left) * PATCH * 3;
    global number *out = rows + (top * get_num_groups(0) + left) * 3 * area;
    float3 scale = vload3(0, scale_shift), shift = vload3(1, scale_shift);
    for (int i = LANE; i < area; i += GROUP) {
        float3 rgb = scale * convert_float3(vload3(i / PATCH * side + i % PATCH, corner)) + shift;
        num_put(out, i, rgb.x);
        num_put(out, area + i, rgb.y);
        num_put(out, 2 * area + i, rgb.z);
    }
}
