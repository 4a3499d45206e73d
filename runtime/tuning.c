#define _GNU_SOURCE
#include "runtime/tuning.h"

#include "runtime/util/file.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LARGEST_FILE = 4 << 20, FIELDS = 5 };

static const char head[] = "# What is fastest where, as oclip measured it; runtime/tuning.h says how lines are read.\n"
                           "# device | driver | class of work | choice and settings | GFLOP/s\n";

/* Kinds of work and how many words name a class of it. */
static const struct {
    const char *name;
    int words;
} kinds[] = {{"gemm", 6}, {"attention", 4}};

/* ---- matching ---- */

static bool fits(const char *pattern, const char *text)
{
    const char *star = NULL, *from = NULL; /* the last star, and where in the text it was met */
    while (*text) {
        if (*pattern == '*') {
            star = pattern++;
            from = text;
        } else if (*pattern == '?' || *pattern == *text) {
            pattern++;
            text++;
        } else if (star) {
            pattern = star + 1;
            text = ++from;
        } else {
            return false;
        }
    }
    return !pattern[strspn(pattern, "*")];
}

/* What would mean something in a line becomes '?', which fits it. */
static char *literal(char *text)
{
    for (char *at = text; (at = strpbrk(at, "|*#\n"));)
        *at = '?';
    return text;
}

static char *device_text(const struct device_info *info)
{
    const char *class = info->device_class == DEVICE_CPU ? "cpu" : "gpu";
    return literal(mem_format("%s %s %s", class, info->vendor, info->name));
}

const struct tuning_line *tuning_next(const struct tuning *tuning, const struct device_info *info, const char *work,
                                      const struct tuning_line *after)
{
    char *device = device_text(info);
    const struct tuning_line *line = after ? after : tuning->lines + tuning->count, *found = NULL;
    while (!found && line > tuning->lines) {
        line--;
        if (fits(line->device, device) && fits(line->driver, info->driver) && (!work || fits(line->work, work)))
            found = line;
    }
    free(device);
    return found;
}

/* ---- lines ---- */

static char *trimmed(char *text)
{
    text += strspn(text, " \t\r");
    size_t length = strlen(text);
    while (length > 0 && isspace((unsigned char)text[length - 1]))
        text[--length] = '\0';
    return text;
}

static bool is_known_work(const char *work)
{
    int words = 1;
    for (const char *at = work; (at = strchr(at, ' ')); at++)
        words++;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        size_t length = strlen(kinds[i].name);
        if (strncmp(work, kinds[i].name, length) == 0 && work[length] == ' ')
            return words == kinds[i].words || strchr(work, '*');
    }
    return strcmp(work, "*") == 0;
}

/* "188.2", also with its unit. */
static bool read_rate(double *gflops, const char *text)
{
    char *end;
    *gflops = strtod(text, &end);
    return end != text && isfinite(*gflops) && *gflops >= 0 && (!*end || strcmp(end, " GFLOP/s") == 0);
}

static void line_free(struct tuning_line *line)
{
    free(line->device);
    free(line->driver);
    free(line->work);
    free(line->choice);
}

/* NULL, or why it is none. */
static const char *read_line(struct tuning_line *line, const char *text)
{
    char *copy = mem_format("%s", text), *rest = copy, *fields[FIELDS + 1];
    const char *why = NULL;
    int count = 0;
    for (char *field; count <= FIELDS && (field = strsep(&rest, "|"));)
        fields[count++] = trimmed(field);
    bool empty = false;
    for (int i = 0; i < count; i++)
        empty = empty || !fields[i][0];
    if (count < FIELDS - 1 || count > FIELDS || empty)
        why = "wants device | driver | class of work | choice | GFLOP/s";
    else if (!is_known_work(fields[2]))
        why = "names no class of work";
    else if (count == FIELDS && !read_rate(&line->gflops, fields[4]))
        why = "ends in no rate";
    else
        *line = (struct tuning_line){.device = mem_format("%s", fields[0]),
                                     .driver = mem_format("%s", fields[1]),
                                     .work = mem_format("%s", fields[2]),
                                     .choice = mem_format("%s", fields[3]),
                                     .gflops = line->gflops};
    free(copy);
    return why;
}

void tuning_ignore(const struct tuning_line *line, const char *why)
{
    fprintf(stderr, "oclip: %s:%d: the line is ignored: it %s\n", line->file, line->number, why);
}

static void add_line(struct tuning *tuning, const struct tuning_line *line)
{
    tuning->lines = mem_grow(tuning->lines, tuning->count + 1, sizeof *tuning->lines);
    tuning->lines[tuning->count++] = *line;
}

static void take_line(struct tuning *tuning, char *text, const char *file, int number)
{
    text[strcspn(text, "#")] = '\0';
    if (!*trimmed(text))
        return;
    struct tuning_line line = {0};
    const char *why = read_line(&line, text);
    line.file = file;
    line.number = number;
    if (why)
        tuning_ignore(&line, why);
    else
        add_line(tuning, &line);
}

