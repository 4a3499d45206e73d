// y = x / (1 - p) where a hash of (seed, index) says so, 0 elsewhere. The mask is a function of the two alone, so the
// backward pass computes it again, and it is the same on every device.

constant uint lane_offsets[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

// A 32-bit mixer: every input bit moves every output bit (constants of Ettinger's and Wellons's "lowbias32" search).
static inline vuint mix(vuint h)
{
    h = (h ^ (h >> 16)) * 0x7feb352du;
    h = (h ^ (h >> 15)) * 0x846ca68bu;
    return h ^ (h >> 16);
}

// y (+)= x masked: forward with x and y, backward with dy and dx. Numbers whose hash is below `threshold` are dropped.
ROW_KERNEL void dropout(global number *y, global const number *x, int count, int seed_low, int seed_high, int threshold,
                        float scale, int accumulate)
{
    int start = (int)get_group_id(0) * CHUNK, n = min(CHUNK, count - start);
    vuint lanes = XCAT(vload, VEC)(0, lane_offsets);
    for (EACH(i, n)) {
        vuint index = lanes + (uint)(start + i);
        vuint hash = mix(mix(index ^ (uint)seed_low) ^ (uint)seed_high);
        vfloat kept = hash < (uint)threshold ? (vfloat)0.0f : scale * num_load(x + start, i, n, 0);
        num_store_grad(y + start, i, n, kept, accumulate);
    }
}
