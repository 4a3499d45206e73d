/* Tar shards, read whole: every caption and the place of every photo stay in memory. */
#include "models/files/captions_kinds.h"
#include "models/files/shards.h"

#include <string.h>

static int read_shard(struct captions_reader *reader, struct shard_reader *shard, const char *path, struct error *err)
{
    struct shard_sample sample;
    int found = shard_open(shard, path, err);
    if (found == 0)
        while ((found = shard_next(&sample, shard, err)) > 0) {
            if (sample.fault)
                captions_skip(reader, "%s: %s", sample.key, sample.fault);
            else if (captions_add(reader, sample.key, sample.picture, sample.text, err) != 0)
                return -1;
        }
    if (found < 0)
        captions_skip(reader, "%s", err->text);
    return 0;
}

static int read_shards(struct captions_reader *reader, struct error *err)
{
    struct string_list shards = {0};
    struct shard_reader shard = {0};
    int result = shards_list(&shards, reader->path, err);
    captions_set_root(reader, "");
    for (size_t i = 0; result == 0 && i < shards.count; i++)
        result = read_shard(reader, &shard, shards.items[i], err);
    shard_close(&shard);
    string_list_free(&shards);
    return result;
}

/* A folder of shards holds nothing else that could be trained on. */
static bool are_shards(const char *path)
{
    struct string_list list = {0};
    struct error ignored;
    bool found = file_has_extension(path, ".tar .tgz .gz");
    if (file_is_folder(path))
        found = file_list(&list, path, ".tar", &ignored) == 0 && list.count > 0;
    string_list_free(&list);
    return found;
}

const struct captions_kind captions_webdataset = {"webdataset", are_shards, read_shards};
