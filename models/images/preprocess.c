#include "models/images/preprocess.h"

#include <string.h>

enum { SIDE_MAX = 1 << 24 };

/* Where a crop of `crop` pixels lies along an axis of `size` pixels. */
struct crop_axis {
    int first, count; /* the pixels taken */
    int margin;       /* black pixels before them */
};

static struct crop_axis crop_axis(int size, int crop)
{
    if (size < crop)
        return (struct crop_axis){.count = size, .margin = (crop - size) / 2};
    /* Python's round(): a half goes to the even neighbour. */
    int spare = size - crop, half = spare / 2;
    return (struct crop_axis){.first = half + (half & spare & 1), .count = crop};
}

static void resized_size(long long *width, long long *height, const struct preprocess *preprocess,
                         const struct picture *picture)
{
    long long target = preprocess->resize_short;
    *width = picture->width;
    *height = picture->height;
    if (target == 0)
        return;
    if (preprocess->squash) {
        *width = *height = target;
    } else if (*width <= *height) {
        *height = target * *height / *width;
        *width = target;
    } else {
        *width = target * *width / *height;
        *height = target;
    }
}

int preprocess_picture(unsigned char *out, const struct preprocess *preprocess, const struct picture *picture,
                       const char *name, struct error *err)
{
    long long width, height;
    resized_size(&width, &height, preprocess, picture);
    if (width > SIDE_MAX || height > SIDE_MAX)
        return error_set(err, EXIT_BAD_DATA, "%s: a picture of %d x %d is too narrow to resize", name, picture->width,
                         picture->height);

    struct crop_axis x = crop_axis((int)width, preprocess->crop), y = crop_axis((int)height, preprocess->crop);
    struct resize_window window = {.left = x.first, .top = y.first, .width = x.count, .height = y.count};
    size_t stride = 3 * (size_t)preprocess->crop;
    if (x.count < preprocess->crop || y.count < preprocess->crop)
        memset(out, 0, preprocess_bytes(preprocess));
    picture_resize_window(out + (size_t)y.margin * stride + 3 * (size_t)x.margin, picture, (int)width, (int)height,
                          window, stride, preprocess->filter);
    return 0;
}

int preprocess_file(unsigned char *out, const struct preprocess *preprocess, const char *path, struct error *err)
{
    struct picture picture;
    if (picture_decode(&picture, path, err) != 0)
        return -1;
    int result = preprocess_picture(out, preprocess, &picture, path, err);
    picture_free(&picture);
    return result;
}

size_t preprocess_bytes(const struct preprocess *preprocess)
{
    return (size_t)preprocess->crop * (size_t)preprocess->crop * 3;
}
