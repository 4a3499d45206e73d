#include "models/images/facts.h"

#include "models/images/picture_bytes.h"

static struct hash hash_of(const struct picture_bytes *bytes)
{
    struct hash hash = hash_begin();
    hash_add(&hash, bytes->data, bytes->size);
    return hash;
}

int facts_decode(struct picture_facts *facts, struct picture *picture, const char *path, struct error *err)
{
    *facts = (struct picture_facts){.exif.orientation = 1};
    *picture = (struct picture){0};
    struct picture_bytes bytes;
    if (picture_bytes_open(&bytes, path, err) != 0)
        return -1;
    facts->is_read = true;
    facts->hash = hash_of(&bytes);
    int result = picture_decode_memory(picture, bytes.data, bytes.size, path, err);
    if (result == 0) {
        facts->width = picture->width;
        facts->height = picture->height;
        facts->exif = exif_find(bytes.data, bytes.size);
    }
    picture_bytes_close(&bytes);
    return result;
}

bool facts_hash(struct hash *hash, const char *path)
{
    struct error ignored;
    struct picture_bytes bytes;
    if (picture_bytes_open(&bytes, path, &ignored) != 0)
        return false;
    *hash = hash_of(&bytes);
    picture_bytes_close(&bytes);
    return true;
}
