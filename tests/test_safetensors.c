/* Weight files: round trips, conversions, and headers that lie. */
#include "models/files/safetensors.h"
#include "runtime/util/file.h"
#include "tests/said.h"
#include "tests/scratch.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <unistd.h>

/* A file of the given header and `count` bytes of data; the path, caller frees. */
static char *file_of(const char *folder, const char *header, const void *data, size_t count)
{
    uint64_t length = strlen(header);
    char *bytes = mem_new(1, sizeof length + length + count);
    memcpy(bytes, &length, sizeof length);
    memcpy(bytes + sizeof length, header, length);
    memcpy(bytes + sizeof length + length, data, count);
    char *path = scratch_file(folder, "lie.safetensors", bytes, sizeof length + length + count);
    free(bytes);
    return path;
}

static void tensors_survive_a_round_trip(void **state)
{
    (void)state;
    char *folder = scratch_new(), *path = path_join(folder, "model.safetensors");
    const float weight[6] = {1, -2, 0x1p-149f, 3e38f, 0, 5}, scale = 4.6052f;
    const struct stored_tensor tensors[] = {
        {.name = "visual.proj", .ndim = 2, .shape = {2, 3}, .count = 6, .data = weight},
        {.name = "logit_scale", .count = 1, .data = &scale},
        {.name = "none \"\xc3\xa9\"", .ndim = 2, .shape = {0, 4}, .data = weight},
    };
    struct error err = {0};
    struct safetensors *file;
    assert_int_equal(safetensors_write(path, tensors, 3, NULL, &err), 0);
    assert_int_equal(safetensors_open_folder(&file, folder, &err), 0);
    assert_int_equal(safetensors_count(file), 3);
    assert_string_equal(safetensors_at(file, 0)->name, "logit_scale");
    assert_null(safetensors_find(file, "visual"));
    for (int i = 0; i < 3; i++) {
        float values[6];
        const struct stored_tensor *found = safetensors_find(file, tensors[i].name);
        assert_non_null(found);
        assert_int_equal(found->ndim, tensors[i].ndim);
        assert_memory_equal(found->shape, tensors[i].shape, sizeof found->shape);
        assert_int_equal(found->count, tensors[i].count);
        assert_int_equal(safetensors_to_float(values, found, &err), 0);
        if (found->count)
            assert_memory_equal(values, tensors[i].data, (size_t)found->count * sizeof *values);
    }
    safetensors_close(file);
    free(path);
    scratch_free(folder);
}

/* What safetensors.torch.save_file writes for these two tensors. */
static void the_bytes_are_those_of_pythons_library(void **state)
{
    (void)state;
    static const char expected[] =
        "\x90\0\0\0\0\0\0\0{\"__metadata__\":{\"format\":\"pt\"},\"a\":{\"dtype\":\"F32\",\"shape\":[1,2],"
        "\"data_offsets\":[0,8]},\"b\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[8,12]}}    "
        "\0\0\x80\x3f\0\0\0\x40\0\0\x40\x40";
    const float a[] = {1, 2}, b = 3;
    const struct stored_tensor tensors[] = {{.name = "b", .count = 1, .data = &b},
                                            {.name = "a", .ndim = 2, .shape = {1, 2}, .count = 2, .data = a}};
    char *folder = scratch_new(), *path = path_join(folder, "x.safetensors"), *bytes;
    size_t size;
    struct error err = {0};
    assert_int_equal(safetensors_write(path, tensors, 2, NULL, &err), 0);
    assert_int_equal(file_read(&bytes, &size, path, 1000, &err), 0);
    assert_int_equal(size, sizeof expected - 1);
    assert_memory_equal(bytes, expected, size);
    free(bytes);

    json_t *notes = json_pack("{s:s}", "epoch", "3");
    assert_int_equal(safetensors_write(path, tensors, 2, notes, &err), 0);
    assert_int_equal(file_read(&bytes, &size, path, 1000, &err), 0);
    assert_int_equal((size - 12) % 8, 0); /* twelve bytes of data, a header that ends at a multiple of 8 */
    assert_non_null(strstr(bytes + 8, "{\"format\":\"pt\",\"epoch\":\"3\"}"));
    json_decref(notes);
    free(bytes);
    free(path);
    scratch_free(folder);
}

