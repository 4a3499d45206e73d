// 8-bit pictures as numbers. scale_shift [2, 3] makes (pixel / 255 - mean) / std one multiplication and one addition.

// A work-group handles CHUNK pixels.  y, images [count, 3]
ROW_KERNEL void pixels(global float *y, global const uchar *images, global const float *scale_shift, int count)
{
    int start = (int)get_group_id(0) * CHUNK, end = min(count, start + CHUNK);
    float3 scale = vload3(0, scale_shift), shift = vload3(1, scale_shift);
    for (int i = start + LANE; i < end; i += GROUP)
        vstore3(scale * convert_float3(vload3(i, images)) + shift, i, y);
}
