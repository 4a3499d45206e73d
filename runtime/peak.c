#include "runtime/peak.h"

#include "runtime/launch.h"
#include "runtime/util/progress.h"

enum { CHAINS = 12, STEPS = 4096, COPIED = 32 << 20, RUNS = 5 };

static void launch_multiply_add(struct device *dev, struct tensor *out, size_t groups, size_t group)
{
    LAUNCH(dev, "peak.cl", "multiply_add", ((struct launch_range){{groups, 1, 1}, group}), ARG_BUFFER(out),
           ARG_INT(STEPS));
}

static void launch_copy(struct device *dev, struct tensor *to, const struct tensor *from)
{
    LAUNCH(dev, "peak.cl", "copy", range_chunks(dev, COPIED), ARG_BUFFER(to), ARG_BUFFER(from), ARG_INT(COPIED));
}

int peak_measure(struct peak *peak, struct device *dev, struct error *err)
{
    size_t group = (size_t)device_group_size(dev), groups = (size_t)device_info(dev)->units * (group > 1 ? 32 : 64);
    struct tensor *out = tensor_new(dev, DTYPE_F32, 1, (int[]){(int)(groups * group)});
    struct tensor *from = tensor_zeros(dev, DTYPE_F32, 1, (int[]){COPIED});
    struct tensor *to = tensor_new(dev, DTYPE_F32, 1, (int[]){COPIED});
    double operations = 2.0 * CHAINS * STEPS * device_vector_width(dev) * (double)(groups * group);
    double bytes = 2.0 * COPIED * sizeof(float);
    *peak = (struct peak){0};
    int result = 0;
    for (int run = 0; run <= RUNS && result == 0; run++) { /* the first builds the kernels */
        double start = clock_seconds();
        launch_multiply_add(dev, out, groups, group);
        result = device_finish(dev, err);
        double middle = clock_seconds();
        launch_copy(dev, to, from);
        if (result == 0)
            result = device_finish(dev, err);
        double end = clock_seconds();
        if (run > 0 && 1e-9 * operations / (middle - start) > peak->gflops)
            peak->gflops = 1e-9 * operations / (middle - start);
        if (run > 0 && 1e-9 * bytes / (end - middle) > peak->gbytes)
            peak->gbytes = 1e-9 * bytes / (end - middle);
    }
    tensor_free(out);
    tensor_free(from);
    tensor_free(to);
    return result;
}