static float converted(const char *dtype, uint16_t bits)
{
    char *folder = scratch_new();
    char *header = mem_format("{\"x\":{\"dtype\":\"%s\",\"shape\":[1],\"data_offsets\":[0,2]}}", dtype);
    char *path = file_of(folder, header, &bits, sizeof bits);
    struct error err = {0};
    struct safetensors *file;
    float value;
    assert_int_equal(safetensors_open(&file, path, &err), 0);
    assert_int_equal(safetensors_to_float(&value, safetensors_find(file, "x"), &err), 0);
    safetensors_close(file);
    free(path);
    free(header);
    scratch_free(folder);
    return value;
}

static void halves_convert_exactly(void **state)
{
    (void)state;
    static const struct {
        const char *dtype;
        uint16_t bits;
        float value;
    } table[] = {
        {"F16", 0x0000, 0},
        {"F16", 0x3c00, 1},
        {"F16", 0xc000, -2},
        {"F16", 0x3555, 0x1.554p-2f},
        {"F16", 0x7bff, 65504},
        {"F16", 0x0400, 0x1p-14f},
        {"F16", 0x03ff, 0x1.ff8p-15f}, /* the largest subnormal */
        {"F16", 0x0001, 0x1p-24f},
        {"F16", 0x8001, -0x1p-24f},
        {"F16", 0x7c00, INFINITY},
        {"F16", 0xfc00, -INFINITY},
        {"BF16", 0x3f80, 1},
        {"BF16", 0xc049, -3.140625f},
        {"BF16", 0x0001, 0x1p-133f}, /* a subnormal */
        {"BF16", 0x7f7f, 0x1.fep127f},
        {"BF16", 0xff80, -INFINITY},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        float value = converted(table[i].dtype, table[i].bits);
        assert_memory_equal(&value, &table[i].value, sizeof value);
    }
    assert_true(signbit(converted("F16", 0x8000)) != 0 && converted("F16", 0x8000) == 0);
    assert_true(signbit(converted("BF16", 0x8000)) != 0 && converted("BF16", 0x8000) == 0);
    assert_true(isnan(converted("F16", 0x7e00)) && isnan(converted("F16", 0xfc01)));
    assert_true(isnan(converted("BF16", 0x7fc0)) && isnan(converted("BF16", 0xff81)));
}

static void data_may_be_unaligned(void **state)
{
    (void)state;
    static const char header[] = "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
                                 "\"x\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[1,9]},"
                                 "\"y\":{\"dtype\":\"F16\",\"shape\":[1],\"data_offsets\":[9,11]}}";
    const float values[2] = {1.5f, -7};
    unsigned char data[11] = {[10] = 0x3c};
    memcpy(data + 1, values, sizeof values);
    char *folder = scratch_new(), *path = file_of(folder, header, data, sizeof data);
    struct error err = {0};
    struct safetensors *file;
    float back[2], half;
    assert_int_equal(safetensors_open(&file, path, &err), 0);
    assert_int_equal(safetensors_to_float(back, safetensors_find(file, "x"), &err), 0);
    assert_memory_equal(back, values, sizeof values);
    assert_int_equal(safetensors_to_float(&half, safetensors_find(file, "y"), &err), 0);
    assert_true(half == 1);
    safetensors_close(file);
    free(path);
    scratch_free(folder);
}

static void other_dtypes_are_refused_when_asked_for(void **state)
{
    (void)state;
    static const char header[] = "{\"ids\":{\"dtype\":\"I64\",\"shape\":[1],\"data_offsets\":[0,8]},"
                                 "\"new\":{\"dtype\":\"F4\",\"shape\":[16],\"data_offsets\":[8,16]}}";
    char *folder = scratch_new(), *path = file_of(folder, header, "0123456789abcdef", 16);
    struct error err = {0};
    struct safetensors *file;
    float value;
    assert_int_equal(safetensors_open(&file, path, &err), 0);
    assert_int_equal(safetensors_to_float(&value, safetensors_find(file, "ids"), &err), -1);
    assert_int_equal(err.code, EXIT_BAD_DATA);
    assert_mentions(err.text, path);
    assert_mentions(err.text, "'ids' is I64");
    assert_int_equal(safetensors_to_float(&value, safetensors_find(file, "new"), &err), -1);
    assert_mentions(err.text, "'new'");
    safetensors_close(file);
    free(path);
    scratch_free(folder);
}

