/* Canonical maps: of two sides that share a few hidden numbers below noise of their own, they find those, in pairs that
 * they have not seen too; what they promise of their outputs holds; features that have no maps are said to. */
#include "trainer/canonical.h"

#include "runtime/util/random.h"

#include <math.h>
#include <stdlib.h>

enum { PAIRS = 6000, HELD_OUT = 1000, HIDDEN = 3, IMAGE = 24, TEXT = 20, OUTPUTS = 32 };

/* rows [PAIRS, width]: hidden [PAIRS, HIDDEN] through a random matrix, and as much noise, of deviation 1 together */
static struct features make_side(const float *hidden, int width, struct random *random)
{
    struct features side = {
        .rows = mem_new((size_t)PAIRS * (size_t)width, sizeof(float)), .count = PAIRS, .width = (size_t)width};
    float *mixing = mem_new((size_t)width * HIDDEN, sizeof *mixing); // [width, HIDDEN]
    random_fill_normal(mixing, random, (size_t)width * HIDDEN);
    random_fill_normal(side.rows, random, (size_t)PAIRS * (size_t)width);
    for (int j = 0; j < width; j++) {
        float *weight = mixing + j * HIDDEN;
        float length = sqrtf(weight[0] * weight[0] + weight[1] * weight[1] + weight[2] * weight[2]);
        for (int i = 0; i < PAIRS; i++) {
            float shared = 0, *x = &side.rows[i * width + j];
            for (int h = 0; h < HIDDEN; h++)
                shared += weight[h] * hidden[i * HIDDEN + h];
            *x = (shared / length + *x) / sqrtf(2);
        }
    }
    free(mixing);
    return side;
}

/* Output o of a side's row. */
static double output(const struct canonical_side *side, int row, int o)
{
    double sum = 0;
    for (size_t i = 0; i < side->features->width; i++)
        sum += (double)side->weights[(size_t)o * side->features->width + i] *
               (double)side->features->rows[(size_t)row * side->features->width + i];
    return sum;
}

static double correlation(const struct canonical_side *a, const struct canonical_side *b, int o, int first, int count)
{
    double ab = 0, aa = 0, bb = 0;
    for (int row = first; row < first + count; row++) {
        double x = output(a, row, o), y = output(b, row, o);
        ab += x * y;
        aa += x * x;
        bb += y * y;
    }
    return ab / sqrt(aa * bb);
}

static void check_squares(const struct canonical_side *side, const char *name)
{
    double squares = 0, last = 0;
    for (int o = 0; o < OUTPUTS; o++) {
        double before = squares;
        for (int row = 0; row < PAIRS - HELD_OUT; row++)
            squares += pow(output(side, row, o), 2) / (PAIRS - HELD_OUT);
        last = squares - before;
    }
    CHECK(fabs(squares / OUTPUTS - 1) < 1e-4, "%s: squares of outputs add up to %g", name, squares);
    CHECK(last == 0, "%s: there are no more than %d maps, but output %d is %g", name, TEXT, OUTPUTS, last);
}

static void check_useless(struct device *dev, struct canonical_side *image, struct canonical_side *text, float number)
{
    float *rows = image->features->rows;
    for (int i = 0; i < PAIRS * IMAGE; i++)
        rows[i] = number;
    CHECK(!canonical_find(dev, image, text, PAIRS, OUTPUTS), "maps were found for features that all are %g",
          (double)number);
}

int main(void)
{
    struct error err;
    struct device *dev;
    if (device_open(&dev, "auto", &err) != 0)
        return error_report(&err);
    struct random random = random_begin(3);
    static float hidden[PAIRS * HIDDEN], image_weights[OUTPUTS * IMAGE], text_weights[OUTPUTS * TEXT];
    static int rows[PAIRS];
    random_fill_normal(hidden, &random, PAIRS * HIDDEN);
    for (int i = 0; i < PAIRS; i++)
        rows[i] = i;
    struct features images = make_side(hidden, IMAGE, &random), texts = make_side(hidden, TEXT, &random);
    struct canonical_side image = {&images, rows, image_weights}, text = {&texts, rows, text_weights};

    CHECK(canonical_find(dev, &image, &text, PAIRS - HELD_OUT, OUTPUTS), "no maps were found");
    for (int o = 0; o < 5; o++) {
        double seen = correlation(&image, &text, o, 0, PAIRS - HELD_OUT),
               held_out = correlation(&image, &text, o, PAIRS - HELD_OUT, HELD_OUT);
        CHECK(o < HIDDEN ? seen > 0.6 && held_out > 0.6 : fabs(held_out) < 0.2,
              "output %d correlates %g, held out %g; %d numbers are shared", o, seen, held_out, HIDDEN);
    }
    check_squares(&image, "images");
    check_squares(&text, "texts");
    check_useless(dev, &image, &text, 0);
    check_useless(dev, &image, &text, NAN);
    free(images.rows);
    free(texts.rows);
    device_close(dev);
    return 0;
}
