/* Projection heads: from a tower's features to the space both towers share.
 *
 *     struct head head;
 *     head_declare(&head, arena, HEAD_MLP, 384, 512, 0.1f, "image_head");
 *     embedding = head_forward(tape, &head, features);        // [n, 384] -> [n, 512]
 *
 * mlp:    y = fc1(x);  norm(dropout(fc2(gelu(y))) + y)        (the seed project's head)
 * linear: fc1(x) without bias                                 (CLIP's)
 * none:   x                                                   (the towers themselves end in a projection)
 */
#ifndef OCLIP_HEAD_H
#define OCLIP_HEAD_H

#include "models/towers/module.h"

enum head_kind { HEAD_MLP, HEAD_LINEAR, HEAD_NONE, HEAD_KINDS };
extern const char *const head_names[HEAD_KINDS]; /* "mlp", "linear", "none" */

struct head {
    enum head_kind kind;
    float dropout;
    int in, out;
    struct linear fc1, fc2;
    struct norm norm;
};

void head_declare(struct head *head, struct arena *arena, enum head_kind kind, int in, int out, float dropout,
                  const char *prefix);
struct tensor *head_forward(struct tape *tape, const struct head *head, struct tensor *x);

#endif
