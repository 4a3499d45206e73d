/* The model folder's side of preprocess.h: which settings the files of three libraries ask for. */
#include "models/images/preprocess.h"
#include "runtime/util/file.h"
#include "runtime/util/json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SIDE_MAX = 8192 };

static const float zeros[3] = {0, 0, 0}, halves[3] = {0.5f, 0.5f, 0.5f}, ones[3] = {1, 1, 1};
static const float imagenet_mean[3] = {0.485f, 0.456f, 0.406f}, imagenet_std[3] = {0.229f, 0.224f, 0.225f};
static const float clip_mean[3] = {0.48145466f, 0.4578275f, 0.40821073f},
                   clip_std[3] = {0.26862954f, 0.26130258f, 0.27577711f};

static int unsupported(struct error *err, const char *path, const char *what)
{
    return error_set(err, EXIT_BAD_DATA, "%s: %s; oclip cannot prepare pictures that way", path, what);
}

/* By name, or by Pillow's number where there is none. */
static int read_filter(struct preprocess *preprocess, int pillow_code, const char *name, const char *path,
                       struct error *err)
{
    for (int i = 0; i < RESIZE_FILTERS; i++) {
        const struct resize_filter *filter = &resize_filters[i];
        if (name ? strcmp(filter->name, name) == 0 : filter->pillow_code == pillow_code) {
            preprocess->filter = filter;
            return 0;
        }
    }
    return unsupported(err, path, "the resampling is \"nearest\" or unknown");
}

