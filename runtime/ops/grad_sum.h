/* The gradients of several ranks (runtime/ranks/ranks.h) become their sum, bucket by bucket, through the host: while
 * the device goes on with the backward pass, the host exchanges what it has done.
 *
 *     struct grad_sum *sum = grad_sum_new(arena, ranks);      // NULL: one rank has nothing to add
 *     grad_sum_send(sum, bucket);                             // once it is complete: on its way to the host
 *     grad_sum_finish(sum);                                   // sends those that were not, and waits for all
 *     ... bucket->grads hold the sums, the same bits on every rank ...
 *     grad_sum_free(sum);
 */
#ifndef OCLIP_GRAD_SUM_H
#define OCLIP_GRAD_SUM_H

#include "runtime/arena.h"
#include "runtime/ranks/ranks.h"

struct grad_sum *grad_sum_new(struct arena *arena, struct ranks *ranks);
struct ranks *grad_sum_ranks(const struct grad_sum *sum);
void grad_sum_free(struct grad_sum *sum); /* NULL is fine */

/* The bucket is filled (bucket_fill) and stays as it is until grad_sum_finish(). */
void grad_sum_send(struct grad_sum *sum, struct bucket *bucket);
void grad_sum_finish(struct grad_sum *sum);

#endif
