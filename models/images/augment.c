#include "models/images/augment.h"

#include "models/images/orientation.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static double uniform(struct random *random, double low, double high)
{
    return low + (high - low) * random_uniform(random);
}

static int round_even(double x)
{
    return (int)fmin(nearbyint(x), 1e9);
}

/* The whole of one side and as much of the other as the ratio allows, in the middle. */
static void middle_part(struct augment_draw *draw, const struct augment *augment, int width, int height)
{
    double ratio = (double)width / height;
    draw->width = ratio > augment->ratio[1] ? round_even(height * augment->ratio[1]) : width;
    draw->height = ratio < augment->ratio[0] ? round_even(width / augment->ratio[0]) : height;
    draw->left = (width - draw->width) / 2;
    draw->top = (height - draw->height) / 2;
}

/* RandomResizedCrop.get_params: ten tries to find a part that lies in the picture. */
static void draw_part(struct augment_draw *draw, const struct augment *augment, int width, int height,
                      struct random *random)
{
    for (int tries = 0; tries < 10; tries++) {
        double area = (double)width * height * uniform(random, augment->scale[0], augment->scale[1]);
        double ratio = exp(uniform(random, log(augment->ratio[0]), log(augment->ratio[1])));
        draw->width = round_even(sqrt(area * ratio));
        draw->height = round_even(sqrt(area / ratio));
        if (draw->width > 0 && draw->width <= width && draw->height > 0 && draw->height <= height) {
            draw->left = (int)random_below(random, (size_t)(width - draw->width) + 1);
            draw->top = (int)random_below(random, (size_t)(height - draw->height) + 1);
            return;
        }
    }
    middle_part(draw, augment, width, height);
}

static double neutral(enum colour colour)
{
    return colour == COLOUR_HUE ? 0 : 1;
}

struct augment_draw augment_draw(const struct augment *augment, int width, int height, struct random *random)
{
    struct augment_draw draw = {0};
    int order[COLOURS];
    draw_part(&draw, augment, width, height, random);
    draw.flip = random_uniform(random) < augment->flip_prob;
    bool jitter = random_uniform(random) < augment->jitter_prob;
    for (int c = 0; c < COLOURS; c++) {
        double middle = neutral((enum colour)c), low = middle - augment->jitter[c];
        order[c] = c;
        draw.factors[c] =
            jitter ? uniform(random, c == COLOUR_HUE ? low : fmax(low, 0), middle + augment->jitter[c]) : middle;
    }
    random_shuffle(random, order, COLOURS);
    for (int c = 0; c < COLOURS; c++)
        draw.order[c] = (enum colour)order[c];
    draw.grey = random_uniform(random) < augment->grey_prob;
    return draw;
}

/* The part as a picture of its own: what lies beside it has no say in its pixels. */
static struct picture cut_out(const struct picture *picture, const struct augment_draw *draw)
{
    size_t stride = 3 * (size_t)draw->width;
    struct picture part = {.pixels = mem_new((size_t)draw->height, stride),
                           .width = draw->width,
                           .height = draw->height,
                           .orientation = picture->orientation};
    for (int y = 0; y < draw->height; y++)
        memcpy(part.pixels + (size_t)y * stride,
               picture->pixels + 3 * ((size_t)(draw->top + y) * (size_t)picture->width + (size_t)draw->left), stride);
    return part;
}

static void mirror(unsigned char *pixels /* [side, side, 3] */, int side)
{
    for (int y = 0; y < side; y++)
        for (int x = 0; x < side / 2; x++) {
            unsigned char *row = pixels + 3 * (size_t)y * (size_t)side, *left = row + 3 * x,
                          *right = row + 3 * (side - 1 - x), kept[3];
            memcpy(kept, left, 3);
            memcpy(left, right, 3);
            memcpy(right, kept, 3);
        }
}

void augment_apply(unsigned char *out, const struct preprocess *preprocess, const struct augment_draw *draw,
                   const struct picture *picture)
{
    int side = preprocess->crop;
    size_t pixels = (size_t)side * (size_t)side;
    struct picture part = cut_out(picture, draw);
    struct resize_window whole = {.width = side, .height = side};
    picture_resize_window(out, &part, side, side, whole, 3 * (size_t)side, preprocess->filter);
    picture_free(&part);
    if (draw->flip)
        mirror(out, side);
    for (int i = 0; i < COLOURS; i++)
        if (draw->factors[draw->order[i]] != neutral(draw->order[i]))
            colour_change(out, pixels, draw->order[i], draw->factors[draw->order[i]]);
    if (draw->grey)
        colour_grey(out, pixels);
}

int augment_file(unsigned char *out, const struct preprocess *preprocess, const struct augment *augment, uint64_t seed,
                 const char *name, struct error *err)
{
    struct picture picture;
    if (picture_decode(&picture, name, err) != 0)
        return -1;
    if (preprocess->upright)
        picture_upright(&picture);
    struct random random = random_begin(seed);
    struct augment_draw draw = augment_draw(augment, picture.width, picture.height, &random);
    augment_apply(out, preprocess, &draw, &picture);
    picture_free(&picture);
    return 0;
}
