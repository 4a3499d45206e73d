/* Caption tables in the forms in which people have them. */
#include "models/files/captions.h"
#include "tests/said.h"
#include "tests/scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Reads a table given as bytes; returns what captions_read does. */
static int read_bytes(struct captions *captions, struct error *err, const struct captions_format *format,
                      const char *bytes, size_t count)
{
    char *folder = scratch_new(), *path = scratch_file(folder, "table.csv", bytes, count);
    *err = (struct error){0};
    int result = captions_read(captions, path, format, err);
    if (result != 0)
        assert_mentions(err->text, path);
    free(path);
    scratch_free(folder);
    return result;
}

static int read_table(struct captions *captions, struct error *err, struct captions_format format, const char *text)
{
    return read_bytes(captions, err, &format, text, strlen(text));
}

/* Expects exactly these pairs, `pairs` being name, text, name, text, ..., NULL. */
static void expect_pairs(const struct captions *captions, const char *const *pairs)
{
    size_t count = 0;
    for (; pairs[2 * count]; count++) {
        assert_true(count < captions->texts.count);
        assert_string_equal(captions->photos.items[captions->photo_of[count]], pairs[2 * count]);
        assert_string_equal(captions->texts.items[count], pairs[2 * count + 1]);
    }
    assert_int_equal(captions->texts.count, count);
}
#define PAIRS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* The first row that was skipped is named by its line. */
static void assert_broken_at(const struct captions *table, long line)
{
    char place[32];
    snprintf(place, sizeof place, "table.csv:%ld: ", line);
    assert_non_null(strstr(table->broken.items[0], place));
}

static void each_form_reads_as_it_is(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        long broken, line;
        const char *pairs[7];
    } cases[] = {
        /* Kaggle's Flickr8k, RFC 4180 */
        {"image,caption\na.jpg,A dog .\na.jpg,\"Dogs, \"\"two\"\" of\nthem\"\nb.jpg,A cat .\n",
         0,
         0,
         {"a.jpg", "A dog .", "a.jpg", "Dogs, \"two\" of\nthem", "b.jpg", "A cat ."}},
        /* a comma that nobody quoted */
        {"image,caption\na.jpg,A dog, a cat\n", 0, 0, {"a.jpg", "A dog, a cat"}},
        /* Flickr30k, with its famous line */
        {"image_name| comment_number| comment\n1.jpg| 0| A \"dog\" runs .\n2199200615.jpg| 4   A dog runs .\n"
         "1.jpg| 1| A | dog .\n",
         1,
         3,
         {"1.jpg", "A \"dog\" runs .", "1.jpg", "A | dog ."}},
        /* Flickr8k's tokens: no header, numbered names, quotes are letters */
        {"a.jpg#0\tA dog , running .\na.jpg#1\t\"Woof\" it said .\nb#1.jpg#0\tA cat .\n",
         0,
         0,
         {"a.jpg", "A dog , running .", "a.jpg", "\"Woof\" it said .", "b#1.jpg", "A cat ."}},
        /* open_clip's default: filepath, title, tab; written by pandas */
        {"filepath\ttitle\nx/a.png\t\"a \"\"big\"\" dog\"\n", 0, 0, {"x/a.png", "a \"big\" dog"}},
        {"id;Text;IMG\n1;A dog;a.jpg\n2;A cat;b.jpg\n", 0, 0, {"a.jpg", "A dog", "b.jpg", "A cat"}},
        {"a.JPG,\"A dog, running\"\nb.jpg,A cat\n", 0, 0, {"a.JPG", "A dog, running", "b.jpg", "A cat"}},
        /* byte order mark, CRLF, empty lines, no final newline */
        {"\xef\xbb\xbf\r\nimage,caption\r\n\r\na.jpg,\"A\r\ndog\"\r\n \r\nb.jpg,A cat",
         0,
         0,
         {"a.jpg", "A\r\ndog", "b.jpg", "A cat"}},
        /* rows that lack something */
        {"image,caption\n,A dog\na.jpg,\na.jpg\na.jpg,A dog\n", 3, 2, {"a.jpg", "A dog"}},
        {"a.jpg#0\tA dog\n#1\tA cat\n", 1, 2, {"a.jpg", "A dog"}},
        /* a quote that never closes costs its own line only; line numbers count physical lines */
        {"image,caption\na.jpg,\"one\ntwo\"\nb.jpg,\"A cat\nc.jpg,A cow\n",
         1,
         4,
         {"a.jpg", "one\ntwo", "c.jpg", "A cow"}},
        {"image,caption\na.jpg,\"A \"dog\" ran\"\n", 0, 0, {"a.jpg", "A dog\" ran\""}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct captions table;
        struct error err;
        if (read_table(&table, &err, (struct captions_format){0}, cases[i].text) != 0)
            fail_msg("case %zu: %s", i, err.text);
        expect_pairs(&table, cases[i].pairs);
        assert_int_equal(table.broken.count, cases[i].broken);
        if (cases[i].broken)
            assert_broken_at(&table, cases[i].line);
        captions_free(&table);
    }
}

