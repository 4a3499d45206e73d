/* What turns pictures and texts into tokens: op_patch_embed, op_image_tokens, op_text_tokens. */
#include "tests/op_check.h"

static const float mean[3] = {0.48145466f, 0.4578275f, 0.40821073f}, std[3] = {0.26862954f, 0.26130258f, 0.27577711f};

/* in: images [batch, side, side, 3], weight [width, 3, patch, patch], bias [width] if present */
static struct tensor *run_patch_embed(struct tape *tape, struct tensor *const *in, const struct op_case *c)
{
    (void)c;
    return op_patch_embed(tape, in[0], in[1], in[2], mean, std);
}

static void patch_embed_reference(double *y, double *const *in, const struct op_case *c)
{
    int batch = c->in[0].dim[0], side = c->in[0].dim[1], width = c->in[1].dim[0], patch = c->in[1].dim[3];
    int grid = side / patch;
    for (int row = 0; row < batch * grid * grid; row++)
        for (int w = 0; w < width; w++) {
            double sum = c->in[2].ndim ? in[2][w] : 0;
            for (int channel = 0; channel < 3; channel++)
                for (int py = 0; py < patch; py++)
                    for (int px = 0; px < patch; px++) {
                        int picture = row / (grid * grid), at = row % (grid * grid);
                        int top = at / grid * patch + py, left = at % grid * patch + px;
                        double pixel = in[0][((picture * side + top) * side + left) * 3 + channel];
                        sum += (pixel / 255 - (double)mean[channel]) / (double)std[channel] *
                               in[1][((w * 3 + channel) * patch + py) * patch + px];
                    }
            y[row * width + w] = sum;
        }
}

/* in: patches [batch * (tokens - first), width], position [tokens, width], class_token [width] if present */
static struct tensor *run_image_tokens(struct tape *tape, struct tensor *const *in, const struct op_case *c)
{
    (void)c;
    return op_image_tokens(tape, in[0], in[2], in[1]);
}

static void image_tokens_reference(double *y, double *const *in, const struct op_case *c)
{
    int first = c->in[2].ndim != 0;
    int tokens = c->in[1].dim[0], width = c->in[1].dim[1], batch = c->in[0].dim[0] / (tokens - first);
    for (int row = 0; row < batch * tokens; row++)
        for (int w = 0; w < width; w++) {
            int picture = row / tokens, token = row % tokens;
            double x = token < first ? in[2][w] : in[0][(picture * (tokens - first) + token - first) * width + w];
            y[row * width + w] = x + in[1][token * width + w];
        }
}

/* Packed texts; ids repeat within a text and between texts, and some rows of the table are never used. */
enum { TEXTS = 5, TEXT_TOKENS = 64 };
static const struct texts {
    int lengths[TEXTS], count;
} texts[] = {
    {{1}, 1},
    {{3, 1, 7}, 3},
    {{13, 13, 13, 13, 12}, 5},
};

static int texts_total(const struct texts *t)
{
    int total = 0;
    for (int i = 0; i < t->count; i++)
        total += t->lengths[i];
    return total;
}

static int text_id(int token, int vocabulary)
{
    return (token * token + 3 * token + 2) % vocabulary;
}

/* in: word [vocabulary, width], position [positions, width], type [types, width] if present;
 * integer[0]: which of the texts above */
static struct tensor *run_text_tokens(struct tape *tape, struct tensor *const *in, const struct op_case *c)
{
    const struct texts *t = &texts[c->integer[0]];
    struct segments segments = segments_of_lengths(tape, t->lengths, t->count);
    int ids[TEXT_TOKENS];
    for (int token = 0; token < segments.total; token++)
        ids[token] = text_id(token, in[0]->dim[0]);
    return op_text_tokens(tape, in[0], in[1], in[2], ids, &segments, t->lengths);
}

static void text_tokens_reference(double *y, double *const *in, const struct op_case *c)
{
    const struct texts *t = &texts[c->integer[0]];
    int vocabulary = c->in[0].dim[0], width = c->in[0].dim[1], start = 0;
    for (int s = 0; s < t->count; start += t->lengths[s++])
        for (int i = 0; i < t->lengths[s]; i++)
            for (int w = 0; w < width; w++)
                y[(start + i) * width + w] = in[0][text_id(start + i, vocabulary) * width + w] + in[1][i * width + w] +
                                             (c->in[2].ndim ? in[2][w] : 0);
    CHECK(start == texts_total(t) && start <= TEXT_TOKENS, "%s: more tokens than fit", c->name);
}

