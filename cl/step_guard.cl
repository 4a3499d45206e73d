// Whether a step may be taken: guard [2] holds its loss, and 1 or 0.

enum { LOSS, SOUND };       // of `guard`, as in runtime/ops/step_guard.h
enum { FACTOR, LEAST = 1 }; // of `scale`, and how small it gets, as in loss_scale.cl

// loss [1]
ROW_KERNEL void step_guard_loss(global float *guard, global const float *loss)
{
    if (LANE > 0)
        return;
    guard[LOSS] = loss[0];
    guard[SOUND] = isfinite(loss[0]) ? 1 : 0;
}

// norm [4]: the gradients' (grad_norm.cl, loss_scale.cl); scale: loss_scale.cl's after this step, or NULL
ROW_KERNEL void step_guard_norm(global float *guard, global const float *norm, global const float *scale)
{
    if (LANE == 0 && !isfinite(norm[0]) && (!scale || scale[FACTOR] <= LEAST))
        guard[SOUND] = 0;
}
