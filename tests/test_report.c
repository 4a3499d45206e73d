/* What a run leaves to be looked at: TensorBoard's files, report.html and params.txt say what the records say, and a
 * run that goes on has each step once. */
#include "runtime/util/file.h"
#include "runtime/util/json.h"
#include "tests/said.h"
#include "tests/scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { PHOTOS = 24, BATCH = 8, EPOCHS = 3, STEPS = 3 * EPOCHS };

static char *folder; /* of the run */

static char *read_text(const char *name, size_t *size)
{
    struct error err;
    char *path = path_join(folder, name), *text;
    CHECK(file_read(&text, size, path, 16 << 20, &err) == 0, "%s", err.text);
    free(path);
    return text;
}

/* The records of a file, as an array. */
static json_t *read_records(const char *name)
{
    json_t *records = json_array();
    char *text = read_text(name, NULL), *rest;
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
        assert_int_equal(json_array_append_new(records, json_loads(line, 0, NULL)), 0);
    free(text);
    return records;
}

/* ---- TensorBoard's files, read by what their specification says ---- */

/* CRC-32C bit by bit, as polynomial division of the reflected message. */
static uint32_t crc32c(const unsigned char *bytes, size_t count)
{
    uint32_t crc = UINT32_MAX;
    for (size_t bit = 0; bit < 8 * count; bit++) {
        uint32_t in = (uint32_t)(bytes[bit / 8] >> bit % 8 & 1);
        crc = (crc & 1) != in ? crc >> 1 ^ 0x82f63b78u : crc >> 1;
    }
    return ~crc;
}

static uint64_t little_endian(const unsigned char *bytes, int count)
{
    uint64_t number = 0;
    for (int i = count; i-- > 0;)
        number = number << 8 | bytes[i];
    return number;
}

static void assert_masked(const unsigned char *stored, const unsigned char *bytes, size_t count)
{
    uint32_t unmasked = (uint32_t)little_endian(stored, 4) - 0xa282ead8u;
    assert_int_equal(unmasked << 15 | unmasked >> 17, crc32c(bytes, count));
}

/* Finds field `number` of a message; its bytes, or its value if it is a number. */
static const unsigned char *find_field(uint64_t *value, const unsigned char *bytes, size_t size, unsigned number)
{
    static const size_t fixed[] = {[1] = 8, [5] = 4};
    for (size_t at = 0; at < size;) {
        unsigned key = bytes[at++], wire = key & 7;
        size_t start = at, length;
        *value = 0;
        if (wire == 0 || wire == 2) {
            for (int shift = 0;; shift += 7) {
                *value |= (uint64_t)(bytes[at] & 127) << shift;
                if (!(bytes[at++] & 128))
                    break;
            }
            start = at;
            length = wire == 2 ? *value : 0;
        } else {
            assert_true(wire == 1 || wire == 5);
            length = fixed[wire];
            *value = little_endian(bytes + at, (int)length);
        }
        at = start + length;
        assert_true(at <= size);
        if (key >> 3 == number)
            return bytes + start;
    }
    return NULL;
}

/* Adds the scalar of an event, if it has one, to curves: {"tag": {"step": value}}. */
static void add_scalar(json_t *curves, const unsigned char *event, size_t size)
{
    uint64_t step, length, tag_length, bits;
    const unsigned char *summary = find_field(&length, event, size, 5);
    if (!summary)
        return;
    assert_non_null(find_field(&step, event, size, 2));
    const unsigned char *value = find_field(&length, summary, length, 1);
    assert_non_null(value);
    const unsigned char *tag = find_field(&tag_length, value, length, 1);
    assert_non_null(tag);
    assert_non_null(find_field(&bits, value, length, 2));
    float number;
    memcpy(&number, &(uint32_t){(uint32_t)bits}, sizeof number);
    char *name = mem_format("%.*s", (int)tag_length, (const char *)tag), *at = mem_format("%d", (int)step);
    if (!json_object_get(curves, name))
        json_object_set_new(curves, name, json_object());
    json_object_set_new(json_object_get(curves, name), at, json_real((double)number));
    free(name);
    free(at);
}

/* The one file of events that there is. */
static char *read_events(size_t *size)
{
    char path[4096], *command = mem_format("ls %s/tensorboard/events.out.tfevents.*", folder), *data;
    struct error err;
    FILE *list = popen(command, "r");
    assert_non_null(list);
    assert_non_null(fgets(path, sizeof path, list));
    path[strcspn(path, "\n")] = '\0';
    assert_int_equal(getc(list), EOF);
    pclose(list);
    CHECK(file_read(&data, size, path, 16 << 20, &err) == 0, "%s", err.text);
    free(command);
    return data;
}

