/* The utilities every program shares: options, files, JSON, .npy. */
#define _GNU_SOURCE
#include "runtime/util/file.h"
#include "runtime/util/json.h"
#include "runtime/util/npy.h"
#include "runtime/util/options.h"
#include "tests/said.h"
#include "tests/scratch.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

struct settings {
    const char *device, *precision;
    int batch_size;
    double lr;
    bool quiet;
    struct option_list images;
    int first; /* what options_parse returned */
    struct error err;
};

/* Parses the NULL-terminated words, which it reorders. */
static struct settings parse(char **argv)
{
    struct settings s = {.device = "auto", .precision = "fp32", .batch_size = 32, .lr = 1e-3};
    const struct option_row rows[] = {{"device", OPTION_TEXT, &s.device, "SPEC", "the device", 'd'},
                                      {"precision", OPTION_TEXT, &s.precision, "fp32|fp16|bf16", "arithmetic", 0},
                                      {"batch-size", OPTION_INT, &s.batch_size, "N in [1, 512]", "pairs a step", 0},
                                      {"lr", OPTION_REAL, &s.lr, "RATE in (-1, inf)", "learning rate", 0},
                                      {"quiet", OPTION_FLAG, &s.quiet, NULL, "only errors", 'q'},
                                      {"images", OPTION_LIST, &s.images, "FILE...", "pictures", 0},
                                      {0}};
    int argc = 0;
    while (argv[argc])
        argc++;
    s.first = options_parse("program", "[options] [WORD...]", "Tests.", rows, argc, argv, &s.err);
    return s;
}
#define PARSE(...) parse((char *[]){"program", __VA_ARGS__, NULL})

static void options_take_values_in_every_form(void **state)
{
    (void)state;
    struct settings s = PARSE("--device=1:0", "--batch-size", "64", "--lr", "-2.5e-1", "-q", "--precision", "bf16");
    assert_int_equal(s.first, 9);
    assert_string_equal(s.device, "1:0");
    assert_int_equal(s.batch_size, 64);
    assert_true(s.lr == -0.25);
    assert_true(s.quiet);
    assert_string_equal(s.precision, "bf16");
    assert_string_equal(PARSE("-dcpu").device, "cpu");
    assert_string_equal(PARSE("-d", "gpu").device, "gpu");
    assert_int_equal(PARSE("--batch-size", "1", "--batch-size", "2").batch_size, 2);

    s = PARSE("--", "--quiet");
    assert_int_equal(s.first, 2);
    assert_false(s.quiet);
    assert_int_equal(s.batch_size, 32);
}

static void options_move_words_to_the_end(void **state)
{
    (void)state;
    char *argv[] = {"program", "one", "-d", "cpu", "-", "--quiet", "--", "--three", NULL};
    struct settings s = parse(argv);
    assert_int_equal(s.first, 5);
    assert_string_equal(argv[s.first], "one");
    assert_string_equal(argv[s.first + 1], "-");
    assert_string_equal(argv[s.first + 2], "--three");
}

static void options_collect_lists(void **state)
{
    (void)state;
    struct settings s = PARSE("--images", "a", "b", "--quiet", "word", "--images=c");
    const char *expected[] = {"a", "b", "c"};
    assert_int_equal(s.images.count, 3);
    for (int i = 0; i < 3; i++)
        assert_string_equal(s.images.items[i], expected[i]);
    assert_int_equal(s.first, 6);

    char *many[70] = {"program", "--images"};
    for (int i = 2; i < 69; i++)
        many[i] = "x";
    s = parse(many);
    assert_int_equal(s.first, -1);
    assert_mentions(s.err.text, "64");
}

