/* Several ranks, as threads: what they tell each other, and losses, gradients and weights of a batch that they share in
 * parts of different size, against one rank with all of it. */
#include "runtime/ops/adamw.h"
#include "runtime/ops/grad_sum.h"
#include "tests/op_check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 3, BATCH = 1100, WIDTH = 24, IN = 16, STEPS = 3 };

/* ---- what ranks tell each other ---- */

static int talk(struct ranks *ranks, void *context)
{
    const int *count = context;
    int n = ranks->count, mine = 10 * ranks->rank;
    CHECK(n == *count && ranks->rank < n, "rank %d of %d, of %d", ranks->rank, n, *count);
    int all[MOST], told[2] = {ranks->rank, ranks->rank + 7};
    ranks_gather_each(ranks, all, &mine, sizeof mine);
    for (int r = 0; r < n; r++)
        CHECK(all[r] == 10 * r, "rank %d gave %d", r, all[r]);

    char word[] = "abcde", text[16] = "";
    size_t lengths[] = {2, 0, 3}; // [MOST]
    ranks_gather(ranks, text, word + ranks->rank, lengths);
    CHECK(strncmp(text, n < 3 ? "ab" : "abcde", n < 3 ? 2 : 5) == 0, "the ranks say %s", text);

    float numbers[5];
    for (int i = 0; i < 5; i++)
        numbers[i] = (float)(i + 100 * ranks->rank);
    ranks_sum(ranks, numbers, 5);
    for (int i = 0; i < 5; i++)
        CHECK(numbers[i] == (float)(n * i + 100 * n * (n - 1) / 2), "a sum of %g", (double)numbers[i]);

    ranks_tell(ranks, told, sizeof told);
    CHECK(told[0] == 0 && told[1] == 7, "rank 0 told %d, %d", told[0], told[1]);

    struct error err = {0};
    CHECK(ranks_agree(ranks, 0, &err) == 0, "all is well");
    int result = ranks->rank == n - 1 ? error_set(&err, EXIT_BAD_DATA, "rank %d failed", ranks->rank) : 0;
    char expected[32];
    snprintf(expected, sizeof expected, "rank %d failed", n - 1);
    CHECK(ranks_agree(ranks, result, &err) != 0 && err.code == EXIT_BAD_DATA && strcmp(err.text, expected) == 0,
          "rank %d heard: %s", ranks->rank, err.text);
    return 40 + ranks->rank;
}

/* ---- a model of two maps, whose loss is over a batch that the ranks share ---- */

struct kind {
    const char *name;
    bool sigmoid, photos;
    float smoothing, hardness, distillation, max_norm;
};
static const struct kind kinds[] = {
    {"contrastive", false, false, 0, 0, 0, 0},
    {"photos and smoothing", false, true, 0.1f, 0, 0, 1},
    {"hard negatives", false, true, 0, 0.2f, 0, 0},
    {"a teacher", false, true, 0.1f, 0, 0.5f, 1},
    {"sigmoid", true, true, 0, 0, 0, 1},
};

static const int counts[MOST][MOST] = {{BATCH}, {1063, 37}, {699, 400, 1}}; /* rows of each of so many ranks */

/* What is trained, and what each rank gets. */
struct job {
    const struct kind *kind;
    float losses[MOST][STEPS];
    float *numbers[MOST]; /* check_arena_numbers(): moment1 is the last step's gradient */
    size_t trained;
};

static struct tensor *rows(struct tape *tape, uint64_t seed, int width, const struct slice *slice)
{
    float *numbers = mem_new((size_t)BATCH * (size_t)width, sizeof *numbers); // [BATCH, width]
    for (int i = 0; i < BATCH * width; i++)
        numbers[i] = (float)(check_normal(&seed) / sqrt(width));
    struct tensor *own = tape_upload(tape, DTYPE_F32, 2, (int[]){slice->count, width}, numbers + slice->first * width);
    free(numbers);
    return own;
}

static struct tensor *loss_of(struct tape *tape, struct tensor *const *params, const struct kind *kind,
                              const struct slice *slice, int step)
{
    static const float teacher_scale = 7;
    uint64_t seed = (uint64_t)(10 * step);
    int photos[BATCH];
    for (int i = 0; i < BATCH; i++)
        photos[i] = i * 7 % 400;
    struct tensor *image =
        op_l2_normalise(tape, op_linear(tape, rows(tape, seed + 1, IN, slice), params[0], NULL, ACTIVATION_NONE));
    struct tensor *text =
        op_l2_normalise(tape, op_linear(tape, rows(tape, seed + 2, IN, slice), params[1], NULL, ACTIVATION_NONE));
    struct contrastive how = {.slice = slice,
                              .photos = kind->photos ? photos : NULL,
                              .smoothing = kind->smoothing,
                              .hardness = kind->hardness,
                              .distillation = kind->distillation};
    if (kind->distillation != 0) {
        how.teacher_image = rows(tape, seed + 3, 8, slice);
        how.teacher_text = rows(tape, seed + 4, 8, slice);
        how.teacher_scale = tape_upload(tape, DTYPE_F32, 1, (int[]){1}, &teacher_scale);
    }
    return kind->sigmoid ? op_sigmoid_loss(tape, image, text, params[2], params[3], slice, how.photos)
                         : op_contrastive(tape, image, text, params[2], &how);
}

