"""Training steps of oclip against PyTorch: the same pretrained towers, heads, photos and captions in the same order.

    python tests/peers/train_steps.py DINO_DIR MINILM_DIR DATA TRAINER [--lock none|image|text|both] [--steps 10]

DATA holds captions.csv and images/. Both programs start from a dual encoder that is written here and train it with
the same rates; neither drops anything out. Prints both lists of losses and the largest difference.
"""
import argparse
import json
import math
import pathlib
import re
import tempfile
import time

import torch
from reference import ImageTower, TextTower, call, first_pairs, in_batches, write_pairs
from safetensors.torch import load_file, save_file
from torch import nn

DIM, RATE_TOWER, RATE_HEAD, DECAY, BETAS, EPS = 512, 1e-5, 1e-3, 0.1, (0.9, 0.98), 1e-6


class Head(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.fc1, self.fc2, self.norm = nn.Linear(width, DIM), nn.Linear(DIM, DIM), nn.LayerNorm(DIM)

    def forward(self, x):
        y = self.fc1(x)
        return self.norm(self.fc2(nn.functional.gelu(y)) + y)


class DualEncoder(nn.Module):
    def __init__(self, image_folder, text_folder):
        super().__init__()
        self.image, self.text = ImageTower(image_folder), TextTower(text_folder)
        self.image_head, self.text_head = Head(384), Head(384)
        self.scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))

    def loss(self, image_features, text_features):
        image = nn.functional.normalize(self.image_head(image_features), dim=-1)
        text = nn.functional.normalize(self.text_head(text_features), dim=-1)
        logits = self.scale.clamp(max=math.log(100)).exp() * image @ text.T
        own = torch.arange(len(image))
        return (nn.functional.cross_entropy(logits, own) + nn.functional.cross_entropy(logits.T, own)) / 2


def write_start(folder, model, arguments):
    """The model as oclip saves one: models/clip_files.c has the names."""
    tensors = {"logit_scale": model.scale.data}
    for source, prefix in ((arguments.dino, "vision_model."), (arguments.minilm, "text_model.")):
        tensors |= {prefix + name: tensor for name, tensor in load_file(source / "model.safetensors").items()}
    for head, prefix in ((model.image_head, "visual_projection."), (model.text_head, "text_projection.")):
        tensors |= {prefix + name: tensor for name, tensor in head.state_dict().items()}
    folder.mkdir()
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    configs = [json.loads((source / "config.json").read_text()) for source in (arguments.dino, arguments.minilm)]
    (folder / "config.json").write_text(json.dumps({
        "model_type": "vision-text-dual-encoder", "projection_dim": DIM, "vision_config": configs[0],
        "text_config": configs[1] | {"oclip_pooling": "mean", "oclip_normalise": True}, "oclip_head": "mlp"}))
    for source, name in ((arguments.dino, "preprocessor_config.json"), (arguments.minilm, "vocab.txt"),
                         (arguments.minilm, "tokenizer_config.json"), (arguments.minilm, "sentence_bert_config.json")):
        (folder / name).write_bytes((source / name).read_bytes())


def run_trainer(scratch, start, pairs, arguments):
    table = scratch / "pairs.csv"
    write_pairs(table, pairs)
    locks = {"none": [], "image": ["--lock-image"], "text": ["--lock-text"], "both": ["--lock-image", "--lock-text"]}
    command = [arguments.trainer, "--model", start, "--train-data", table, "--val-split", "0", "--no-shuffle",
               "--dropout", "0", "--batch-size", arguments.batch_size, "--max-steps", arguments.steps, "--epochs", "1",
               "--lr-scheduler", "const", "--lr-image", RATE_TOWER, "--lr-text", RATE_TOWER, "--lr-head", RATE_HEAD,
               "--wd", DECAY, "--beta2", BETAS[1], "--eps", EPS, "--log-every-n-steps", "1", "--out", scratch,
               "--name", "run", *locks[arguments.lock]]
    call(*command)
    return [float(loss) for loss in re.findall(r" step \d+ loss (\S+)", (scratch / "run" / "out.log").read_text())]


def standardise(features, head):
    """oclip trains heads on a locked tower's features with mean 0 and deviation 1; the head takes them into account."""
    mean = features.mean(0)
    deviation = features.std(0, correction=0).clamp(min=1e-6)  # MiniLM has a dead dimension
    head.fc1.bias.data += head.fc1.weight.data @ mean
    head.fc1.weight.data *= deviation
    return (features - mean) / deviation


def run_torch(model, pairs, arguments):
    lock_image, lock_text = arguments.lock in ("image", "both"), arguments.lock in ("text", "both")
    paths, texts = [path for path, _ in pairs], [text for _, text in pairs]
    images = standardise(in_batches(model.image, paths), model.image_head) if lock_image else None
    captions = standardise(in_batches(model.text, texts), model.text_head) if lock_text else None
    groups = []
    for name, parameter in model.named_parameters():
        if (lock_image and name.startswith("image.")) or (lock_text and name.startswith("text.")):
            continue
        rate = RATE_TOWER if name.startswith(("image.", "text.")) else RATE_HEAD
        groups.append({"params": [parameter], "lr": rate, "weight_decay": DECAY * (parameter.squeeze().ndim > 1)})
    optimizer, losses = torch.optim.AdamW(groups, betas=BETAS, eps=EPS), []
    for step in range(arguments.steps):
        part = slice(step * arguments.batch_size, (step + 1) * arguments.batch_size)
        loss = model.loss(images[part] if lock_image else model.image(paths[part]),
                          captions[part] if lock_text else model.text(texts[part]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dino", type=pathlib.Path)
    parser.add_argument("minilm", type=pathlib.Path)
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("trainer", type=pathlib.Path)
    parser.add_argument("--lock", choices=["none", "image", "text", "both"], default="none")
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--batch-size", type=int, default=16)
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    torch.manual_seed(0)
    pairs = first_pairs(arguments.data, arguments.steps * arguments.batch_size)
    model = DualEncoder(arguments.dino, arguments.minilm)
    with tempfile.TemporaryDirectory() as folder:
        start = pathlib.Path(folder, "start")
        write_start(start, model, arguments)
        began = time.time()
        ours = run_trainer(pathlib.Path(folder), start, pairs, arguments)
        between = time.time()
    theirs = run_torch(model, pairs, arguments)
    print(f"trainer {between - began:.1f} s in all, PyTorch {time.time() - between:.1f} s")
    for step, (a, b) in enumerate(zip(ours, theirs, strict=True), 1):
        print(f"step {step:2}  oclip {a:.6f}  PyTorch {b:.6f}  difference {a - b:+.1e}")
    print(f"largest difference {max(abs(a - b) for a, b in zip(ours, theirs)):.1e}")


if __name__ == "__main__":
    main()
