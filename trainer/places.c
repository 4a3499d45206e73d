/* Where a run lives, and what it works on where nobody says. */
#include "trainer/trainer.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

static char *run_name(void)
{
    time_t now = time(NULL);
    struct tm parts;
    char name[32];
    localtime_r(&now, &parts);
    strftime(name, sizeof name, "%Y%m%d-%H%M%S", &parts);
    return mem_format("%s", name);
}

/* The run changed last below `out`, or NULL. */
static char *latest_run(const char *out)
{
    char *latest = NULL;
    struct timespec newest = {0};
    DIR *stream = opendir(out);
    for (struct dirent *entry; stream && (entry = readdir(stream));) {
        char *checkpoints = mem_format("%s/%s/checkpoints", out, entry->d_name);
        struct stat status;
        bool newer = entry->d_name[0] != '.' && stat(checkpoints, &status) == 0 &&
                     (status.st_mtim.tv_sec > newest.tv_sec ||
                      (status.st_mtim.tv_sec == newest.tv_sec && status.st_mtim.tv_nsec > newest.tv_nsec));
        if (newer) {
            newest = status.st_mtim;
            free(latest);
            latest = path_join(out, entry->d_name);
        }
        free(checkpoints);
    }
    if (stream)
        closedir(stream);
    return latest;
}

int places_choose_folder(struct trainer *t, struct error *err)
{
    const struct settings *s = &t->settings;
    if (s->resume && strcmp(s->resume, "latest") != 0) {
        if (!file_is_folder(s->resume))
            return error_set(err, EXIT_BAD_DATA, "--resume %s: no such folder of a run", s->resume);
        t->folder = mem_format("%s", s->resume);
    } else if (s->name) {
        t->folder = path_join(s->out, s->name);
    } else if (s->resume) {
        t->folder = latest_run(s->out);
        if (!t->folder)
            return error_set(err, EXIT_BAD_DATA, "--resume latest: no run with a checkpoint in %s", s->out);
    } else {
        char *name = run_name();
        t->folder = path_join(s->out, name);
        free(name);
    }
    return file_make_folders(t->folder, err);
}

/* Ranks to which the choice is left take the machine's GPUs in turn. */
char *places_choose_device(const struct trainer *t)
{
    char *spec = settings_device(&t->settings, t->ranks->neighbour);
    struct device_info *infos;
    struct error ignored;
    int count, gpus = 0;
    bool is_open = strcmp(spec, "auto") == 0 || strcmp(spec, "gpu") == 0;
    if (t->ranks->count == 1 || !is_open || device_list(&infos, &count, &ignored) != 0)
        return spec;
    for (int i = 0; i < count; i++)
        gpus += infos[i].is_gpu;
    for (int i = 0, at = 0; i < count && gpus > 0; i++)
        if (infos[i].is_gpu && at++ == t->ranks->neighbour % gpus) {
            free(spec);
            spec = mem_format("%d", infos[i].index);
        }
    free(infos);
    return spec;
}

static void say(const struct settings *s, const char *text, const char *value)
{
    if (!s->quiet)
        fprintf(stderr, "%s%s\n", text, value);
}

/* The pretrained towers are there if tools/demo.sh has fetched them. */
void places_choose_sample(struct settings *s)
{
    static const char *const places[] = {"towers", "build/towers"};
    s->train_data = OCLIP_SAMPLE "/captions.csv";
    s->image_root = OCLIP_SAMPLE "/images";
    say(s, "no --train-data: training on the sample that ships, ", s->train_data);
    if (s->model || s->image_model || s->text_model)
        return;
    for (int i = 0; i < 2; i++) {
        char *image = path_join(places[i], "dinov2-small"), *text = path_join(places[i], "all-MiniLM-L6-v2");
        if (file_is_folder(image) && file_is_folder(text)) {
            s->image_model = image;
            s->text_model = text;
            say(s, "with the pretrained towers in ", places[i]);
            return;
        }
        free(image);
        free(text);
    }
    s->model = "tiny";
    say(s, "without pretrained towers (sh tools/demo.sh fetches them): a small pair from scratch", "");
}