static json_t *read_curves(void)
{
    size_t size, number = 0;
    uint64_t value;
    char *data = read_events(&size);
    const unsigned char *at = (const unsigned char *)data, *end = at + size;
    json_t *curves = json_object();
    for (; at < end; number++) {
        size_t length = little_endian(at, 8);
        assert_true(length < 1000 && at + length + 16 <= end);
        assert_masked(at + 8, at, 8);
        assert_masked(at + 12 + length, at + 12, length);
        if (number == 0)
            assert_memory_equal(find_field(&value, at + 12, length, 3), "brain.Event:2", 13);
        if (number == 1) /* what comes from step 1 on is void in older files */
            assert_true(find_field(&value, at + 12, length, 7) && find_field(&value, at + 12, length, 2) && value == 1);
        add_scalar(curves, at + 12, length);
        at += length + 16;
    }
    free(data);
    return curves;
}

static void assert_on_curve(const json_t *curves, const char *tag, const json_t *record, const char *key)
{
    char *step = mem_format("%d", json_int_or(record, "step", -1));
    const json_t *point = json_object_get(json_object_get(curves, tag), step);
    const double wanted = json_real_or(record, key, -1);
    assert_true(json_is_number(point));
    assert_true(wanted >= 0);
    assert_float_equal(json_number_value(point), wanted, 1e-6 * wanted);
    free(step);
}

static void test_events(void **state)
{
    (void)state;
    assert_int_equal(crc32c((const unsigned char *)"123456789", 9), 0xe3069283);
    json_t *curves = read_curves(), *steps = read_records("steps.jsonl"), *results = read_records("results.jsonl");
    assert_int_equal(json_array_size(steps), STEPS);
    assert_int_equal(json_array_size(results), EPOCHS);
    assert_int_equal(json_object_size(json_object_get(curves, "train/loss")), STEPS);
    assert_int_equal(json_object_size(json_object_get(curves, "val/loss")), EPOCHS);
    for (size_t i = 0; i < STEPS; i++) {
        const json_t *record = json_array_get(steps, i);
        assert_int_equal(json_int_or(record, "step", 0), i + 1);
        assert_on_curve(curves, "train/loss", record, "loss");
        assert_on_curve(curves, "train/lr", record, "lr");
    }
    for (size_t i = 0; i < EPOCHS; i++) {
        const json_t *record = json_array_get(results, i);
        assert_on_curve(curves, "train/pairs_per_s", json_array_get(steps, 3 * i + 2), "pairs_per_s");
        assert_on_curve(curves, "val/loss", record, "val_loss");
        assert_on_curve(curves, "val/image_retrieval_recall@5", record, "image_retrieval_recall@5");
        assert_on_curve(curves, "val/text_retrieval_recall@10", record, "text_retrieval_recall@10");
    }
    json_decref(curves);
    json_decref(steps);
    json_decref(results);
}

/* ---- the page ---- */

#define assert_says(page, ...)                                                                                         \
    do {                                                                                                               \
        char *wanted = mem_format(__VA_ARGS__);                                                                        \
        if (!strstr(page, wanted))                                                                                     \
            fail_msg("the page does not say: %s", wanted);                                                             \
        free(wanted);                                                                                                  \
    } while (0)

static void test_page(void **state)
{
    (void)state;
    size_t size;
    char *page = read_text("report.html", &size);
    json_t *steps = read_records("steps.jsonl"), *results = read_records("results.jsonl");
    for (size_t i = 0; i < STEPS; i++) {
        const json_t *record = json_array_get(steps, i);
        assert_says(page, "<title>training, step %zu: %.5g</title>", i + 1, json_real_or(record, "loss", -1));
        assert_says(page, "<title>of the heads, step %zu: %.5g</title>", i + 1, json_real_or(record, "lr", -1));
    }
    for (size_t i = 0; i < EPOCHS; i++) {
        const json_t *record = json_array_get(results, i);
        int step = json_int_or(record, "step", -1);
        double recall = 100 * json_real_or(record, "image_retrieval_recall@10", -1);
        assert_says(page, "<tr><td>%zu</td><td>%d</td><td>%.4f</td><td>%.4f</td>", i + 1, step,
                    json_real_or(record, "train_loss", -1), json_real_or(record, "val_loss", -1));
        assert_says(page, "<title>text→image R@10, step %d: %.5g %%</title>", step, recall);
        assert_says(page, "<td>%.1f %%</td>", recall);
    }
    assert_says(page, "<dt>batch_size</dt><dd>%d</dd>", BATCH);
    assert_int_equal(said_times(page, "<figure class=\"chart\">"), 4);
    assert_int_equal(said_times(page, "<article>"), said_times(page, "</article>"));
    assert_int_equal(said_times(page, "<article>"), 12);
    assert_int_equal(said_times(page, "<span>epoch 1</span>"), 12);
    assert_true(said_times(page, ":url(data:image/jpeg;base64,/9j/") >= 6);
    assert_int_equal(said_times(page, "cannot be read"), 0);
    assert_true(size < 1000000);
    assert_string_equal(page + size - 8, "</html>\n");
    json_decref(steps);
    json_decref(results);
    free(page);
}

