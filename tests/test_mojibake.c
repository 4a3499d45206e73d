/* The repair of text against ftfy (goldens/make_mojibake.py), and that no text keeps it busy for long. */
#include "models/tokenizers/badness.h"
#include "models/tokenizers/code_pages.h"
#include "models/tokenizers/ftfy.h"
#include "models/tokenizers/mojibake.h"
#include "models/tokenizers/utf8.h"
#include "runtime/util/json.h"
#include "tests/token_cases.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct points points_of(const char *text)
{
    struct points points = {0};
    points.items = utf8_decode_all(&points.count, text);
    points.capacity = points.count;
    return points;
}

static void texts_become_what_ftfy_makes_of_them(void **state)
{
    (void)state;
    size_t index, repaired = 0;
    json_t *root = token_cases_read("goldens/mojibake.json"), *golden;
    json_array_foreach(json_object_get(root, "cases"), index, golden)
    {
        const char *text = json_string_value(json_array_get(golden, 0));
        const char *want = json_string_value(json_array_get(golden, 1));
        struct points points = points_of(text);
        ftfy_fix(&points);
        char *got = utf8_encode_all(points.items, points.count);
        if (strcmp(got, want) != 0)
            fail_msg("'%s' became '%s', not '%s'", text, got, want);
        repaired += strcmp(text, want) != 0;
        free(got);
        free(points.items);
    }
    assert_true(index >= 300 && repaired >= 200);
    json_decref(root);
}

static void code_pages_hold_what_each_byte_means(void **state)
{
    (void)state;
    const uint8_t *euro = code_page_bytes(0x20AC), *lost = code_page_bytes(UTF8_REPLACEMENT);
    assert_int_equal(euro[CODE_PAGE_WINDOWS_1252], 0x80);
    assert_int_equal(euro[CODE_PAGE_WINDOWS_1251], 0x88);
    assert_int_equal(euro[CODE_PAGE_MACROMAN], 0xDB);
    assert_int_equal(euro[CODE_PAGE_LATIN_1], 0);
    assert_int_equal(lost[CODE_PAGE_WINDOWS_1257], 0x1A);
    assert_int_equal(lost[CODE_PAGE_437], 0);
    assert_null(code_page_bytes('a'));
    assert_null(code_page_bytes(0x4E00));
    assert_null(code_page_bytes(0x10FFFF));
    for (int page = 0; page < CODE_PAGES; page++) { /* each byte once */
        int seen[256] = {0};
        for (size_t i = 0; i < code_page_row_count; i++)
            seen[code_page_rows[i].bytes[page]]++;
        assert_int_equal(seen[0x1A], 1);
        for (int byte = 0x80; byte < 0x100; byte++)
            assert_int_equal(seen[byte], 1);
    }
}

/* "Ã" and n "ƒ" take n rounds of n characters: the budget ends them. */
static void texts_made_to_change_for_ever_are_left_in_time(void **state)
{
    (void)state;
    enum { LENGTH = 1000, FEW = 10 };
    struct points text = {0};
    points_put(&text, 0xC3);
    for (int i = 1; i < LENGTH; i++)
        points_put(&text, 0x192);
    size_t budget = (size_t)LENGTH * FEW;
    mojibake_repair(&text, &budget);
    assert_true(budget < LENGTH);
    assert_in_range(text.count, LENGTH - FEW - 1, LENGTH - FEW + 1);
    budget = 0;
    assert_true(badness_found(text.items, text.count));
    mojibake_repair(&text, &budget);
    assert_in_range(text.count, LENGTH - FEW - 1, LENGTH - FEW + 1);
    free(text.items);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_become_what_ftfy_makes_of_them),
        cmocka_unit_test(code_pages_hold_what_each_byte_means),
        cmocka_unit_test(texts_made_to_change_for_ever_are_left_in_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
