/* Where the gradients of trained parameters live. Neighbours in the arena share a bucket, whose memory exists from the
 * first gradient that a backward pass writes until the optimizer has used them: then it serves other tensors.
 *
 *     struct tensor *grad = bucket_grad(param);       // by the tape, when param has no gradient yet
 *     if (bucket_complete(bucket)) ...                // nothing more will come in this backward pass
 *     bucket_fill(bucket);                            // parameters that got no gradient have zeros
 *     ... ARG_MEMORY(bucket->grads) ...
 *     bucket_clear(bucket);
 */
#ifndef OCLIP_BUCKET_H
#define OCLIP_BUCKET_H

#include "runtime/tensor.h"

struct bucket {
    struct device *dev;
    size_t first, numbers;  /* where it starts in arena->values, and how long it is there */
    struct buffer *grads;   // [numbers], what pads parameters undefined; NULL while there is none
    struct tensor **params; // [count], in the arena's order
    int count, complete;    /* of params: those whose last use has flown back */
};

/* A new gradient for a parameter that has none, undefined. The tensor owns it until bucket_clear(). */
struct tensor *bucket_grad(const struct tensor *param);

bool bucket_complete(const struct bucket *bucket);
void bucket_fill(struct bucket *bucket);
void bucket_clear(struct bucket *bucket);

#endif
