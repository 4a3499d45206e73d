/* Recall and zero-shot accuracy, named as CLIP_benchmark names them. */
#include "models/metrics.h"
#include "tools/labelled.h"
#include "tools/session.h"
#include "tools/text.h"
#include "tools/zeroshot.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct settings {
    struct session session;
    const char *data, *dataset_type, *split, *image_root, *image_key, *caption_key, *separator;
    const char *classes, *templates, *labels;
};

static int read_settings(struct settings *s, int argc, char **argv, struct error *err)
{
    const struct option_row rows[] = {
        {"data", OPTION_TEXT, &s->data, "FILE", "photos and captions, for recall: whatever trainer trains on", 0},
        {"dataset-type", OPTION_TEXT, &s->dataset_type, "auto|csv|coco|karpathy|webdataset|folder|classes",
         "what --data is", 0},
        {"split", OPTION_TEXT, &s->split, "train|val|test", "of a file with Karpathy's splits (default: test)", 0},
        {"image-root", OPTION_TEXT, &s->image_root, "DIR", "where the photos are (the table's folder)", 0},
        {"csv-img-key", OPTION_TEXT, &s->image_key, "NAME", "column of the photos", 0},
        {"csv-caption-key", OPTION_TEXT, &s->caption_key, "NAME", "column of the captions", 0},
        {"csv-separator", OPTION_TEXT, &s->separator, "C", "between columns: a character, or tab", 0},
        {"labels", OPTION_TEXT, &s->labels, "FILE", "a table image,class, for zero-shot accuracy", 0},
        {"classes", OPTION_TEXT, &s->classes, "FILE", "all class names, one a line", 'c'},
        {"templates", OPTION_TEXT, &s->templates, "FILE",
         "prompts, one a line, {} for the class name (a few usual ones)", 't'},
        SESSION_OPTIONS(s->session),
        {0}};
    int first = options_parse("evaluate", "--data FILE --image-root DIR",
                              "Measures a model: recall at 1, 5 and 10 both ways, and zero-shot accuracy.", rows, argc,
                              argv, err);
    if (first < 0)
        return -1;
    if (first < argc)
        return error_set(err, EXIT_USAGE, "'%s': evaluate takes no words, only options", argv[first]);
    if (!s->data && !s->labels)
        return error_set(err, EXIT_USAGE,
                         "nothing to measure on: give --data FILE, or --labels FILE and --classes FILE");
    if (!s->labels != !s->classes)
        return error_set(err, EXIT_USAGE, "--labels FILE and --classes FILE go together");
    if (s->separator && strlen(s->separator) != 1 && strcmp(s->separator, "tab") != 0 &&
        strcmp(s->separator, "\\t") != 0)
        return error_set(err, EXIT_USAGE, "--csv-separator %s: must be one character, or tab", s->separator);
    return 0;
}

/* Adds "<direction>_retrieval_recall@k" for each k. */
static void add_recall(json_t *metrics, const char *direction, const double *recall)
{
    for (int k = 0; k < RECALLS; k++) {
        char name[64];
        snprintf(name, sizeof name, "%s_retrieval_recall@%d", direction, recall_at[k]);
        json_object_set_new(metrics, name, text_json_score(recall[k]));
    }
}

static int measure_recall(json_t *metrics, const struct settings *s, struct error *err)
{
    const struct clip *clip = s->session.clip;
    struct encode_options options = session_encode(&s->session, ENCODE_EMBEDDINGS, "photos");
    struct captions_format format = {.kind = s->dataset_type,
                                     .split = s->split ? s->split : "test",
                                     .image_key = s->image_key,
                                     .caption_key = s->caption_key,
                                     .templates = s->templates};
    struct labelled set;
    if (s->separator)
        format.separator = strlen(s->separator) == 1 ? s->separator[0] : '\t';
    if (labelled_read(&set, clip, s->data, s->image_root, &format, &options, err) != 0)
        return -1;
    size_t captions = set.texts.count, dim = (size_t)clip->embed_dim;
    float *texts = mem_new(captions * dim, sizeof *texts); // [captions, embed_dim]
    options.label = "captions";
    int result = encode_texts(texts, clip, (const char *const *)set.texts.items, captions, &options, err);
    if (result == 0) {
        struct recall recall;
        recall_measure(&recall, set.rows, texts, set.photo_of, set.photos, captions, dim);
        add_recall(metrics, "image", recall.text_to_image);
        add_recall(metrics, "text", recall.image_to_text);
        session_say(&s->session, "recall: %zu photos, %zu captions, %zu photos left out\n", set.photos, captions,
                    set.left_out);
    }
    free(texts);
    labelled_free(&set);
    return result;
}

