/* Devices by PCI address and UUID. */
#include "runtime/abilities.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct device_info card = {.pci = "0000:01:00.0", .uuid = "a1b2c3d4e5f60718293a4b5c6d7e8f90"};

static const struct {
    const char *text;
    bool matches;
} cases[] = {
    {"0000:01:00.0", true},
    {"01:00.0", true},
    {"0000:02:00.0", false},
    {"01:00", false},
    {"a1b2c3d4-e5f6-0718-293a-4b5c6d7e8f90", true},
    {"A1B2C3D4E5F60718293A4B5C6D7E8F90", true},
    {"a1b2c3d4e5f60718293a4b5c6d7e8f9", false},
    {"a1b2c3d4e5f60718293a4b5c6d7e8f901", false},
    {"", false},
};

static void addresses_match(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (abilities_match(&card, cases[i].text) != cases[i].matches)
            fail_msg("\"%s\"", cases[i].text);
}

static void a_device_without_addresses_matches_none(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_false(abilities_match(&(struct device_info){0}, cases[i].text));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_match),
        cmocka_unit_test(a_device_without_addresses_matches_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
