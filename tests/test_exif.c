/* What is found in EXIF's tables of tags, in either order of bytes, in JPEG, PNG and WebP, and in tables that lie. */
#include "models/images/exif.h"
#include "runtime/util/error.h"
#include "runtime/util/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ASCII = 2, SHORT = 3, LONG = 4, ROOM = 512 };

/* A TIFF file in the making. */
struct tiff {
    unsigned char bytes[ROOM];
    size_t size;
    bool big_endian;
};

static void put(struct tiff *tiff, unsigned long value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        tiff->bytes[tiff->size++] = (unsigned char)(value >> 8 * (tiff->big_endian ? bytes - 1 - i : i));
}

static void put_text(struct tiff *tiff, const char *text)
{
    memcpy(tiff->bytes + tiff->size, text, strlen(text) + 1);
    tiff->size += strlen(text) + 1;
}

static void put_entry(struct tiff *tiff, unsigned tag, unsigned type, unsigned long count, unsigned long value)
{
    put(tiff, tag, 2);
    put(tiff, type, 2);
    put(tiff, count, 4);
    put(tiff, value, type == SHORT ? 2 : 4);
    put(tiff, 0, type == SHORT ? 2 : 0);
}

static struct tiff begin(bool big_endian)
{
    struct tiff tiff = {.big_endian = big_endian};
    memcpy(tiff.bytes, big_endian ? "MM\0*" : "II*\0", 4);
    tiff.size = 4;
    put(&tiff, 8, 4);
    return tiff;
}

/* Orientation 6, a date in the first table, and the camera's table with the date given. */
static struct tiff two_tables(bool big_endian, const char *original)
{
    enum { FIRST_DATE = 100, CAMERA_TABLE = 140, SECOND_DATE = 200 };
    struct tiff tiff = begin(big_endian);
    put(&tiff, 3, 2);
    put_entry(&tiff, 0x0112, SHORT, 1, 6);
    put_entry(&tiff, 0x0132, ASCII, 20, FIRST_DATE);
    put_entry(&tiff, 0x8769, LONG, 1, CAMERA_TABLE);
    tiff.size = FIRST_DATE;
    put_text(&tiff, "2001:02:03 04:05:06");
    tiff.size = CAMERA_TABLE;
    put(&tiff, 1, 2);
    put_entry(&tiff, 0x9003, ASCII, 20, SECOND_DATE);
    tiff.size = SECOND_DATE;
    put_text(&tiff, original);
    return tiff;
}

static struct exif find(const struct tiff *tiff, const char *head, size_t head_size)
{
    unsigned char *file = malloc(head_size + tiff->size); /* as long as it is, for the sanitizer */
    memcpy(file, head, head_size);
    memcpy(file + head_size, tiff->bytes, tiff->size);
    struct exif exif = exif_find(file, head_size + tiff->size);
    free(file);
    return exif;
}

static struct exif find_in_jpeg(const struct tiff *tiff)
{
    size_t size = tiff->size + 8;
    const char head[] = {(char)0xFF, (char)0xD8, (char)0xFF, (char)0xE1, (char)(size >> 8), (char)size, 'E', 'x',
                         'i',        'f',        0,          0};
    return find(tiff, head, sizeof head);
}

static void assert_found(struct exif exif, int orientation, const char *taken)
{
    assert_int_equal(exif.orientation, orientation);
    assert_string_equal(exif.taken, taken);
}

/* ---- tests ---- */

static void dates_and_orientation_are_found(void **state)
{
    (void)state;
    for (int big = 0; big < 2; big++) {
        struct tiff tiff = two_tables(big, "2024:05:31 18:30:07");
        assert_found(find_in_jpeg(&tiff), 6, "2024-05-31 18:30:07");
        assert_found(find(&tiff, "\x89PNG\r\n\x1A\n\0\0\x02\0eXIf", 16), 6, "2024-05-31 18:30:07");
        assert_found(find(&tiff, "RIFF\0\2\0\0WEBPEXIF\0\2\0\0", 20), 6, "2024-05-31 18:30:07");
    }
}

static void a_date_that_is_none_leaves_the_next_best(void **state)
{
    static const char *const dates[] = {
        "0000:00:00 00:00:00", "    :  :     :  :  ", "2024-05-31T18:30:07", "2024", "20x4:05:31 18:30:07", ""};
    (void)state;
    for (size_t i = 0; i < sizeof dates / sizeof *dates; i++) {
        struct tiff tiff = two_tables(i % 2, dates[i]);
        assert_found(find_in_jpeg(&tiff), 6, "2001-02-03 04:05:06");
    }
}

static void nothing_is_found_where_nothing_is(void **state)
{
    (void)state;
    struct tiff tiff = begin(false);
    put(&tiff, 0, 2);
    assert_found(find_in_jpeg(&tiff), 1, "");
    memcpy(tiff.bytes, "XX", 2);
    assert_found(find_in_jpeg(&tiff), 1, "");
    assert_found(exif_find((const unsigned char *)"", 0), 1, "");
    assert_found(exif_find((const unsigned char *)"GIF89a", 6), 1, "");
}

/* Offsets out of the file, tables that name themselves, counts beyond the end. */
static void tables_that_lie_end_the_search(void **state)
{
    (void)state;
    static const unsigned long offsets[] = {0, 8, 400, 0x7FFFFFFF, 0xFFFFFFFF};
    for (size_t i = 0; i < sizeof offsets / sizeof *offsets; i++) {
        struct tiff tiff = begin(i % 2);
        put(&tiff, 0xFFFF, 2);
        put_entry(&tiff, 0x8769, LONG, 1, offsets[i]);
        put_entry(&tiff, 0x9003, ASCII, 20, offsets[i]);
        put_entry(&tiff, 0x0112, SHORT, 1, 9);
        assert_found(find_in_jpeg(&tiff), 1, "");
    }
}

static void cut_and_changed_files_are_survived(void **state)
{
    (void)state;
    struct random random = random_begin(1);
    for (int i = 0; i < 20000; i++) {
        struct tiff tiff = two_tables(i % 2, "2024:05:31 18:30:07");
        for (size_t changes = random_below(&random, 4); changes > 0; changes--)
            tiff.bytes[random_below(&random, 60)] = (unsigned char)random_below(&random, 256);
        tiff.size = random_below(&random, tiff.size + 1);
        struct exif exif = find_in_jpeg(&tiff);
        assert_in_range(exif.orientation, 1, 8);
        assert_true(strlen(exif.taken) == 0 || strlen(exif.taken) == EXIF_DATE - 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dates_and_orientation_are_found),
        cmocka_unit_test(a_date_that_is_none_leaves_the_next_best),
        cmocka_unit_test(nothing_is_found_where_nothing_is),
        cmocka_unit_test(tables_that_lie_end_the_search),
        cmocka_unit_test(cut_and_changed_files_are_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