static void options_read_their_twins(void **state)
{
    (void)state;
    setenv("OCLIP_BATCH_SIZE", "7", 1);
    setenv("OCLIP_QUIET", "yes", 1);
    setenv("OCLIP_IMAGES", "p  q", 1);
    struct settings s = PARSE("--lr", "2");
    assert_int_equal(s.first, 3);
    assert_int_equal(s.batch_size, 7);
    assert_true(s.quiet);
    assert_int_equal(s.images.count, 2);
    assert_string_equal(s.images.items[1], "q");
    free((char *)(uintptr_t)s.images.items[0]);

    assert_int_equal(PARSE("--batch-size=8", "--images", "z").batch_size, 8);
    setenv("OCLIP_QUIET", "0", 1);
    setenv("OCLIP_IMAGES", "", 1);
    assert_false(PARSE("word").quiet);
    setenv("OCLIP_BATCH_SIZE", "seven", 1);
    s = PARSE("word");
    assert_int_equal(s.first, -1);
    assert_int_equal(s.err.code, EXIT_USAGE);
    assert_mentions(s.err.text, "OCLIP_BATCH_SIZE");
    unsetenv("OCLIP_BATCH_SIZE");
    unsetenv("OCLIP_QUIET");
    unsetenv("OCLIP_IMAGES");
}

static void options_refuse_what_is_wrong(void **state)
{
    (void)state;
    static const struct {
        char *words[3];
        const char *mentions[2];
    } cases[] = {
        {{"--batchsize", "3"}, {"--batchsize", "did you mean --batch-size?"}},
        {{"--batch", "3"}, {"--batch:", "did you mean --batch-size?"}},
        {{"--prescision=fp16"}, {"--prescision:", "did you mean --precision?"}},
        {{"--zzzzzzzz"}, {"--zzzzzzzz", "program --help"}},
        {{"-x"}, {"-x", "no such option"}},
        {{"--batch-size", "3.5"}, {"--batch-size", "whole number"}},
        {{"--batch-size", "4294967296"}, {"--batch-size", "32 bits"}},
        {{"--batch-size", "0"}, {"--batch-size", "0 is not in [1, 512]"}},
        {{"--batch-size", "513"}, {"--batch-size", "513 is not in [1, 512]"}},
        {{"--lr", "-1"}, {"--lr", "-1 is not in (-1, inf)"}},
        {{"--lr", "fast"}, {"--lr", "'fast'"}},
        {{"--lr", "inf"}, {"--lr", "finite"}},
        {{"--lr"}, {"--lr", "RATE"}},
        {{"--device", "--quiet"}, {"--device", "SPEC"}},
        {{"--precision", "fp8"}, {"'fp8'", "fp32|fp16|bf16"}},
        {{"--precision", "fp"}, {"'fp'", "fp32|fp16|bf16"}},
        {{"--quiet=1"}, {"--quiet", "no value"}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct settings s = PARSE(cases[i].words[0], cases[i].words[1]);
        assert_int_equal(s.first, -1);
        assert_int_equal(s.err.code, EXIT_USAGE);
        assert_mentions(s.err.text, cases[i].mentions[0]);
        assert_mentions(s.err.text, cases[i].mentions[1]);
    }
}

static void options_help_shows_defaults_and_twins(void **state)
{
    (void)state;
    char *folder = scratch_new(), *path = path_join(folder, "help"), *text;
    pid_t child = fork();
    if (child == 0) {
        if (!freopen(path, "w", stdout))
            _exit(EXIT_FAILED);
        struct settings s = PARSE("--nonsense", "--help");
        _exit(s.first < 0 ? EXIT_USAGE : EXIT_FAILED);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), EXIT_OK);

    struct error err = {0};
    assert_int_equal(file_read(&text, NULL, path, 1 << 16, &err), 0);
    assert_non_null(strstr(text, "--batch-size N"));
    assert_non_null(strstr(text, "integer 32; OCLIP_BATCH_SIZE"));
    assert_non_null(strstr(text, "-q, --quiet"));
    free(text);
    free(path);
    scratch_free(folder);
}

static void npy_survives_a_round_trip(void **state)
{
    (void)state;
    char *folder = scratch_new(), *path = path_join(folder, "x.npy");
    const float data[24] = {1, -2, 3e-38f, 3e38f, 5};
    const long shape[4] = {2, 3, 1, 4};
    const long counts[] = {1, 2, 6, 6, 24};
    struct error err = {0};
    for (int ndim = 0; ndim <= 4; ndim++) {
        struct npy x;
        assert_int_equal(npy_write(path, data, ndim, shape, &err), 0);
        assert_int_equal(npy_read(&x, path, &err), 0);
        assert_int_equal(x.ndim, ndim);
        for (int i = 0; i < ndim; i++)
            assert_int_equal(x.shape[i], shape[i]);
        assert_memory_equal(x.data, data, (size_t)counts[ndim] * sizeof *data);
        npy_free(&x);
    }
    struct npy none;
    assert_int_equal(npy_write(path, data, 2, (long[]){0, 512}, &err), 0);
    assert_int_equal(npy_read(&none, path, &err), 0);
    assert_int_equal(none.shape[1], 512);
    npy_free(&none);
    free(path);
    scratch_free(folder);
}

