#include "runtime/quirks.h"

#include <string.h>

static const struct {
    const char *platform; /* part of the platform's name */
    enum device_class device_class;
    unsigned long above_bytes; /* of memory */
    const char *build_options;
    const char *why, *source;
} quirks[] = {
    {"Intel(R) OpenCL Graphics", DEVICE_GPU, 4UL << 30, "-cl-intel-greater-than-4GB-buffer-required",
     "stateful addressing reaches only the first 4 GB of a buffer", "Intel's compute runtime, programming guide"},
};

const char *quirks_build_options(const struct device_info *info)
{
    for (size_t i = 0; i < sizeof quirks / sizeof *quirks; i++)
        if (strstr(info->platform_name, quirks[i].platform) && info->device_class == quirks[i].device_class &&
            info->memory_bytes > quirks[i].above_bytes)
            return quirks[i].build_options;
    return "";
}
