#include "models/images/preprocess.h"

#include "models/images/orientation.h"

#include <math.h>
#include <string.h>

enum { SIDE_MAX = 1 << 24 };

/* Where a crop of `crop` pixels lies along an axis of `size` pixels. */
struct crop_axis {
    int first, count; /* the pixels taken */
    int margin;       /* pixels of the fill colour before them */
};

static struct crop_axis crop_axis(int size, const struct preprocess *preprocess)
{
    int crop = preprocess->crop, spare = size > crop ? size - crop : crop - size, half = spare / 2, odd = spare & 1;
    if (size < crop)
        return (struct crop_axis){.count = size, .margin = preprocess->torchvision_crop ? half : half + odd};
    /* Python's round(): a half goes to the even neighbour. */
    return (struct crop_axis){.first = preprocess->torchvision_crop ? half + (half & odd) : half, .count = crop};
}

/* The short side to the target; the long side is cut to whole pixels. */
static void fit_short_side(long long *width, long long *height, long long target)
{
    if (*width <= *height) {
        *height = target * *height / *width;
        *width = target;
    } else {
        *width = target * *width / *height;
        *height = target;
    }
}

/* The long side to the target; the short one is rounded, in the doubles of ResizeKeepRatio. */
static void fit_long_side(long long *width, long long *height, int target)
{
    double ratio = fmax((double)*width / target, (double)*height / target);
    *width = llrint((double)*width / ratio);
    *height = llrint((double)*height / ratio);
}

static void resized_size(long long *width, long long *height, const struct preprocess *preprocess,
                         const struct picture *picture)
{
    *width = picture->width;
    *height = picture->height;
    if (preprocess->resize == 0)
        return;
    if (preprocess->fit == FIT_SQUASH)
        *width = *height = preprocess->resize;
    else if (preprocess->fit == FIT_LONG_SIDE)
        fit_long_side(width, height, preprocess->resize);
    else
        fit_short_side(width, height, preprocess->resize);
}

static void fill(unsigned char *out /* [crop, crop, 3] */, const struct preprocess *preprocess)
{
    for (size_t i = 0; i < preprocess_bytes(preprocess); i++)
        out[i] = preprocess->fill[i % 3];
}

int preprocess_picture(unsigned char *out, const struct preprocess *preprocess, const struct picture *picture,
                       const char *name, struct error *err)
{
    long long width, height;
    resized_size(&width, &height, preprocess, picture);
    if (width > SIDE_MAX || height > SIDE_MAX || width < 1 || height < 1)
        return error_set(err, EXIT_BAD_DATA, "%s: a picture of %d x %d is too narrow to resize", name, picture->width,
                         picture->height);

    struct crop_axis x = crop_axis((int)width, preprocess), y = crop_axis((int)height, preprocess);
    struct resize_window window = {.left = x.first, .top = y.first, .width = x.count, .height = y.count};
    size_t stride = 3 * (size_t)preprocess->crop;
    if (x.count < preprocess->crop || y.count < preprocess->crop)
        fill(out, preprocess);
    picture_resize_window(out + (size_t)y.margin * stride + 3 * (size_t)x.margin, picture, (int)width, (int)height,
                          window, stride, preprocess->filter);
    return 0;
}

/* Takes the picture over. */
static int finish(unsigned char *out /* [crop, crop, 3] */, const struct preprocess *preprocess,
                  struct picture *picture, const char *name, struct error *err)
{
    if (preprocess->upright)
        picture_upright(picture);
    int result = preprocess_picture(out, preprocess, picture, name, err);
    picture_free(picture);
    return result;
}

int preprocess_file(unsigned char *out, const struct preprocess *preprocess, const char *path, struct error *err)
{
    struct picture picture;
    if (picture_decode(&picture, path, err) != 0)
        return -1;
    return finish(out, preprocess, &picture, path, err);
}

int preprocess_file_facts(unsigned char *out, struct picture_facts *facts, const struct preprocess *preprocess,
                          const char *path, struct error *err)
{
    struct picture picture;
    if (facts_decode(facts, &picture, path, err) != 0)
        return -1;
    return finish(out, preprocess, &picture, path, err);
}

size_t preprocess_bytes(const struct preprocess *preprocess)
{
    return (size_t)preprocess->crop * (size_t)preprocess->crop * 3;
}

void preprocess_add_hash(struct hash *hash, const struct preprocess *preprocess)
{
    const int numbers[] = {preprocess->resize,           preprocess->fit,     preprocess->crop,
                           preprocess->torchvision_crop, preprocess->upright, preprocess->filter->pillow_code};
    hash_add(hash, numbers, sizeof numbers);
    hash_add(hash, preprocess->fill, sizeof preprocess->fill);
    hash_add(hash, preprocess->mean, sizeof preprocess->mean);
    hash_add(hash, preprocess->std, sizeof preprocess->std);
}
