/* Picture files of every kind, decoded in memory and turned upright. */
#include "tests/fuzz/target.h"

#include "models/images/decode.h"
#include "models/images/orientation.h"

enum { PIXELS_READ = 1 << 20 /* of larger pictures only the first and the last ones, and as they lie */ };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct picture picture;
    struct error err;
    if (picture_decode_memory(&picture, bytes, size, "input", &err) != 0) {
        CHECK(!picture.pixels, "a refused picture has pixels");
        return 0;
    }
    CHECK(picture.width > 0 && picture.height > 0, "%d x %d pixels", picture.width, picture.height);
    size_t count = (size_t)picture.width * (size_t)picture.height;
    size_t read = count < PIXELS_READ ? count : PIXELS_READ;
    if (read == count)
        picture_upright(&picture);
    target_read(picture.pixels, 3 * read);
    target_read(picture.pixels + 3 * (count - read), 3 * read);
    picture_free(&picture);
    return 0;
}
