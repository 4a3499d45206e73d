"""The contrastive losses at a batch whose similarities would not fit, against double precision.

    python tests/peers/losses.py build/tests/loss_run [--batch 65536] [--width 512]

Embeddings of length 1 in which texts resemble their own image. NumPy goes through the matrix of similarities a stripe
of rows at a time. Printed are the loss's relative error and the gradients' largest, relative to their largest number,
with what loss_run prints: the time of forward and backward, and the device memory beside embeddings and gradients.
"""
import argparse
import pathlib
import subprocess
import tempfile

import numpy as np

STRIPE = 2048


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def clip(images, texts, scale, _bias):
    """Loss, and gradients of images, texts, [log of the scale, bias] (Radford et al. 2021)."""
    count, factor = len(images), np.exp(scale)
    stripes = [slice(first, first + STRIPE) for first in range(0, count, STRIPE)]
    of_rows, columns = np.empty(count), np.zeros(count)  # logits are at most `factor`: no maximum is needed
    for rows in stripes:
        weights = np.exp(factor * images[rows] @ texts.T - factor)
        of_rows[rows] = weights.sum(1)
        columns += weights.sum(0)
    right = factor * np.einsum("iw,iw->i", images, texts)
    loss = np.mean((np.log(of_rows) + np.log(columns)) / 2 + factor - right)
    image_gradient, text_gradient, scale_gradient = np.empty_like(images), np.zeros_like(texts), 0
    for rows in stripes:
        logits = factor * images[rows] @ texts.T
        slope = np.exp(logits - factor)
        slope *= (1 / of_rows[rows, None] + 1 / columns[None]) / (2 * count)
        slope[np.arange(len(slope)), np.arange(rows.start, rows.start + len(slope))] -= 1 / count
        scale_gradient += (slope * logits).sum()
        image_gradient[rows] = factor * slope @ texts
        text_gradient += factor * slope.T @ images[rows]
    return loss, image_gradient, text_gradient, np.array([scale_gradient, 0])


def siglip(images, texts, scale, bias):
    """The same of the sigmoid loss (Zhai et al. 2023)."""
    count, factor = len(images), np.exp(scale)
    loss, image_gradient, text_gradient, scalars = 0, np.empty_like(images), np.zeros_like(texts), np.zeros(2)
    for first in range(0, count, STRIPE):
        rows = slice(first, first + STRIPE)
        similarities = factor * images[rows] @ texts.T
        sign = np.full_like(similarities, -1)
        sign[np.arange(len(sign)), np.arange(first, first + len(sign))] = 1
        margins = sign * (similarities + bias)
        loss += np.logaddexp(0, -margins).sum() / count
        slope = -sign / (1 + np.exp(margins)) / count
        scalars += (slope * similarities).sum(), slope.sum()
        image_gradient[rows] = factor * slope @ texts
        text_gradient += factor * slope.T @ images[rows]
    return loss, image_gradient, text_gradient, scalars


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("loss_run")
    parser.add_argument("--batch", type=int, default=65536)
    parser.add_argument("--width", type=int, default=512)
    args = parser.parse_args()
    random = np.random.default_rng(1)
    images = unit(random.standard_normal((args.batch, args.width))).astype("f4")
    texts = unit(images + 0.05 * random.standard_normal(images.shape)).astype("f4")
    for name, reference, scalars in (("clip", clip, (np.log(1 / 0.07), 0)), ("siglip", siglip, (np.log(10), -10))):
        with tempfile.TemporaryDirectory() as scratch:
            folder = pathlib.Path(scratch)
            scalars = np.array(scalars, "f4")
            for file, numbers in (("images", images), ("texts", texts), ("scalars", scalars)):
                np.save(folder / f"{file}.npy", numbers)
            said = subprocess.run([args.loss_run, name, folder], check=True, capture_output=True, text=True).stdout
            loss, *gradients = reference(*(x.astype("f8") for x in (images, texts)), *scalars.astype("f8"))
            errors = [f"loss off by {abs(np.load(folder / 'loss.npy')[0] - loss) / loss:.1e}"]
            for file, want in zip(("images", "texts", "scalars"), gradients):
                got = np.load(folder / f"{file}.grad.npy")
                errors.append(f"gradient of {file} {abs(got - want).max() / abs(want).max():.1e}")
        print(f"{name}, {args.batch} x {args.width}: {said.strip()}; {', '.join(errors)}")


if __name__ == "__main__":
    main()
