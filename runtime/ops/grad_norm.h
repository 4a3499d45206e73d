/* The Euclidean norm of all gradients in an arena, and the factor that clips it, left on the device.
 *
 *     struct tensor *norm = grad_norm(arena, 1.0f);       // the host does not wait
 *     float logged = grad_norm_download(norm);            // it does here
 *     tensor_free(norm);
 */
#ifndef OCLIP_GRAD_NORM_H
#define OCLIP_GRAD_NORM_H

#include "runtime/arena.h"

/* [4] float: the norm, and min(1, max_norm / (norm + 1e-6)) (torch.nn.utils.clip_grad_norm_). Sums run in a fixed
 * order. The rest is undefined, room for loss_scale.h. The arena must hold trained parameters. Caller frees. */
struct tensor *grad_norm(const struct arena *arena, float max_norm);

float grad_norm_download(const struct tensor *norm);

#endif
