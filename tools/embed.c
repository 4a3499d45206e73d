/* Embeddings of pictures or texts as a NumPy file. */
#include "runtime/util/lines.h"
#include "runtime/util/npy.h"
#include "tools/session.h"
#include "tools/text.h"

#include <stdio.h>
#include <stdlib.h>

struct settings {
    struct session session;
    const char *image_model, *text_model, *images, *texts, *out;
};

static int read_settings(struct settings *s, int argc, char **argv, struct error *err)
{
    const struct option_row rows[] = {
        {"images", OPTION_TEXT, &s->images, "PATH", "pictures: a file of paths, or a folder", 0},
        {"texts", OPTION_TEXT, &s->texts, "FILE", "texts, one a line", 0},
        {"out", OPTION_TEXT, &s->out, "FILE", "the .npy to write: float32 [n, d], rows in the order given", 'o'},
        {"image-model", OPTION_TEXT, &s->image_model, "DIR", "an image tower alone: its output, not normalised", 0},
        {"text-model", OPTION_TEXT, &s->text_model, "DIR", "a text tower alone: its output, not normalised", 0},
        SESSION_OPTIONS(s->session),
        {0}};
    int first = options_parse("embed", "(--images PATH | --texts FILE) --out x.npy",
                              "Writes the embeddings of pictures or texts. A picture that cannot be read gets a row of "
                              "NaN and the exit code 6.",
                              rows, argc, argv, err);
    if (first < 0)
        return -1;
    if (first < argc)
        return error_set(err, EXIT_USAGE, "'%s': embed takes no words, only options", argv[first]);
    if (!s->images == !s->texts)
        return error_set(err, EXIT_USAGE, "give either --images LIST or DIR, or --texts FILE");
    if (!s->out)
        return error_set(err, EXIT_USAGE, "give --out FILE.npy");
    if ((s->image_model != NULL) + (s->text_model != NULL) + (s->session.model != NULL) > 1)
        return error_set(err, EXIT_USAGE, "--model, --image-model and --text-model exclude each other");
    if ((s->image_model && s->texts) || (s->text_model && s->images))
        return error_set(err, EXIT_USAGE, "--image-model goes with --images, --text-model with --texts");
    return file_expect_writable(s->out, err);
}

static int open_model(struct settings *s, struct error *err)
{
    if (!s->image_model && !s->text_model)
        return session_open(&s->session, err);
    struct clip_recipe recipe = {.image_folder = s->image_model, .text_folder = s->text_model};
    if (session_open_device(&s->session, err) != 0)
        return -1;
    if (clip_create(&s->session.clip, s->session.dev, &recipe, 0, err) != 0) {
        session_close(&s->session);
        return -1;
    }
    s->session.clip->preprocess.upright |= s->session.exif_orientation;
    return 0;
}

static int read_inputs(struct string_list *inputs, const struct settings *s, struct error *err)
{
    if (!s->images || !file_is_folder(s->images))
        return lines_read(inputs, s->images ? s->images : s->texts, LINES_ALL, err);
    if (file_list(inputs, s->images, picture_extensions, err) != 0)
        return -1;
    if (inputs->count == 0)
        return error_set(err, EXIT_BAD_DATA, "no pictures in %s (%s)", s->images, picture_extensions);
    return 0;
}

/* Returns 0, -1, or EXIT_BAD_DATA when some rows are NaN. */
static int embed(const struct settings *s, const struct string_list *inputs, struct error *err)
{
    const struct clip *clip = s->session.clip;
    enum encode_stage stage = clip->has_heads ? ENCODE_EMBEDDINGS : ENCODE_FEATURES;
    struct encode_options options = session_encode(&s->session, stage, "embedding");
    size_t n = inputs->count, width = (size_t)encode_width(clip, s->images ? ENCODE_IMAGES : ENCODE_TEXTS, stage),
           unreadable = 0;
    float *rows = mem_new(n * width, sizeof *rows); // [n, width]
    bool *bad = mem_new(n, sizeof *bad);
    const char *const *items = (const char *const *)inputs->items;
    int result = s->images ? encode_images(rows, bad, clip, items, n, &options, err)
                           : encode_texts(rows, clip, items, n, &options, err);
    if (result == 0)
        result = npy_write(s->out, rows, 2, (long[]){(long)n, (long)width}, err);
    for (size_t i = 0; i < n; i++)
        unreadable += bad[i];
    if (result == 0 && s->session.json)
        text_print_json(json_pack("{s:o, s:[I, I], s:I, s:b}", "out", text_json(s->out), "shape", (json_int_t)n,
                                  (json_int_t)width, "unreadable", (json_int_t)unreadable, "normalised",
                                  stage == ENCODE_EMBEDDINGS));
    else if (result == 0)
        session_say(&s->session, "%s: [%zu, %zu]\n", s->out, n, width);
    free(rows);
    free(bad);
    return result == 0 && unreadable ? EXIT_BAD_DATA : result;
}

int main(int argc, char **argv)
{
    struct error err = {0};
    struct settings s = {0};
    struct string_list inputs = {0};
    int result = -1;
    if (read_settings(&s, argc, argv, &err) != 0 || open_model(&s, &err) != 0)
        return error_report(&err);
    if (read_inputs(&inputs, &s, &err) == 0)
        result = embed(&s, &inputs, &err);
    string_list_free(&inputs);
    session_close(&s.session);
    return result < 0 ? error_report(&err) : result;
}
