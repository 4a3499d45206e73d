#define _GNU_SOURCE
#include "runtime/util/options.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LIST_CAPACITY = sizeof((struct option_list *)0)->items / sizeof(char *), HELP_COLUMN = 32, NAME_LIMIT = 63 };

/* What each kind of option does with a value; `assign` returns false when the text is not `expected`. */
struct kind {
    const char *name, *expected;
    bool (*assign)(void *value, const char *text);
    void (*print)(FILE *stream, const void *value); /* with a blank before it */
};

static bool flag_assign(void *value, const char *text)
{
    static const char *const words[][2] = {{"0", "1"}, {"false", "true"}, {"no", "yes"}, {"off", "on"}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        for (int truth = 0; truth < 2; truth++) {
            if (strcasecmp(text, words[i][truth]) == 0) {
                *(bool *)value = truth;
                return true;
            }
        }
    }
    return false;
}

static void flag_print(FILE *stream, const void *value)
{
    fprintf(stream, " %s", *(const bool *)value ? "on" : "off");
}

static bool int_assign(void *value, const char *text)
{
    char *end;
    errno = 0;
    long number = strtol(text, &end, 10);
    if (end == text || *end || errno || number < INT_MIN || number > INT_MAX)
        return false;
    *(int *)value = (int)number;
    return true;
}

static void int_print(FILE *stream, const void *value)
{
    fprintf(stream, " %d", *(const int *)value);
}

static bool real_assign(void *value, const char *text)
{
    char *end;
    double number = strtod(text, &end);
    if (end == text || *end || !isfinite(number))
        return false;
    *(double *)value = number;
    return true;
}

static void real_print(FILE *stream, const void *value)
{
    fprintf(stream, " %g", *(const double *)value);
}

static bool text_assign(void *value, const char *text)
{
    *(const char **)value = text;
    return true;
}

static void text_print(FILE *stream, const void *value)
{
    const char *text = *(const char *const *)value;
    if (text)
        fprintf(stream, " %s", *text ? text : "\"\"");
}

static bool list_assign(void *value, const char *text)
{
    struct option_list *list = value;
    if (list->count == LIST_CAPACITY)
        return false;
    list->items[list->count++] = text;
    return true;
}

static void list_print(FILE *stream, const void *value)
{
    const struct option_list *list = value;
    for (int i = 0; i < list->count; i++)
        fprintf(stream, " %s", list->items[i]);
}

static const struct kind kinds[] = {
    [OPTION_FLAG] = {"flag", "1 or 0", flag_assign, flag_print},
    [OPTION_INT] = {"integer", "a whole number of 32 bits", int_assign, int_print},
    [OPTION_REAL] = {"number", "a finite number", real_assign, real_print},
    [OPTION_TEXT] = {"text", "a text", text_assign, text_print},
    [OPTION_LIST] = {"list", "among the first 64 values, which is all a list holds", list_assign, list_print},
};
_Static_assert(LIST_CAPACITY == 64, "the message of OPTION_LIST states the capacity");

/* "batch-size" -> "OCLIP_BATCH_SIZE" */
static void twin_of(char twin[static NAME_LIMIT + 8], const char *name)
{
    CHECK(strlen(name) <= NAME_LIMIT, "option name '%s' is longer than %d", name, NAME_LIMIT);
    size_t length = (size_t)sprintf(twin, "OCLIP_%s", name);
    for (size_t i = 0; i < length; i++)
        twin[i] = twin[i] == '-' ? '_' : (char)toupper((unsigned char)twin[i]);
}

/* True if `choices`, "a|b|c", names `text`; anything goes when it holds no bar. */
static bool is_choice(const char *choices, const char *text)
{
    if (!choices || !strchr(choices, '|'))
        return true;
    size_t length = strlen(text);
    for (const char *at = choices; at; at = strchr(at, '|') ? strchr(at, '|') + 1 : NULL)
        if (strcspn(at, "|") == length && strncmp(at, text, length) == 0)
            return true;
    return false;
}

/* "[0, 1)" of "N in [0, 1)"; NULL: any number. */
static const char *range_of(const struct option_row *row)
{
    const char *in = row->kind == OPTION_INT || row->kind == OPTION_REAL ? strstr(row->argument, " in ") : NULL;
    return in ? in + strlen(" in ") : NULL;
}

static double number_of(const struct option_row *row)
{
    return row->kind == OPTION_INT ? *(const int *)row->value : *(const double *)row->value;
}

/* Whether a number lies in "[low, high)": a bracket includes its end. */
static bool is_within(const char *range, double number)
{
    char *at;
    double low = strtod(range + 1, &at), high = strtod(at + 1, &at);
    return (*range == '[' ? number >= low : number > low) && (*at == ']' ? number <= high : number < high);
}

