"""Whole models at full size, with random weights, against the libraries that wrote them.

    python tests/peers/layouts.py build SCRATCH [--only NAME] [--gradients]

For each model: transformers or open_clip makes it and says in double precision what it makes of two pictures and two
texts. oclip reads the folder and says it too (layout_run). Then tools/convert writes it back in the same form (every
tensor must have the same bytes), in others (the library must load them and say the same again), and in half precision.
With --gradients also one training step's gradients of all parameters, and how far PyTorch's own in float32 are from
those in double. Prints a table.
"""
import argparse
import copy
import json
import pathlib
import shutil
import subprocess

import numpy as np
import open_clip
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch.nn import functional
from transformers import (BertConfig, CLIPConfig, CLIPModel, CLIPVisionConfig, Dinov2Config, SiglipConfig, SiglipModel,
                          VisionTextDualEncoderConfig, VisionTextDualEncoderModel, ViTConfig)
from transformers.utils import logging

logging.set_verbosity_error()
logging.disable_progress_bar()
MEAN, STD = [0.481, 0.458, 0.408], [0.269, 0.261, 0.276]
START, END = 49406, 49407


def randomise(model):
    """The library's own start, and noise where that leaves zeros and ones."""
    generator = torch.Generator().manual_seed(1)
    for parameter in model.parameters():
        if parameter.ndim == 1:
            parameter.data += 0.1 * torch.randn(parameter.shape, generator=generator)
    return model.eval()


# ---- the models: how to make one, write it, read one back, and run it ----