#define X(dtype, shape, offsets) "{\"x\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}}"
#define TWO(first, second)                                                                                             \
    "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":" first "},"                                             \
    "\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":" second "}}"

static void headers_that_lie_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *header, *mentions; /* 16 bytes of data follow */
    } cases[] = {
        {"", "JSON"},
        {"[1]", "begin with {"},
        {" " X("F32", "[4]", "[0,16]"), "begin with {"},
        {"{\"x\":", "JSON"},
        {"{\"x\":1}", "dtype"},
        {"{\"x\":{\"shape\":[4],\"data_offsets\":[0,16]}}", "dtype"},
        {"{\"x\":{\"dtype\":\"F32\",\"data_offsets\":[0,16]}}", "shape"},
        {"{\"x\":{\"dtype\":\"F32\",\"shape\":[4]}}", "data_offsets"},
        {X("F32", "4", "[0,16]"), "shape"},
        {X("F32", "[-4]", "[0,16]"), "shape"},
        {X("F32", "[2.0,2]", "[0,16]"), "shape"},
        {X("F32", "[1,1,1,1,1,1,1,1,4]", "[0,16]"), "shape"},
        {X("F32", "[4611686018427387905,4]", "[0,16]"), "shape"}, /* the product wraps to 4 */
        {X("F32", "[4294967296,4294967296]", "[0,16]"), "shape"}, /* to 0 */
        {X("F32", "[99999999999999999999]", "[0,16]"), "JSON"},
        {X("F32", "[4]", "[0,17]"), "data_offsets"},
        {X("F32", "[4]", "[16,0]"), "data_offsets"},
        {X("F32", "[4]", "[-16,0]"), "data_offsets"},
        {X("F32", "[4]", "[0]"), "data_offsets"},
        {X("F32", "[4]", "[0,9223372036854775807]"), "data_offsets"},
        {X("F32", "[3]", "[0,16]"), "needs 12 bytes"},
        {X("BF16", "[4]", "[0,16]"), "needs 8 bytes"},
        {X("I64", "[4]", "[0,16]"), "needs 32 bytes"},
        {X("F32", "[2]", "[8,16]"), "hole"},
        {X("F32", "[2]", "[0,8]"), "8 bytes of tensors in 16"},
        {"{}", "0 bytes of tensors in 16"},
        {TWO("[0,8]", "[4,12]"), "overlap at byte 4 of the data, where 'b' begins"},
        {TWO("[0,8]", "[0,8]"), "overlap"},
        {"{\"x\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
         "\"x\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,16]}}",
         "duplicate"},
        {"{\"x\\u0000\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]}}", "JSON"},
    };
    char *folder = scratch_new();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *path = file_of(folder, cases[i].header, "0123456789abcdef", 16);
        struct error err = {0};
        struct safetensors *file;
        assert_int_equal(safetensors_open(&file, path, &err), -1);
        assert_int_equal(err.code, EXIT_BAD_DATA);
        assert_mentions(err.text, path);
        assert_mentions(err.text, cases[i].mentions);
        free(path);
    }
    scratch_free(folder);
}

static void cut_files_are_refused(void **state)
{
    (void)state;
    static const char header[] = X("F32", "[4]", "[0,16]");
    char *folder = scratch_new(), *whole = file_of(folder, header, "0123456789abcdef", 16), *bytes;
    size_t size;
    struct error err = {0};
    struct safetensors *file;
    assert_int_equal(file_read(&bytes, &size, whole, 1000, &err), 0);
    for (size_t kept = 0; kept < size; kept++) {
        char *path = scratch_file(folder, "cut.safetensors", bytes, kept);
        assert_int_equal(safetensors_open(&file, path, &err), -1);
        assert_int_equal(err.code, EXIT_BAD_DATA);
        free(path);
    }
    memset(bytes, 0xff, 8);
    char *path = scratch_file(folder, "long.safetensors", bytes, size);
    assert_int_equal(safetensors_open(&file, path, &err), -1);
    assert_mentions(err.text, "longer than the file");
    free(path);
    free(bytes);
    free(whole);
    scratch_free(folder);
}

