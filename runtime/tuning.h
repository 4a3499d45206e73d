/* What is fastest where: lines of text, measured on this machine or shipped with oclip.
 *
 *     cpu AuthenticAMD pthread-haswell-AMD EPYC | 3.1+debian | gemm fp32 NT 4096 1024 1024 | tile block=512 | 188.2
 *     gpu NVIDIA*                               | *          | gemm bf16 *                 | matrix
 *
 * device (class, vendor and name) | driver | class of work | choice with its settings | GFLOP/s, if it was measured.
 * In the first three `*` stands for any text and `?` for any character. Of the lines that fit the last one counts, and
 * the file's count more than the shipped ones (tuning_defaults.c). `#` begins a comment. Files may be edited, and
 * merged by putting one behind the other. A line that makes no sense is named on stderr and ignored.
 *
 *     struct tuning *tuning = tuning_open();
 *     const struct tuning_line *line = NULL;
 *     while ((line = tuning_next(tuning, info, "gemm fp32 NT 4096 1024 1024", line)))  // the most binding first
 *         if (... line->choice is one that can be used here ...) break;
 *     tuning_remember(tuning, info, "gemm fp32 NT 4096 1024 1024", "tile block=512", 188.2);
 *     tuning_free(tuning);
 */
#ifndef OCLIP_TUNING_H
#define OCLIP_TUNING_H

#include "runtime/device.h"

#include <stddef.h>

struct tuning_line {
    char *device, *driver, *work, *choice;
    double gflops;    /* 0: not measured */
    const char *file; /* where it stands */
    int number;
};

struct tuning {
    char *path;                // of the file
    struct tuning_line *lines; // [count], the more binding behind
    size_t count;
};

/* The shipped lines and the file's: tuning.txt in the cache folder (device.h). */
struct tuning *tuning_open(void);
void tuning_free(struct tuning *tuning);

/* The next line that fits, from the most binding one (`after` NULL) on; NULL when there is none. `work` NULL: any. */
const struct tuning_line *tuning_next(const struct tuning *tuning, const struct device_info *info, const char *work,
                                      const struct tuning_line *after);
bool tuning_is_measured(const struct tuning *tuning, const struct tuning_line *line); /* in the file, not shipped */

/* Replaces the file's line of this very device, driver and work, or adds one. A file that cannot be written is no
 * failure: the next run measures again. */
void tuning_remember(struct tuning *tuning, const struct device_info *info, const char *work, const char *choice,
                     double gflops);

/* Says on stderr that the line is ignored, and why. */
void tuning_ignore(const struct tuning_line *line, const char *why);

/* A number that a kernel is built or launched with. */
enum { TUNING_PARAMETERS = 4, TUNING_VALUES = 8 };
struct tuning_parameter {
    const char *name;
    bool quick;                /* tried by quick searches, too */
    int values[TUNING_VALUES]; /* 0, which leaves the choice to the host code, and those behind it up to the next 0 */
};

/* "rows=6 block=512" to one number a parameter, 0 for those not named. -1: an unknown name, or a value that is not in
 * the table.  settings [TUNING_PARAMETERS]; parameters: up to a NULL name, or NULL for none */
int tuning_read_settings(int *settings, const char *text, const struct tuning_parameter *parameters) MUST_CHECK;

/* And back, " rows=6 block=512": each behind a blank, zeros left out. */
void tuning_write_settings(char *text, size_t room, const int *settings, const struct tuning_parameter *parameters);

extern const char *const tuning_defaults[]; /* shipped lines; ends at NULL */

#endif
