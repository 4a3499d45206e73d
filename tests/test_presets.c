/* Models by name: their shapes, their numbers of parameters, and that they run. */
#include "models/presets.h"
#include "tests/golden.h"
#include "tests/op_check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static struct clip *open_preset(struct device *dev, const char *name, uint64_t seed)
{
    struct error err;
    struct clip *clip;
    CHECK(preset_open(&clip, dev, name, 0, seed, &err) == 0, "%s", err.text);
    return clip;
}

static void check_count(const struct clip *clip, const char *name, size_t want)
{
    size_t count = 0;
    for (int i = 0; i < clip->arena->count; i++)
        if (!clip->arena->params[i].init.state)
            count += tensor_count(clip->arena->params[i].tensor);
    CHECK(count == want, "%s has %zu parameters, not %zu", name, count, want);
}

static void check_shape(const char *name, const struct tensor *got, int rows, int width)
{
    CHECK(got->ndim == 2 && got->dim[0] == rows && got->dim[1] == width, "%s: got %s, not [%d, %d]", name,
          tensor_shape(got).text, rows, width);
}

static struct tensor *run_image(struct tape *tape, const struct clip *clip)
{
    int side = clip->preprocess.crop;
    unsigned char *picture = mem_new(preprocess_bytes(&clip->preprocess), 1); // [side, side, 3]
    struct tensor *pictures = tape_upload(tape, DTYPE_U8, 4, (int[]){1, side, side, 3}, picture);
    free(picture);
    return clip_image_features(tape, clip, pictures);
}

static struct tensor *run_texts(struct tape *tape, const struct clip *clip)
{
    return clip_text_features(tape, clip, (int[]){1, 2, 3, 4, 5}, (int[]){2, 3}, 2);
}

/* As many parameters as transformers' Dinov2Model without its mask token, and timm's ResNet without a classifier. */
static void check_image_towers(struct device *dev)
{
    static const struct {
        const char *name;
        size_t parameters;
        int features;
    } towers[] = {{"dinov2-small", 22056192, 384}, {"resnet50", 23508032, 2048}};
    for (size_t i = 0; i < sizeof towers / sizeof *towers; i++) {
        const char *name = towers[i].name;
        struct tape *tape = tape_new(dev, false);
        struct clip *clip = open_preset(dev, name, 1);
        CHECK(clip->has_image && !clip->has_text && !clip->has_heads, "%s is more than an image tower", name);
        check_count(clip, name, towers[i].parameters);
        check_shape(name, run_image(tape, clip), 1, towers[i].features);
        tape_free(tape);
        clip_close(clip);
    }
}

/* As many as transformers' BertModel of that size without its pooler; another seed gives another model. */
static void check_text_tower(struct device *dev)
{
    enum { NUMBERS = 2 * 384 };
    float *features[2]; // [2, 384] each
    for (int s = 0; s < 2; s++) {
        struct tape *tape = tape_new(dev, false);
        struct clip *clip = open_preset(dev, "MiniLM-L6", (uint64_t)s);
        CHECK(clip->has_text && !clip->has_image && !clip->has_heads, "MiniLM-L6 is more than a text tower");
        check_count(clip, "MiniLM-L6", 22565376);
        struct tensor *got = run_texts(tape, clip);
        check_shape("MiniLM-L6", got, 2, 384);
        features[s] = golden_download(got);
        tape_free(tape);
        clip_close(clip);
    }
    CHECK(memcmp(features[0], features[1], NUMBERS * sizeof(float)) != 0, "two seeds give one model");
    free(features[0]);
    free(features[1]);
}

static void check_embedding(const char *name, const struct tensor *embedding)
{
    float *numbers = golden_download(embedding);
    double squares = 0;
    for (int i = 0; i < embedding->dim[1]; i++)
        squares += (double)numbers[i] * (double)numbers[i];
    CHECK(fabs(squares - 1) < 1e-5, "%s: an embedding of length %g", name, sqrt(squares));
    free(numbers);
}

/* As many parameters as open_clip's. */
static void check_pair(struct device *dev)
{
    struct tape *tape = tape_new(dev, false);
    struct clip *clip = open_preset(dev, "ViT-B-32", 1);
    struct tensor *image = clip_embed_images(tape, clip, run_image(tape, clip));
    struct tensor *texts = clip_embed_texts(tape, clip, run_texts(tape, clip));
    check_count(clip, "ViT-B-32", 151277313);
    check_shape("ViT-B-32's picture", image, 1, 512);
    check_shape("ViT-B-32's texts", texts, 2, 512);
    check_embedding("ViT-B-32's picture", image);
    check_embedding("ViT-B-32's text", texts);
    tape_free(tape);
    clip_close(clip);
}

static void check_unknown(struct device *dev)
{
    struct error err;
    struct clip *clip;
    CHECK(preset_open(&clip, dev, "ViT-B", 0, 1, &err) != 0 && err.code == EXIT_USAGE, "\"ViT-B\" opens");
    CHECK(strstr(err.text, preset_names()) && strstr(err.text, "\"ViT-B\""), "%s", err.text);
}

static void test(struct device *dev)
{
    check_image_towers(dev);
    check_text_tower(dev);
    check_pair(dev);
    check_unknown(dev);
}

int main(void)
{
    for_each_device(test);
    return EXIT_OK;
}