static void npy_refuses_lying_headers(void **state)
{
    (void)state;
    static const struct {
        const char *header, *mentions;
    } cases[] = {
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", "shape"}, /* six floats, four are there */
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }", "shape"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387905, 4), }", "shape"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,), }", "shape"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (-4,), }", "shape"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (4", "shape"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': ", "shape"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1, 1, 1, 4), }", "dimensions"},
        {"{'descr': '<f8', 'fortran_order': False, 'shape': (2,), }", "'<f8'"},
        {"{'descr': '<f4', 'fortran_order': True, 'shape': (2, 2), }", "C order"},
        {"{'fortran_order': False, 'shape': (4,), }", "descr"},
        {"", "descr"},
    };
    char *folder = scratch_new();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        unsigned char file[512] = "\x93NUMPY\x01\x00";
        size_t length = strlen(cases[i].header);
        file[8] = (unsigned char)length;
        memcpy(file + 10, cases[i].header, length);
        char *path = scratch_file(folder, "lie.npy", file, 10 + length + 4 * sizeof(float));
        struct error err = {0};
        struct npy x;
        assert_int_equal(npy_read(&x, path, &err), -1);
        assert_int_equal(err.code, EXIT_BAD_DATA);
        assert_mentions(err.text, path);
        assert_mentions(err.text, cases[i].mentions);
        free(path);
    }
    scratch_free(folder);
}

static void npy_refuses_other_files(void **state)
{
    (void)state;
    static const char cut[] = "\x93NUMPY\x01\x00\xff\xff{'descr'", other[] = "GIF89a........",
                      version[] = "\x93NUMPY\x09\x00..";
    const struct {
        const char *bytes;
        size_t count;
    } cases[] = {{"", 0}, {cut, 6}, {cut, sizeof cut}, {other, sizeof other}, {version, sizeof version}};
    char *folder = scratch_new();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *path = scratch_file(folder, "other.npy", cases[i].bytes, cases[i].count);
        struct error err = {0};
        struct npy x;
        assert_int_equal(npy_read(&x, path, &err), -1);
        assert_int_equal(err.code, EXIT_BAD_DATA);
        free(path);
    }
    scratch_free(folder);
}

static void expect_content(const char *path, const char *expected)
{
    char *text;
    struct error err = {0};
    assert_int_equal(file_read(&text, NULL, path, 100, &err), 0);
    assert_string_equal(text, expected);
    free(text);
}

static void a_failed_write_leaves_the_old_file(void **state)
{
    (void)state;
    char *folder = scratch_new(), *path = scratch_file(folder, "x.txt", "old", 3);
    struct file_writer writer;
    struct error err = {0};

    struct rlimit before, small = {.rlim_cur = 1000};
    getrlimit(RLIMIT_FSIZE, &before);
    small.rlim_max = before.rlim_max;
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &small); /* as if the disk were full */
    char block[4096] = {0};
    assert_int_equal(file_create(&writer, path, &err), 0);
    for (int i = 0; i < 10; i++)
        file_write(&writer, block, sizeof block);
    assert_int_equal(file_commit(&writer, &err), -1);
    setrlimit(RLIMIT_FSIZE, &before);
    assert_mentions(err.text, path);

    struct string_list files = {0};
    expect_content(path, "old");
    assert_int_equal(file_list(&files, folder, ".txt", &err), 0);
    assert_int_equal(files.count, 1);
    string_list_free(&files);
    free(path);
    scratch_free(folder);
}

static void a_file_needs_its_folder(void **state)
{
    (void)state;
    char *folder = scratch_new(), *path = path_join(folder, "none/x.txt");
    struct file_writer writer;
    struct error err = {0};
    assert_int_equal(file_create(&writer, path, &err), -1);
    assert_mentions(err.text, path);
    free(path);
    scratch_free(folder);
}

