/* Zero-shot classification of pictures. */
#include "runtime/util/file.h"
#include "tools/search.h"
#include "tools/session.h"
#include "tools/text.h"
#include "tools/zeroshot.h"

#include <stdio.h>
#include <stdlib.h>

struct settings {
    struct session session;
    const char *classes, *templates;
    int top;
};

static int read_settings(struct settings *s, int argc, char **argv, struct error *err)
{
    const struct option_row rows[] = {{"classes", OPTION_TEXT, &s->classes, "FILE", "class names, one a line", 'c'},
                                      {"templates", OPTION_TEXT, &s->templates, "FILE",
                                       "prompts, one a line, {} for the class name (a few usual ones)", 't'},
                                      {"top", OPTION_INT, &s->top, "N", "classes a picture", 'k'},
                                      SESSION_OPTIONS(s->session),
                                      {0}};
    int first = options_parse("classify", "--classes FILE PICTURE|DIR...",
                              "Tells which of the classes each picture most likely shows.", rows, argc, argv, err);
    if (first < 0)
        return -1;
    if (!s->classes)
        return error_set(err, EXIT_USAGE, "give --classes FILE, class names one a line");
    if (first == argc)
        return error_set(err, EXIT_USAGE, "name the pictures to classify, or a folder of them");
    if (s->top < 1)
        return error_set(err, EXIT_USAGE, "--top %d: must be at least 1", s->top);
    return first;
}

static int list_pictures(struct string_list *pictures, char **words, int count, struct error *err)
{
    for (int i = 0; i < count; i++) {
        if (!file_is_folder(words[i]))
            string_list_add(pictures, words[i]);
        else if (file_list(pictures, words[i], picture_extensions, err) != 0)
            return -1;
    }
    if (pictures->count == 0)
        return error_set(err, EXIT_BAD_DATA, "no pictures in %s (%s)", words[0], picture_extensions);
    return 0;
}

/* hits [classes], best first. */
static void print_picture(const char *path, const struct hit *hits, const struct zeroshot *zeroshot,
                          struct zeroshot_logits logits, const struct settings *s, bool heading)
{
    size_t classes = zeroshot->classes.count, top = (size_t)s->top < classes ? (size_t)s->top : classes;
    float *probability = mem_new(classes, sizeof *probability);
    json_t *list = json_array();
    for (size_t i = 0; i < classes; i++)
        probability[i] = hits[i].score;
    zeroshot_probabilities(probability, classes, logits);
    if (heading && !s->session.json)
        printf("# %s\n", path);
    for (size_t i = 0; i < top; i++) {
        const char *name = zeroshot->classes.items[hits[i].row];
        if (s->session.json)
            json_array_append_new(list, json_pack("{s:o, s:o, s:o}", "class", text_json(name), "probability",
                                                  text_json_score((double)probability[i]), "score",
                                                  text_json_score((double)hits[i].score)));
        else
            printf("%.3f  %s\n", (double)probability[i], name);
    }
    if (s->session.json)
        text_print_json(json_pack("{s:o, s:O}", "picture", text_json(path), "classes", list));
    json_decref(list);
    free(probability);
}

/* Returns 0, -1, or EXIT_BAD_DATA when some pictures could not be read. */
static int classify(const struct settings *s, const struct string_list *pictures, const struct zeroshot *zeroshot,
                    struct error *err)
{
    const struct clip *clip = s->session.clip;
    struct encode_options options = session_encode(&s->session, ENCODE_EMBEDDINGS, "pictures");
    size_t n = pictures->count, classes = zeroshot->classes.count, dim = (size_t)clip->embed_dim, unreadable = 0;
    float *rows = mem_new(n * dim, sizeof *rows); // [n, dim]
    struct zeroshot_logits logits = zeroshot_logits(clip);
    bool *bad = mem_new(n, sizeof *bad);
    struct search *search = search_open(clip->dev, zeroshot->rows, classes, dim);
    struct hit *hits = mem_new(classes, sizeof *hits);
    int result = encode_images(rows, bad, clip, (const char *const *)pictures->items, n, &options, err);
    for (size_t i = 0; result == 0 && i < n; i++) {
        unreadable += bad[i];
        if (bad[i])
            continue;
        result = search_run(hits, search, rows + i * dim, 1, classes, err);
        if (result == 0)
            print_picture(pictures->items[i], hits, zeroshot, logits, s, n > 1);
    }
    free(rows);
    free(bad);
    free(hits);
    search_close(search);
    return result == 0 && unreadable ? EXIT_BAD_DATA : result;
}

int main(int argc, char **argv)
{
    struct error err = {0};
    struct settings s = {.top = 5};
    struct string_list pictures = {0};
    struct zeroshot zeroshot = {0};
    int first = read_settings(&s, argc, argv, &err), result = -1;
    if (first < 0 || session_open(&s.session, &err) != 0)
        return error_report(&err);
    struct encode_options options = session_encode(&s.session, ENCODE_EMBEDDINGS, "classes");
    if (list_pictures(&pictures, argv + first, argc - first, &err) == 0 &&
        zeroshot_open(&zeroshot, s.session.clip, s.classes, s.templates, &options, &err) == 0)
        result = classify(&s, &pictures, &zeroshot, &err);
    zeroshot_close(&zeroshot);
    string_list_free(&pictures);
    session_close(&s.session);
    return result < 0 ? error_report(&err) : result;
}
