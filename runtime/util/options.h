/* Command lines as one table a program.
 *
 *     struct settings { const char *device; int batch_size; double lr; bool quiet; } s = {"auto", 32, 1e-3, false};
 *     const struct option_row rows[] = {
 *         {"device", OPTION_TEXT, &s.device, "SPEC", "the OpenCL device (see tools/devices)"},
 *         {"batch-size", OPTION_INT, &s.batch_size, "N in [1, inf)", "pairs a step"},
 *         {"lr", OPTION_REAL, &s.lr, "RATE", "learning rate"},
 *         {"quiet", OPTION_FLAG, &s.quiet, NULL, "only errors"},
 *         {0}};
 *     int first = options_parse("trainer", "[options]", "Trains a dual encoder.", rows, argc, argv, &err);
 *     if (first < 0) return error_report(&err);      // EXIT_USAGE; names the option and its nearest neighbour
 *     // argv[first..argc) are the words that are no options
 *
 * Every option `--batch-size N` (also `--batch-size=N`) has the environment twin OCLIP_BATCH_SIZE; the command line
 * wins. `--help` prints the table with today's defaults on stdout and exits with 0. Options may stand after words;
 * `--` ends them. OPTION_LIST collects repeated or blank-separated values until the next option; the pieces of its twin
 * are a copy that lives as long as the program. A value that begins with two dashes is written --name=--value.
 */
#ifndef OCLIP_OPTIONS_H
#define OCLIP_OPTIONS_H

#include "runtime/util/error.h"

#include <stdio.h>

enum option_kind {
    OPTION_FLAG, /* value: bool *, set to true */
    OPTION_INT,  /* value: int * */
    OPTION_REAL, /* value: double * */
    OPTION_TEXT, /* value: const char **, points into argv or the environment */
    OPTION_LIST, /* value: struct option_list * */
};

struct option_list {
    const char *items[64]; // [count]
    int count;
};

struct option_row {
    const char *name; /* without the dashes */
    enum option_kind kind;
    void *value;          /* holds the default when parsing begins */
    const char *argument; /* how help names the value, or "a|b|c": then only these are accepted; "N in [0, 1)": so with
                             numbers */
    const char *help;
    char letter; /* optional short form: 'k' for -k */
};

/* Reorders argv so that words come last; returns the index of the first word, or -1. */
int options_parse(const char *program, const char *words, const char *purpose, const struct option_row *rows, int argc,
                  char **argv, struct error *err) MUST_CHECK;

/* Every option and its value, a line "batch_size: 32" each, by name, as open_clip's params.txt has them. */
void options_write(FILE *stream, const struct option_row *rows);

#endif
