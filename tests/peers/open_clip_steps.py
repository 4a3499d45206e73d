"""Training steps of oclip against open_clip: ViT-B-32 from the same random weights, over the same photos and captions.

    python tests/peers/open_clip_steps.py DATA build [--size toy|full] [--steps 20] [--batch-size 8] [--warmup 10000] \
           [--double]

DATA holds captions.csv and images/. open_clip makes the model, and takes the steps as its training loop does: its loss,
its groups of parameters for AdamW (no decay of norms, biases and the logit scale), its schedule and its clamp; with
--double once more in double precision, which says whose rounding a difference is. Prints all losses, the largest
differences, and the tensors that are furthest apart. Keys' biases are told apart from those of queries and values: a
softmax does not see them, so their gradient is rounding alone, of which Adam makes whole steps.
"""
import argparse
import copy
import itertools
import json
import math
import pathlib
import tempfile

import open_clip
import torch
from open_clip.tokenizer import default_bpe
from open_clip_train.scheduler import cosine_lr
from PIL import Image
from reference import call, first_pairs, write_pairs
from safetensors.torch import load_file, save_file

RATE, DECAY, BETAS, EPS = 5e-4, 0.2, (0.9, 0.98), 1e-6  # open_clip's defaults for ViTs
TOY = {"embed_dim": 64,
       "vision_cfg": {"image_size": 224, "layers": 2, "width": 128, "head_width": 32, "patch_size": 32},
       "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 64, "heads": 2, "layers": 2}}
PREPROCESS = {"mean": open_clip.OPENAI_DATASET_MEAN, "std": open_clip.OPENAI_DATASET_STD, "interpolation": "bicubic"}


def write_model(folder, model, config):
    folder.mkdir()
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": config, "preprocess_cfg": PREPROCESS}))
    save_file({name: tensor.contiguous() for name, tensor in model.state_dict().items()},
              folder / "open_clip_model.safetensors")
    merges = pathlib.Path(default_bpe())
    (folder / merges.name).write_bytes(merges.read_bytes())


def run_trainer(scratch, start, pairs, arguments):
    """The losses of the steps, and the weights after them."""
    table = scratch / "pairs.csv"
    write_pairs(table, pairs)
    command = [arguments.build / "trainer", "--model", start, "--train-data", table, "--val-split", "0", "--no-shuffle",
               "--dropout", "0", "--batch-size", arguments.batch_size, "--epochs", "1", "--lr", RATE,
               "--warmup", arguments.warmup, "--wd", DECAY, "--beta2", BETAS[1], "--eps", EPS, "--out", scratch,
               "--name", "run"]
    call(*command)
    call(arguments.build / "tools" / "convert", "--model", scratch / "run" / "model", "--to", "open_clip",
         "--out", scratch / "end")
    steps = (scratch / "run" / "steps.jsonl").read_text().splitlines()
    return ([json.loads(step)["loss"] for step in steps], load_file(scratch / "end" / "open_clip_model.safetensors"))


def prepare(pairs):
    transform = open_clip.image_transform(224, is_train=False, mean=PREPROCESS["mean"], std=PREPROCESS["std"])
    pictures = torch.stack([transform(Image.open(path)) for path, _ in pairs])
    return pictures, open_clip.get_tokenizer("ViT-B-32")([text for _, text in pairs])


def make_optimizer(model):
    """open_clip_train/main.py"""
    named = list(model.named_parameters())
    kept = [p for n, p in named if p.ndim < 2 or "bn" in n or "ln" in n or "bias" in n or "logit_scale" in n]
    rest = [p for _, p in named if all(p is not other for other in kept)]
    return torch.optim.AdamW([{"params": kept, "weight_decay": 0.0}, {"params": rest, "weight_decay": DECAY}],
                             lr=RATE, betas=BETAS, eps=EPS)


def run_open_clip(model, pictures, texts, arguments):
    """open_clip_train/train.py: the losses of the steps, and the weights after them."""
    optimizer, loss_of, losses = make_optimizer(model), open_clip.ClipLoss(), []
    schedule = cosine_lr(optimizer, RATE, arguments.warmup, arguments.steps)
    for step in range(arguments.steps):
        part = slice(step * arguments.batch_size, (step + 1) * arguments.batch_size)
        schedule(step)
        optimizer.zero_grad()
        loss = loss_of(*model(pictures[part], texts[part]))
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            model.logit_scale.clamp_(0, math.log(100))
        losses.append(loss.item())
    return losses, model.state_dict()


def split_biases(weights):
    parts = {}
    for name, tensor in weights.items():
        if name.endswith("in_proj_bias"):
            parts |= {f"{name} ({part})": rows for part, rows in zip(("query", "key", "value"), tensor.chunk(3))}
        else:
            parts[name] = tensor
    return parts


def compare_losses(runs):
    for step, row in enumerate(zip(*(losses for losses, _ in runs.values()), strict=True), 1):
        print(f"step {step:2}" + "".join(f"  {name} {loss:.6f}" for name, loss in zip(runs, row)))
    for (one, (a, _)), (other, (b, _)) in itertools.combinations(runs.items(), 2):
        print(f"losses, {one} - {other}: at most {max(abs(x - y) for x, y in zip(a, b)):.1e}")


def compare_weights(runs):
    weights, apart = {name: split_biases(end) for name, (_, end) in runs.items()}, {}
    for one, other in itertools.combinations(weights, 2):
        column = apart[f"{one} - {other}"] = {
            name: (tensor.double() - weights[other][name].double()).abs().max().item()
            for name, tensor in weights[one].items()}
        seen = {name: value for name, value in column.items() if not name.endswith("(key)")}
        print(f"weights, {one} - {other}: keys' biases at most {max(column.values()):.1e}; others at most "
              f"{max(seen.values()):.1e}, above 1e-5 in {sum(value > 1e-5 for value in seen.values())} of {len(seen)}")
    first = next(iter(apart.values()))
    for name in sorted(first, key=first.get, reverse=True)[:12]:
        print(f"  {name:56}" + "".join(f"  {heading} {column[name]:.1e}" for heading, column in apart.items()))


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--size", choices=["toy", "full"], default="toy")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--warmup", type=int, default=10000)
    parser.add_argument("--double", action="store_true")
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    torch.manual_seed(0)
    pairs = first_pairs(arguments.data, arguments.steps * arguments.batch_size)
    config = TOY if arguments.size == "toy" else open_clip.get_model_config("ViT-B-32")
    model = open_clip.CLIP(**config)
    with tempfile.TemporaryDirectory() as folder:
        start = pathlib.Path(folder, "start")
        write_model(start, model, config)
        runs = {"oclip": run_trainer(pathlib.Path(folder), start, pairs, arguments)}
    pictures, texts = prepare(pairs)
    runs["open_clip"] = run_open_clip(copy.deepcopy(model), pictures, texts, arguments)
    if arguments.double:
        runs["double"] = run_open_clip(model.double(), pictures.double(), texts, arguments)
    compare_losses(runs)
    compare_weights(runs)


if __name__ == "__main__":
    main()
