#define _GNU_SOURCE
#include "runtime/util/progress.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { BAR_WIDTH = 20, LINE_LIMIT = 512, FALLBACK_COLUMNS = 80 };
static const double redraw_seconds = 0.1;

double clock_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

struct progress progress_begin(const char *label, long total, const char *unit, bool quiet)
{
    return (struct progress){.label = label,
                             .unit = unit,
                             .total = total,
                             .started = clock_seconds(),
                             .visible = !quiet && isatty(STDERR_FILENO)};
}

static int terminal_columns(void)
{
    struct winsize window;
    bool known = ioctl(STDERR_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col > 0;
    return known ? window.ws_col : FALLBACK_COLUMNS;
}

/* "1:02:03" or "02:03"; blank while nothing is known. */
static void format_duration(char text[static 16], double seconds)
{
    text[0] = '\0';
    if (!(seconds >= 0 && seconds < 1e6))
        return;
    int whole = (int)seconds, hours = whole / 3600, minutes = whole / 60 % 60;
    if (hours)
        snprintf(text, 16, "%d:%02d:%02d", hours, minutes, whole % 60);
    else
        snprintf(text, 16, "%02d:%02d", minutes, whole % 60);
}

/* Everything but the caller's text; returns its length. */
static size_t format_line(char line[static LINE_LIMIT], const struct progress *bar, long done, double now)
{
    double part = bar->total > 0 ? (double)done / (double)bar->total : 0;
    part = part < 0 ? 0 : part > 1 ? 1 : part;
    double elapsed = now - bar->started, rate = elapsed > 0 ? (double)done / elapsed : 0;
    char left[16];
    format_duration(left, rate > 0 ? (double)(bar->total - done) / rate : -1);
    int filled = (int)(part * BAR_WIDTH);
    int used =
        snprintf(line, LINE_LIMIT, "%.100s [%.*s%*s] %3.0f%% %ld/%ld %.4g %.40s/s %s ", bar->label, filled,
                 "####################", BAR_WIDTH - filled, "", 100 * part, done, bar->total, rate, bar->unit, left);
    return (size_t)used;
}
_Static_assert(sizeof "####################" - 1 == BAR_WIDTH, "the bar's text is as wide as the bar");

void progress_step(struct progress *bar, long done, const char *format, ...)
{
    double now = clock_seconds();
    if (!bar->visible || (now - bar->drawn < redraw_seconds && done != bar->total))
        return;
    bar->drawn = now;
    char line[LINE_LIMIT];
    size_t used = format_line(line, bar, done, now);
    va_list args;
    va_start(args, format);
    vsnprintf(line + used, sizeof line - used, format, args);
    va_end(args);
    fprintf(stderr, "\r%.*s\033[K", terminal_columns() - 1, line); /* a line that wraps could not be redrawn */
    fflush(stderr);
}

void progress_end(struct progress *bar)
{
    if (bar->visible)
        fputs("\r\033[K", stderr);
    bar->visible = false;
}