/* The reference reader's limit. The file is there in full, as a hole. */
static void a_header_over_100_mb_is_refused(void **state)
{
    (void)state;
    static const uint64_t length = 100000001;
    char *folder = scratch_new(), *path = scratch_file(folder, "long.safetensors", &length, sizeof length);
    struct error err = {0};
    struct safetensors *file;
    assert_int_equal(truncate(path, (off_t)(sizeof length + length + 16)), 0);
    assert_int_equal(safetensors_open(&file, path, &err), -1);
    assert_int_equal(err.code, EXIT_BAD_DATA);
    assert_mentions(err.text, path);
    assert_mentions(err.text, "100 MB");
    free(path);
    scratch_free(folder);
}

/* Flips random bytes of a valid header: whatever is accepted must be readable to its last number. */
static void mutated_headers_do_no_harm(void **state)
{
    (void)state;
    static const char header[] = "{\"__metadata__\":{\"format\":\"pt\"},"
                                 "\"a\":{\"dtype\":\"F32\",\"shape\":[2,1],\"data_offsets\":[0,8]},"
                                 "\"b\":{\"dtype\":\"F16\",\"shape\":[4],\"data_offsets\":[8,16]}}";
    char *folder = scratch_new();
    uint32_t random = 1;
    int accepted = 0;
    for (int round = 0; round < 4000; round++) {
        char text[sizeof header];
        memcpy(text, header, sizeof header);
        for (int flips = 1 + round % 3; flips > 0; flips--) {
            random = random * 1664525u + 1013904223u;
            text[(random >> 16) % (sizeof header - 1)] = (char)(random >> 8 | 1);
        }
        char *path = file_of(folder, text, "0123456789abcdef", 16);
        struct error err = {0};
        struct safetensors *file;
        if (safetensors_open(&file, path, &err) == 0) {
            accepted++;
            for (int i = 0; i < safetensors_count(file); i++) {
                const struct stored_tensor *tensor = safetensors_at(file, i);
                float values[16];
                assert_ptr_equal(safetensors_find(file, tensor->name), tensor);
                if (tensor->dtype <= STORED_BF16)
                    assert_int_equal(safetensors_to_float(values, tensor, &err), 0);
            }
            safetensors_close(file);
        } else {
            assert_int_equal(err.code, EXIT_BAD_DATA);
        }
        free(path);
    }
    assert_in_range(accepted, 1, 3999);
    scratch_free(folder);
}

/* Every half is written back as it was; numbers between two go to the nearer, ties to the even one. */
static void floats_round_to_halves(void **state)
{
    (void)state;
    static const enum stored_dtype dtypes[] = {STORED_F16, STORED_BF16};
    for (int d = 0; d < 2; d++)
        for (unsigned bits = 0; bits < 1 << 16; bits++) {
            unsigned char half[2] = {(unsigned char)bits, (unsigned char)(bits >> 8)}, back[2];
            float value;
            stored_dtypes[dtypes[d]].to_float(&value, half, 1);
            stored_dtypes[dtypes[d]].from_float(back, &value, 1);
            if (!isnan(value))
                assert_memory_equal(back, half, 2);
        }
    static const struct {
        enum stored_dtype dtype;
        float value;
        unsigned bits;
    } cases[] = {
        {STORED_F16, 1 + 0x1p-11f, 0x3c00}, {STORED_F16, 1 + 3 * 0x1p-11f, 0x3c02},
        {STORED_F16, 65519, 0x7bff},        {STORED_F16, 65520, 0x7c00},
        {STORED_F16, -1e30f, 0xfc00},       {STORED_F16, 0x1p-25f, 0},
        {STORED_F16, 3 * 0x1p-25f, 2},      {STORED_F16, 0x1p-14f - 0x1p-25f, 0x400},
        {STORED_BF16, 1 + 0x1p-8f, 0x3f80}, {STORED_BF16, 1 + 3 * 0x1p-8f, 0x3f82},
        {STORED_BF16, 3.4e38f, 0x7f80},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        unsigned char half[2];
        stored_dtypes[cases[i].dtype].from_float(half, &cases[i].value, 1);
        assert_int_equal(half[0] | half[1] << 8, cases[i].bits);
    }
}