/* label_of [photos]; a class that is not among the classes is an error. */
static int find_labels(int *label_of, const struct labelled *set, const struct zeroshot *zeroshot, const char *path,
                       struct error *err)
{
    for (size_t t = 0; t < set->texts.count; t++) {
        size_t c = 0;
        while (c < zeroshot->classes.count && strcmp(zeroshot->classes.items[c], set->texts.items[t]) != 0)
            c++;
        if (c == zeroshot->classes.count)
            return error_set(err, EXIT_BAD_DATA, "%s: the class \"%s\" is not among --classes", path,
                             set->texts.items[t]);
        label_of[set->photo_of[t]] = (int)c;
    }
    return 0;
}

static int measure_accuracy(json_t *metrics, const struct settings *s, struct error *err)
{
    const struct clip *clip = s->session.clip;
    struct encode_options options = session_encode(&s->session, ENCODE_EMBEDDINGS, "classes");
    struct captions_format format = {.kind = "csv", .image_key = "image", .caption_key = "class"};
    struct zeroshot zeroshot;
    struct labelled set;
    if (zeroshot_open(&zeroshot, clip, s->classes, s->templates, &options, err) != 0)
        return -1;
    options.label = "labelled photos";
    int result = labelled_read(&set, clip, s->labels, s->image_root, &format, &options, err);
    if (result == 0) {
        struct accuracy accuracy;
        int *label_of = mem_new(set.photos, sizeof *label_of);
        result = find_labels(label_of, &set, &zeroshot, s->labels, err);
        if (result == 0) {
            accuracy_measure(&accuracy, set.rows, zeroshot.rows, label_of, set.photos, zeroshot.classes.count,
                             (size_t)clip->embed_dim);
            json_object_set_new(metrics, "acc1", text_json_score(accuracy.top1));
            json_object_set_new(metrics, "acc5", text_json_score(accuracy.top5));
            json_object_set_new(metrics, "mean_per_class_recall", text_json_score(accuracy.mean_per_class_recall));
            session_say(&s->session, "accuracy: %zu photos, %zu classes, %zu photos left out\n", set.photos,
                        zeroshot.classes.count, set.left_out);
        }
        free(label_of);
        labelled_free(&set);
    }
    zeroshot_close(&zeroshot);
    return result;
}

/* One of CLIP_benchmark's tasks, and the table it is measured on; left out where that is not named. */
struct task {
    const char *name, *table;
    int (*measure)(json_t *metrics, const struct settings *s, struct error *err);
};

static void print_metrics(json_t *metrics, const struct task *task, const struct settings *s)
{
    const char *name;
    json_t *value;
    if (s->session.json) {
        text_print_json(json_pack("{s:o, s:o, s:s, s:s, s:O}", "dataset", text_json(task->table), "model",
                                  text_json(s->session.model), "pretrained", "", "task", task->name, "metrics",
                                  metrics));
        return;
    }
    json_object_foreach(metrics, name, value)
    {
        if (!json_is_null(value))
            printf("%-28s %.4f\n", name, json_number_value(value));
    }
}

static int run_task(const struct task *task, const struct settings *s, struct error *err)
{
    if (!task->table)
        return 0;
    json_t *metrics = json_object();
    int result = task->measure(metrics, s, err);
    if (result == 0)
        print_metrics(metrics, task, s);
    json_decref(metrics);
    return result;
}

int main(int argc, char **argv)
{
    struct error err = {0};
    struct settings s = {0};
    if (read_settings(&s, argc, argv, &err) != 0 || session_open(&s.session, &err) != 0)
        return error_report(&err);
    const struct task tasks[] = {{"zeroshot_retrieval", s.data, measure_recall},
                                 {"zeroshot_classification", s.labels, measure_accuracy}};
    int result = 0;
    for (size_t i = 0; result == 0 && i < sizeof tasks / sizeof *tasks; i++)
        result = run_task(&tasks[i], &s, &err);
    session_close(&s.session);
    return result < 0 ? error_report(&err) : EXIT_OK;
}
