/* The model folder's side of preprocess.h: which settings the files of three libraries ask for. */
#include "models/images/preprocess.h"
#include "runtime/util/file.h"
#include "runtime/util/json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SIDE_MAX = 8192 };

static const float imagenet_mean[3] = {0.485f, 0.456f, 0.406f}, imagenet_std[3] = {0.229f, 0.224f, 0.225f};
static const float clip_mean[3] = {0.48145466f, 0.4578275f, 0.40821073f},
                   clip_std[3] = {0.26862954f, 0.26130258f, 0.27577711f};

static int unsupported(struct error *err, const char *path, const char *what)
{
    return error_set(err, EXIT_BAD_DATA, "%s: %s; oclip cannot prepare pictures that way", path, what);
}

static int read_filter(struct preprocess *preprocess, int pillow_code, const char *name, const char *path,
                       struct error *err)
{
    for (int i = 0; i < RESIZE_FILTERS; i++) {
        const struct resize_filter *filter = &resize_filters[i];
        if (filter->pillow_code == pillow_code || (name && strcmp(filter->name, name) == 0)) {
            preprocess->filter = filter;
            return 0;
        }
    }
    return unsupported(err, path, "the resampling is neither bilinear nor bicubic");
}

static int read_channels(float *values /* [3] */, const json_t *object, const char *key, const float *otherwise,
                         const char *path, struct error *err)
{
    const json_t *array = json_object_get(object, key);
    memcpy(values, otherwise, 3 * sizeof *values);
    if (!array || json_is_null(array))
        return 0;
    for (size_t i = 0; i < 3; i++) {
        const json_t *value = json_array_size(array) == 3 ? json_array_get(array, i) : NULL;
        values[i] = json_is_number(value) ? (float)json_number_value(value) : NAN;
        if (!isfinite(values[i]))
            return error_set(err, EXIT_BAD_DATA, "%s: \"%s\" is not a list of three numbers", path, key);
    }
    return 0;
}

static int read_normalization(struct preprocess *preprocess, const json_t *object, const char *mean_key,
                              const float *mean, const char *std_key, const float *std, const char *path,
                              struct error *err)
{
    if (read_channels(preprocess->mean, object, mean_key, mean, path, err) != 0 ||
        read_channels(preprocess->std, object, std_key, std, path, err) != 0)
        return -1;
    for (int i = 0; i < 3; i++)
        if (preprocess->std[i] <= 0)
            return error_set(err, EXIT_BAD_DATA, "%s: \"%s\" holds %g; a deviation is above zero", path, std_key,
                             (double)preprocess->std[i]);
    return 0;
}

static int check_sides(const struct preprocess *preprocess, const char *path, struct error *err)
{
    if (preprocess->crop < 1 || preprocess->crop > SIDE_MAX || preprocess->resize_short < 0 ||
        preprocess->resize_short > SIDE_MAX)
        return error_set(err, EXIT_BAD_DATA, "%s: pictures of %d pixels, resized to %d, are not from 1 to %d", path,
                         preprocess->crop, preprocess->resize_short, SIDE_MAX);
    return 0;
}

/* The side of a square given as 224 or {"height": 224, "width": 224}; 0 if it is absent or no square. */
static int read_square(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    int height = json_int_or(value, "height", 0);
    return json_is_object(value) ? (height == json_int_or(value, "width", -1) ? height : 0)
                                 : json_int_or(object, key, 0);
}

/* --- transformers: preprocessor_config.json ---------------------------------------------------------------- */

/* ConvNext's processor, which ResNets use too, crops by a share of the resized picture. */
static void apply_crop_share(struct preprocess *preprocess, double share)
{
    int side = preprocess->resize_short;
    preprocess->crop = side;
    preprocess->squash = side >= 384;
    if (!preprocess->squash)
        preprocess->resize_short = (int)fmin(side / share, SIDE_MAX + 1);
}

static int read_sizes(struct preprocess *preprocess, const json_t *root, const char *path, struct error *err)
{
    const json_t *size = json_object_get(root, "size");
    int shortest = json_int_or(size, "shortest_edge", 0), side = shortest ? shortest : read_square(root, "size");
    double share = json_real_or(root, "crop_pct", 0);
    bool resize = json_bool_or(root, "do_resize", true);
    bool crop = json_bool_or(root, "do_center_crop", json_object_get(root, "crop_size") != NULL);

    /* A bare number is the short side for processors that crop, and a square for the others and for DeiT's. */
    const char *type = json_text_or(root, "image_processor_type", json_text_or(root, "feature_extractor_type", ""));
    bool square = json_is_object(size) ? !shortest : !crop || strncmp(type, "DeiT", 4) == 0;

    if (resize && side == 0)
        return unsupported(err, path, "\"size\" names neither a shortest edge nor a square");
    if (!crop && !(resize && (square || share > 0)))
        return unsupported(err, path, "pictures are not brought to a square");
    *preprocess = (struct preprocess){.resize_short = resize ? side : 0,
                                      .squash = resize && square,
                                      .crop = crop ? read_square(root, "crop_size") : side};
    if (resize && share > 0)
        apply_crop_share(preprocess, share);
    return check_sides(preprocess, path, err);
}

