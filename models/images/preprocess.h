/* From a picture's file to the square of pixels that a model sees, as the model's own folder says.
 *
 *     struct preprocess preprocess;
 *     if (preprocess_read(&preprocess, "models/clip-vit-base-patch32", &err) != 0)
 *         return -1;
 *     unsigned char *square = mem_new(preprocess_bytes(&preprocess), 1); // [crop, crop, 3]
 *     if (preprocess_file(square, &preprocess, "photo.jpg", &err) != 0) ...
 *
 * The square stays in bytes; the patch embedding's kernel makes them (byte / 255 - mean) / std on the device.
 * Sizes, crops and margins are those of the library that the folder was made for: transformers' image processors
 * (the ones that use Pillow), open_clip's image_transform, timm's transforms_imagenet_eval; the picture is RGB first.
 */
#ifndef OCLIP_PREPROCESS_H
#define OCLIP_PREPROCESS_H

#include "models/images/decode.h"
#include "models/images/facts.h"
#include "models/images/resize.h"
#include "runtime/util/hash.h"

#include <stdbool.h>

/* Which side of the picture becomes `resize` pixels. */
enum preprocess_fit {
    FIT_SHORT_SIDE, /* and some of the long side is cropped */
    FIT_LONG_SIDE,  /* and there are margins beside the short side (open_clip's "longest", timm's "border") */
    FIT_SQUASH,     /* both: the shape of the picture is lost (ViTImageProcessor, SigLIP) */
};

struct preprocess {
    int resize; /* 0: not resized at all */
    enum preprocess_fit fit;
    int crop;              /* then the middle crop x crop pixels are taken */
    unsigned char fill[3]; /* RGB of what the picture lacks */
    bool torchvision_crop; /* a middle between two pixels is rounded to even; else down, as transformers does */
    bool upright;          /* EXIF's orientation is applied; no model's own pipeline does */
    float mean[3], std[3];
    const struct resize_filter *filter;
};

/* Reads the first of these that the folder has: processor_config.json with an image_processor (transformers 5),
 * preprocessor_config.json (transformers), open_clip_config.json, config.json with a pretrained_cfg (timm). A setting
 * that oclip cannot follow exactly is an error. */
int preprocess_read(struct preprocess *preprocess, const char *model_folder, struct error *err) MUST_CHECK;

/* Writes preprocessor_config.json for transformers' CLIPImageProcessor; preprocess_read gives back the same. What that
 * processor knows nothing of stands under keys of oclip's own: center_crop_rounding, fill_color, exif_orientation. */
int preprocess_write(const struct preprocess *preprocess, const char *model_folder, struct error *err) MUST_CHECK;

/* Of all that changes the square or what becomes of it. */
void preprocess_add_hash(struct hash *hash, const struct preprocess *preprocess);

size_t preprocess_bytes(const struct preprocess *preprocess); /* crop * crop * 3 */

int preprocess_file(unsigned char *out, // [crop, crop, 3]
                    const struct preprocess *preprocess, const char *path, struct error *err) MUST_CHECK;

/* The same, and what facts.h tells of the file; filled as far as possible when it fails. */
int preprocess_file_facts(unsigned char *out, // [crop, crop, 3]
                          struct picture_facts *facts, const struct preprocess *preprocess, const char *path,
                          struct error *err) MUST_CHECK;

/* The same for a picture already decoded (and turned upright, if wanted); fails only for one so narrow that resizing it
 * makes no sense. */
int preprocess_picture(unsigned char *out, // [crop, crop, 3]
                       const struct preprocess *preprocess, const struct picture *picture, const char *name,
                       struct error *err) MUST_CHECK;

#endif
