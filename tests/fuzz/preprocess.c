/* preprocessor_config.json, timm's and open_clip's settings of pictures, and a small picture prepared by them. */
#include "tests/fuzz/target.h"

#include "models/images/preprocess.h"

#include <stdlib.h>

enum { WIDTH = 9, HEIGHT = 5, SIDE_LIMIT = 64 /* larger squares only cost time */ };

static void prepare(const struct preprocess *preprocess)
{
    unsigned char pixels[HEIGHT * WIDTH * 3];
    struct picture picture = {.pixels = pixels, .width = WIDTH, .height = HEIGHT};
    for (int i = 0; i < HEIGHT * WIDTH * 3; i++)
        pixels[i] = (unsigned char)(i * i);
    size_t size = preprocess_bytes(preprocess);
    unsigned char *square = malloc(size); // [crop, crop, 3]
    struct error err;
    if (preprocess_picture(square, preprocess, &picture, "a picture", &err) == 0)
        target_read(square, size);
    free(square);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static const char *const names[] = {"preprocessor_config.json", "processor_config.json", "open_clip_config.json",
                                        "config.json", NULL};
    char *folder = target_folder(bytes, size, names);
    struct preprocess preprocess;
    struct error err;
    if (preprocess_read(&preprocess, folder, &err) == 0) {
        CHECK(preprocess.crop >= 1 && preprocess.resize >= 0 && preprocess.filter, "settings of nothing");
        if (preprocess.crop <= SIDE_LIMIT && preprocess.resize <= SIDE_LIMIT)
            prepare(&preprocess);
    }
    scratch_free(folder);
    return 0;
}
