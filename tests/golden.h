/* Golden folders of models: inputs that stand beside the weights, and the numbers that should come out.
 *
 *     struct golden golden = golden_open("towers/dinov2");          // below tests/goldens
 *     struct tensor *y = golden_images(tape, clip, &golden);        // features of pictures.u8
 *     golden_check(&golden, "features.npy", y, 1e-5);               // dies with the place and both numbers
 *     golden_close(&golden);
 */
#ifndef OCLIP_TESTS_GOLDEN_H
#define OCLIP_TESTS_GOLDEN_H

#include "models/clip.h"
#include "runtime/util/npy.h"

enum { GOLDEN_TEXTS = 32 };

struct golden {
    char *folder;
    char *pictures; // [picture_bytes], or NULL
    size_t picture_bytes;
    char *lines; /* of texts.txt, or NULL */
    const char *texts[GOLDEN_TEXTS];
    int text_count;
};

struct golden golden_open(const char *name);
struct golden golden_open_folder(const char *folder); /* that stands anywhere */
void golden_close(struct golden *golden);

char *golden_path(const struct golden *golden, const char *file); /* caller frees */
struct npy golden_numbers(const struct golden *golden, const char *file);

/* A model of the folder's one tower, of pictures or of texts, that can be trained. */
struct clip *golden_open_tower(struct device *dev, const struct golden *golden, bool text);

/* The model's features of the folder's pictures, or texts: [n, features] */
struct tensor *golden_images(struct tape *tape, const struct clip *clip, const struct golden *golden);
struct tensor *golden_texts(struct tape *tape, const struct clip *clip, const struct golden *golden);

/* The same of texts that the folder has as ids.npy [sum of lengths] and lengths.npy [n]. */
struct tensor *golden_ids(struct tape *tape, const struct clip *clip, const struct golden *golden);

/* Holds a tensor against a file of the same shape. */
void golden_check(const struct golden *golden, const char *file, const struct tensor *got, double tolerance);

/* Holds the gradient of a parameter against the values it has, which were loaded from a golden file of gradients. */
void golden_check_gradient(const struct golden *golden, const struct param *param, double tolerance);

float *golden_download(const struct tensor *tensor); /* caller frees */

#endif
