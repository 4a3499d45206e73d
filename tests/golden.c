#include "tests/golden.h"

#include "models/encoder.h"
#include "runtime/util/file.h"
#include "tests/op_check.h"

#include <stdlib.h>
#include <string.h>

char *golden_path(const struct golden *golden, const char *file)
{
    return path_join(golden->folder, file);
}

static char *read_if_there(const struct golden *golden, const char *file, size_t *size)
{
    struct error err;
    char *path = golden_path(golden, file), *bytes = NULL;
    if (file_exists(path))
        CHECK(file_read(&bytes, size, path, 1 << 20, &err) == 0, "%s", err.text);
    free(path);
    return bytes;
}

struct golden golden_open_folder(const char *folder)
{
    struct golden golden = {.folder = mem_format("%s", folder)};
    size_t size = 0;
    golden.pictures = read_if_there(&golden, "pictures.u8", &golden.picture_bytes);
    golden.lines = read_if_there(&golden, "texts.txt", &size);
    /* A text a line, an empty line being an empty text; the last line ends too. */
    for (char *at = golden.lines, *end; at && at < golden.lines + size; at = end + 1) {
        CHECK(golden.text_count < GOLDEN_TEXTS, "%s: too many texts", golden.folder);
        golden.texts[golden.text_count++] = at;
        end = strchr(at, '\n');
        *end = '\0';
    }
    return golden;
}

struct golden golden_open(const char *name)
{
    char *folder = mem_format("%s/goldens/%s", getenv("OCLIP_TEST_DATA"), name);
    struct golden golden = golden_open_folder(folder);
    free(folder);
    return golden;
}

void golden_close(struct golden *golden)
{
    free(golden->pictures);
    free(golden->lines);
    free(golden->folder);
}

struct npy golden_numbers(const struct golden *golden, const char *file)
{
    struct error err;
    struct npy numbers;
    char *path = golden_path(golden, file);
    CHECK(npy_read(&numbers, path, &err) == 0, "%s", err.text);
    free(path);
    return numbers;
}

struct clip *golden_open_tower(struct device *dev, const struct golden *golden, bool text)
{
    struct error err;
    struct clip *clip;
    struct clip_recipe recipe = {0};
    *(text ? &recipe.text_folder : &recipe.image_folder) = golden->folder;
    CHECK(clip_create(&clip, dev, &recipe, 1u << GROUP_IMAGE | 1u << GROUP_TEXT, &err) == 0, "%s", err.text);
    return clip;
}

struct tensor *golden_images(struct tape *tape, const struct clip *clip, const struct golden *golden)
{
    int side = clip->preprocess.crop, count = (int)(golden->picture_bytes / preprocess_bytes(&clip->preprocess));
    const int shape[] = {count, side, side, 3};
    return clip_image_features(tape, clip, tape_upload(tape, DTYPE_U8, 4, shape, golden->pictures));
}

struct tensor *golden_texts(struct tape *tape, const struct clip *clip, const struct golden *golden)
{
    struct packed_texts packed;
    texts_pack(&packed, clip, golden->texts, golden->text_count);
    struct tensor *features = clip_text_features(tape, clip, packed.ids, packed.lengths, packed.count);
    texts_free(&packed);
    return features;
}

/* Whole numbers from a file of floats; caller frees */
static int *read_ints(const struct golden *golden, const char *file, int *count)
{
    struct npy numbers = golden_numbers(golden, file);
    *count = (int)numbers.shape[0];
    int *ints = mem_new((size_t)*count, sizeof *ints); // [count]
    for (int i = 0; i < *count; i++)
        ints[i] = (int)numbers.data[i];
    npy_free(&numbers);
    return ints;
}

struct tensor *golden_ids(struct tape *tape, const struct clip *clip, const struct golden *golden)
{
    int total, count;
    int *ids = read_ints(golden, "ids.npy", &total);         // [total]
    int *lengths = read_ints(golden, "lengths.npy", &count); // [count]
    struct tensor *features = clip_text_features(tape, clip, ids, lengths, count);
    free(lengths);
    free(ids);
    return features;
}

float *golden_download(const struct tensor *tensor)
{
    float *numbers = mem_new(tensor_count(tensor), sizeof *numbers);
    tensor_download(numbers, tensor);
    return numbers;
}

void golden_check(const struct golden *golden, const char *file, const struct tensor *got, double tolerance)
{
    struct npy want = golden_numbers(golden, file);
    bool same = want.ndim == got->ndim;
    for (int i = 0; same && i < want.ndim; i++)
        same = want.shape[i] == got->dim[i];
    CHECK(same, "%s: got the shape %s, which %s has not", golden->folder, tensor_shape(got).text, file);

    size_t count = tensor_count(got);
    float *numbers = golden_download(got);
    double *exact = mem_new(count, sizeof *exact); // [count]
    for (size_t i = 0; i < count; i++)
        exact[i] = (double)want.data[i];
    char *what = golden_path(golden, file);
    check_close(what, numbers, exact, count, tolerance);
    free(what);
    free(exact);
    free(numbers);
    npy_free(&want);
}

void golden_check_gradient(const struct golden *golden, const struct param *param, double tolerance)
{
    CHECK(param->tensor->grad, "%s: %s is not trained", golden->folder, param->name);
    size_t count = tensor_count(param->tensor);
    float *got = golden_download(param->tensor->grad), *want = golden_download(param->tensor);
    double *exact = mem_new(count, sizeof *exact); // [count]
    for (size_t i = 0; i < count; i++)
        exact[i] = (double)want[i];
    char *what = mem_format("%s: gradient of %s", golden->folder, param->name);
    check_close(what, got, exact, count, tolerance);
    free(what);
    free(exact);
    free(want);
    free(got);
}