class Clip:
    """transformers' CLIPModel"""
    forms, kind, side = ["hf", "open_clip", "dual-encoder"], CLIPModel, 224
    texts = [[START, 320, 1125, END], [START] + list(range(500, 520)) + [END]]

    def __init__(self, patch, side=224, width=768, layers=12, text_width=512, dim=512):
        self.side = side
        self.config = CLIPConfig(
            projection_dim=dim,
            vision_config=dict(hidden_size=width, intermediate_size=4 * width, num_hidden_layers=layers,
                               num_attention_heads=width // 64, patch_size=patch, image_size=side),
            text_config=dict(hidden_size=text_width, intermediate_size=4 * text_width,
                             num_attention_heads=text_width // 64))

    def make(self):
        return randomise(self.kind(self.config))

    def write(self, model, folder):
        model.save_pretrained(folder)
        write_json(folder / "preprocessor_config.json", {
            "image_processor_type": "CLIPImageProcessor", "size": {"shortest_edge": self.side}, "do_center_crop": True,
            "crop_size": self.side, "resample": 3, "image_mean": MEAN, "image_std": STD})

    def read(self, folder, form):
        if form == "open_clip":
            return read_open_clip(folder)
        return (VisionTextDualEncoderModel if form == "dual-encoder" else self.kind).from_pretrained(folder).eval()

    def run(self, model, pictures):
        ids = torch.tensor([text + [0] * (77 - len(text)) for text in self.texts])
        if hasattr(model, "encode_image"):
            return model.encode_image(pictures), model.encode_text(ids)
        return (model.visual_projection(model.vision_model(pictures).pooler_output),
                model.text_projection(model.text_model(ids).pooler_output))

    def loss(self, image, text, model):
        scores, right = model.logit_scale.exp() * image @ text.T, torch.arange(len(image))
        return (functional.cross_entropy(scores, right) + functional.cross_entropy(scores.T, right)) / 2


class Siglip(Clip):
    """transformers' SiglipModel"""
    forms, kind, texts = ["hf"], SiglipModel, [[262, 266, 1304] + [1] * 61, list(range(100, 164))]

    def __init__(self, **text):
        self.config = SiglipConfig(vision_config=dict(image_size=224, patch_size=16), text_config=text)

    def run(self, model, pictures):
        return model.vision_model(pictures).pooler_output, model.text_model(torch.tensor(self.texts)).pooler_output

    def loss(self, image, text, model):
        scores = model.logit_scale.exp() * text @ image.T + model.logit_bias
        return -functional.logsigmoid((2 * torch.eye(len(image)) - 1) * scores).sum(-1).mean()


class Dual(Clip):
    """transformers' VisionTextDualEncoderModel"""
    forms, kind, texts = ["dual-encoder"], VisionTextDualEncoderModel, [[101, 1037, 3899, 102],
                                                                       [101] + list(range(2000, 2020)) + [102]]
    text = BertConfig(hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)  # as the reference runs, in evaluation

    def __init__(self, vision):
        self.config = VisionTextDualEncoderConfig.from_vision_text_configs(vision, self.text, projection_dim=512)

    def run(self, model, pictures):
        rows = [model.text_projection(model.text_model(torch.tensor([text])).pooler_output) for text in self.texts]
        return model.visual_projection(model.vision_model(pictures).pooler_output), torch.cat(rows)


class OpenClip(Clip):
    """open_clip's models by name, or by a config"""

    def __init__(self, name=None, config=None, forms=("open_clip", "hf")):
        self.model_cfg = config or open_clip.get_model_config(name)
        self.forms = list(forms)

    def make(self):
        return randomise(build_open_clip(self.model_cfg))

    def write(self, model, folder):
        write_json(folder / "open_clip_config.json", {
            "model_cfg": self.model_cfg, "preprocess_cfg": {"mean": MEAN, "std": STD, "interpolation": "bicubic"}})
        save_file({name: tensor.contiguous() for name, tensor in model.state_dict().items()},
                  folder / "open_clip_model.safetensors")


class OpenClipSiglip(OpenClip):
    texts, loss = Siglip.texts, Siglip.loss

    def run(self, model, pictures):
        if hasattr(model, "encode_image"):
            return model.encode_image(pictures), model.encode_text(torch.tensor(self.texts))
        return Siglip.run(self, model, pictures)

    def read(self, folder, form):
        return read_open_clip(folder) if form == "open_clip" else SiglipModel.from_pretrained(folder).eval()


def build_open_clip(config):
    arguments = {key: value for key, value in config.items() if key != "custom_text"}
    return (open_clip.CustomTextCLIP if config.get("custom_text") else open_clip.CLIP)(**arguments)


def read_open_clip(folder):
    model = build_open_clip(json.loads((folder / "open_clip_config.json").read_text())["model_cfg"])
    model.load_state_dict(load_file(folder / "open_clip_model.safetensors"))
    return model.eval()


def timm_pair(name, **vision):
    return {"embed_dim": 512, "vision_cfg": dict(timm_model_name=name, image_size=224, **vision),
            "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 512, "heads": 8, "layers": 12}}


MODELS = {
    "CLIP ViT-B/32": lambda: Clip(32),
    "CLIP ViT-B/16": lambda: Clip(16),
    "CLIP ViT-L/14": lambda: Clip(14, width=1024, layers=24, text_width=768, dim=768),
    "CLIP ViT-L/14@336": lambda: Clip(14, side=336, width=1024, layers=24, text_width=768, dim=768),
    "open_clip ViT-B-32-quickgelu": lambda: OpenClip("ViT-B-32-quickgelu", forms=("open_clip", "hf", "dual-encoder")),
    "open_clip ViT-B-16-SigLIP": lambda: OpenClipSiglip("ViT-B-16-SigLIP"),
    "open_clip ViT-B-16-SigLIP2": lambda: OpenClipSiglip("ViT-B-16-SigLIP2"),
    "open_clip, timm ViT-B/16 (token)": lambda: OpenClip(
        config=timm_pair("vit_base_patch16_224", timm_pool="token", timm_proj="linear"), forms=["open_clip"]),
    "open_clip, timm ViT-B/16 CLIP": lambda: OpenClip(
        config=timm_pair("vit_base_patch16_clip_224", timm_pool="", timm_proj="linear")),
    "open_clip RN50": lambda: OpenClip("RN50", forms=["open_clip"]),
    "open_clip, timm resnet50": lambda: OpenClip(
        config=timm_pair("resnet50", timm_pool="avg", timm_proj="linear"), forms=["open_clip"]),
    "SigLIP base patch16-224": Siglip,
    "SigLIP 2 base patch16-224": lambda: Siglip(vocab_size=256000, projection_size=768),
    "ViT-base + BERT-base": lambda: Dual(ViTConfig()),
    "DINOv2-base + BERT-base": lambda: Dual(Dinov2Config(image_size=224, patch_size=14)),
    "CLIP ViT-B/32 + BERT-base": lambda: Dual(CLIPVisionConfig()),
}

# ---- running ----


def write_json(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=2))


def call(*command):
    subprocess.run([str(word) for word in command], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def random_pictures(side):
    """Two of different grains, so that a random tower tells them apart: of white noise it sees nothing but the mean."""
    random, pictures = np.random.default_rng(3), []
    for grain in (3, 17):
        small = Image.fromarray(random.integers(0, 256, (grain, grain, 3), dtype=np.uint8))
        pictures.append(np.asarray(small.resize((side, side), Image.Resampling.BICUBIC)))
    return np.stack(pictures)


def write_inputs(folder, model):
    folder.mkdir(parents=True)
    pictures = random_pictures(model.side)
    (folder / "pictures.u8").write_bytes(pictures.tobytes())
    np.save(folder / "ids.npy", np.array([i for text in model.texts for i in text], np.float32))
    np.save(folder / "lengths.npy", np.array([len(text) for text in model.texts], np.float32))
    pixels = (torch.from_numpy(pictures).double() / 255 - torch.tensor(MEAN).double()) / torch.tensor(STD).double()
    return pixels.permute(0, 3, 1, 2)


def features(folder):
    return [torch.from_numpy(np.load(folder / f"{side}_features.npy")).double() for side in ("image", "text")]


def oclip_features(build, folder, inputs, out, *more):
    out.mkdir(exist_ok=True)
    call(build / "tests" / "layout_run", folder, inputs, out, *more)
    return features(out)


def error(got, want):
    return max(((a - b).abs().max() / b.abs().max()).item() for a, b in zip(got, want))


def cosine(got, want):
    return min(functional.cosine_similarity(a, b).min().item() for a, b in zip(got, want))


def tensors(folder):
    return {name: tensor for path in folder.glob("*.safetensors") for name, tensor in load_file(path).items()}


def same_tensors(a, b):
    a, b = tensors(a), tensors(b)
    return a.keys() == b.keys() and all(a[name].dtype == b[name].dtype and torch.equal(a[name], b[name]) for name in a)


def gradient_errors(got, want):
    """The largest difference of a tensor's gradient, relative to the tensor's largest; and the length of all differences,
    relative to that of the whole gradient. Keys' biases are left out of the first: a softmax does not see them, so
    their gradient is zero but for rounding."""
    got, want = tensors(got), tensors(want)
    largest, worst, squares, all_squares = max(gradient.abs().max() for gradient in want.values()), 0, 0, 0
    for name, gradient in want.items():
        difference = got[name].reshape(gradient.shape).double() - gradient.double()
        squares, all_squares = squares + difference.square().sum(), all_squares + gradient.double().square().sum()
        if gradient.abs().max() > 1e-9 * largest:
            worst = max(worst, (difference.abs().max() / gradient.abs().max()).item())
    return worst, (squares / all_squares).sqrt().item()


def write_gradients(model, module, pixels, folder):
    """Runs a step, and writes the gradients in the weights' place, so that they get the weights' names."""
    model.loss(*(functional.normalize(x, dim=-1) for x in model.run(module, pixels)), module).backward()
    for parameter in module.parameters():
        parameter.data = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
    folder.mkdir()
    model.write(module.float(), folder)


def compare_gradients(build, scratch, model, module, pixels):
    """module: in double precision, and of no use afterwards."""
    single = copy.deepcopy(module).float()
    oclip_features(build, scratch / "model", scratch / "inputs", scratch / "gradients", model.forms[0])
    write_gradients(model, single, pixels.float(), scratch / "single")
    del single
    write_gradients(model, module, pixels, scratch / "wanted")
    sides = [gradient_errors(scratch / name, scratch / "wanted") for name in ("gradients", "single")]
    return {heading: f"{ours:.1e} (PyTorch {theirs:.1e})"
            for heading, ours, theirs in zip(("worst gradient", "whole gradient"), *sides)}


def compare(build, scratch, name, gradients):
    model, source, inputs = MODELS[name](), scratch / "model", scratch / "inputs"
    shutil.rmtree(scratch, ignore_errors=True)
    source.mkdir(parents=True)
    torch.manual_seed(0)
    pixels, module = write_inputs(inputs, model), model.make()
    model.write(module, source)
    module.double()
    with torch.inference_mode():
        want = model.run(module, pixels)
    row = {"features": f"{error(oclip_features(build, source, inputs, scratch / 'out'), want):.1e}"}
    if gradients:
        row.update(compare_gradients(build, scratch, model, module, pixels))
    del module
    again = []
    for form in model.forms:
        folder = scratch / form
        call(build / "tools" / "convert", "--model", source, "--to", form, "--out", folder)
        if form == model.forms[0]:
            row["same bytes"] = "yes" if same_tensors(source, folder) else "NO"
        with torch.inference_mode():
            again.append(f"{form} {error(model.run(model.read(folder, form).double(), pixels), want):.1e}")
        shutil.rmtree(folder)
    row["read back by the library"] = ", ".join(again)
    for dtype in ("fp16", "bf16"):
        call(build / "tools" / "convert", "--model", source, "--to", model.forms[0], "--out", scratch / dtype, "--dtype",
             dtype)
        row[dtype] = f"{cosine(oclip_features(build, scratch / dtype, inputs, scratch / 'out'), want):.6f}"
    shutil.rmtree(scratch)
    return row


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("scratch", type=pathlib.Path)
    parser.add_argument("--only", default="")
    parser.add_argument("--gradients", action="store_true")
    arguments = parser.parse_args()
    heading = False
    for name in MODELS:
        if arguments.only not in name:
            continue
        row = {"model": name, **compare(arguments.build.resolve(), arguments.scratch, name, arguments.gradients)}
        if not heading:
            print("| " + " | ".join(row) + " |\n|" + " --- |" * len(row))
            heading = True
        print("| " + " | ".join(row.values()) + " |", flush=True)


if __name__ == "__main__":
    main()
