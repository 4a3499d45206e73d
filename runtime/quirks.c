#define _GNU_SOURCE
#include "runtime/quirks.h"

#include "runtime/paths.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const enum device_class gpus = DEVICE_GPU;

const struct quirk quirks[] = {
    {.platform = "Intel(R) OpenCL Graphics",
     .only = &gpus,
     .above_bytes = 4UL << 30,
     .build_options = "-cl-intel-greater-than-4GB-buffer-required",
     .why = "stateful addressing reaches only the first 4 GB of a buffer",
     .source = "Intel's compute runtime, programming guide"},
    {.platform = "Intel(R) OpenCL Graphics",
     .only = &gpus,
     .since = "22.50",
     .before = "23.10",
     .paths_off = PATH_BIT(PATH_UPLOAD_QUEUE),
     .why = "what waits for another queue's event now and then starts too early",
     .source = "github.com/intel/compute-runtime issue 622: 22.49 is right, 22.53 wrong, fixed in March 2023"},
    {.vendor = "NVIDIA",
     .only = &gpus,
     .paths_on = PATH_BIT(PATH_PATIENT_WAITS),
     .why = "clFinish and blocking reads keep a core busy until the device is done",
     .source = "github.com/openmm/openmm issue 1541, github.com/openwall/john pull request 5006"},
    {.platform = "Intel(R) OpenCL Graphics",
     .only = &gpus,
     .paths_on = PATH_BIT(PATH_PATIENT_WAITS),
     .why = "waits yield in a loop, which keeps a core busy",
     .source = "github.com/intel/compute-runtime issues 343 and 363"},
    {.platform = "rusticl",
     .device = "llvmpipe",
     .as = &gpus,
     .why = "all loops of a work-item end when they have gone round 65535 times together; a tile is minutes to compile",
     .source = "Mesa, src/gallium/auxiliary/gallivm/lp_bld_limits.h: LP_MAX_TGSI_LOOP_ITERATIONS"},
    {.platform = "rusticl",
     .device = "llvmpipe",
     .paths_off = PATH_BIT(PATH_ATTENTION),
     .why = "vectors of rows take minutes to compile, a size of heads",
     .source = "measured here with Mesa 22.3.6: 16 lanes and heads of 64 numbers do not compile within two minutes"},
    {.platform = "Portable Computing Language",
     .paths_off = PATH_BIT(PATH_PROGRAM_CACHE),
     .why = "it keeps what it compiled itself, and a program's binary wants all kernels compiled again, in a general "
            "form: a first start takes three times as long",
     .source = "measured here with PoCL 3.1: 7.4 s of CPU against 20.5, 0.29 against 0.09 from the second start on"},
    {0},
};

/* The next number of a version; moves behind it and its separator. */
static unsigned long next_number(const char **at)
{
    *at += strcspn(*at, "0123456789");
    char *end;
    unsigned long number = strtoul(*at, &end, 10);
    *at = end;
    return number;
}

/* Where the version's run of numbers and dots ends. */
static const char *version_end(const char *text)
{
    text += strcspn(text, "0123456789");
    return text + strspn(text, "0123456789.");
}

int quirk_compare_versions(const char *a, const char *b)
{
    const char *a_end = version_end(a), *b_end = version_end(b);
    while (a < a_end || b < b_end) {
        unsigned long x = a < a_end ? next_number(&a) : 0, y = b < b_end ? next_number(&b) : 0;
        if (x != y)
            return x < y ? -1 : 1;
    }
    return 0;
}

static bool has(const char *name, const char *part)
{
    return !part || strcasestr(name, part);
}

static bool fits(const struct quirk *quirk, const struct device_info *info)
{
    return has(info->platform_name, quirk->platform) && has(info->vendor, quirk->vendor) &&
           has(info->name, quirk->device) && (!quirk->only || *quirk->only == info->device_class) &&
           info->memory_bytes >= quirk->above_bytes &&
           (!quirk->since || quirk_compare_versions(info->driver, quirk->since) >= 0) &&
           (!quirk->before || quirk_compare_versions(info->driver, quirk->before) < 0);
}

struct quirk_effect quirks_of(const struct device_info *info)
{
    struct quirk_effect effect = {0};
    for (const struct quirk *quirk = quirks; quirk->why; quirk++) {
        if (!fits(quirk, info))
            continue;
        size_t used = strlen(effect.build_options);
        if (quirk->build_options)
            snprintf(effect.build_options + used, sizeof effect.build_options - used, "%s ", quirk->build_options);
        effect.paths_on |= quirk->paths_on;
        effect.paths_off |= quirk->paths_off;
        effect.as = quirk->as ? quirk->as : effect.as;
    }
    return effect;
}
