/* Runs a fuzz target without a fuzzer: on given files, on folders of them, on random changes of all those.
 *
 *     fuzz_picture --rounds 1000 tests/fuzz/corpus/picture     what ctest does; the same changes each time
 *     fuzz_picture broken.png                                  one input
 *     fuzz_picture < broken.png                                so does AFL++
 *
 * The change that is being run stands in TARGET.input of the working folder; it stays there when the target dies.
 */
#include "runtime/util/file.h"
#include "tests/fuzz/mutate.h"
#include "tests/fuzz/target.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

enum { INPUT_LIMIT = 1 << 24 };

struct corpus {
    struct input *inputs; // [count]
    size_t count;
};

static int add_bytes(struct corpus *corpus, const void *bytes, size_t size)
{
    struct input input = {.bytes = mem_new(size, 1), .size = size};
    memcpy(input.bytes, bytes, size);
    corpus->inputs = mem_grow(corpus->inputs, corpus->count + 1, sizeof *corpus->inputs);
    corpus->inputs[corpus->count++] = input;
    return 0;
}

static int add_file(struct corpus *corpus, const char *path, struct error *err)
{
    char *bytes;
    size_t size;
    if (file_read(&bytes, &size, path, INPUT_LIMIT, err) != 0)
        return -1;
    add_bytes(corpus, bytes, size);
    free(bytes);
    return 0;
}

static int add_folder(struct corpus *corpus, const char *folder, struct error *err)
{
    struct dirent **entries;
    int count = scandir(folder, &entries, NULL, alphasort), result = 0;
    if (count < 0)
        return error_set(err, EXIT_BAD_DATA, "%s: cannot list the folder", folder);
    for (int i = 0; i < count; i++) {
        char *path = path_join(folder, entries[i]->d_name);
        if (result == 0 && entries[i]->d_name[0] != '.')
            result = add_file(corpus, path, err);
        free(path);
        free(entries[i]);
    }
    free(entries);
    return result;
}

static int add_stdin(struct corpus *corpus)
{
    char *bytes = mem_new(INPUT_LIMIT, 1);
    add_bytes(corpus, bytes, fread(bytes, 1, INPUT_LIMIT, stdin));
    free(bytes);
    return 0;
}

/* Keeps the input on disk, runs it, and forgets it. */
static void run_mutant(const char *kept, struct input mutant)
{
    free(scratch_file(".", kept, mutant.bytes, mutant.size));
    LLVMFuzzerTestOneInput(mutant.bytes, mutant.size);
    remove(kept);
}

static void run(const struct corpus *corpus, const char *program, long rounds)
{
    const char *slash = strrchr(program, '/');
    char *kept = mem_format("%s.input", slash ? slash + 1 : program);
    struct random random = random_begin(1);
    for (size_t i = 0; i < corpus->count; i++)
        LLVMFuzzerTestOneInput(corpus->inputs[i].bytes, corpus->inputs[i].size);
    for (long round = 0; round < rounds; round++) {
        struct input mutant = mutate(&random, corpus->inputs, corpus->count);
        run_mutant(kept, mutant);
        free(mutant.bytes);
    }
    free(kept);
}

int main(int argc, char **argv)
{
    struct corpus corpus = {0};
    struct error err;
    int result = 0, first = 1;
    long rounds = 0;
    if (argc > 2 && strcmp(argv[1], "--rounds") == 0) {
        rounds = strtol(argv[2], NULL, 10);
        first = 3;
    }
    for (int i = first; i < argc && result == 0; i++)
        result = (file_is_folder(argv[i]) ? add_folder : add_file)(&corpus, argv[i], &err);
    if (first == argc)
        result = add_stdin(&corpus);
    if (result == 0 && corpus.count)
        run(&corpus, argv[0], rounds);
    for (size_t i = 0; i < corpus.count; i++)
        free(corpus.inputs[i].bytes);
    free(corpus.inputs);
    return result == 0 ? EXIT_OK : error_report(&err);
}
