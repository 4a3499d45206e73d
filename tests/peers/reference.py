"""The real towers in PyTorch, with pictures and texts prepared as their folders say. What the peer scripts share."""
import csv
import pathlib
import subprocess
import sys

import torch
from PIL import Image
from tokenizers import BertWordPieceTokenizer
from torch import nn
from torchvision import transforms
from transformers import BertModel, Dinov2Model
from transformers.utils import logging

logging.set_verbosity_error()  # it warns of the pooler, which nobody uses here
logging.disable_progress_bar()

MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
RESIZE = transforms.Resize(224, transforms.InterpolationMode.BICUBIC)
MAX_TOKENS = 256


def read_captions(data):
    """{path of a photo: [captions]} in the order of DATA/captions.csv"""
    captions = {}
    with open(pathlib.Path(data, "captions.csv"), newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            captions.setdefault(str(pathlib.Path(data, "images", row["image"])), []).append(row["caption"])
    return captions


def first_pairs(data, count):
    """[(path of a photo, its first caption)] of the first `count` photos; ends the script where there are fewer."""
    pairs = [(path, texts[0]) for path, texts in read_captions(pathlib.Path(data).resolve()).items()][:count]
    if len(pairs) < count:
        sys.exit(f"{data} has {len(pairs)} photos; {count} are needed")
    return pairs


def write_pairs(table, pairs):
    """As --train-data reads them."""
    with open(table, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("image", "caption"), *pairs])


def call(*command):
    """Runs one of oclip's programs; ends the script, with what it said, where it fails."""
    run = subprocess.run([str(word) for word in command], stderr=subprocess.PIPE, text=True)
    if run.returncode != 0:
        sys.exit(f"{command[0]} failed with {run.returncode}:\n{run.stderr}")


def load_square(path):
    """Cropped as transformers' processors do, whose settings the folders have: torchvision rounds the middle to even."""
    picture = RESIZE(Image.open(path).convert("RGB"))
    left, top = (picture.width - 224) // 2, (picture.height - 224) // 2
    return picture.crop((left, top, left + 224, top + 224))


class ImageTower(nn.Module):
    def __init__(self, folder):
        super().__init__()
        self.tower = Dinov2Model.from_pretrained(folder).eval()
        self.normalise = transforms.Compose([transforms.ToTensor(), transforms.Normalize(MEAN, STD)])

    def forward(self, paths):
        pixels = torch.stack([self.normalise(load_square(path)) for path in paths])
        return self.tower(pixels).last_hidden_state[:, 0]


class TextTower(nn.Module):
    """Mean pooling and normalisation, as all-MiniLM-L6-v2's modules.json asks for."""

    def __init__(self, folder):
        super().__init__()
        self.tower = BertModel.from_pretrained(folder, add_pooling_layer=False).eval()
        self.tokenizer = BertWordPieceTokenizer(str(pathlib.Path(folder, "vocab.txt")), lowercase=True)
        self.tokenizer.enable_truncation(MAX_TOKENS)
        self.tokenizer.enable_padding()

    def forward(self, texts):
        encoded = self.tokenizer.encode_batch(texts)
        ids = torch.tensor([text.ids for text in encoded])
        mask = torch.tensor([text.attention_mask for text in encoded])
        hidden = self.tower(input_ids=ids, attention_mask=mask).last_hidden_state
        weights = mask[..., None].to(hidden)
        return nn.functional.normalize((hidden * weights).sum(1) / weights.sum(1), dim=-1)


def in_batches(tower, items, size=32):
    with torch.inference_mode():
        rows = torch.cat([tower(items[i:i + size]) for i in range(0, len(items), size)])
    return rows.clone()
