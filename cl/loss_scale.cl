// The loss's factor after a step, and what that step does with its gradients.

enum { FACTOR, GOOD, SKIPPED, POWER1, POWER2 }; // of `scale`, as in runtime/ops/loss_scale.h
#define LARGEST 0x1p40f                         // float32 sums of squares have room above

// norm [4]: in: the norm of the scaled gradients; out: that of the gradients; what to multiply the scaled ones with, 0 for
// a step that is skipped; 1 - beta1^t and the root of 1 - beta2^t after t steps that were not. max_norm 0: no clipping
ROW_KERNEL void loss_scale_update(global float *norm, global float *scale, float max_norm, float beta1, float beta2,
                                  int patience)
{
    if (LANE > 0)
        return;
    float factor = scale[FACTOR], total = norm[0] / factor, clip = max_norm > 0 ? fmin(1.0f, max_norm / (total + 1e-6f)) : 1;
    norm[0] = total;
    norm[1] = 0;
    if (!isfinite(total)) {
        scale[FACTOR] = fmax(1.0f, factor / 2);
        scale[GOOD] = 0;
        scale[SKIPPED] += 1;
        return;
    }
    scale[POWER1] *= beta1;
    scale[POWER2] *= beta2;
    norm[1] = clip / factor;
    norm[2] = 1 - scale[POWER1];
    norm[3] = sqrt(1 - scale[POWER2]);
    scale[GOOD] += 1;
    if (scale[GOOD] >= patience) {
        scale[FACTOR] = fmin(LARGEST, 2 * factor);
        scale[GOOD] = 0;
    }
}
