/* Tables of captions, read as they are and with columns named. */
#include "tests/fuzz/target.h"

#include "models/files/captions.h"

#include <stdlib.h>
#include <string.h>

static void read_table(const char *path, const struct captions_format *format)
{
    struct captions captions;
    struct error err;
    if (captions_read(&captions, path, format, &err) != 0)
        return;
    CHECK(captions.texts.count > 0, "a table without captions");
    for (size_t i = 0; i < captions.texts.count; i++) {
        CHECK(captions.photo_of[i] >= 0 && (size_t)captions.photo_of[i] < captions.photos.count,
              "caption %zu is of photo %d of %zu", i, captions.photo_of[i], captions.photos.count);
        CHECK(*captions.texts.items[i] && *captions.photos.items[captions.photo_of[i]], "caption %zu is empty", i);
    }
    captions_free(&captions);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    char *folder = scratch_new();
    char *path = scratch_file(folder, "captions.csv", bytes, size);
    read_table(path, &(struct captions_format){0});
    read_table(path, &(struct captions_format){.separator = '|'});
    read_table(path, &(struct captions_format){.image_key = "image", .caption_key = "caption"});
    free(path);
    scratch_free(folder);
    return 0;
}
