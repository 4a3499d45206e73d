"""Full-size ResNet towers with random weights: oclip against timm and open_clip.

    python tests/peers/resnets.py EMBED [--count 8]

EMBED is build/tools/embed. The models (timm's resnet50 and resnet18, open_clip's RN50) are made on the spot, with
running statistics that a few training passes leave; pictures are noise of the size that each wants, so that only the
tower is compared. Prints the largest difference of the outputs, relative to the largest number, and the smallest cosine.
"""
import argparse
import json
import pathlib
import shutil
import tempfile

import numpy as np
import open_clip
import timm
import torch
from PIL import Image
from safetensors.torch import save_file
from towers import compare, embed

TOKENIZER = pathlib.Path(__file__).parent.parent / "goldens" / "bpe"  # any will do: no text is embedded
SIDE, MEAN, STD = 224, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


def write_pictures(folder, count):
    """Noise of several grains. Returns the list's path and the pixels, [count, side, side, 3] bytes."""
    random, paths, pictures = np.random.default_rng(5), [], []
    for i in range(count):
        coarse = random.integers(0, 256, (2 + 3 * i, 2 + 3 * i, 3), dtype=np.uint8)
        picture = Image.fromarray(coarse).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
        paths.append(folder / f"{i:04}.png")
        picture.save(paths[-1])
        pictures.append(np.asarray(picture))
    (folder / "list.txt").write_text("".join(f"{path}\n" for path in paths))
    return folder / "list.txt", np.stack(pictures)


def normalised(pictures, mean, std):
    return ((torch.from_numpy(pictures) / 255 - torch.tensor(mean)) / torch.tensor(std)).permute(0, 3, 1, 2)


def settle(model, run, pixels):
    """Weights stay random; the running statistics become those of such pictures."""
    model.train()
    with torch.no_grad():
        for _ in range(10):
            run(pixels)
    return model.eval()


def write_timm(folder, name, pixels):
    torch.manual_seed(0)
    model = timm.create_model(name, num_classes=0)
    settle(model, model, pixels)
    (folder / "config.json").write_text(json.dumps({
        "architecture": name, "num_classes": 0, "pretrained_cfg": {
            "input_size": [3, SIDE, SIDE], "interpolation": "bicubic", "crop_pct": 1.0, "mean": MEAN, "std": STD}}))
    save_file(model.state_dict(), folder / "model.safetensors")
    return model


def write_open_clip(folder, name, pixels):
    torch.manual_seed(0)
    model = open_clip.create_model(name)
    settle(model, model.encode_image, pixels)
    (folder / "open_clip_config.json").write_text(json.dumps({
        "model_cfg": open_clip.get_model_config(name),
        "preprocess_cfg": {"mean": MEAN, "std": STD, "interpolation": "bicubic", "resize_mode": "shortest"}}))
    save_file(model.state_dict(), folder / "open_clip_model.safetensors")
    for file in ("vocab.json", "merges.txt"):
        shutil.copy(TOKENIZER / file, folder)
    return model


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("embed", type=pathlib.Path)
    parser.add_argument("--count", type=int, default=8)
    arguments = parser.parse_args()
    for name in ("resnet18", "resnet50", "RN50"):
        with tempfile.TemporaryDirectory() as scratch:
            folder = pathlib.Path(scratch)
            listing, pictures = write_pictures(folder, arguments.count)
            pixels = normalised(pictures, MEAN, STD)
            model = (write_open_clip if name == "RN50" else write_timm)(folder, name, pixels)
            with torch.no_grad():
                theirs = (model.encode_image if name == "RN50" else model)(pixels)
            option = "--model" if name == "RN50" else "--image-model"
            ours = embed(arguments.embed, option, folder, "--images", listing)
            if name == "RN50":
                theirs = torch.nn.functional.normalize(theirs, dim=-1)
            compare(name, ours, theirs)


if __name__ == "__main__":
    main()