static int read_transformers(struct preprocess *preprocess, const json_t *root, const char *path, struct error *err)
{
    static const float zeros[3] = {0, 0, 0}, ones[3] = {1, 1, 1};
    if (!json_bool_or(root, "do_rescale", true) ||
        fabs(json_real_or(root, "rescale_factor", 1 / 255.0) * 255.0 - 1.0) > 1e-6)
        return unsupported(err, path, "pixels are not divided by 255");
    if (read_sizes(preprocess, root, path, err) != 0 ||
        read_filter(preprocess, json_int_or(root, "resample", 3), NULL, path, err) != 0)
        return -1;
    if (json_bool_or(root, "do_normalize", true))
        return read_normalization(preprocess, root, "image_mean", clip_mean, "image_std", clip_std, path, err);
    memcpy(preprocess->mean, zeros, sizeof zeros);
    memcpy(preprocess->std, ones, sizeof ones);
    return 0;
}

/* --- open_clip: open_clip_config.json ---------------------------------------------------------------------- */

static int read_open_clip(struct preprocess *preprocess, const json_t *root, const char *path, struct error *err)
{
    const json_t *vision = json_object_get(json_object_get(root, "model_cfg"), "vision_cfg");
    const json_t *config = json_object_get(root, "preprocess_cfg");
    int side = json_int_or(vision, "image_size", 0);
    const char *mode = json_text_or(config, "resize_mode", "shortest");
    *preprocess = (struct preprocess){.resize_short = side, .crop = side, .squash = strcmp(mode, "squash") == 0};
    if (strcmp(mode, "shortest") != 0 && !preprocess->squash)
        return unsupported(err, path, "\"resize_mode\" is neither shortest nor squash");
    if (side == 0)
        return error_set(err, EXIT_BAD_DATA, "%s: model_cfg.vision_cfg.image_size is missing", path);
    if (check_sides(preprocess, path, err) != 0 ||
        read_filter(preprocess, -1, json_text_or(config, "interpolation", "bicubic"), path, err) != 0)
        return -1;
    return read_normalization(preprocess, config, "mean", clip_mean, "std", clip_std, path, err);
}

/* --- timm: config.json ------------------------------------------------------------------------------------- */

static int read_timm(struct preprocess *preprocess, const json_t *root, const char *path, struct error *err)
{
    const json_t *config = json_object_get(root, "pretrained_cfg");
    const json_t *input = json_object_get(config, "input_size"); /* [3, height, width] */
    double height = json_number_value(json_array_get(input, 1)), width = json_number_value(json_array_get(input, 2));
    if (!(height >= 1 && height <= SIDE_MAX && height == width))
        return error_set(err, EXIT_BAD_DATA,
                         "%s: no pretrained_cfg.input_size says how pictures are prepared, and there is no "
                         "preprocessor_config.json",
                         path);

    const char *mode = json_text_or(config, "crop_mode", "center");
    *preprocess = (struct preprocess){.crop = (int)height, .squash = strcmp(mode, "squash") == 0};
    if (strcmp(mode, "center") != 0 && !preprocess->squash)
        return unsupported(err, path, "\"crop_mode\" is neither center nor squash");
    double share = json_real_or(config, "crop_pct", 0.875);
    preprocess->resize_short = share > 0 ? (int)fmin(floor(height / share), SIDE_MAX + 1) : -1;
    if (check_sides(preprocess, path, err) != 0 ||
        read_filter(preprocess, -1, json_text_or(config, "interpolation", "bilinear"), path, err) != 0)
        return -1;
    return read_normalization(preprocess, config, "mean", imagenet_mean, "std", imagenet_std, path, err);
}

/* --- the folder -------------------------------------------------------------------------------------------- */

int preprocess_read(struct preprocess *preprocess, const char *model_folder, struct error *err)
{
    static const struct {
        const char *file;
        int (*read)(struct preprocess *, const json_t *, const char *, struct error *);
    } sources[] = {
        {"preprocessor_config.json", read_transformers},
        {"open_clip_config.json", read_open_clip},
        {"config.json", read_timm},
    };
    for (size_t i = 0; i < sizeof sources / sizeof *sources; i++) {
        char *path = path_join(model_folder, sources[i].file);
        bool found = file_exists(path);
        json_t *root = NULL;
        int result = -1;
        if (found && json_read(&root, path, err) == 0)
            result = sources[i].read(preprocess, root, path, err);
        json_decref(root);
        free(path);
        if (found)
            return result;
    }
    return error_set(err, EXIT_BAD_DATA, "%s: no preprocessor_config.json says how pictures are prepared",
                     model_folder);
}

static json_t *channels_json(const float *values /* [3] */)
{
    return json_pack("[f, f, f]", (double)values[0], (double)values[1], (double)values[2]);
}

int preprocess_write(const struct preprocess *preprocess, const char *model_folder, struct error *err)
{
    int crop = preprocess->crop, side = preprocess->resize_short ? preprocess->resize_short : crop;
    json_t *size = preprocess->squash ? json_pack("{s:i, s:i}", "height", side, "width", side)
                                      : json_pack("{s:i}", "shortest_edge", side);
    json_t *root = json_pack("{s:s, s:b, s:b, s:b, s:b, s:b, s:f, s:i, s:o, s:{s:i, s:i}, s:o, s:o}",  //
                             "image_processor_type", "CLIPImageProcessor",                             //
                             "do_convert_rgb", 1, "do_resize", preprocess->resize_short != 0,          //
                             "do_center_crop", 1, "do_rescale", 1, "do_normalize", 1,                  //
                             "rescale_factor", 1 / 255.0, "resample", preprocess->filter->pillow_code, //
                             "size", size, "crop_size", "height", crop, "width", crop,                 //
                             "image_mean", channels_json(preprocess->mean),                            //
                             "image_std", channels_json(preprocess->std));
    CHECK(root, "the preprocessing of %s cannot be written as JSON", model_folder);
    char *path = path_join(model_folder, "preprocessor_config.json");
    int result = json_write(root, path, err);
    free(path);
    json_decref(root);
    return result;
}
