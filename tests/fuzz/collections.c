/* Photos and captions in JSON files and tar shards. */
#include "tests/fuzz/target.h"

#include "models/files/captions.h"
#include "models/images/picture_bytes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void read_as(const char *kind, const char *path)
{
    struct captions captions;
    struct error err;
    if (captions_read(&captions, path, &(struct captions_format){.kind = kind}, &err) != 0)
        return;
    CHECK(captions.texts.count > 0, "a collection without captions");
    for (size_t i = 0; i < captions.texts.count; i++) {
        int photo = captions.photo_of[i];
        CHECK(photo >= 0 && (size_t)photo < captions.photos.count, "caption %zu is of photo %d", i, photo);
        CHECK(*captions.texts.items[i], "caption %zu is empty", i);
        struct picture_bytes bytes;
        if (strcmp(kind, "webdataset") == 0) {
            CHECK(picture_bytes_open(&bytes, captions.photos.items[photo], &err) == 0, "%s", err.text);
            target_read(bytes.data, bytes.size);
            picture_bytes_close(&bytes);
        }
    }
    captions_free(&captions);
}

/* A changed header would end at its checksum, so each block that says "ustar" gets the right one. */
static void mend_checksums(uint8_t *bytes, size_t size)
{
    enum { BLOCK = 512, CHECKSUM = 148, MAGIC = 257 };
    for (uint8_t *block = bytes; size >= BLOCK; block += BLOCK, size -= BLOCK) {
        unsigned sum = 0;
        char digits[8];
        if (memcmp(block + MAGIC, "ustar", 5) != 0)
            continue;
        memset(block + CHECKSUM, ' ', 8);
        for (int i = 0; i < BLOCK; i++)
            sum += block[i];
        snprintf(digits, sizeof digits, "%06o", sum);
        memcpy(block + CHECKSUM, digits, 7);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    char *folder = scratch_new(), *json = scratch_file(folder, "captions.json", bytes, size);
    uint8_t *mended = mem_new(size + 1, 1);
    if (size)
        memcpy(mended, bytes, size);
    mend_checksums(mended, size);
    char *shard = scratch_file(folder, "0.tar", mended, size);
    read_as("coco", json);
    read_as("karpathy", json);
    read_as("webdataset", shard);
    free(mended);
    free(shard);
    free(json);
    scratch_free(folder);
    return 0;
}