static void test_page_stands_alone(void **state)
{
    (void)state;
    static const char *const outside[] = {"http:", "https:", "src=", "href=", "@import", "<script", "<b>thing"};
    char *page = read_text("report.html", NULL);
    for (size_t i = 0; i < sizeof outside / sizeof *outside; i++)
        if (strstr(page, outside[i]))
            fail_msg("the page has %s", outside[i]);
    assert_says(page, "&lt;b&gt;thing");
    free(page);
}

/* ---- settings, and going on ---- */

static void test_params(void **state)
{
    (void)state;
    char *params = read_text("params.txt", NULL), *rest;
    assert_non_null(strstr(params, "\nbatch_size: 8\n"));
    assert_non_null(strstr(params, "\nepochs: 3\n"));
    assert_non_null(strstr(params, "\nlr_head: 0.001\n"));
    const char *before = "";
    for (char *line = strtok_r(params, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        line[strcspn(line, ":")] = '\0';
        assert_true(strcmp(before, line) < 0);
        before = line;
    }
    free(params);
}

static void train(const char *more)
{
    char *command = mem_format("\"$OCLIP_BUILD\"/trainer --quiet --model tiny --train-data %s/table.csv --val-data "
                               "%s/table.csv --image-root \"$OCLIP_TEST_DATA\"/sample/images --batch-size %d %s",
                               folder, folder, BATCH, more);
    assert_int_equal(system(command), 0);
    free(command);
}

static void append(const char *name, const char *text)
{
    char *path = path_join(folder, name);
    FILE *file = fopen(path, "a");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    free(path);
}

/* As after a kill: steps after the last checkpoint are in the records, and a line that was cut off. */
static void test_going_on(void **state)
{
    (void)state;
    append("steps.jsonl", "{\"step\":10,\"epoch\":4,\"loss\":77}\n{\"step\":11,\"epo");
    append("results.jsonl", "{\"step\":12,\"epoch\":4,\"train_loss\":77}\n");
    char *more = mem_format("--resume %s --epochs 4 --report-to none", folder);
    train(more);
    free(more);
    json_t *steps = read_records("steps.jsonl"), *results = read_records("results.jsonl");
    assert_int_equal(json_array_size(steps), STEPS + 3);
    assert_int_equal(json_array_size(results), EPOCHS + 1);
    for (size_t i = 0; i < STEPS + 3; i++) {
        const json_t *record = json_array_get(steps, i);
        assert_int_equal(json_int_or(record, "step", 0), i + 1);
        assert_true(json_real_or(record, "loss", 77) < 77);
    }
    json_decref(read_curves()); /* no second file of events */
    json_decref(steps);
    json_decref(results);
}

/* Photos of the sample with captions that a page must not take for its own. */
static void write_table(void)
{
    struct error err;
    struct string_list photos = {0};
    char *images = mem_format("%s/sample/images", getenv("OCLIP_TEST_DATA"));
    CHECK(file_list(&photos, images, ".jpg", &err) == 0, "%s", err.text);
    assert_true(photos.count >= PHOTOS);
    append("table.csv", "image,caption\n");
    for (int i = 0; i < PHOTOS; i++) {
        char *line = mem_format("%s,<b>thing %d</b> & co\n", photos.items[i] + strlen(images) + 1, i);
        append("table.csv", line);
        free(line);
    }
    string_list_free(&photos);
    free(images);
}

int main(void)
{
    folder = scratch_new();
    char *cache = path_join(folder, "cache"), *more = mem_format("--out %s --name . --epochs %d", folder, EPOCHS);
    setenv("OCLIP_CACHE", cache, 0);
    write_table();
    train(more);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_events), cmocka_unit_test(test_page),     cmocka_unit_test(test_page_stands_alone),
        cmocka_unit_test(test_params), cmocka_unit_test(test_going_on),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    scratch_free(folder);
    free(cache);
    free(more);
    return failed;
}
