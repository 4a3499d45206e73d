/* Models from one library's layout to another's. */
#include "tools/session.h"

#include <stdio.h>
#include <string.h>

struct settings {
    struct session session;
    const char *to, *out, *dtype;
};

static int read_settings(struct settings *s, int argc, char **argv, struct error *err)
{
    const struct option_row rows[] = {
        {"model", OPTION_TEXT, &s->session.model, "DIR", "model folder, or hf:org/name from the local cache", 'm'},
        {"to", OPTION_TEXT, &s->to, "hf|open_clip|dual-encoder",
         "transformers' CLIPModel or SiglipModel, open_clip, or VisionTextDualEncoderModel", 0},
        {"out", OPTION_TEXT, &s->out, "DIR", "the folder to write", 'o'},
        {"dtype", OPTION_TEXT, &s->dtype, "fp32|fp16|bf16", "of the weights (what they were read in)", 0},
        {"device", OPTION_TEXT, &s->session.device_spec, "SPEC",
         "N, P:D, part of a name, gpu, cpu or auto (tools/devices)", 'd'},
        {"quiet", OPTION_FLAG, &s->session.quiet, NULL, "only errors", 'q'},
        {0}};
    int first = options_parse("convert", "--model DIR --to FORMAT --out DIR",
                              "Writes a model as another library reads it: the same numbers under other names.", rows,
                              argc, argv, err);
    if (first < 0)
        return -1;
    if (first < argc)
        return error_set(err, EXIT_USAGE, "'%s': convert takes no words, only options", argv[first]);
    if (!s->session.model || !s->to || !s->out)
        return error_set(err, EXIT_USAGE, "give --model DIR, --to hf, open_clip or dual-encoder, and --out DIR");
    if (strcmp(s->session.model, s->out) == 0)
        return error_set(err, EXIT_USAGE, "--out %s: that is the model itself", s->out);
    return 0;
}

static enum stored_dtype wanted_dtype(const struct settings *s, const struct clip *clip)
{
    static const struct {
        const char *name;
        enum stored_dtype dtype;
    } names[] = {{"fp32", STORED_F32}, {"fp16", STORED_F16}, {"bf16", STORED_BF16}};
    for (size_t i = 0; s->dtype && i < sizeof names / sizeof *names; i++)
        if (strcmp(s->dtype, names[i].name) == 0)
            return names[i].dtype;
    return clip->stored.dtype;
}

/* transformers' dual encoder takes what BERT's pooler makes of a text, whatever the model was trained with. */
static void warn_of_pooling(const struct settings *s, const struct clip *clip)
{
    const struct text_config *text = &clip->text.config;
    bool poolable = text->kind != &text_bert || (text->pooling == POOLING_POOLER && !text->normalise);
    bool pooled = clip->image_layout != &layout_vit || clip->image.vit.config.pooling == VIT_POOLER;
    if (strcmp(s->to, "dual-encoder") == 0 && !(poolable && pooled))
        fprintf(stderr, "transformers will load this, but pools with the towers' poolers, and this model does not: its "
                        "embeddings there are others\n");
}

int main(int argc, char **argv)
{
    struct error err = {0};
    struct settings s = {0};
    if (read_settings(&s, argc, argv, &err) != 0 || session_open_device(&s.session, &err) != 0)
        return error_report(&err);
    int result = clip_open_towers(&s.session.clip, s.session.dev, s.session.model, 0, &err);
    if (result == 0) {
        enum stored_dtype dtype = wanted_dtype(&s, s.session.clip);
        warn_of_pooling(&s, s.session.clip);
        result = clip_save_as(s.session.clip, s.out, s.to, dtype, &err);
        if (result == 0)
            session_say(&s.session, "%s: %s, %s\n", s.out, s.to, stored_dtypes[dtype].name);
    }
    session_close(&s.session);
    return result != 0 ? error_report(&err) : EXIT_OK;
}
