#!/usr/bin/env python3
"""Indexes one folder with oclip and as rclip does it, the towers being the same.

    python tests/peers/indexing.py build/tools/retrieve MODEL TOWER PHOTOS [--count 1000] [--batch 8]

TOWER is a DINOv2 folder of transformers, and MODEL a model whose image tower is that one (trainer --image-model TOWER);
or TOWER is `ViT-B-32`, which open_clip makes of random numbers and writes into the new folder MODEL. rclip opens a
batch of photos with Pillow, transforms them, runs the tower and writes the vectors to SQLite, one after the other; so
does this in PyTorch, from the first photo to the last commit. oclip's time is that of the whole program, from its start
on. Each begins with an empty index; the photos lie in a folder of their own.
"""
import argparse
import json
import os
import pathlib
import shutil
import sqlite3
import subprocess
import tempfile
import time

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("retrieve")
parser.add_argument("model", type=pathlib.Path)
parser.add_argument("tower")
parser.add_argument("photos", type=pathlib.Path)
parser.add_argument("--count", type=int, default=1000)
parser.add_argument("--batch", type=int, default=8, help="rclip's --indexing-batch-size")
options = parser.parse_args()


def dino():
    """What prepares a photo, and what makes vectors of a batch."""
    from torchvision import transforms
    from transformers import Dinov2Model
    tower = Dinov2Model.from_pretrained(options.tower).eval()
    config = json.loads(pathlib.Path(options.tower, "preprocessor_config.json").read_text())
    prepare = transforms.Compose([
        transforms.Resize(config["size"]["shortest_edge"], transforms.InterpolationMode.BICUBIC),
        transforms.CenterCrop(config["crop_size"]["height"]), transforms.ToTensor(),
        transforms.Normalize(config["image_mean"], config["image_std"])])
    return prepare, lambda pixels: tower(pixels).pooler_output


def clip():
    import open_clip
    from open_clip_steps import PREPROCESS, write_model
    config = open_clip.get_model_config(options.tower)
    model = open_clip.CLIP(**config).eval()
    write_model(options.model, model, config)
    prepare = open_clip.image_transform(224, is_train=False, mean=PREPROCESS["mean"], std=PREPROCESS["std"])
    return prepare, model.encode_image


def oclip(folder):
    begin = time.monotonic()
    subprocess.run([options.retrieve, "--quiet", "--model", options.model, "--gallery", folder, "-k", "1", "a dog"],
                   check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - begin


def rclip(folder, prepare, encode):
    import torch
    from PIL import Image
    torch.set_num_threads(os.cpu_count())
    files = sorted(folder.glob("*.jpg"))
    database = sqlite3.connect(folder.parent / "rclip.db")
    database.execute("CREATE TABLE images (filepath TEXT PRIMARY KEY, modified_at REAL, size REAL, vector BLOB)")
    begin = time.monotonic()
    with torch.inference_mode():
        for at in range(0, len(files), options.batch):
            batch = files[at:at + options.batch]
            pixels = torch.stack([prepare(Image.open(file).convert("RGB")) for file in batch])
            vectors = torch.nn.functional.normalize(encode(pixels)).numpy()
            database.executemany("INSERT INTO images VALUES (?, ?, ?, ?)",
                                 [(str(file), (status := file.stat()).st_mtime, status.st_size, vector.tobytes())
                                  for file, vector in zip(batch, vectors)])
            database.commit()
    return time.monotonic() - begin


with tempfile.TemporaryDirectory() as scratch:
    folder = pathlib.Path(scratch) / "photos"
    folder.mkdir()
    for photo in sorted(options.photos.glob("*.jpg"))[:options.count]:
        shutil.copy(photo, folder)
    tower = dino() if pathlib.Path(options.tower).is_dir() else clip()
    ours, again, theirs = oclip(folder), oclip(folder), rclip(folder, *tower)
    print(f"{options.count} photos: oclip {ours:.1f} s (a second run {again:.2f} s), rclip's way in PyTorch {theirs:.1f} s: "
          f"{theirs / ours:.2f} x")
