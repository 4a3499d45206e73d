#define _GNU_SOURCE
#include "tools/driver_check.h"

#include "runtime/gemm/gemm.h"
#include "runtime/ops/attention.h"
#include "runtime/util/file.h"

#include <errno.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Nodes of the kernel's drivers, and the .icd file (part of its name) without which their devices are not seen. */
static const struct {
    const char *nodes, *icd, *package, *group;
} nodes[] = {
    {"/dev/nvidiactl", "nvidia",
     "nvidia-opencl-icd (containers: share the host's, or write nvidia.icd with the line "
     "libnvidia-opencl.so.1)",
     "video"},
    {"/dev/kfd", "amd", "rocm-opencl-runtime", "render"},
    {"/dev/dri/renderD*", "", "intel-opencl-icd, mesa-opencl-icd or rocm-opencl-runtime", "render"},
};

/* The drivers' .icd files, where ocl-icd and Khronos' loader look for them. */
static glob_t icd_files(void)
{
    const char *folder = getenv("OCL_ICD_VENDORS");
    char *pattern = mem_format("%s/*.icd", folder && folder[0] ? folder : "/etc/OpenCL/vendors");
    glob_t found = {0};
    glob(pattern, 0, NULL, &found);
    free(pattern);
    return found;
}

/* An .icd file holds the name of a library; one with a slash must be a file that is there. */
static int check_icd(FILE *out, const char *path)
{
    char *text;
    struct error err;
    if (file_read(&text, NULL, path, 4096, &err) != 0) {
        fprintf(out, "wrong  %s\n", err.text);
        return 1;
    }
    text[strcspn(text, "\r\n")] = '\0';
    bool missing = strchr(text, '/') && !file_exists(text);
    fprintf(out, missing ? "wrong  %s names %s, which is not there: install the driver again\n" : "fine   %s: %s\n",
            path, text);
    free(text);
    return missing;
}

static bool any_named(const glob_t *files, const char *part)
{
    for (size_t i = 0; i < files->gl_pathc; i++)
        if (strcasestr(files->gl_pathv[i], part))
            return true;
    return false;
}

static int check_node(FILE *out, const char *path, const char *group)
{
    if (access(path, R_OK | W_OK) == 0) {
        fprintf(out, "fine   %s\n", path);
        return 0;
    }
    fprintf(out, "wrong  %s: %s: add yourself to its group (sudo usermod -aG %s $USER) and log in again\n", path,
            strerror(errno), group);
    return 1;
}

int driver_check_files(FILE *out)
{
    int wrong = 0;
    glob_t icds = icd_files();
    for (size_t i = 0; i < icds.gl_pathc; i++)
        wrong += check_icd(out, icds.gl_pathv[i]);
    for (size_t n = 0; n < sizeof nodes / sizeof *nodes; n++) {
        glob_t found = {0};
        glob(nodes[n].nodes, 0, NULL, &found);
        for (size_t i = 0; i < found.gl_pathc; i++)
            wrong += check_node(out, found.gl_pathv[i], nodes[n].group);
        if (found.gl_pathc > 0 && !any_named(&icds, nodes[n].icd)) {
            fprintf(out, "wrong  %s is there, but no .icd file of its OpenCL driver: install %s\n", found.gl_pathv[0],
                    nodes[n].package);
            wrong++;
        }
        globfree(&found);
    }
    globfree(&icds);
    return wrong;
}

/* A product of numbers that are exact in float32, with bias, against the host. */
static bool product_is_right(struct device *dev, bool a_transposed, bool b_transposed, const char **backend)
{
    enum { M = 45, N = 67, K = 83 };
    float a[M * K], b[K * N], c[M * N], bias[N];
    struct tensor *at = tensor_new(dev, DTYPE_F32, 2, (int[]){M, K}),
                  *bt = tensor_new(dev, DTYPE_F32, 2, (int[]){K, N});
    struct tensor *ct = tensor_new(dev, DTYPE_F32, 2, (int[]){M, N}),
                  *biases = tensor_new(dev, DTYPE_F32, 1, (int[]){N});
    for (int i = 0; i < M * K; i++)
        a[i] = (float)(i * 7 % 13 - 6);
    for (int i = 0; i < K * N; i++)
        b[i] = (float)(i * 5 % 11 - 5);
    for (int j = 0; j < N; j++)
        bias[j] = (float)j;
    tensor_upload(at, a);
    tensor_upload(bt, b);
    tensor_upload(biases, bias);
    struct gemm call = {.m = M,
                        .n = N,
                        .k = K,
                        .a = at,
                        .b = bt,
                        .c = ct,
                        .bias = biases,
                        .a_transposed = a_transposed,
                        .b_transposed = b_transposed};
    gemm(&call);
    *backend = gemm_choice(dev, &call);
    struct error ignored;
    bool right = device_finish(dev, &ignored) == 0;
    tensor_download(c, ct);
    for (int i = 0; right && i < M; i++)
        for (int j = 0; right && j < N; j++) {
            float want = bias[j];
            for (int p = 0; p < K; p++)
                want += a[a_transposed ? p * M + i : i * K + p] * b[b_transposed ? j * K + p : p * N + j];
            right = c[i * N + j] == want;
        }
    tensor_free(at);
    tensor_free(bt);
    tensor_free(ct);
    tensor_free(biases);
    return right;
}

bool driver_check_device(FILE *out, struct device *dev)
{
    static const int head_dims[] = {32, 64, 80, 128};
    bool fine = true;
    selftest_forget(device_info(dev));
    for (int layout = 0; layout < 4; layout++) {
        const char *backend;
        bool right = product_is_right(dev, layout & 2, layout & 1, &backend);
        fprintf(out, "%s  products %c%c by %s\n", right ? "right" : "wrong", layout & 2 ? 'T' : 'N',
                layout & 1 ? 'T' : 'N', backend);
        fine = fine && right;
    }
    for (size_t i = 0; i < 2 * sizeof head_dims / sizeof *head_dims; i++) {
        bool causal = i & 1, fast = attention_is_fast(dev, head_dims[i / 2], causal);
        fprintf(out, "%s  attention with heads of %d%s%s\n", fast ? "right" : "wrong", head_dims[i / 2],
                causal ? ", causal" : "", fast ? "" : ": the plain kernel is used");
        fine = fine && fast;
    }
    struct error err;
    if (device_finish(dev, &err) == 0)
        return fine;
    fprintf(out, "wrong  %s\n", err.text);
    return false;
}