static void write_index(const char *folder, const char *text)
{
    free(scratch_file(folder, "model.safetensors.index.json", text, strlen(text)));
}

static void shards_open_as_one(void **state)
{
    (void)state;
    char *folder = scratch_new(), *one = path_join(folder, "one.safetensors"),
         *two = path_join(folder, "two.safetensors");
    const float numbers[2] = {1, 2};
    const struct stored_tensor tensors[] = {{.name = "b", .count = 1, .data = numbers},
                                            {.name = "a", .count = 1, .data = numbers + 1}};
    struct error err = {0};
    struct safetensors *file;
    assert_int_equal(safetensors_write(one, tensors, 1, NULL, &err), 0);
    assert_int_equal(safetensors_write(two, tensors + 1, 1, NULL, &err), 0);

    write_index(folder, "{\"weight_map\": {\"a\": \"two.safetensors\", \"b\": \"one.safetensors\"}}");
    assert_int_equal(safetensors_open_folder(&file, folder, &err), 0);
    float value;
    assert_int_equal(safetensors_count(file), 2);
    assert_int_equal(safetensors_to_float(&value, safetensors_take(file, "a"), &err), 0);
    assert_true(value == 2);
    int index = 0;
    assert_string_equal(safetensors_next_left(file, &index)->name, "b");
    assert_null(safetensors_next_left(file, &index));
    safetensors_close(file);

    static const struct {
        const char *index, *mention;
    } lies[] = {
        {"{\"weight_map\": {\"a\": \"../two.safetensors\"}}", "tensor a"},
        {"{\"weight_map\": {\"a\": 5}}", "tensor a"},
        {"{\"weight_map\": {\"a\": \"three.safetensors\"}}", "three.safetensors"},
        {"{\"weight_map\": {\"c\": \"one.safetensors\"}}", "tensor c"},
        {"{}", "weight_map"},
    };
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        write_index(folder, lies[i].index);
        assert_int_equal(safetensors_open_folder(&file, folder, &err), -1);
        assert_mentions(err.text, lies[i].mention);
    }
    assert_int_equal(safetensors_write(two, tensors, 2, NULL, &err), 0); /* "b" twice */
    write_index(folder, "{\"weight_map\": {\"a\": \"two.safetensors\", \"b\": \"one.safetensors\"}}");
    assert_int_equal(safetensors_open_folder(&file, folder, &err), -1);
    assert_mentions(err.text, "tensor 'b'");
    free(one);
    free(two);
    scratch_free(folder);
}

static void a_folder_without_weights_says_what_to_do(void **state)
{
    (void)state;
    char *folder = scratch_new();
    struct error err = {0};
    struct safetensors *file;
    assert_int_equal(safetensors_open_folder(&file, folder, &err), -1);
    assert_mentions(err.text, "no model.safetensors");
    free(scratch_file(folder, "optimizer.pt", "x", 1));
    free(scratch_file(folder, "pytorch_model.bin", "x", 1));
    assert_int_equal(safetensors_open_folder(&file, folder, &err), -1);
    assert_int_equal(err.code, EXIT_BAD_DATA);
    assert_mentions(err.text, "pytorch_model.bin");
    assert_mentions(err.text, "python -c");
    scratch_free(folder);
    assert_int_equal(safetensors_open_folder(&file, "/nowhere/at/all", &err), -1);
    assert_mentions(err.text, "no such folder");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tensors_survive_a_round_trip),
        cmocka_unit_test(the_bytes_are_those_of_pythons_library),
        cmocka_unit_test(halves_convert_exactly),
        cmocka_unit_test(data_may_be_unaligned),
        cmocka_unit_test(other_dtypes_are_refused_when_asked_for),
        cmocka_unit_test(headers_that_lie_are_refused),
        cmocka_unit_test(cut_files_are_refused),
        cmocka_unit_test(a_header_over_100_mb_is_refused),
        cmocka_unit_test(mutated_headers_do_no_harm),
        cmocka_unit_test(floats_round_to_halves),
        cmocka_unit_test(shards_open_as_one),
        cmocka_unit_test(a_folder_without_weights_says_what_to_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
