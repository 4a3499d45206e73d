/* Zero-shot classification: a class is known by texts that name it.
 *
 *     struct zeroshot zeroshot;
 *     if (zeroshot_open(&zeroshot, clip, "classes.txt", "templates.txt", &options, &err) != 0) return -1;
 *     ... zeroshot.rows + c * clip->embed_dim is the embedding of zeroshot.classes.items[c] ...
 *     zeroshot_probabilities(cosines, classes, zeroshot_logits(clip));
 *     zeroshot_close(&zeroshot);
 *
 * A class's embedding is the mean over the templates of the normalised embeddings of its texts, normalised again
 * (Radford et al. 2021, section 3.1.4). It is kept below device_cache_folder("classes"), named by the hash of the
 * model and all texts; a cached file that is broken is made anew.
 */
#ifndef OCLIP_ZEROSHOT_H
#define OCLIP_ZEROSHOT_H

#include "models/encoder.h"
#include "runtime/util/file.h"

struct zeroshot {
    struct string_list classes;
    float *rows; // [classes.count, embed_dim]
};

/* templates_path: NULL for a few usual ones. Each template holds {} where the class goes. */
int zeroshot_open(struct zeroshot *zeroshot, const struct clip *clip, const char *classes_path,
                  const char *templates_path, const struct encode_options *options, struct error *err) MUST_CHECK;
void zeroshot_close(struct zeroshot *zeroshot);

/* What a model makes of cosines: scale * cosine + bias. */
struct zeroshot_logits {
    float scale, bias; /* exp of the logit scale, for CLIP at most 100 (a raw scale: itself) */
    bool sigmoid;      /* trained by SigLIP's loss: each class stands by itself */
};
struct zeroshot_logits zeroshot_logits(const struct clip *clip);

/* softmax of the logits, or the sigmoid of each, in place of the cosines. */
void zeroshot_probabilities(float *scores, // [n]
                            size_t n, struct zeroshot_logits logits);

#endif
