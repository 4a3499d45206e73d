"""The same training on every OpenCL implementation at hand: losses side by side, and the largest difference.

    python tests/peers/implementations.py build/trainer [--intel DIR] [--model tiny] [--steps 200] [--only NAME,NAME]

DIR holds the .so files of Intel's CPU runtime and an .icd file that names libintelocl.so (CONTRIBUTING.md says how to
make it). PoCL is run twice: once with the kernels' CPU form, once with that for GPUs. An implementation that is not
there is named and left out. All start from the same weights, random ones of a small model that transformers writes (for
rusticl `--model tiny`, the trainer's own, takes hours), and train it with a warm-up, as one does. Ends with 1 if two
losses of a step differ by more than 1e-3.
"""
import argparse
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

BAR, NO_DEVICE = 1e-3, 3
TESTS = pathlib.Path(__file__).parents[1]
SAMPLE = TESTS / "sample"
WIDTH, HEADS, LAYERS, SIDE, PATCH = 48, 3, 2, 48, 12


def write_small_model(folder):
    """DINOv2 and BERT with two layers each."""
    import torch
    from transformers import BertConfig, Dinov2Config, VisionTextDualEncoderConfig, VisionTextDualEncoderModel

    size = {"hidden_size": WIDTH, "num_hidden_layers": LAYERS, "num_attention_heads": HEADS}
    vision = Dinov2Config(**size, image_size=SIDE, patch_size=PATCH, use_mask_token=False)
    text = BertConfig(**size, intermediate_size=4 * WIDTH, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    config = VisionTextDualEncoderConfig.from_vision_text_configs(vision, text, projection_dim=WIDTH)
    shutil.copytree(TESTS / "goldens" / "minilm-tokenizer", folder)
    torch.manual_seed(0)
    VisionTextDualEncoderModel(config).save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps({
        "image_processor_type": "BitImageProcessor", "size": {"shortest_edge": SIDE}, "crop_size": SIDE,
        "do_center_crop": True, "resample": 3, "image_mean": [0.5] * 3, "image_std": [0.25] * 3}))
    return folder


def implementations(intel):
    """A name, and what in the environment chooses it."""
    yield "pocl", {"OCLIP_DEVICE": "portable"}
    yield "pocl as gpu", {"OCLIP_DEVICE": "portable", "OCLIP_DEVICE_CLASS": "gpu"}
    if intel:
        yield "intel", {"OCL_ICD_VENDORS": str(intel), "LD_LIBRARY_PATH": str(intel)}
    yield "rusticl", {"OCLIP_DEVICE": "rusticl", "RUSTICL_ENABLE": "llvmpipe"}


def train(arguments, model, environment, scratch, name):
    """The losses of all steps; None when there is no such device."""
    command = [arguments.trainer, "--quiet", "--model", model, "--lr", "1e-3", "--warmup", str(arguments.steps // 10),
               "--train-data", SAMPLE / "captions.csv", "--image-root", SAMPLE / "images", "--batch-size", "16",
               "--epochs", "1000", "--max-steps", str(arguments.steps), "--val-split", "0", "--log-every-n-steps", "1",
               "--save-frequency", "1000", "--out", scratch, "--name", name]
    environment = os.environ | environment | {"OCLIP_CACHE": f"{scratch}/cache-{name}"}
    result = subprocess.run(command, env=environment, stderr=subprocess.PIPE, text=True, check=False)
    if result.returncode == NO_DEVICE:
        return None
    if result.returncode:
        sys.exit(f"{name}: exit code {result.returncode}: {result.stderr}")
    print(f"{name}: {result.stderr.strip() or 'every kernel was found right'}")
    log = (pathlib.Path(scratch) / name / "out.log").read_text()
    return [float(loss) for loss in re.findall(r" step \d+ loss (\S+) ", log)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trainer")
    parser.add_argument("--intel", type=pathlib.Path)
    parser.add_argument("--model", help='"tiny", or a folder')
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--only", default="", help="these implementations, with commas between them")
    arguments = parser.parse_args()
    only = arguments.only.split(",")
    losses = {}
    with tempfile.TemporaryDirectory() as scratch:
        model = arguments.model or write_small_model(pathlib.Path(scratch) / "small")
        for name, environment in implementations(arguments.intel):
            if arguments.only and name not in only:
                continue
            losses[name] = train(arguments, model, environment, scratch, name)
            if losses[name] is None:
                print(f"{name}: not there")
                del losses[name]
    print(" step " + "".join(f"{name:>12}" for name in losses))
    for step, row in enumerate(zip(*losses.values(), strict=True), 1):
        if step == 1 or step % 20 == 0:
            print(f"{step:5} " + "".join(f"{loss:12.6f}" for loss in row))
    worst = max(max(row) - min(row) for row in zip(*losses.values(), strict=True))
    print(f"{arguments.steps} steps on {len(losses)} implementations: largest difference {worst:.2g}, {BAR} allowed")
    return worst > BAR or len(losses) < 2


if __name__ == "__main__":
    sys.exit(main())