static struct arena *new_arena(struct tensor **params, struct device *dev)
{
    struct error err;
    struct arena *arena = arena_new();
    params[0] = arena_add(arena, 0, init_normal(0.3f), 2, (int[]){WIDTH, IN}, "image");
    params[1] = arena_add(arena, 0, init_normal(0.3f), 2, (int[]){WIDTH, IN}, "text");
    params[2] = arena_add(arena, 0, init_constant(1.5f), 1, (int[]){1}, "scale");
    params[3] = arena_add(arena, 0, init_constant(-3), 1, (int[]){1}, "bias"); /* unused by some: no gradient */
    CHECK(arena_allocate(arena, dev, 1, &err) == 0, "%s", err.text);
    arena_initialise(arena, 1, 5);
    return arena;
}

static int train(struct ranks *ranks, void *context)
{
    struct job *job = context;
    struct error err;
    struct device *dev;
    struct tensor *params[4];
    for (int r = 0; r < ranks->count; r++) /* drivers start up in one thread */
        CHECK(ranks_agree(ranks, r == ranks->rank ? device_open(&dev, "0", &err) : 0, &err) == 0, "%s", err.text);
    buffer_guard(dev);
    struct arena *arena = new_arena(params, dev);
    struct tape *tape = tape_new(dev, true);
    struct slice slice = slice_of(ranks, counts[ranks->count - 1]);
    struct adamw settings = {.beta1 = 0,
                             .beta2 = 0.98f,
                             .eps = 1e-3f,
                             .rates = {1e-2f},
                             .max_norm = job->kind->max_norm,
                             .sum = grad_sum_new(arena, ranks)};
    for (int step = 0; step < STEPS; step++) {
        struct tensor *loss = loss_of(tape, params, job->kind, &slice, step);
        tensor_download(&job->losses[ranks->rank][step], loss);
        settings.step = step + 1;
        adamw_backward(tape, loss, arena, &settings);
        tape_reset(tape);
    }
    job->numbers[ranks->rank] = check_arena_numbers(arena);
    job->trained = arena->trained_numbers;
    CHECK(device_finish(dev, &err) == 0, "%s", err.text);
    grad_sum_free(settings.sum);
    tape_free(tape);
    arena_free(arena);
    CHECK(buffer_guard_faults(dev) == 0, "something was written behind a buffer");
    device_close(dev);
    return 0;
}

static void run(struct job *job, const struct kind *kind, int n)
{
    struct error err;
    int code;
    *job = (struct job){.kind = kind};
    CHECK(ranks_run(&code, n, train, job, &err) == 0 && code == 0, "%s", err.text);
    for (int r = 1; r < n; r++)
        CHECK(memcmp(job->numbers[0], job->numbers[r], 3 * job->trained * sizeof(float)) == 0 &&
                  memcmp(job->losses[0], job->losses[r], sizeof job->losses[0]) == 0,
              "%s: rank %d of %d has other weights or losses than rank 0", kind->name, r, n);
}

static void forget(struct job *job)
{
    for (int r = 0; r < MOST; r++)
        free(job->numbers[r]);
}

static void compare(const struct job *job, const struct job *whole, int n)
{
    char what[64];
    double *wanted = mem_new(job->trained, sizeof *wanted);
    for (size_t i = 0; i < job->trained; i++)
        wanted[i] = (double)whole->numbers[0][job->trained + i];
    snprintf(what, sizeof what, "%s: gradients of %d ranks", job->kind->name, n);
    check_close(what, job->numbers[0] + job->trained, wanted, job->trained, 1e-6);
    free(wanted);
    for (int step = 0; step < STEPS; step++)
        CHECK(fabsf(job->losses[0][step] / whole->losses[0][step] - 1) < 1e-6f,
              "%s: a loss of %.9g in step %d of %d ranks is %.9g of one", job->kind->name, (double)job->losses[0][step],
              step + 1, n, (double)whole->losses[0][step]);
}

int main(void)
{
    struct error err;
    for (int n = 1; n <= MOST; n++) {
        int code;
        CHECK(ranks_run(&code, n, talk, &n, &err) == 0 && code == 40, "%s", err.text);
    }
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        struct job whole, parts;
        run(&whole, &kinds[i], 1);
        for (int n = 2; n <= MOST; n++) {
            run(&parts, &kinds[i], n);
            compare(&parts, &whole, n);
            forget(&parts);
        }
        forget(&whole);
    }
    return 0;
}
