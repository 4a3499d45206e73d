"""LoRA's updates that trainer saves apart, in peft upon the model they were trained from, against the merged model.

    pip install peft
    python tests/peers/adapters.py DATA build

DATA holds captions.csv and images/. Small CLIPs with random weights, transformers' own and open_clip's with a timm
tower, are trained for some steps with --lora-rank; then tools/embed's embeddings of the merged model are held against
what the library makes of the first model with the adapter loaded. Prints the largest difference, and how far training
moved them.
"""
import argparse
import json
import pathlib
import tempfile

import numpy as np
import open_clip
import torch
from open_clip.tokenizer import default_bpe
from peft import PeftModel
from PIL import Image
from reference import call, first_pairs
from safetensors.torch import save_file
from torch import nn
from transformers import CLIPConfig, CLIPModel
from transformers.utils import logging

logging.set_verbosity_error()
MEAN, STD = open_clip.OPENAI_DATASET_MEAN, open_clip.OPENAI_DATASET_STD
TEXT = {"context_length": 77, "vocab_size": 49408, "width": 64, "heads": 2, "layers": 2}
TIMM = {"embed_dim": 64, "text_cfg": TEXT,
        "vision_cfg": {"timm_model_name": "vit_tiny_patch16_224", "timm_pool": "token", "timm_proj": "linear",
                       "image_size": 224}}


def write_json(path, value):
    path.write_text(json.dumps(value))


def hf_clip(folder):
    """transformers' CLIPModel, whose adapter is of q_proj, k_proj and v_proj where oclip has one matrix."""
    tower = {"hidden_size": 64, "intermediate_size": 256, "num_hidden_layers": 2, "num_attention_heads": 2}
    model = CLIPModel(CLIPConfig(projection_dim=64, text_config=dict(tower, eos_token_id=49407),
                                 vision_config=dict(tower, patch_size=32)))
    model.save_pretrained(folder)
    write_json(folder / "preprocessor_config.json", {
        "image_processor_type": "CLIPImageProcessor", "size": {"shortest_edge": 224}, "do_center_crop": True,
        "crop_size": 224, "resample": 3, "image_mean": MEAN, "image_std": STD})
    return model


def run_hf(model, pictures, ids):
    return (model.visual_projection(model.vision_model(pictures).pooler_output),
            model.text_projection(model.text_model(ids).pooler_output))


def timm_clip(folder):
    """open_clip's with a timm tower, which has one module for queries, keys and values, as oclip has."""
    model = open_clip.CLIP(**TIMM)
    write_json(folder / "open_clip_config.json",
               {"model_cfg": TIMM, "preprocess_cfg": {"mean": MEAN, "std": STD, "interpolation": "bicubic"}})
    save_file({name: tensor.contiguous() for name, tensor in model.state_dict().items()},
              folder / "open_clip_model.safetensors")
    return model


def run_open_clip(model, pictures, ids):
    return model.encode_image(pictures), model.encode_text(ids)


CASES = {"transformers' CLIPModel": (hf_clip, run_hf, ["--lora-targets", "qkv,out,fc1,fc2"]),
         "open_clip with a timm tower": (timm_clip, run_open_clip, ["--lora-targets", "qkv,fc2", "--lock-text"])}


def embed(model, run, pictures, ids):
    with torch.inference_mode():
        return [nn.functional.normalize(x, dim=-1).numpy() for x in run(model.eval(), pictures, ids)]


def compare(name, pairs, arguments, scratch):
    make, run, options = CASES[name]
    start, merged = scratch / "start", scratch / "run" / "model"
    start.mkdir()
    model = make(start)
    merges = pathlib.Path(default_bpe())
    (start / merges.name).write_bytes(merges.read_bytes())
    call(arguments.build / "trainer", "--model", start, "--train-data", arguments.data / "captions.csv", "--image-root",
         arguments.data / "images", "--max-steps", 5, "--batch-size", 16, "--lr", "1e-2", "--lora-rank", 4,
         "--lora-alpha", 8, "--val-split", 0, "--out", scratch, "--name", "run", *options)
    (scratch / "images").write_text("".join(f"{path}\n" for path, _ in pairs))
    (scratch / "texts").write_text("".join(f"{text}\n" for _, text in pairs))
    got = []
    for side in ("images", "texts"):
        call(arguments.build / "tools" / "embed", "--model", merged, f"--{side}", scratch / side, "--out",
             scratch / f"{side}.npy")
        got.append(np.load(scratch / f"{side}.npy"))
    transform = open_clip.image_transform(224, is_train=False, mean=MEAN, std=STD)
    pictures = torch.stack([transform(Image.open(path)) for path, _ in pairs])
    ids = open_clip.tokenize([text for _, text in pairs])
    before = embed(model, run, pictures, ids)
    after = embed(PeftModel.from_pretrained(model, merged / "lora").base_model.model, run, pictures, ids)
    for side, ours, theirs, first in zip(("images", "texts"), got, after, before):
        print(f"{name}, {side}: oclip - peft at most {abs(ours - theirs).max():.1e}; trained - untrained at most "
              f"{abs(theirs - first).max():.1e}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("build", type=pathlib.Path)
    arguments = parser.parse_args()
    torch.manual_seed(0)
    pairs = first_pairs(arguments.data, 16)
    for name in CASES:
        with tempfile.TemporaryDirectory() as folder:
            compare(name, pairs, arguments, pathlib.Path(folder))


if __name__ == "__main__":
    main()
