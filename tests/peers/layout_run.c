/* For layouts.py: what a model makes of inputs that stand in a folder as goldens do (pictures.u8, ids.npy,
 * lengths.npy), behind its heads.
 *
 *     layout_run MODEL INPUTS OUT          writes image_features.npy, text_features.npy, loss.npy to OUT
 *     layout_run MODEL INPUTS OUT FORMAT   and the gradients of one step, as a model of that format in OUT
 */
#include "runtime/util/file.h"
#include "runtime/util/progress.h"
#include "tests/golden.h"

#include <stdio.h>
#include <stdlib.h>

struct run {
    struct device *dev;
    struct clip *clip;
    struct tape *tape;
    struct golden inputs;
    const char *out;
};

static int write_numbers(const struct run *run, const char *file, const struct tensor *tensor, struct error *err)
{
    float *numbers = golden_download(tensor);
    char *path = path_join(run->out, file);
    long shape[2] = {tensor->dim[0], tensor_width(tensor)};
    int result = npy_write(path, numbers, tensor->ndim, shape, err);
    free(path);
    free(numbers);
    return result;
}

/* In the place of the weights they can be saved as weights are. */
static int write_gradients(const struct run *run, const char *format, struct error *err)
{
    struct arena *arena = run->clip->arena;
    for (int i = 0; i < arena->count; i++) {
        const struct param *param = &arena->params[i];
        float *numbers = golden_download(param->tensor->grad);
        arena_upload(arena, param, numbers);
        free(numbers);
    }
    return clip_save_as(run->clip, run->out, format, STORED_F32, err);
}

static int run_model(struct run *run, const char *format, struct error *err)
{
    struct tensor *image = golden_images(run->tape, run->clip, &run->inputs);
    struct tensor *text = golden_ids(run->tape, run->clip, &run->inputs);
    struct tensor *loss = clip_loss(run->tape, run->clip, image, text, NULL);
    image = head_forward(run->tape, &run->clip->image_head, image);
    text = head_forward(run->tape, &run->clip->text_head, text);
    if (write_numbers(run, "image_features.npy", image, err) != 0 ||
        write_numbers(run, "text_features.npy", text, err) != 0 || write_numbers(run, "loss.npy", loss, err) != 0)
        return -1;
    if (!format)
        return device_finish(run->dev, err);
    tape_backward(run->tape, loss);
    return write_gradients(run, format, err);
}

int main(int argc, char **argv)
{
    struct error err;
    if (argc < 4) {
        error_set(&err, EXIT_USAGE, "usage: layout_run MODEL INPUTS OUT [FORMAT]");
        return error_report(&err);
    }
    struct run run = {.inputs = golden_open_folder(argv[2]), .out = argv[3]};
    bool trains = argc > 4;
    double start = clock_seconds();
    if (device_open(&run.dev, "auto", &err) != 0)
        return error_report(&err);
    double opened = clock_seconds();
    if (clip_open_towers(&run.clip, run.dev, argv[1], trains ? ~0u : 0, &err) != 0)
        return error_report(&err);
    printf("device %.2f s, model %.2f s\n", opened - start, clock_seconds() - opened);
    run.tape = tape_new(run.dev, trains);
    int result = run_model(&run, trains ? argv[4] : NULL, &err);
    tape_free(run.tape);
    clip_close(run.clip);
    device_close(run.dev);
    golden_close(&run.inputs);
    return result == 0 ? EXIT_OK : error_report(&err);
}
