"""Makes tests/goldens/clip_towers: small CLIPs with random weights, and what transformers and open_clip make of them.

    pip install torch==2.11.0 transformers==5.23.0 open-clip-torch==3.3.0 timm==1.0.31 tokenizers==0.23.3 safetensors
    python tests/goldens/make_clip_towers.py

Each folder is a model folder as its library writes it (weights in half precision), and holds besides: pictures.u8
([n, side, side, 3] bytes), ids.npy and lengths.npy (n texts, cut behind their end-of-text token; the references see
them padded), image_features.npy and text_features.npy. hf_quick_gelu also has loss.npy and gradients.safetensors: the
contrastive loss of the pairs, and its gradient for each tensor, under the tensor's own name. All arithmetic is in
double precision; files hold float32. No weight is left at 0 or 1, so that nothing that is forgotten goes unnoticed.
"""
import pathlib
import shutil
import tempfile

import numpy as np
import open_clip
import torch
from safetensors.torch import save_file
from transformers import CLIPConfig, CLIPModel

from make_towers import MEAN, STD, normalised, preprocessor, random_pictures, write_json

FOLDER = pathlib.Path(__file__).parent / "clip_towers"
SIDE, PATCH, CONTEXT, VOCABULARY = 24, 8, 12, 40
VISION_WIDTH, TEXT_WIDTH, HEAD_WIDTH, MLP_RATIO, PROJECTION = 24, 16, 8, 2, 20
START, END = VOCABULARY - 2, VOCABULARY - 1
TEXTS = [[START, END], [START, 5, 17, 5, 3, END], [START] + list(range(1, CONTEXT - 1)) + [END]]


def randomise(model, seed):
    """Numbers that keep activations near 1, each exact in half precision."""
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        if parameter.ndim == 0:
            value = 1.5 + 0.1 * noise
        elif parameter.ndim == 1 and name.endswith("weight"):  # of a norm
            value = 1 + 0.3 * noise
        elif parameter.ndim == 1:
            value = 0.3 * noise
        elif "embedding" in name and parameter.ndim < 4:
            value = 0.7 * noise
        else:
            value = 1.5 * noise / parameter[0].numel() ** 0.5
        parameter.data = value.half()
    return model.eval()


def padded(padding):
    """[n, CONTEXT]"""
    return torch.tensor([text + [padding] * (CONTEXT - len(text)) for text in TEXTS])


def write_case(folder, embed_images, embed_texts, padding):
    pictures = random_pictures(len(TEXTS), SIDE, 3)
    (folder / "pictures.u8").write_bytes(pictures.tobytes())
    np.save(folder / "ids.npy", np.array([i for text in TEXTS for i in text], np.float32))
    np.save(folder / "lengths.npy", np.array([len(text) for text in TEXTS], np.float32))
    image, text = embed_images(normalised(pictures)), embed_texts(padded(padding))
    np.save(folder / "image_features.npy", image.detach().float().numpy())
    np.save(folder / "text_features.npy", text.detach().float().numpy())
    return image, text


# ---- transformers ----


def write_gradients(folder, model, image, text):
    """They take the weights' place, so that the library writes them under the weights' names."""
    image, text = (torch.nn.functional.normalize(x, dim=-1) for x in (image, text))
    scores, right = model.logit_scale.exp() * image @ text.T, torch.arange(len(image))
    cross_entropy = torch.nn.functional.cross_entropy
    loss = (cross_entropy(scores, right) + cross_entropy(scores.T, right)) / 2
    np.save(folder / "loss.npy", loss.detach().float().reshape(1).numpy())
    loss.backward()
    for parameter in model.parameters():
        parameter.data = parameter.grad
    with tempfile.TemporaryDirectory() as scratch:
        model.float().save_pretrained(scratch)
        shutil.copyfile(pathlib.Path(scratch, "model.safetensors"), folder / "gradients.safetensors")


def make_hf(name, activation, layers, end, padding, gradients):
    folder = FOLDER / name
    common = {"hidden_act": activation, "num_hidden_layers": layers}
    config = CLIPConfig(
        projection_dim=PROJECTION,
        vision_config=dict(common, hidden_size=VISION_WIDTH, intermediate_size=MLP_RATIO * VISION_WIDTH,
                           num_attention_heads=VISION_WIDTH // HEAD_WIDTH, image_size=SIDE, patch_size=PATCH),
        text_config=dict(common, hidden_size=TEXT_WIDTH, intermediate_size=MLP_RATIO * TEXT_WIDTH,
                         num_attention_heads=TEXT_WIDTH // HEAD_WIDTH, max_position_embeddings=CONTEXT,
                         vocab_size=VOCABULARY, bos_token_id=START, eos_token_id=end, pad_token_id=padding))
    config._attn_implementation = "eager"
    model = randomise(CLIPModel(config), 20)
    model.save_pretrained(folder)
    write_json(folder / "preprocessor_config.json", preprocessor(SIDE))
    model.double()
    image, text = write_case(
        folder, lambda x: model.visual_projection(model.vision_model(x).pooler_output),
        lambda ids: model.text_projection(model.text_model(ids).pooler_output), padding)
    if gradients:
        write_gradients(folder, model, image, text)


# ---- open_clip ----


def make_open_clip(name, layers):
    folder = FOLDER / name
    folder.mkdir(parents=True, exist_ok=True)
    config = {
        "embed_dim": PROJECTION,
        "vision_cfg": {"image_size": SIDE, "layers": layers, "width": VISION_WIDTH, "head_width": HEAD_WIDTH,
                       "patch_size": PATCH, "mlp_ratio": MLP_RATIO},
        "text_cfg": {"context_length": CONTEXT, "vocab_size": VOCABULARY, "width": TEXT_WIDTH,
                     "heads": TEXT_WIDTH // HEAD_WIDTH, "layers": layers, "mlp_ratio": MLP_RATIO}}
    model = randomise(open_clip.CLIP(**config), 21)
    write_json(folder / "open_clip_config.json", {
        "model_cfg": config, "preprocess_cfg": {"mean": MEAN, "std": STD, "interpolation": "bicubic",
                                                "resize_mode": "shortest"}})
    save_file(model.state_dict(), folder / "open_clip_model.safetensors", {"format": "pt"})
    model.double()
    write_case(folder, model.encode_image, model.encode_text, padding=0)


def main():
    # An end-of-text token of 2 asks for the largest id, as the configs of OpenAI's models do.
    make_hf("hf_quick_gelu", "quick_gelu", layers=2, end=2, padding=0, gradients=True)
    make_hf("hf_gelu", "gelu", layers=1, end=END, padding=END, gradients=False)
    make_open_clip("open_clip", layers=2)


if __name__ == "__main__":
    main()