/* `source` is how the user wrote it: "--lr", "-k" or "OCLIP_LR". */
static int assign(const struct option_row *row, const char *source, const char *text, struct error *err)
{
    const char *range = range_of(row);
    if (row->kind != OPTION_FLAG && !is_choice(row->argument, text))
        return error_set(err, EXIT_USAGE, "%s: '%s' is not one of %s", source, text, row->argument);
    if (!kinds[row->kind].assign(row->value, text))
        return error_set(err, EXIT_USAGE, "%s: '%s' is not %s%s%s", source, text, kinds[row->kind].expected,
                         range ? " in " : "", range ? range : "");
    if (range && !is_within(range, number_of(row)))
        return error_set(err, EXIT_USAGE, "%s: %s is not in %s", source, text, range);
    return 0;
}

/* Fills what the command line left open. The pieces of a list are copies that live as long as the program. */
static int read_environment(const struct option_row *rows, const bool *seen, struct error *err)
{
    for (size_t i = 0; rows[i].name; i++) {
        char twin[NAME_LIMIT + 8];
        twin_of(twin, rows[i].name);
        const char *text = getenv(twin);
        if (seen[i] || !text || !*text)
            continue;
        if (rows[i].kind != OPTION_LIST) {
            if (assign(&rows[i], twin, text, err) != 0)
                return -1;
            continue;
        }
        ((struct option_list *)rows[i].value)->count = 0;
        char *rest, *copy = mem_format("%s", text);
        for (char *piece = strtok_r(copy, " \t\n", &rest); piece; piece = strtok_r(NULL, " \t\n", &rest))
            if (assign(&rows[i], twin, piece, err) != 0)
                return -1;
    }
    return 0;
}

static void print_help(const char *program, const char *words, const char *purpose, const struct option_row *rows)
{
    printf("usage: %s %s\n%s\n\n", program, words, purpose);
    for (const struct option_row *row = rows; row->name; row++) {
        char twin[NAME_LIMIT + 8], letter[] = {'-', row->letter, ',', '\0'};
        twin_of(twin, row->name);
        char *left =
            mem_format("%3s --%s %s", row->letter ? letter : "", row->name, row->argument ? row->argument : "");
        printf("  %-*s ", HELP_COLUMN, left);
        if (strlen(left) > HELP_COLUMN)
            printf("\n  %*s ", HELP_COLUMN, "");
        free(left);
        printf("%s [%s", row->help, kinds[row->kind].name);
        kinds[row->kind].print(stdout, row->value);
        printf("; %s]\n", twin);
    }
    printf("  %-*s this list: [kind and default; environment twin]\n", HELP_COLUMN, "    --help");
}

/* Levenshtein's distance, one row of the table at a time. */
static size_t edit_distance(const char *a, const char *b)
{
    size_t width = strlen(b), cost[NAME_LIMIT + 1];
    for (size_t j = 0; j <= width; j++)
        cost[j] = j;
    for (size_t i = 0; a[i]; i++) {
        size_t diagonal = cost[0];
        cost[0] = i + 1;
        for (size_t j = 1; j <= width; j++) {
            size_t best = diagonal + (a[i] != b[j - 1]);
            diagonal = cost[j];
            best = best < cost[j] + 1 ? best : cost[j] + 1;
            cost[j] = best < cost[j - 1] + 1 ? best : cost[j - 1] + 1;
        }
    }
    return cost[width];
}

/* The option that the user most likely meant: it begins so, or at most a third of its letters differ. */
static const char *nearest_name(const struct option_row *rows, const char *name)
{
    const char *nearest = NULL;
    size_t length = strlen(name), least = length / 3 + 2;
    for (const struct option_row *row = rows; row->name; row++) {
        size_t distance = length >= 2 && strncmp(row->name, name, length) == 0 ? 1 : edit_distance(name, row->name);
        if (distance < least) {
            least = distance;
            nearest = row->name;
        }
    }
    return nearest;
}

/* Finds the row that `word`, "--name", "--name=value", "-k" or "-kvalue", asks for, and where its value begins. */
static const struct option_row *find_row(const char **value, const struct option_row *rows, const char *word)
{
    bool is_long = word[1] == '-';
    size_t length = is_long ? strcspn(word + 2, "=") : 1;
    for (const struct option_row *row = rows; row->name; row++) {
        if (is_long ? strlen(row->name) != length || strncmp(row->name, word + 2, length) != 0 : row->letter != word[1])
            continue;
        const char *rest = word + (is_long ? 2 : 1) + length;
        *value = *rest == '\0' ? NULL : rest + is_long;
        return row;
    }
    return NULL;
}

