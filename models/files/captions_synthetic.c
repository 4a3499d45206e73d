/* Pictures made up as they are read (picture_bytes.h), with texts of as many words as captions have. */
#include "models/files/captions_kinds.h"
#include "runtime/util/random.h"

#include <stdio.h>
#include <string.h>

static int read_synthetic(struct captions_reader *reader, struct error *err)
{
    static const char *const words[] = {"red", "green", "blue", "small", "large", "old", "new",  "dog",
                                        "cat", "house", "tree", "car",   "on",    "by",  "with", "and"};
    int result = 0, samples = reader->format->samples;
    if (samples < 1)
        return error_set(err, EXIT_USAGE, "synthetic data: say how much by --train-num-samples N");
    captions_set_root(reader, "");
    for (int i = 0; result == 0 && i < samples; i++) {
        struct random random = random_begin((uint64_t)i);
        char photo[40], text[160];
        int used = snprintf(text, sizeof text, "picture %d:", i);
        for (size_t left = 6 + random_below(&random, 9); left > 0; left--)
            used += snprintf(text + used, sizeof text - (size_t)used, " %s", words[random_below(&random, 16)]);
        snprintf(photo, sizeof photo, "synthetic:%d", i);
        result = captions_add(reader, photo, photo, text, err);
    }
    return result;
}

static bool is_synthetic(const char *path)
{
    return strcmp(path, "synthetic") == 0;
}

const struct captions_kind captions_synthetic = {"synthetic", is_synthetic, read_synthetic};
