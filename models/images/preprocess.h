/* From a picture's file to the square of pixels that a model sees, as the model's own folder says.
 *
 *     struct preprocess preprocess;
 *     if (preprocess_read(&preprocess, "models/clip-vit-base-patch32", &err) != 0)
 *         return -1;
 *     unsigned char *square = mem_new(preprocess_bytes(&preprocess), 1); // [crop, crop, 3]
 *     if (preprocess_file(square, &preprocess, "photo.jpg", &err) != 0) ...
 *
 * The square stays in bytes; the patch embedding's kernel makes them (byte / 255 - mean) / std on the device.
 * Sizes and crops are torchvision's Resize and CenterCrop on a Pillow picture.
 */
#ifndef OCLIP_PREPROCESS_H
#define OCLIP_PREPROCESS_H

#include "models/images/decode.h"
#include "models/images/resize.h"

#include <stdbool.h>

struct preprocess {
    int resize_short; /* the picture's short side is resized to this; 0: not resized at all */
    bool squash;      /* the long side too: the shape of the picture is lost (ViTImageProcessor, SigLIP) */
    int crop;         /* then the middle crop x crop pixels are taken; what the picture lacks is black */
    float mean[3], std[3];
    const struct resize_filter *filter;
};

/* Reads the first of these that the folder has: preprocessor_config.json (transformers), open_clip_config.json,
 * config.json with a pretrained_cfg (timm). A setting that oclip cannot follow exactly is an error. */
int preprocess_read(struct preprocess *preprocess, const char *model_folder, struct error *err) MUST_CHECK;

/* Writes preprocessor_config.json for transformers' CLIPImageProcessor; preprocess_read gives back the same. */
int preprocess_write(const struct preprocess *preprocess, const char *model_folder, struct error *err) MUST_CHECK;

size_t preprocess_bytes(const struct preprocess *preprocess); /* crop * crop * 3 */

int preprocess_file(unsigned char *out, // [crop, crop, 3]
                    const struct preprocess *preprocess, const char *path, struct error *err) MUST_CHECK;

/* The same for a picture already decoded; fails only for one so narrow that resizing it makes no sense. */
int preprocess_picture(unsigned char *out, // [crop, crop, 3]
                       const struct preprocess *preprocess, const struct picture *picture, const char *name,
                       struct error *err) MUST_CHECK;

#endif
