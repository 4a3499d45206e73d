/* Any bytes as a text for real tokenizers: those of tests/goldens. */
#include "tests/fuzz/target.h"

#include "models/tokenizers/tokenizer.h"
#include "runtime/util/file.h"
#include "third_party/spm.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { TOKENIZERS = 4, LONGEST = 4096 };

static struct tokenizer *open_folder(const char *folder)
{
    struct tokenizer *tokenizer;
    struct error err;
    CHECK(tokenizer_open(&tokenizer, folder, &err) == 0, "%s", err.text);
    return tokenizer;
}

/* BERT's, CLIP's, open_clip's, which is a folder with nothing but the gz, and SigLIP's. They stay open to the end. */
static void open_all(struct tokenizer **tokenizers) // [TOKENIZERS]
{
    const char *data = getenv("OCLIP_TEST_DATA");
    CHECK(data, "OCLIP_TEST_DATA must be the path of tests/");
    char *bert = path_join(data, "goldens/minilm-tokenizer"), *clip = path_join(data, "goldens/bpe");
    char *siglip = path_join(data, "goldens/siglip");
    char *scratch = scratch_new(), *packed = path_join(clip, "bpe_simple_vocab_16e6.txt.gz"), *bytes;
    size_t size;
    struct error err;
    CHECK(file_read(&bytes, &size, packed, 1 << 24, &err) == 0, "%s", err.text);
    free(scratch_file(scratch, "bpe_simple_vocab_16e6.txt.gz", bytes, size));
    tokenizers[0] = open_folder(bert);
    tokenizers[1] = open_folder(clip);
    tokenizers[2] = open_folder(scratch);
    if (spm_built())
        tokenizers[3] = open_folder(siglip);
    scratch_free(scratch);
    free(bytes);
    free(packed);
    free(siglip);
    free(clip);
    free(bert);
}

/* A text that is cut must begin like the whole one; every id must be one of the vocabulary. */
static void encode(const struct tokenizer *tokenizer, const char *text)
{
    enum { SHORT = 8 };
    int *ids = malloc(LONGEST * sizeof *ids), *first = malloc(SHORT * sizeof *first); // [LONGEST], [SHORT]
    int count = tokenizer_encode(tokenizer, ids, LONGEST, text), vocabulary = tokenizer_vocabulary_size(tokenizer);
    CHECK(count >= 1 && count <= LONGEST, "%d ids of at most %d", count, LONGEST);
    for (int i = 0; i < count; i++)
        CHECK(ids[i] >= 0 && ids[i] < vocabulary, "id %d of a vocabulary of %d", ids[i], vocabulary);
    int cut = tokenizer_encode(tokenizer, first, SHORT, text);
    bool spelled_out = cut == SHORT - 1 && first[cut - 1] == ids[count - 1]; /* SigLIP adds no second end */
    CHECK(cut == (count < SHORT ? count : SHORT) || spelled_out, "%d ids when cut, %d when whole", cut, count);
    CHECK(memcmp(first, ids, (size_t)(cut - 1) * sizeof *ids) == 0, "a cut text has other ids than the whole one");
    CHECK(first[cut - 1] == ids[count - 1], "a cut text ends with another id");
    free(first);
    free(ids);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static struct tokenizer *tokenizers[TOKENIZERS]; /* opened once: they are large */
    if (!tokenizers[0])
        open_all(tokenizers);
    char *text = malloc(size + 1);
    memcpy(text, bytes, size);
    text[size] = '\0';
    for (int i = 0; i < TOKENIZERS && tokenizers[i]; i++)
        encode(tokenizers[i], text);
    free(text);
    return 0;
}