static int unknown_option(const char *program, const struct option_row *rows, const char *word, struct error *err)
{
    const char *name = word + strspn(word, "-");
    char *shown = mem_format("%.*s", (int)strcspn(name, "="), name);
    const char *nearest = nearest_name(rows, shown);
    error_set(err, EXIT_USAGE, "%.*s%s: no such option;%s%s%s '%s --help' lists them", (int)(name - word), word, shown,
              nearest ? " did you mean --" : "", nearest ? nearest : "", nearest ? "?" : "", program);
    free(shown);
    return -1;
}

static bool is_option(const char *word)
{
    return word[0] == '-' && word[1] != '\0';
}

/* Takes the option at argv[0] with its values; returns how many of the argc words it used, or -1. */
static int take_option(const char *program, const struct option_row *rows, bool *seen, int argc, char **argv,
                       struct error *err)
{
    const char *value;
    const struct option_row *row = find_row(&value, rows, argv[0]);
    if (!row)
        return unknown_option(program, rows, argv[0], err);
    char source[NAME_LIMIT + 3];
    snprintf(source, sizeof source, "--%s", row->name);

    bool first_time = !seen[row - rows];
    seen[row - rows] = true;
    if (row->kind == OPTION_FLAG) {
        if (value)
            return error_set(err, EXIT_USAGE, "%s: takes no value, but '%s' was given", source, value);
        *(bool *)row->value = true;
        return 1;
    }
    int used = 1;
    if (!value && used < argc && strncmp(argv[used], "--", 2) != 0)
        value = argv[used++];
    if (!value)
        return error_set(err, EXIT_USAGE, "%s: needs a value (%s)", source, row->argument);
    if (row->kind == OPTION_LIST && first_time)
        ((struct option_list *)row->value)->count = 0;
    if (assign(row, source, value, err) != 0)
        return -1;
    for (; row->kind == OPTION_LIST && used < argc && !is_option(argv[used]); used++)
        if (assign(row, source, argv[used], err) != 0)
            return -1;
    return used;
}

/* Walks argv and moves the words that are no options to its end; returns the index of the first, or -1. */
static int read_command_line(const char *program, const struct option_row *rows, bool *seen, int argc, char **argv,
                             struct error *err)
{
    char **words = mem_new((size_t)argc, sizeof *words); // [argc]
    int word_count = 0, kept = 1, at = 1, result = -1;
    while (at < argc) {
        int used = 1;
        if (strcmp(argv[at], "--") == 0) {
            for (argv[kept++] = argv[at++]; at < argc; at++)
                words[word_count++] = argv[at];
            break;
        }
        if (!is_option(argv[at])) {
            words[word_count++] = argv[at++];
            continue;
        }
        used = take_option(program, rows, seen, argc - at, argv + at, err);
        if (used < 0)
            goto done;
        memmove(argv + kept, argv + at, (size_t)used * sizeof *argv);
        kept += used;
        at += used;
    }
    memcpy(argv + kept, words, (size_t)word_count * sizeof *argv);
    result = kept;
done:
    free(words);
    return result;
}

static bool asks_for_help(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0)
            return true;
    return false;
}

int options_parse(const char *program, const char *words, const char *purpose, const struct option_row *rows, int argc,
                  char **argv, struct error *err)
{
    if (asks_for_help(argc, argv)) {
        print_help(program, words, purpose, rows);
        exit(EXIT_OK);
    }
    size_t count = 0;
    while (rows[count].name)
        count++;
    bool *seen = mem_new(count, sizeof *seen); // [count]: given on the command line
    int first = argc > 0 ? read_command_line(program, rows, seen, argc, argv, err) : 0;
    if (first >= 0 && read_environment(rows, seen, err) != 0)
        first = -1;
    free(seen);
    return first;
}

static int compare_rows(const void *a, const void *b)
{
    return strcmp((*(const struct option_row *const *)a)->name, (*(const struct option_row *const *)b)->name);
}

void options_write(FILE *stream, const struct option_row *rows)
{
    size_t count = 0;
    while (rows[count].name)
        count++;
    const struct option_row **sorted = mem_new(count, sizeof *sorted); // [count]
    for (size_t i = 0; i < count; i++)
        sorted[i] = &rows[i];
    if (count)
        qsort(sorted, count, sizeof *sorted, compare_rows);
    for (size_t i = 0; i < count; i++) {
        for (const char *letter = sorted[i]->name; *letter; letter++)
            putc(*letter == '-' ? '_' : *letter, stream);
        putc(':', stream);
        kinds[sorted[i]->kind].print(stream, sorted[i]->value);
        putc('\n', stream);
    }
    free(sorted);
}
