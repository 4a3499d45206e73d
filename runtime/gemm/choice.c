#define _GNU_SOURCE
#include "runtime/gemm/choice.h"

#include "runtime/opencl.h"
#include "runtime/util/file.h"
#include "runtime/util/hash.h"
#include "runtime/util/progress.h"

#include <clblast_c.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct gemm_backend *const backends[] = {&gemm_matrix, &gemm_tile, &gemm_clblast};
enum {
    BACKENDS = sizeof backends / sizeof *backends,
    LAYOUTS = 4,
    SIZES = 3,
    CLASSES = LAYOUTS * SIZES * SIZES * SIZES
};

static const char *const layout_names[LAYOUTS] = {"NN", "NT", "TN", "TT"};
static const struct {
    const char *name;
    int up_to;
    int measured; /* the size at which the class is timed */
} sizes[SIZES] = {{"small", 64, 64}, {"medium", 512, 512}, {"large", 1 << 30, 1024}};

enum verdict { UNKNOWN, RIGHT, WRONG };

struct gemm_choices {
    const struct gemm_backend *chosen[CLASSES]; /* NULL: not yet */
    enum verdict verdicts[BACKENDS][LAYOUTS];
    char *path; /* of the tuning file */
};

static int size_of(int count)
{
    int size = 0;
    while (count > sizes[size].up_to)
        size++;
    return size;
}

static int layout_of(const struct gemm *call)
{
    return 2 * call->a_transposed + call->b_transposed;
}

static int class_of(const struct gemm *call)
{
    return ((layout_of(call) * SIZES + size_of(call->m)) * SIZES + size_of(call->n)) * SIZES + size_of(call->k);
}

/* A line of the tuning file: "gemm NT large medium medium tile  # comment". */
static void read_line(struct gemm_choices *choices, const char *line)
{
    char layout[8], m[16], n[16], k[16], backend[32];
    if (sscanf(line, "gemm %7s %15s %15s %15s %31s", layout, m, n, k, backend) != 5)
        return;
    for (int class = 0; class < CLASSES; class ++) {
        if (strcmp(layout, layout_names[class / (SIZES * SIZES * SIZES)]) != 0 ||
            strcmp(m, sizes[class / (SIZES * SIZES) % SIZES].name) != 0 ||
            strcmp(n, sizes[class / SIZES % SIZES].name) != 0 || strcmp(k, sizes[class % SIZES].name) != 0)
            continue;
        for (int b = 0; b < BACKENDS; b++)
            if (strcmp(backend, backends[b]->name) == 0)
                choices->chosen[class] = backends[b];
    }
}

static struct gemm_choices *open_choices(const struct device *dev)
{
    struct gemm_choices *choices = mem_new(1, sizeof *choices);
    struct hash key = hash_begin();
    const char *parts[] = {dev->info.name, dev->info.driver, dev->info.platform_version,
                           dev->info.device_class == DEVICE_CPU ? "cpu" : "gpu", gemm_precisions[dev->precision]};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        hash_add_text(&key, parts[i]);
    char name[HASH_TEXT], *folder = device_cache_folder("tuning"), *text;
    hash_text(name, key);
    choices->path = mem_format("%s/%s.txt", folder, name);
    free(folder);

    struct error ignored;
    if (file_exists(choices->path) && file_read(&text, NULL, choices->path, 1 << 20, &ignored) == 0) {
        char *rest = text;
        for (char *line; (line = strsep(&rest, "\n"));)
            read_line(choices, line);
        free(text);
    }
    return choices;
}

/* Appends by rewriting the whole file: a reader never meets half a line. A failure costs a measurement next time. */
static void remember(const struct gemm_choices *choices, const struct device *dev, const char *line)
{
    struct error ignored;
    struct file_writer writer;
    char *old = NULL, *folder = device_cache_folder("tuning");
    if (file_make_folders(folder, &ignored) == 0) {
        if (!file_exists(choices->path) || file_read(&old, NULL, choices->path, 1 << 20, &ignored) != 0)
            old = mem_format("# %s, driver %s: the fastest right backend by class of product, %s\n", dev->info.label,
                             dev->info.driver, gemm_precisions[dev->precision]);
        if (file_create(&writer, choices->path, &ignored) == 0) {
            file_write(&writer, old, strlen(old));
            file_write(&writer, line, strlen(line));
            if (file_commit(&writer, &ignored) != 0)
                fprintf(stderr, "oclip: %s\n", ignored.text);
        }
    }
    free(old);
    free(folder);
}

/* A product of its own memory, filled with numbers in [-1, 1) that any device gets alike and all precisions hold. */
struct trial {
    struct gemm call;
    float *a, *b; // as the call lays them out
};

static float *random_numbers(struct tensor *tensor, unsigned seed)
{
    size_t count = tensor_count(tensor);
    float *numbers = mem_new(count, sizeof *numbers);
    for (size_t i = 0; i < count; i++) {
        seed = seed * 1664525u + 1013904223u;
        numbers[i] = (float)(seed >> 24) / 128.0f - 1.0f;
    }
    tensor_upload(tensor, numbers);
    return numbers;
}

