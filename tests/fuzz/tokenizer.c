/* Tokenizer files of every kind, and a text put through what they make. */
#include "tests/fuzz/target.h"

#include "models/tokenizers/tokenizer.h"
#include "runtime/util/file.h"

#include <stdlib.h>

enum { TEXT_LIMIT = 1 << 20, LONGEST = 64 };

/* The file "text" of the input, or a text with letters of several kinds. Caller frees. */
static char *text_of(const char *folder)
{
    char *path = path_join(folder, "text"), *text;
    struct error err;
    if (file_read(&text, NULL, path, TEXT_LIMIT, &err) != 0)
        text = mem_format("A caf\xc3\xa9's 12 \xe6\x96\x87\xe5\xad\x97 <|endoftext|> [MASK] low lower newest.");
    free(path);
    return text;
}

static void encode(const struct tokenizer *tokenizer, const char *text, int limit)
{
    int *ids = malloc((size_t)limit * sizeof *ids); // [limit]
    int count = tokenizer_encode(tokenizer, ids, limit, text), vocabulary = tokenizer_vocabulary_size(tokenizer);
    CHECK(count >= 1 && count <= limit, "%d ids of at most %d", count, limit);
    for (int i = 0; i < count; i++)
        CHECK(ids[i] >= 0 && ids[i] < vocabulary, "id %d of a vocabulary of %d", ids[i], vocabulary);
    free(ids);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static const char *const names[] = {"tokenizer.json",
                                        "vocab.txt",
                                        "vocab.json",
                                        "merges.txt",
                                        "bpe_simple_vocab_16e6.txt.gz",
                                        "spiece.model",
                                        "tokenizer_config.json",
                                        "sentence_bert_config.json",
                                        "special_tokens_map.json",
                                        "open_clip_config.json",
                                        "text",
                                        NULL};
    char *folder = target_folder(bytes, size, names), *text = text_of(folder);
    struct tokenizer *tokenizer;
    struct error err;
    if (tokenizer_open(&tokenizer, folder, &err) == 0) {
        CHECK(tokenizer_max_length(tokenizer) >= 2, "at most %d ids", tokenizer_max_length(tokenizer));
        encode(tokenizer, text, 2);
        encode(tokenizer, text, LONGEST);
        tokenizer_close(tokenizer);
    }
    free(text);
    scratch_free(folder);
    return 0;
}