static void a_format_overrides_what_is_detected(void **state)
{
    (void)state;
    static const char text[] = "caption,picture,title\nno,a.jpg,yes\n";
    struct captions table;
    struct error err;
    assert_int_equal(
        read_table(&table, &err, (struct captions_format){.image_key = "picture", .caption_key = "title"}, text), 0);
    expect_pairs(&table, PAIRS("a.jpg", "yes"));
    captions_free(&table);
    assert_int_equal(read_table(&table, &err, (struct captions_format){.image_key = "picture"}, text), 0);
    expect_pairs(&table, PAIRS("a.jpg", "no"));
    captions_free(&table);
    assert_int_equal(read_table(&table, &err, (struct captions_format){.separator = ';'}, "image;caption,\na.jpg;b\n"),
                     -1);
    assert_int_equal(
        read_table(&table, &err, (struct captions_format){.separator = '|'}, "image|caption\na,b.jpg|c, d\n"), 0);
    expect_pairs(&table, PAIRS("a,b.jpg", "c, d"));
    captions_free(&table);
}

static void headers_that_do_not_match_are_named(void **state)
{
    (void)state;
    struct captions table;
    struct error err;
    assert_int_equal(read_table(&table, &err, (struct captions_format){0}, "photo,words\na.jpg,A dog\n"), -1);
    assert_int_equal(err.code, EXIT_BAD_DATA);
    assert_mentions(err.text, "photo, words");
    assert_int_equal(
        read_table(&table, &err, (struct captions_format){.image_key = "picture"}, "image,caption\na.jpg,A\n"), -1);
    assert_mentions(err.text, "picture");
    assert_mentions(err.text, "image, caption");
    assert_int_equal(read_table(&table, &err, (struct captions_format){.image_key = "image", .caption_key = "image"},
                                "image,caption\na.jpg,A\n"),
                     -1);
    assert_int_equal(read_table(&table, &err, (struct captions_format){0}, "just one line of prose\n"), -1);
}

static void tables_without_captions_are_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {"",   "\n\n", "\xef\xbb\xbf", "image,caption\n", "image,caption\na.jpg\n",
                                        "\"", ","};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct captions table;
        struct error err;
        assert_int_equal(read_table(&table, &err, (struct captions_format){0}, texts[i]), -1);
        assert_int_equal(err.code, EXIT_BAD_DATA);
        assert_int_equal(table.texts.count, 0);
    }
}

static void monstrous_rows_are_skipped(void **state)
{
    (void)state;
    static const char begin[] = "image,caption\n", end[] = "\nb.jpg,A cat\nc.jpg,a\0b\nd.jpg,A cow\n";
    size_t length = 200000, size = sizeof begin - 1 + length + sizeof end - 1;
    char *bytes = mem_new(size, 1);
    memcpy(bytes, begin, sizeof begin - 1);
    memset(bytes + sizeof begin - 1, ',', length);
    memcpy(bytes + sizeof begin - 1 + length, end, sizeof end - 1);
    struct captions table;
    struct error err;
    assert_int_equal(read_bytes(&table, &err, &(struct captions_format){0}, bytes, size), 0);
    expect_pairs(&table, PAIRS("b.jpg", "A cat", "d.jpg", "A cow"));
    assert_int_equal(table.broken.count, 2);
    assert_broken_at(&table, 2);
    captions_free(&table);
    free(bytes);
}

static void photos_are_numbered_by_first_appearance(void **state)
{
    (void)state;
    enum { PHOTOS = 3000, ROWS = 2 * PHOTOS };
    char *text = mem_new(ROWS, 32), *at = text;
    at += sprintf(at, "image,caption\n");
    for (int row = 0; row < ROWS; row++)
        at += sprintf(at, "%d.jpg,text %d\n", row * 7 % PHOTOS, row);
    struct captions table;
    struct error err;
    assert_int_equal(read_table(&table, &err, (struct captions_format){0}, text), 0);
    assert_int_equal(table.photos.count, PHOTOS);
    assert_int_equal(table.texts.count, ROWS);
    for (int row = 0; row < ROWS; row++)
        assert_int_equal(table.photo_of[row], row % PHOTOS);
    captions_free(&table);
    free(text);
}

/* Whatever the bytes are, the table is either read consistently or refused. */
static void mutated_tables_do_no_harm(void **state)
{
    (void)state;
    static const char table[] = "image,caption\na.jpg,\"A, \"\"b\"\"\nc\"\nb.jpg,A cat\n";
    static const char letters[] = "\",|;\t\n\r #x\0";
    uint32_t random = 7;
    for (int round = 0; round < 3000; round++) {
        char bytes[sizeof table];
        memcpy(bytes, table, sizeof table);
        for (int flips = 1 + round % 4; flips > 0; flips--) {
            random = random * 1664525u + 1013904223u;
            bytes[(random >> 16) % (sizeof table - 1)] = letters[(random >> 8) % (sizeof letters - 1)];
        }
        struct captions captions;
        struct error err;
        if (read_bytes(&captions, &err, &(struct captions_format){0}, bytes, sizeof table - 1) == 0)
            for (size_t i = 0; i < captions.texts.count; i++)
                assert_in_range(captions.photo_of[i], 0, captions.photos.count - 1);
        captions_free(&captions);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_form_reads_as_it_is),
        cmocka_unit_test(a_format_overrides_what_is_detected),
        cmocka_unit_test(headers_that_do_not_match_are_named),
        cmocka_unit_test(tables_without_captions_are_refused),
        cmocka_unit_test(monstrous_rows_are_skipped),
        cmocka_unit_test(photos_are_numbered_by_first_appearance),
        cmocka_unit_test(mutated_tables_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