static struct trial trial_new(struct device *dev, int layout, int m, int n, int k)
{
    struct trial trial = {.call = {.m = m, .n = n, .k = k, .a_transposed = layout >> 1, .b_transposed = layout & 1}};
    struct tensor *a = tensor_new(dev, DTYPE_F32, 2, (int[]){m, k});
    trial.call.a = a;
    trial.call.b = tensor_new(dev, DTYPE_F32, 2, (int[]){n, k});
    trial.call.c = tensor_new(dev, DTYPE_F32, 2, (int[]){m, n});
    trial.call.b->constant = true; /* weights are; so a backend may keep what it derives from them */
    trial.a = random_numbers(a, 1);
    trial.b = random_numbers(trial.call.b, 2);
    return trial;
}

static void trial_free(struct trial *trial)
{
    tensor_free((struct tensor *)(size_t)trial->call.a);
    tensor_free(trial->call.b);
    tensor_free(trial->call.c);
    free(trial->a);
    free(trial->b);
}

/* Runs once; false if that failed the device, whose failure is then taken back. */
static bool run_survives(struct device *dev, const struct gemm_backend *backend, const struct gemm *call)
{
    struct error err;
    backend->run(dev, call);
    bool survived = device_finish(dev, &err) == 0;
    if (!survived)
        dev->failure = (struct error){0};
    return survived;
}

/* Against the host, at a size that is a multiple of no tile. */
static bool is_right(struct device *dev, const struct gemm_backend *backend, int layout)
{
    enum { M = 37, N = 53, K = 71 };
    struct trial trial = trial_new(dev, layout, M, N, K);
    bool right = run_survives(dev, backend, &trial.call);
    float c[M * N];
    tensor_download(c, trial.call.c);
    for (int i = 0; right && i < M; i++)
        for (int j = 0; right && j < N; j++) {
            double want = 0;
            for (int p = 0; p < K; p++)
                want += (double)trial.a[trial.call.a_transposed ? p * M + i : i * K + p] *
                        (double)trial.b[trial.call.b_transposed ? j * K + p : p * N + j];
            right = fabs((double)c[i * N + j] - want) < 1e-4;
        }
    trial_free(&trial);
    return right;
}

/* Seconds of the best of three runs after a first one; a backend far behind `best` is not run again. */
static double seconds_of(struct device *dev, const struct gemm_backend *backend, const struct gemm *call, double best)
{
    double fastest = INFINITY;
    for (int run = 0; run < 4; run++) {
        double start = clock_seconds();
        if (!run_survives(dev, backend, call))
            return INFINITY;
        double seconds = clock_seconds() - start;
        if (run > 0 && seconds < fastest)
            fastest = seconds;
        if (run > 0 && fastest > 3 * best)
            break;
    }
    return fastest;
}

static const struct gemm_backend *measure(struct device *dev, const struct gemm *call)
{
    struct gemm_choices *choices = dev->choices;
    int layout = layout_of(call);
    int m = sizes[size_of(call->m)].measured, n = sizes[size_of(call->n)].measured,
        k = sizes[size_of(call->k)].measured;
    struct trial trial = trial_new(dev, layout, m, n, k);
    const struct gemm_backend *chosen = NULL;
    double best = INFINITY;
    char rates[160] = "";
    for (int b = 0; b < BACKENDS; b++) {
        if (!backends[b]->supports(dev, call))
            continue;
        enum verdict *verdict = &choices->verdicts[b][layout];
        if (*verdict == UNKNOWN) {
            *verdict = is_right(dev, backends[b], layout) ? RIGHT : WRONG;
            if (*verdict == WRONG)
                fprintf(stderr, "oclip: %s: %s gives wrong products on this driver and is not used\n", dev->info.label,
                        backends[b]->name);
        }
        double seconds = *verdict == RIGHT ? seconds_of(dev, backends[b], &trial.call, best) : INFINITY;
        size_t used = strlen(rates);
        snprintf(rates + used, sizeof rates - used, " %s %.1f", backends[b]->name, 2e-9 * m * n * k / seconds);
        if (seconds < best) {
            best = seconds;
            chosen = backends[b];
        }
    }
    trial_free(&trial);
    if (chosen) {
        char *line = mem_format("gemm %s %s %s %s %s  # GFLOP/s at %d x %d x %d:%s\n", layout_names[layout],
                                sizes[size_of(call->m)].name, sizes[size_of(call->n)].name,
                                sizes[size_of(call->k)].name, chosen->name, m, n, k, rates);
        remember(choices, dev, line);
        free(line);
    }
    return chosen;
}

const struct gemm_backend *gemm_choose(struct device *dev, const struct gemm *call)
{
    if (!dev->choices)
        dev->choices = open_choices(dev);
    const struct gemm_backend **chosen = &dev->choices->chosen[class_of(call)];
    if (!*chosen || !(*chosen)->supports(dev, call))
        *chosen = measure(dev, call);
    if (!*chosen && !device_failed(dev))
        error_set(&dev->failure, EXIT_FAILED, "%s: no matrix product gives right results on this driver",
                  dev->info.label);
    return *chosen;
}

void gemm_choices_free(struct gemm_choices *choices)
{
    if (!choices)
        return;
    CLBlastClearCache(); /* it keeps programs by context, and would hand a dead one to the next device */
    free(choices->path);
    free(choices);
}