/* ---- the file ---- */

static char *read_file(const char *path)
{
    char *text = NULL;
    struct error err;
    if (file_exists(path) && file_read(&text, NULL, path, LARGEST_FILE, &err) != 0)
        fprintf(stderr, "oclip: %s; what is fastest is measured anew\n", err.text);
    return text;
}

struct tuning *tuning_open(void)
{
    struct tuning *tuning = mem_new(1, sizeof *tuning);
    tuning->path = device_cache_folder("tuning.txt");
    for (int i = 0; tuning_defaults[i]; i++) {
        char *text = mem_format("%s", tuning_defaults[i]);
        take_line(tuning, text, "runtime/tuning_defaults.c", i + 1);
        free(text);
    }
    char *text = read_file(tuning->path), *rest = text;
    int number = 0;
    for (char *line; (line = strsep(&rest, "\n"));)
        take_line(tuning, line, tuning->path, ++number);
    free(text);
    return tuning;
}

void tuning_free(struct tuning *tuning)
{
    if (!tuning)
        return;
    for (size_t i = 0; i < tuning->count; i++)
        line_free(&tuning->lines[i]);
    free(tuning->lines);
    free(tuning->path);
    free(tuning);
}

bool tuning_is_measured(const struct tuning *tuning, const struct tuning_line *line)
{
    return line->file == tuning->path;
}

/* What the file held, but for a line of the same device, driver and work. */
static void copy_others(struct file_writer *writer, const char *path, const struct tuning_line *but)
{
    char *text = read_file(path), *rest = text;
    if (!text || !*text)
        file_write(writer, head, strlen(head));
    for (char *whole; (whole = strsep(&rest, "\n"));) {
        struct tuning_line line = {0};
        bool same = read_line(&line, whole) == NULL && strcmp(line.device, but->device) == 0 &&
                    strcmp(line.driver, but->driver) == 0 && strcmp(line.work, but->work) == 0;
        line_free(&line);
        if (!same && (rest || *whole))
            fprintf(writer->stream, "%s\n", whole);
    }
    free(text);
}

/* The whole file anew, so that a reader never meets half a line. */
static void write_file(const struct tuning *tuning, const struct tuning_line *line)
{
    struct error err;
    struct file_writer writer;
    char *folder = device_cache_folder("");
    if (file_make_folders(folder, &err) == 0 && file_create(&writer, tuning->path, &err) == 0) {
        copy_others(&writer, tuning->path, line);
        fprintf(writer.stream, "%s | %s | %s | %s | %.4g\n", line->device, line->driver, line->work, line->choice,
                line->gflops);
        if (file_commit(&writer, &err) != 0)
            fprintf(stderr, "oclip: %s\n", err.text);
    }
    free(folder);
}

void tuning_remember(struct tuning *tuning, const struct device_info *info, const char *work, const char *choice,
                     double gflops)
{
    struct tuning_line line = {.device = device_text(info),
                               .driver = literal(mem_format("%s", info->driver)),
                               .work = mem_format("%s", work),
                               .choice = mem_format("%s", choice),
                               .gflops = gflops,
                               .file = tuning->path};
    write_file(tuning, &line);
    add_line(tuning, &line);
}

/* ---- settings ---- */

static bool is_legal(const struct tuning_parameter *parameter, int value)
{
    for (int i = 1; i < TUNING_VALUES && parameter->values[i]; i++)
        if (parameter->values[i] == value)
            return true;
    return false;
}

static const struct tuning_parameter *find_parameter(const struct tuning_parameter *parameters, const char *name,
                                                     size_t length)
{
    for (const struct tuning_parameter *p = parameters; p && p->name; p++)
        if (strlen(p->name) == length && strncmp(p->name, name, length) == 0)
            return p;
    return NULL;
}

int tuning_read_settings(int *settings, const char *text, const struct tuning_parameter *parameters)
{
    memset(settings, 0, TUNING_PARAMETERS * sizeof *settings);
    for (text += strspn(text, " "); *text; text += strspn(text, " ")) {
        size_t length = strcspn(text, "= ");
        const struct tuning_parameter *parameter = find_parameter(parameters, text, length);
        if (!parameter || text[length] != '=')
            return -1;
        char *end;
        long value = strtol(text + length + 1, &end, 10);
        if (end == text + length + 1 || (*end && *end != ' ') || value != (int)value ||
            !is_legal(parameter, (int)value))
            return -1;
        settings[parameter - parameters] = (int)value;
        text = end;
    }
    return 0;
}

void tuning_write_settings(char *text, size_t room, const int *settings, const struct tuning_parameter *parameters)
{
    size_t used = 0;
    text[0] = '\0';
    for (int i = 0; parameters && parameters[i].name; i++)
        if (settings[i] && used < room)
            used += (size_t)snprintf(text + used, room - used, " %s=%d", parameters[i].name, settings[i]);
}