#define PATCH_EMBED(batch, side, patch, width)                                                                         \
    {                                                                                                                  \
        "patch_embed " #batch "x" #side " patch " #patch " width " #width, run_patch_embed, patch_embed_reference,     \
            {{4, {batch, side, side, 3}, false, FILL_U8, 0, 0},                                                        \
             {4, {width, 3, patch, patch}, true, FILL_NORMAL, 0.1, 0},                                                 \
             NORMAL1(true, width)},                                                                                    \
            {0}, {0}, 0                                                                                                \
    }
#define IMAGE_TOKENS(batch, tokens, width, patches_grad, class_grad, position_grad)                                    \
    {                                                                                                                  \
        "image_tokens " #batch "x" #tokens "x" #width, run_image_tokens, image_tokens_reference,                       \
            {ACTIVATIONS(patches_grad, (batch) * ((tokens)-1), width), NORMAL2(position_grad, tokens, width),              \
             NORMAL1(class_grad, width)},                                                                              \
            {0}, {0}, 0                                                                                                \
    }
#define TEXT_TOKENS_CASE(which, vocabulary, positions, width, word_grad, position_grad)                                \
    {                                                                                                                  \
        "text_tokens " #which " of " #vocabulary "x" #width, run_text_tokens, text_tokens_reference,                   \
            {NORMAL2(word_grad, vocabulary, width), NORMAL2(position_grad, positions, width),                          \
             NORMAL2(true, 2, width)},                                                                                 \
            {which}, {0}, 0                                                                                            \
    }

static const struct op_case cases[] = {
    PATCH_EMBED(1, 1, 1, 1),
    PATCH_EMBED(2, 6, 3, 7),
    PATCH_EMBED(3, 28, 14, 17),
    PATCH_EMBED(1, 64, 16, 100),
    PATCH_EMBED(2, 35, 7, 64),
    {"patch_embed without bias, 1x8 patch 4",
     run_patch_embed,
     patch_embed_reference,
     {{4, {1, 8, 8, 3}, false, FILL_U8, 0, 0}, {4, {5, 3, 4, 4}, true, FILL_NORMAL, 0, 0}},
     {0},
     {0},
     0},
    {"patch_embed, frozen weight, 2x8 patch 2",
     run_patch_embed,
     patch_embed_reference,
     {{4, {2, 8, 8, 3}, false, FILL_U8, 0, 0}, {4, {5, 3, 2, 2}, false, FILL_NORMAL, 0, 0}, NORMAL1(true, 5)},
     {0},
     {0},
     0},

    IMAGE_TOKENS(1, 2, 1, true, true, true),
    IMAGE_TOKENS(2, 5, 7, true, true, true),
    IMAGE_TOKENS(3, 17, 64, true, true, true),
    IMAGE_TOKENS(5, 50, 100, true, true, true),
    IMAGE_TOKENS(3, 4, 17, false, true, false),
    IMAGE_TOKENS(3, 4, 8, false, false, true),
    IMAGE_TOKENS(3, 4, 3, true, false, false),
    {"image_tokens without a class token",
     run_image_tokens,
     image_tokens_reference,
     {ACTIVATIONS(true, 3 * 5, 17), NORMAL2(true, 5, 17)},
     {0},
     {0},
     0},

    TEXT_TOKENS_CASE(0, 1, 1, 1, true, true),
    TEXT_TOKENS_CASE(0, 9, 5, 8, true, true),
    TEXT_TOKENS_CASE(1, 11, 7, 3, true, true),
    TEXT_TOKENS_CASE(2, 41, 16, 7, true, true),
    TEXT_TOKENS_CASE(2, 5, 13, 100, true, true),
    TEXT_TOKENS_CASE(2, 300, 77, 64, true, true),
    TEXT_TOKENS_CASE(2, 30, 20, 17, false, true),
    TEXT_TOKENS_CASE(1, 30, 20, 17, true, false),
    {"text_tokens without types",
     run_text_tokens,
     text_tokens_reference,
     {NORMAL2(true, 23, 12), NORMAL2(true, 13, 12)},
     {2},
     {0},
     0},
};

OP_TESTS(cases)