/* Three numbers, or one for all channels. */
static int read_channels(float *values /* [3] */, const json_t *object, const char *key, const float *otherwise,
                         const char *path, struct error *err)
{
    const json_t *given = json_object_get(object, key);
    memcpy(values, otherwise, 3 * sizeof *values);
    if (!given || json_is_null(given))
        return 0;
    for (size_t i = 0; i < 3; i++) {
        const json_t *value = json_array_size(given) == 3 ? json_array_get(given, i) : given;
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

static int read_fill(struct preprocess *preprocess, const json_t *object, const char *path, struct error *err)
{
    float fill[3];
    if (read_channels(fill, object, "fill_color", zeros, path, err) != 0)
        return -1;
    for (int i = 0; i < 3; i++) {
        if (fill[i] < 0 || fill[i] > 255)
            return error_set(err, EXIT_BAD_DATA, "%s: \"fill_color\" holds %g, not 0 to 255", path, (double)fill[i]);
        preprocess->fill[i] = (unsigned char)fill[i];
    }
    return 0;
}

static int check_sides(const struct preprocess *preprocess, const char *path, struct error *err)
{
    if (preprocess->crop < 1 || preprocess->crop > SIDE_MAX || preprocess->resize < 0 || preprocess->resize > SIDE_MAX)
        return error_set(err, EXIT_BAD_DATA, "%s: pictures of %d pixels, resized to %d, are not from 1 to %d", path,
                         preprocess->crop, preprocess->resize, SIDE_MAX);
    return 0;
}

/* The side of a square given as 224, [224, 224] or {"height": 224, "width": 224}; 0 if it is absent or no square. */
static int read_square(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    int height = json_int_or(value, "height", 0);
    if (json_is_object(value))
        return height == json_int_or(value, "width", -1) ? height : 0;
    if (!json_is_array(value))
        return json_int_or(object, key, 0);
    const json_t *first = json_array_get(value, 0), *last = json_array_get(value, json_array_size(value) - 1);
    json_int_t side = json_integer_value(first);
    return json_equal(first, last) && side > 0 && side <= SIDE_MAX ? (int)side : 0;
}

/* --- transformers: preprocessor_config.json ---------------------------------------------------------------- */

/* What an image processor does where its file is silent. */
struct processor {
    const char *name;
    int size;
    bool square; /* a size that is a bare number is a square, not a short side */
    int crop;    /* 0: none */
    int resample;
    const float *mean, *std;
    double crop_share; /* of the resized picture; 0: the crop has a size of its own */
};

static const struct processor processors[] = {
    {"CLIP", 224, false, 224, 3, clip_mean, clip_std, 0},
    {"ChineseCLIP", 224, false, 224, 3, clip_mean, clip_std, 0},
    {"Bit", 224, false, 224, 3, clip_mean, clip_std, 0}, /* DINOv2's */
    {"ViT", 224, true, 0, 2, halves, halves, 0},
    {"Siglip", 224, true, 0, 3, halves, halves, 0},
    {"DeiT", 256, true, 224, 3, halves, halves, 0},
    {"Beit", 224, true, 0, 3, halves, halves, 0},
    {"Blip", 384, true, 0, 3, clip_mean, clip_std, 0},
    {"ConvNext", 384, false, 0, 3, halves, halves, 224.0 / 256.0}, /* ResNet's too */
};

/* Old files do not name their processor. */
static const char *guess_type(const json_t *root)
{
    if (!json_object_get(root, "size") && !json_object_get(root, "crop_size"))
        return "";
    if (json_object_get(root, "crop_pct"))
        return "ConvNextImageProcessor";
    bool crop = json_bool_or(root, "do_center_crop", json_object_get(root, "crop_size") != NULL);
    return crop ? "CLIPImageProcessor" : "ViTImageProcessor";
}

/* Names are CLIPImageProcessor, CLIPImageProcessorFast, CLIPFeatureExtractor. */
static const struct processor *find_processor(const json_t *root)
{
    const char *type = json_text_or(root, "image_processor_type", json_text_or(root, "feature_extractor_type", NULL));
    type = type ? type : guess_type(root);
    for (size_t i = 0; i < sizeof processors / sizeof *processors; i++) {
        size_t length = strlen(processors[i].name);
        if (strncmp(type, processors[i].name, length) == 0 &&
            (strncmp(type + length, "ImageProcessor", 14) == 0 || strcmp(type + length, "FeatureExtractor") == 0))
            return &processors[i];
    }
    return NULL;
}

static void apply_crop_share(struct preprocess *preprocess, double share)
{
    preprocess->crop = preprocess->resize;
    if (preprocess->resize >= 384)
        preprocess->fit = FIT_SQUASH;
    else
        preprocess->resize = (int)fmin(preprocess->resize / share, SIDE_MAX + 1);
}

/* Which of its forms "size" has; "longest_edge" alone is oclip's own, no CLIP of transformers has it. */
static bool read_size(struct preprocess *preprocess, const json_t *root, const struct processor *processor)
{
    const json_t *size = json_object_get(root, "size");
    int shortest = json_int_or(size, "shortest_edge", 0), longest = json_int_or(size, "longest_edge", 0);
    bool square = json_is_object(size) ? !shortest : processor->square;
    preprocess->fit = longest ? FIT_LONG_SIDE : square ? FIT_SQUASH : FIT_SHORT_SIDE;
    preprocess->resize = !size ? processor->size : shortest ? shortest : longest ? longest : read_square(root, "size");
    return preprocess->resize != 0 && !(shortest && longest);
}

static int read_sizes(struct preprocess *preprocess, const json_t *root, const struct processor *processor,
                      const char *path, struct error *err)
{
    double share = json_real_or(root, "crop_pct", processor->crop_share);
    bool crop = json_bool_or(root, "do_center_crop", processor->crop > 0);
    if (!json_bool_or(root, "do_resize", true))
        preprocess->resize = 0;
    else if (!read_size(preprocess, root, processor))
        return unsupported(err, path, "\"size\" names neither one edge nor a square");
    if (crop)
        preprocess->crop = json_object_get(root, "crop_size") ? read_square(root, "crop_size") : processor->crop;
    else if (preprocess->resize && (preprocess->fit == FIT_SQUASH || processor->crop_share > 0))
        preprocess->crop = preprocess->resize;
    else
        return unsupported(err, path, "pictures are not brought to a square");
    if (preprocess->resize && processor->crop_share > 0)
        apply_crop_share(preprocess, share);
    return check_sides(preprocess, path, err);
}

static int read_transformers(struct preprocess *preprocess, const json_t *root, const char *path, struct error *err)
{
    const struct processor *processor = find_processor(root);
    if (!processor)
        return unsupported(err, path,
                           "\"image_processor_type\" is none of CLIP, Bit, ViT, Siglip, DeiT, Beit, Blip, "
                           "ConvNext");
    if (!json_bool_or(root, "do_rescale", true) || json_bool_or(root, "do_pad", false) ||
        fabs(json_real_or(root, "rescale_factor", 1 / 255.0) * 255.0 - 1.0) > 1e-6)
        return unsupported(err, path, "pixels are not divided by 255, or pictures are padded");
    *preprocess = (struct preprocess){
        .torchvision_crop = strcmp(json_text_or(root, "center_crop_rounding", ""), "half_even") == 0,
        .upright = json_bool_or(root, "exif_orientation", false),
    };
    if (read_sizes(preprocess, root, processor, path, err) != 0 ||
        read_filter(preprocess, json_int_or(root, "resample", processor->resample), NULL, path, err) != 0 ||
        read_fill(preprocess, root, path, err) != 0)
        return -1;
    if (json_bool_or(root, "do_normalize", true))
        return read_normalization(preprocess, root, "image_mean", processor->mean, "image_std", processor->std, path,
                                  err);
    memcpy(preprocess->mean, zeros, sizeof zeros);
    memcpy(preprocess->std, ones, sizeof ones);
    return 0;
}

/* --- open_clip: open_clip_config.json ---------------------------------------------------------------------- */

/* What a library calls each way to fit a picture, in the order of enum preprocess_fit; -1 for any other name. */
static int find_fit(const char *const names[3], const char *name)
{
    for (int fit = FIT_SHORT_SIDE; fit <= FIT_SQUASH; fit++)
        if (strcmp(names[fit], name) == 0)
            return fit;
    return -1;
}

static int read_open_clip(struct preprocess *preprocess, const json_t *root, const char *path, struct error *err)
{
    static const char *const fits[] = {"shortest", "longest", "squash"};
    const json_t *vision = json_object_get(json_object_get(root, "model_cfg"), "vision_cfg");
    const json_t *config = json_object_get(root, "preprocess_cfg");
    int side = json_object_get(vision, "image_size") ? read_square(vision, "image_size") : read_square(config, "size");
    int fit = find_fit(fits, json_text_or(config, "resize_mode", "shortest"));
    if (fit < 0)
        return unsupported(err, path, "\"resize_mode\" is none of shortest, longest and squash");
    if (strcmp(json_text_or(config, "mode", "RGB"), "RGB") != 0)
        return unsupported(err, path, "\"mode\" is not RGB");
    if (side == 0)
        return error_set(err, EXIT_BAD_DATA, "%s: model_cfg.vision_cfg.image_size is missing, or no square", path);

    *preprocess =
        (struct preprocess){.resize = side, .crop = side, .fit = (enum preprocess_fit)fit, .torchvision_crop = true};
    const char *filter = json_text_or(config, "interpolation", "bicubic");
    filter = strcmp(filter, "random") == 0 ? "bicubic" : filter; /* random is for training */
    if (check_sides(preprocess, path, err) != 0 || read_filter(preprocess, 0, filter, path, err) != 0 ||
        read_fill(preprocess, config, path, err) != 0)
        return -1;
    return read_normalization(preprocess, config, "mean", clip_mean, "std", clip_std, path, err);
}

/* --- timm: config.json ------------------------------------------------------------------------------------- */

static int read_timm(struct preprocess *preprocess, const json_t *root, const char *path, struct error *err)
{
    static const char *const fits[] = {"center", "border", "squash"};
    const json_t *nested = json_object_get(root, "pretrained_cfg"), *config = nested ? nested : root;
    const json_t *input = json_object_get(config, "input_size"); /* [3, height, width] */
    double height = json_number_value(json_array_get(input, 1)), width = json_number_value(json_array_get(input, 2));
    if (!(height >= 1 && height <= SIDE_MAX && height == width))
        return error_set(err, EXIT_BAD_DATA,
                         "%s: no pretrained_cfg.input_size says how pictures are prepared, and there is no "
                         "preprocessor_config.json",
                         path);
    int fit = find_fit(fits, json_text_or(config, "crop_mode", "center"));
    if (fit < 0)
        return unsupported(err, path, "\"crop_mode\" is none of center, border and squash");

    double share = json_real_or(config, "crop_pct", 0.875);
    *preprocess = (struct preprocess){
        .crop = (int)height,
        .resize = share > 0 ? (int)fmin(floor(height / share), SIDE_MAX + 1) : -1,
        .fit = (enum preprocess_fit)fit,
        .torchvision_crop = true,
    };
    if (check_sides(preprocess, path, err) != 0 ||
        read_filter(preprocess, 0, json_text_or(config, "interpolation", "bicubic"), path, err) != 0 ||
        read_normalization(preprocess, config, "mean", imagenet_mean, "std", imagenet_std, path, err) != 0)
        return -1;
    for (int i = 0; fit == FIT_LONG_SIDE && i < 3; i++) /* the border is as grey as the mean */
        preprocess->fill[i] = (unsigned char)fmin(fmax(nearbyint(255.0 * (double)preprocess->mean[i]), 0), 255);
    return 0;
}

/* --- the folder -------------------------------------------------------------------------------------------- */

static const struct source {
    const char *file, *member; /* the settings are the whole file, or this member if it is there */
    int (*read)(struct preprocess *, const json_t *, const char *, struct error *);
} sources[] = {
    {"processor_config.json", "image_processor", read_transformers},
    {"preprocessor_config.json", NULL, read_transformers},
    {"open_clip_config.json", NULL, read_open_clip},
    {"config.json", NULL, read_timm},
};

/* *found stays false where the file or its member is missing. */
static int read_source(struct preprocess *preprocess, bool *found, const struct source *source, const char *path,
                       struct error *err)
{
    json_t *root = NULL;
    if (!file_exists(path))
        return 0;
    *found = true;
    int result = json_read(&root, path, err);
    const json_t *settings = source->member ? json_object_get(root, source->member) : root;
    if (result == 0 && settings)
        result = source->read(preprocess, settings, path, err);
    else if (result == 0)
        *found = false;
    json_decref(root);
    return result;
}

int preprocess_read(struct preprocess *preprocess, const char *model_folder, struct error *err)
{
    for (size_t i = 0; i < sizeof sources / sizeof *sources; i++) {
        char *path = path_join(model_folder, sources[i].file);
        bool found = false;
        int result = read_source(preprocess, &found, &sources[i], path, err);
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

static json_t *size_json(const struct preprocess *preprocess)
{
    int side = preprocess->resize ? preprocess->resize : preprocess->crop;
    if (preprocess->fit == FIT_SQUASH)
        return json_pack("{s:i, s:i}", "height", side, "width", side);
    return json_pack("{s:i}", preprocess->fit == FIT_LONG_SIDE ? "longest_edge" : "shortest_edge", side);
}

int preprocess_write(const struct preprocess *preprocess, const char *model_folder, struct error *err)
{
    const unsigned char *fill = preprocess->fill;
    json_t *root = json_pack("{s:s, s:b, s:b, s:b, s:b, s:b, s:f, s:i, s:o, s:{s:i, s:i}, s:o, s:o}",  //
                             "image_processor_type", "CLIPImageProcessor",                             //
                             "do_convert_rgb", 1, "do_resize", preprocess->resize != 0,                //
                             "do_center_crop", 1, "do_rescale", 1, "do_normalize", 1,                  //
                             "rescale_factor", 1 / 255.0, "resample", preprocess->filter->pillow_code, //
                             "size", size_json(preprocess),                                            //
                             "crop_size", "height", preprocess->crop, "width", preprocess->crop,       //
                             "image_mean", channels_json(preprocess->mean),                            //
                             "image_std", channels_json(preprocess->std));
    CHECK(root, "the preprocessing of %s cannot be written as JSON", model_folder);
    if (preprocess->torchvision_crop)
        json_object_set_new(root, "center_crop_rounding", json_string("half_even"));
    if (fill[0] || fill[1] || fill[2])
        json_object_set_new(root, "fill_color", json_pack("[i, i, i]", fill[0], fill[1], fill[2]));
    if (preprocess->upright)
        json_object_set_new(root, "exif_orientation", json_true());
    char *path = path_join(model_folder, "preprocessor_config.json");
    int result = json_write(root, path, err);
    free(path);
    json_decref(root);
    return result;
}
