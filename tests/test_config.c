/* Configs with numbers that no model has: each is refused by its name, before anything of that size is made. */
#include "models/files/config_image.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char dinov2[] = "{\"model_type\": \"dinov2\", \"hidden_size\": 64, \"num_hidden_layers\": 2, "
                             "\"num_attention_heads\": 2, \"patch_size\": 14, \"image_size\": 28, \"mlp_ratio\": 4}";
static const char clip_vision[] = "{\"model_type\": \"clip_vision_model\", \"hidden_size\": 64, "
                                  "\"num_hidden_layers\": 2, \"num_attention_heads\": 2, \"patch_size\": 16, "
                                  "\"image_size\": 32, \"intermediate_size\": 128, \"projection_dim\": 8, "
                                  "\"oclip_projection_dim\": 8}";
static const char bert[] = "{\"model_type\": \"bert\", \"hidden_size\": 64, \"num_hidden_layers\": 2, "
                           "\"num_attention_heads\": 2, \"intermediate_size\": 128, \"vocab_size\": 100, "
                           "\"max_position_embeddings\": 32, \"type_vocab_size\": 2}";

static int read_image(const json_t *config, struct error *err)
{
    struct image_config image;
    struct tower_source source = {0};
    return config_read_image(&image, &source, config, "there/config.json", err);
}

static int read_text(const json_t *config, struct error *err)
{
    struct text_config text;
    struct tower_source source = {0};
    return config_read_text(&text, &source, config, "there/config.json", err);
}

/* The config with one member that has another value. */
static json_t *changed(const char *config, const char *key, const char *value)
{
    json_t *root = json_loads(config, 0, NULL), *replacement = json_loads(value, JSON_DECODE_ANY, NULL);
    assert_non_null(root);
    assert_non_null(replacement);
    json_object_set_new(root, key, replacement);
    return root;
}

static void absurd_numbers_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *config;
        int (*read)(const json_t *config, struct error *err);
        const char *key;
    } members[] = {
        {dinov2, read_image, "hidden_size"},
        {dinov2, read_image, "num_hidden_layers"},
        {dinov2, read_image, "num_attention_heads"},
        {dinov2, read_image, "patch_size"},
        {dinov2, read_image, "image_size"},
        {dinov2, read_image, "mlp_ratio"},
        {clip_vision, read_image, "hidden_size"},
        {clip_vision, read_image, "intermediate_size"},
        {clip_vision, read_image, "patch_size"},
        {bert, read_text, "hidden_size"},
        {bert, read_text, "num_hidden_layers"},
        {bert, read_text, "intermediate_size"},
        {bert, read_text, "vocab_size"},
        {bert, read_text, "max_position_embeddings"},
        {bert, read_text, "type_vocab_size"},
    };
    static const char *const values[] = {"0", "-1", "2147483647", "4294967297", "1e300", "-1e300"};
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        for (size_t v = 0; v < sizeof values / sizeof *values; v++) {
            struct error err = {0};
            json_t *config = changed(members[i].config, members[i].key, values[v]);
            if (members[i].read(config, &err) == 0)
                fail_msg("%s = %s is taken", members[i].key, values[v]);
            assert_int_equal(err.code, EXIT_BAD_DATA);
            if (!strstr(err.text, members[i].key) || !strstr(err.text, "there/config.json"))
                fail_msg("%s = %s: %s", members[i].key, values[v], err.text);
            json_decref(config);
        }
}

static void numbers_that_do_not_fit_each_other_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *config;
        int (*read)(const json_t *config, struct error *err);
        const char *key, *value, *mention;
    } cases[] = {
        {dinov2, read_image, "hidden_size", "65", "heads"},
        {dinov2, read_image, "num_attention_heads", "3", "heads"},
        {dinov2, read_image, "image_size", "13", "smaller than a patch"},
        {clip_vision, read_image, "hidden_size", "8192", "heads"},
        {bert, read_text, "num_attention_heads", "5", "heads"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error err = {0};
        json_t *config = changed(cases[i].config, cases[i].key, cases[i].value);
        if (cases[i].read(config, &err) == 0 || !strstr(err.text, cases[i].mention))
            fail_msg("%s = %s: %s", cases[i].key, cases[i].value, err.text);
        json_decref(config);
    }
}

static void the_configs_themselves_are_taken(void **state)
{
    (void)state;
    static const struct {
        const char *config;
        int (*read)(const json_t *config, struct error *err);
    } good[] = {{dinov2, read_image}, {clip_vision, read_image}, {bert, read_text}};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct error err = {0};
        json_t *config = json_loads(good[i].config, 0, NULL);
        if (good[i].read(config, &err) != 0)
            fail_msg("%s", err.text);
        json_decref(config);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(absurd_numbers_are_refused),
        cmocka_unit_test(numbers_that_do_not_fit_each_other_are_refused),
        cmocka_unit_test(the_configs_themselves_are_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
