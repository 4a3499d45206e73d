"""The pretrained towers of oclip against transformers.

    python tests/peers/towers.py DINO_DIR MINILM_DIR DATA EMBED [--count 64]

EMBED is build/tools/embed, DATA holds captions.csv and images/. Photos are cut to 224 x 224 first and written as PNG,
so that both programs see the same pixels. Prints the largest difference of each tower's output, relative to the
largest number in it, and the smallest cosine.
"""
import argparse
import pathlib
import subprocess
import tempfile

import numpy as np
import torch
from reference import ImageTower, TextTower, in_batches, load_square, read_captions


def embed(program, *options):
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder, "rows.npy")
        subprocess.run([str(word) for word in (program, *options, "--out", out)], check=True)
        return torch.from_numpy(np.load(out))


def compare(name, ours, theirs):
    error = ((ours - theirs).abs().max() / theirs.abs().max()).item()
    cosine = torch.nn.functional.cosine_similarity(ours.double(), theirs.double()).min().item()
    print(f"{name}: {len(ours)} rows, relative error {error:.1e}, smallest cosine {cosine:.9f}")


def compare_images(arguments, paths):
    with tempfile.TemporaryDirectory() as folder:
        squares = []
        for i, path in enumerate(paths):
            squares.append(str(pathlib.Path(folder, f"{i:04}.png")))
            load_square(path).save(squares[-1])
        listing = pathlib.Path(folder, "list.txt")
        listing.write_text("".join(f"{path}\n" for path in squares))
        ours = embed(arguments.embed, "--image-model", arguments.dino, "--images", listing)
        compare("images", ours, in_batches(ImageTower(arguments.dino), squares))


def compare_texts(arguments, texts):
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as file:
        file.write("".join(f"{text}\n" for text in texts))
        file.flush()
        ours = embed(arguments.embed, "--text-model", arguments.minilm, "--texts", file.name)
    compare("texts", ours, in_batches(TextTower(arguments.minilm), texts))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("dino", "minilm", "data", "embed"):
        parser.add_argument(name, type=pathlib.Path)
    parser.add_argument("--count", type=int, default=64)
    arguments = parser.parse_args()
    captions = read_captions(arguments.data.resolve())
    compare_images(arguments, list(captions)[:arguments.count])
    compare_texts(arguments, [text for texts in captions.values() for text in texts][:4 * arguments.count])


if __name__ == "__main__":
    main()
