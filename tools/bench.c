/* Times kernels, models and tools on a device. */
#include "tools/bench.h"

#include "runtime/buffer.h"
#include "runtime/profile.h"
#include "runtime/util/file.h"
#include "runtime/util/progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct bench_case *const groups[] = {bench_kernel_cases, bench_op_cases, bench_model_cases,
                                                  bench_tool_cases};
enum { GROUPS = sizeof groups / sizeof *groups };

int bench_peak(struct bench *bench, struct error *err)
{
    return bench->peak.gflops > 0 ? 0 : peak_measure(&bench->peak, bench->session.dev, err);
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The share of the device's limit that is nearest. */
static double peak_share(const struct bench *bench, const struct bench_work *work, double seconds)
{
    double compute = bench->peak.gflops > 0 ? 1e-9 * work->flops / seconds / bench->peak.gflops : 0;
    double memory = bench->peak.gbytes > 0 ? 1e-9 * work->bytes / seconds / bench->peak.gbytes : 0;
    return compute > memory ? compute : memory;
}

static void print_json(const struct bench *bench, const char *name, double seconds, const struct bench_work *work)
{
    json_t *line =
        json_pack("{s:s, s:s, s:s, s:f, s:i, s:f, s:f, s:f, s:f, s:I}", "case", name, "device",
                  device_info(bench->session.dev)->label, "dtype", bench->session.precision, "ms", 1e3 * seconds,
                  "runs", bench->runs, "items_per_s", work->items / seconds, "gflops", 1e-9 * work->flops / seconds,
                  "gbytes_per_s", 1e-9 * work->bytes / seconds, "peak_share", peak_share(bench, work, seconds),
                  "peak_bytes", (json_int_t)buffer_bytes_peak(bench->session.dev));
    char *text = json_dumps(line, JSON_COMPACT | JSON_REAL_PRECISION(6));
    CHECK(text, "cannot make a line of JSON");
    puts(text);
    free(text);
    json_decref(line);
}

static void print_line(const struct bench *bench, const char *name, double seconds, const struct bench_work *work)
{
    printf("%-44s %10.3f ms", name, 1e3 * seconds);
    if (work->items > 0)
        printf("  %10.2f /s", work->items / seconds);
    if (work->flops > 0)
        printf("  %8.1f GFLOP/s", 1e-9 * work->flops / seconds);
    if (work->bytes > 0)
        printf("  %8.1f GB/s", 1e-9 * work->bytes / seconds);
    if (peak_share(bench, work, seconds) > 0)
        printf("  %5.1f %% of peak", 100 * peak_share(bench, work, seconds));
    printf("\n");
}

int bench_time(struct bench *bench, const char *name, void (*step)(void *context), void *context,
               const struct bench_work *work, struct error *err)
{
    if (bench_peak(bench, err) != 0)
        return -1;
    double *seconds = mem_new((size_t)bench->runs, sizeof *seconds); // [runs]
    struct progress bar = progress_begin(name, bench->runs, "runs", bench->session.quiet);
    int result = 0;
    for (int run = -1; run < bench->runs && result == 0; run++) { /* the first builds kernels and warms caches */
        double start = clock_seconds();
        step(context);
        result = device_finish(bench->session.dev, err);
        if (run >= 0)
            seconds[run] = clock_seconds() - start;
        progress_step(&bar, run + 1, "%s", "");
    }
    progress_end(&bar);
    qsort(seconds, (size_t)bench->runs, sizeof *seconds, compare_doubles);
    if (result == 0)
        (bench->session.json ? print_json : print_line)(bench, name, seconds[bench->runs / 2], work);
    fflush(stdout);
    free(seconds);
    return result;
}

static int run_case(struct bench *bench, const char *const *words, int count, struct error *err)
{
    char known[512] = "";
    for (int g = 0; g < GROUPS; g++)
        for (const struct bench_case *c = groups[g]; c->name; c++) {
            if (strcmp(c->name, words[0]) == 0)
                return c->run(bench, words + 1, count - 1, err);
            size_t used = strlen(known);
            snprintf(known + used, sizeof known - used, " %s", c->name);
        }
    return error_set(err, EXIT_USAGE, "no case \"%s\"; there are:%s", words[0], known);
}

/* "CASE: gemm MxNxK ..." for --help. */
static char *describe_cases(void)
{
    char *text = mem_format("Times kernels, models and tools on a device; prints medians. CASE is one of\n");
    for (int g = 0; g < GROUPS; g++)
        for (const struct bench_case *c = groups[g]; c->name; c++) {
            char *longer = mem_format("%s  %s %s: %s\n", text, c->name, c->words, c->help);
            free(text);
            text = longer;
        }
    return text;
}

int main(int argc, char **argv)
{
    struct error err = {0};
    struct bench bench = {.batch = 32, .tokens = 77, .rows = 500000, .dim = 512, .runs = 5};
    const struct option_row rows[] = {
        {"batch", OPTION_INT, &bench.batch, "N", "pictures, texts or pairs a run", 'b'},
        {"tokens", OPTION_INT, &bench.tokens, "N", "tokens a text", 0},
        {"texts", OPTION_TEXT, &bench.texts, "FILE", "real captions instead, a line each", 0},
        {"tokenizer", OPTION_TEXT, &bench.tokenizer, "DIR", "the folder whose tokenizer reads them", 0},
        {"rows", OPTION_INT, &bench.rows, "N", "rows to search", 0},
        {"dim", OPTION_INT, &bench.dim, "N", "numbers a row", 0},
        {"grad-checkpointing", OPTION_FLAG, &bench.checkpointing, NULL,
         "train with blocks run again in the backward pass", 0},
        {"profile", OPTION_TEXT, &bench.profile, "FILE", "write a Chrome trace, and a table by kernel on stderr", 0},
        {"runs", OPTION_INT, &bench.runs, "N", "runs counted, behind one that is not", 'n'},
        SESSION_OPTIONS(bench.session),
        {0}};
    char *purpose = describe_cases();
    int first = options_parse("bench", "CASE [WORDS]", purpose, rows, argc, argv, &err);
    free(purpose);
    if (first >= 0 && first == argc)
        first = error_set(&err, EXIT_USAGE, "no case given; see --help");
    if (first >= 0 && (bench.batch < 1 || bench.tokens < 2 || bench.rows < 1 || bench.dim < 1 || bench.runs < 1))
        first = error_set(&err, EXIT_USAGE, "--batch, --rows, --dim and --runs are at least 1, --tokens at least 2");
    if (first < 0 || (bench.profile && file_expect_writable(bench.profile, &err) != 0) ||
        session_open_device(&bench.session, &err) != 0)
        return error_report(&err);
    if (bench.profile)
        device_profile_start(bench.session.dev);
    int result = run_case(&bench, (const char *const *)argv + first, argc - first, &err);
    if (result == 0 && bench.profile) {
        result = device_profile_write(bench.session.dev, bench.profile, &err);
        device_profile_table(bench.session.dev, stderr);
    }
    session_close(&bench.session);
    return result != 0 ? error_report(&err) : EXIT_OK;
}
