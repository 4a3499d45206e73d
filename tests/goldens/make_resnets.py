"""Makes tests/goldens/resnets: small ResNets with random weights, and what timm and open_clip make of them.

    pip install torch==2.11.0 timm==1.0.31 open-clip-torch==3.3.0 safetensors transformers==5.23.0 tokenizers==0.23.3
    python tests/goldens/make_resnets.py

basic and bottleneck are timm's folders, clip is open_clip's. Each holds besides: pictures.u8 ([n, side, side, 3] bytes),
image_features.npy, and what one training step sees, its batch norms using the batch's statistics: for timm's
train_features.npy and seed.npy, the loss being sum(features * seed); for clip's the texts (ids.npy and lengths.npy, cut
behind their end-of-text token), text_features.npy and the contrastive loss in loss.npy. trained.safetensors has the
loss' gradient for each parameter, and what running statistics have become, all under the tensors' own names. All
arithmetic is in double precision; files hold float32.
"""
import copy
import pathlib

import numpy as np
import open_clip
import torch
from safetensors.torch import save_file
from timm.models.resnet import BasicBlock, Bottleneck, ResNet

from make_towers import MEAN, STD, normalised, random_pictures, write_json

FOLDER = pathlib.Path(__file__).parent / "resnets"
SIDE, COUNT = 50, 6  # odd pictures on the way down: 25, 13, 7, 4, 2
CLIP_SIDE, CLIP_COUNT = 64, 4
CONTEXT, VOCABULARY, PROJECTION = 8, 30, 20
START, END = VOCABULARY - 2, VOCABULARY - 1
TEXTS = [[START, END], [START, 5, 17, 5, 3, END], [START, 9, 8, END], [START] + list(range(1, CONTEXT - 1)) + [END]]


def randomise(model, seed):
    """Numbers that keep activations near 1; no weight is left at 0 or 1, nor are the running statistics."""
    generator = torch.Generator().manual_seed(seed)
    for name, tensor in model.state_dict().items():
        if not tensor.is_floating_point():
            continue
        noise = torch.randn(tensor.shape, generator=generator)
        if tensor.ndim == 0:  # the logit scale
            value = 1.5 + 0.1 * noise
        elif name.endswith("running_var") or tensor.ndim == 1 and name.endswith("weight"):
            value = 1 + 0.3 * noise.clamp(-2, 2)
        elif tensor.ndim == 1:
            value = 0.3 * noise
        elif "embedding" in name:
            value = 0.7 * noise
        else:
            value = 1.4 * noise / tensor[0].numel() ** 0.5
        tensor.copy_(value)
    return model


def write_pictures(folder, side, count):
    folder.mkdir(parents=True, exist_ok=True)
    pictures = random_pictures(count, side, 3)
    (folder / "pictures.u8").write_bytes(pictures.tobytes())
    return normalised(pictures)


def write_numbers(path, numbers):
    np.save(path, numbers.detach().float().numpy())


def write_trained(folder, model, loss):
    loss.backward()
    tensors = {name: parameter.grad for name, parameter in model.named_parameters()}
    tensors.update((name, value) for name, value in model.named_buffers() if "running" in name)
    save_file({name: value.float().contiguous() for name, value in tensors.items()}, folder / "trained.safetensors")


def make_timm(name, architecture, block, channels, classes):
    folder = FOLDER / name
    model = randomise(ResNet(block, [2, 2, 2, 2], channels=channels, num_classes=classes), 32)
    pictures = write_pictures(folder, SIDE, COUNT)
    write_json(folder / "config.json", {
        "architecture": architecture, "num_classes": classes, "num_features": model.num_features,
        "pretrained_cfg": {"input_size": [3, SIDE, SIDE], "interpolation": "bicubic", "crop_pct": 0.95, "mean": MEAN,
                           "std": STD, "num_classes": classes}})
    save_file(model.state_dict(), folder / "model.safetensors", {"format": "pt"})
    model.double()
    write_numbers(folder / "image_features.npy", copy.deepcopy(model).eval()(pictures))
    features = model.train()(pictures)
    seed = torch.randn(features.shape, generator=torch.Generator().manual_seed(1))
    write_numbers(folder / "train_features.npy", features)
    write_numbers(folder / "seed.npy", seed)
    write_trained(folder, model, (features * seed.double()).sum())


def contrastive_loss(model, pictures, ids):
    image, text, scale = model(pictures, ids)
    scores, right = scale * image @ text.T, torch.arange(len(image))
    cross_entropy = torch.nn.functional.cross_entropy
    return (cross_entropy(scores, right) + cross_entropy(scores.T, right)) / 2


def make_clip():
    folder = FOLDER / "clip"
    config = {"embed_dim": PROJECTION,
              "vision_cfg": {"image_size": CLIP_SIDE, "layers": [2, 1, 1, 1], "width": 4, "patch_size": None},
              "text_cfg": {"context_length": CONTEXT, "vocab_size": VOCABULARY, "width": 16, "heads": 2, "layers": 1}}
    model = randomise(open_clip.CLIP(**config), 31)
    pictures = write_pictures(folder, CLIP_SIDE, CLIP_COUNT)
    write_json(folder / "open_clip_config.json", {
        "model_cfg": config, "preprocess_cfg": {"mean": MEAN, "std": STD, "interpolation": "bicubic",
                                                "resize_mode": "shortest"}})
    save_file(model.state_dict(), folder / "open_clip_model.safetensors", {"format": "pt"})
    np.save(folder / "ids.npy", np.array(sum(TEXTS, []), dtype=np.float32))
    np.save(folder / "lengths.npy", np.array([len(text) for text in TEXTS], dtype=np.float32))
    ids = torch.tensor([text + [0] * (CONTEXT - len(text)) for text in TEXTS])
    model.double()
    still = copy.deepcopy(model).eval()
    write_numbers(folder / "image_features.npy", still.encode_image(pictures))
    write_numbers(folder / "text_features.npy", still.encode_text(ids))
    loss = contrastive_loss(model.train(), pictures, ids)
    write_numbers(folder / "loss.npy", loss.reshape(1))
    write_trained(folder, model, loss)


def main():
    make_timm("basic", "resnet18", BasicBlock, (8, 8, 12, 12), classes=10)
    make_timm("bottleneck", "resnet26", Bottleneck, (4, 4, 6, 6), classes=0)
    make_clip()


if __name__ == "__main__":
    main()
