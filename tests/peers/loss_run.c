/* For losses.py: a loss and its gradients, of a batch too large for the batch x batch matrix.
 *
 *     loss_run clip|siglip FOLDER      reads images.npy, texts.npy [batch, width] and scalars.npy [2] (logit scale and
 *                                      bias) there, and writes loss.npy, images.grad.npy, texts.grad.npy,
 *                                      scalars.grad.npy; prints device memory beside the embeddings and gradients
 */
#include "runtime/buffer.h"
#include "runtime/util/file.h"
#include "runtime/util/progress.h"
#include "tests/golden.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct tensor *upload(struct tape *tape, const struct golden *inputs, const char *file)
{
    struct npy numbers = golden_numbers(inputs, file);
    int dim[2] = {(int)numbers.shape[0], (int)numbers.shape[1]};
    struct tensor *tensor = tape_upload(tape, DTYPE_F32, numbers.ndim, dim, numbers.data);
    tensor->needs_grad = true;
    npy_free(&numbers);
    return tensor;
}

static struct tensor *number(struct tape *tape, const float *value)
{
    struct tensor *tensor = tape_upload(tape, DTYPE_F32, 1, (int[]){1}, value);
    tensor->needs_grad = true;
    return tensor;
}

static int write_numbers(const struct golden *inputs, const char *file, const float *numbers, long rows, long width,
                         struct error *err)
{
    char *path = golden_path(inputs, file);
    int result = npy_write(path, numbers, width ? 2 : 1, (long[]){rows, width}, err);
    free(path);
    return result;
}

static int write_gradient(const struct golden *inputs, const char *file, const struct tensor *x, struct error *err)
{
    float *numbers = golden_download(x->grad);
    int result = write_numbers(inputs, file, numbers, x->dim[0], x->dim[1], err);
    free(numbers);
    return result;
}

static int run(struct tape *tape, struct device *dev, const struct golden *inputs, bool siglip, struct error *err)
{
    struct tensor *image = upload(tape, inputs, "images.npy"), *text = upload(tape, inputs, "texts.npy");
    struct npy scalars = golden_numbers(inputs, "scalars.npy");
    struct tensor *scale = number(tape, scalars.data), *bias = number(tape, scalars.data + 1);
    double start = clock_seconds();
    struct tensor *loss = siglip ? op_sigmoid_loss(tape, image, text, scale, bias, NULL, NULL)
                                 : op_contrastive(tape, image, text, scale, NULL);
    tape_backward(tape, loss);
    if (device_finish(dev, err) != 0)
        return -1;
    double beside = (double)buffer_bytes_peak(dev) - 2.0 * (double)(tensor_bytes(image) + tensor_bytes(text));
    printf("%.1f s, %.1f MB\n", clock_seconds() - start, 1e-6 * beside);

    float *value = golden_download(loss);
    float gradients[2] = {0};
    tensor_download(gradients, scale->grad);
    if (siglip)
        tensor_download(gradients + 1, bias->grad);
    int result = write_numbers(inputs, "loss.npy", value, 1, 0, err);
    if (result == 0)
        result = write_numbers(inputs, "scalars.grad.npy", gradients, 2, 0, err);
    if (result == 0)
        result = write_gradient(inputs, "images.grad.npy", image, err);
    if (result == 0)
        result = write_gradient(inputs, "texts.grad.npy", text, err);
    free(value);
    npy_free(&scalars);
    return result;
}

int main(int argc, char **argv)
{
    struct error err;
    struct device *dev;
    if (argc != 3) {
        error_set(&err, EXIT_USAGE, "usage: loss_run clip|siglip FOLDER");
        return error_report(&err);
    }
    if (device_open(&dev, "auto", &err) != 0)
        return error_report(&err);
    struct golden inputs = golden_open_folder(argv[2]);
    struct tape *tape = tape_new(dev, true);
    int result = run(tape, dev, &inputs, strcmp(argv[1], "siglip") == 0, &err);
    tape_free(tape);
    golden_close(&inputs);
    device_close(dev);
    return result != 0 ? error_report(&err) : EXIT_OK;
}