static void file_list_is_sorted_and_filtered(void **state)
{
    (void)state;
    char *folder = scratch_new(), *inner = path_join(folder, "b");
    struct error err = {0};
    assert_int_equal(file_make_folders(inner, &err), 0);
    static const char *const names[] = {"c.JPG", "a.png",       "b/z.jpeg", "b/a.jpg",
                                        "b.txt", ".hidden.jpg", "jpg",      "B.jpg"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        free(scratch_file(folder, names[i], "", 0));

    static const char *const expected[] = {"B.jpg", "a.png", "b/a.jpg", "b/z.jpeg", "c.JPG"};
    struct string_list found = {0};
    assert_int_equal(file_list(&found, folder, ".jpg .jpeg .png", &err), 0);
    assert_int_equal(found.count, 5);
    for (size_t i = 0; i < found.count; i++)
        assert_string_equal(found.items[i] + strlen(folder) + 1, expected[i]);
    string_list_free(&found);
    free(inner);
    scratch_free(folder);
}

static void json_reads_configurations(void **state)
{
    (void)state;
    static const char text[] =
        "{\"hidden_size\": 768, \"eps\": 1e-5, \"model_max_length\": 1000000000000000019884624838656,"
        " \"act\": \"gelu\", \"bias\": true, \"none\": null, \"half\": 0.5}";
    char *folder = scratch_new(), *path = scratch_file(folder, "config.json", text, sizeof text - 1);
    struct error err = {0};
    json_t *config;
    assert_int_equal(json_read(&config, path, &err), 0);
    assert_int_equal(json_int_or(config, "hidden_size", 1), 768);
    assert_int_equal(json_int_or(config, "model_max_length", 77), 77);
    assert_int_equal(json_int_or(config, "half", 3), 3);
    assert_int_equal(json_int_or(config, "none", 4), 4);
    assert_true(json_real_or(config, "eps", 0) == 1e-5);
    assert_true(json_real_or(config, "hidden_size", 0) == 768);
    assert_true(json_bool_or(config, "bias", false));
    assert_true(json_bool_or(config, "act", true));
    assert_string_equal(json_text_or(config, "act", "relu"), "gelu");
    assert_string_equal(json_text_or(config, "eps", "none"), "none");

    int value;
    assert_int_equal(json_need_int(&value, config, "hidden_size", 1, 768, path, &err), 0);
    assert_int_equal(value, 768);
    assert_int_equal(json_need_int(&value, config, "hidden_size", 1, 767, path, &err), -1);
    assert_mentions(err.text, "767");
    assert_int_equal(json_need_int(&value, config, "layers", 1, 10, path, &err), -1);
    assert_mentions(err.text, "\"layers\" is missing");
    json_decref(config);
    free(path);
    scratch_free(folder);
}

static void json_names_the_broken_place(void **state)
{
    (void)state;
    char *folder = scratch_new(), *path = scratch_file(folder, "broken.json", "{\n\"a\": }", 8);
    struct error err = {0};
    json_t *root = json_pack("{s:i, s:[f]}", "z", 1, "a", 0.1);
    json_t *back;
    assert_int_equal(json_read(&back, path, &err), -1);
    assert_int_equal(err.code, EXIT_BAD_DATA);
    assert_mentions(err.text, "broken.json:2:");

    assert_int_equal(json_write(root, path, &err), 0);
    assert_int_equal(json_read(&back, path, &err), 0);
    assert_true(json_equal(root, back));
    json_decref(root);
    json_decref(back);
    free(path);
    scratch_free(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_take_values_in_every_form),
        cmocka_unit_test(options_move_words_to_the_end),
        cmocka_unit_test(options_collect_lists),
        cmocka_unit_test(options_read_their_twins),
        cmocka_unit_test(options_refuse_what_is_wrong),
        cmocka_unit_test(options_help_shows_defaults_and_twins),
        cmocka_unit_test(npy_survives_a_round_trip),
        cmocka_unit_test(npy_refuses_lying_headers),
        cmocka_unit_test(npy_refuses_other_files),
        cmocka_unit_test(a_failed_write_leaves_the_old_file),
        cmocka_unit_test(a_file_needs_its_folder),
        cmocka_unit_test(file_list_is_sorted_and_filtered),
        cmocka_unit_test(json_reads_configurations),
        cmocka_unit_test(json_names_the_broken_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
