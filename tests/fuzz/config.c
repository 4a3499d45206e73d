/* config.json and open_clip_config.json of towers and dual encoders, beside weights or none. */
#include "tests/fuzz/target.h"

#include "models/files/clip_config.h"
#include "models/files/config_image.h"
#include "runtime/util/file.h"
#include "runtime/util/json.h"

#include <stdlib.h>

/* What is accepted must be of a size that can be declared. */
static void check_blocks(const struct transformer_config *blocks)
{
    CHECK(blocks->width >= 1 && blocks->layers >= 1 && blocks->heads >= 1 && blocks->mlp_width >= 1 &&
              blocks->width <= 1 << 16 && blocks->layers <= 1 << 16 && blocks->mlp_width <= 1 << 20 &&
              blocks->width % blocks->heads == 0,
          "accepted blocks: %d wide, %d layers, %d heads, MLP of %d", blocks->width, blocks->layers, blocks->heads,
          blocks->mlp_width);
}

static void read_image_tower(const json_t *config, struct safetensors *file)
{
    struct image_config image;
    struct tower_source source = {.file = file};
    struct error err;
    if (config_read_image(&image, &source, config, "config.json", &err) != 0)
        return;
    CHECK(source.layout && source.saved_layout && source.prefix, "a tower without a layout");
    if (image.kind != &image_vit)
        return;
    const struct vit_config *vit = &image.vit;
    check_blocks(&vit->blocks);
    CHECK(vit->patch >= 1 && vit->position_side >= 1 && vit->position_side <= 1 << 13 && vit->classes >= 0,
          "accepted a patch of %d, %d positions a side, %d classes", vit->patch, vit->position_side, vit->classes);
}

static void read_text_tower(const json_t *config, struct safetensors *file)
{
    struct text_config text;
    struct tower_source source = {.file = file};
    struct error err;
    if (config_read_text(&text, &source, config, "config.json", &err) != 0)
        return;
    check_blocks(&text.blocks);
    CHECK(source.layout && source.saved_layout && source.prefix && text.kind, "a tower without a layout");
    CHECK(text.vocabulary >= 1 && text.positions >= 1, "accepted %d ids and %d positions", text.vocabulary,
          text.positions);
}

static void read_towers(const char *folder, struct safetensors *file)
{
    struct error err;
    json_t *config;
    if (clip_config_read(&config, folder, &err) == 0) {
        read_image_tower(json_object_get(config, "vision_config"), file);
        read_text_tower(json_object_get(config, "text_config"), file);
        json_decref(config);
    }
    char *path = path_join(folder, "config.json");
    if (json_read(&config, path, &err) == 0) {
        read_image_tower(config, file);
        if (config_add_pooling(config, folder, &err) == 0)
            read_text_tower(config, file);
        json_decref(config);
    }
    free(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static const char *const names[] = {"config.json",           "open_clip_config.json", "modules.json",
                                        "1_Pooling/config.json", "model.safetensors",     NULL};
    char *folder = target_folder(bytes, size, names);
    struct safetensors *file;
    struct error err;
    if (safetensors_open_folder(&file, folder, &err) != 0)
        file = NULL;
    read_towers(folder, file);
    safetensors_close(file);
    scratch_free(folder);
    return 0;
}
