"""Makes tests/goldens/towers: small towers with random weights, and what the reference implementations make of them.

    pip install torch==2.11.0 transformers==5.23.0 timm==1.0.31 tokenizers==0.23.3 safetensors
    python tests/goldens/make_towers.py

Each folder is a model folder as its library writes it, and holds besides: the input (pictures.u8, [n, side, side, 3]
bytes, or texts.txt, a text a line), features.npy, and for some seed.npy and gradients.safetensors: the gradient of
sum(features * seed) for each tensor, under the tensor's own name. All arithmetic is in double precision; files hold
float32. No weight is left at 0 or 1, so that nothing that is forgotten goes unnoticed.
"""
import json
import pathlib
import shutil
import string
import tempfile
from functools import partial

import numpy as np
import torch
from safetensors.torch import save_file
from timm.models.vision_transformer import VisionTransformer
from tokenizers import BertWordPieceTokenizer
from transformers import BertConfig, BertModel, Dinov2Config, Dinov2Model, ViTConfig, ViTModel

FOLDER = pathlib.Path(__file__).parent / "towers"
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]

WORDS = ("a an the of in on with and is are red blue green white black dog cat child man woman shirt dress apple "
         "water grass street play ##ing ##s ##ed run jump sit two three").split()
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ".", ","] + [
    prefix + letter for letter in string.ascii_lowercase for prefix in ("", "##")] + WORDS
MAX_TOKENS = 20
TEXTS = [
    "A dog is running on the grass.",
    "",
    "cat",
    "Two children in blue shirts playing, a woman in a white dress and three men are sitting by the water",  # cut
    "zebra 7 apples",
    "the red street",
    "A black cat jumped.",
]


def randomise(model, seed):
    """Numbers that keep activations near 1: matrices by their fan-in, norms around 1, all else around 0."""
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        around_one = parameter.ndim == 1 and name.endswith(("norm.weight", "Norm.weight", "norm1.weight",
                                                            "norm2.weight", "lambda1", "gamma"))
        if around_one:
            value = 1 + 0.3 * noise
        elif parameter.ndim == 1:
            value = 0.3 * noise
        elif "embedding" in name and parameter.ndim < 4 or "token" in name or "pos_embed" in name:
            value = 0.7 * noise
        else:
            value = 1.5 * noise / parameter[0].numel() ** 0.5
        parameter.data = value
    return model.eval()


def write_json(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=2) + "\n")


def preprocessor(side):
    return {"image_processor_type": "BitImageProcessor", "do_resize": True, "size": {"shortest_edge": side},
            "resample": 3, "do_center_crop": True, "crop_size": {"height": side, "width": side},
            "image_mean": MEAN, "image_std": STD}


def normalised(pictures):
    """[n, side, side, 3] bytes -> [n, 3, side, side] double"""
    x = torch.from_numpy(pictures).double() / 255
    return ((x - torch.tensor(MEAN).double()) / torch.tensor(STD).double()).permute(0, 3, 1, 2)


def random_pictures(count, side, seed):
    return np.random.default_rng(seed).integers(0, 256, (count, side, side, 3), dtype=np.uint8)


def write_features(folder, model, features, gradients):
    """With gradients: they take the weights' place, so that the library writes them under the weights' names."""
    np.save(folder / "features.npy", features.detach().float().numpy())
    if not gradients:
        return
    seed = torch.randn(features.shape, generator=torch.Generator().manual_seed(1))
    np.save(folder / "seed.npy", seed.numpy())
    (features * seed.double()).sum().backward()
    for parameter in model.parameters():
        parameter.data = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
    with tempfile.TemporaryDirectory() as scratch:
        model.float().save_pretrained(scratch)
        shutil.copyfile(pathlib.Path(scratch, "model.safetensors"), folder / "gradients.safetensors")


# ---- image towers ----


def write_images(folder, model, run, side, gradients):
    pictures = random_pictures(2, side, 2)
    (folder / "pictures.u8").write_bytes(pictures.tobytes())
    write_features(folder, model, run(normalised(pictures)), gradients)


def make_dinov2():
    """Positions are stored for 5 x 5 patches and resized to 4 x 4."""
    folder = FOLDER / "dinov2"
    config = Dinov2Config(hidden_size=24, num_hidden_layers=2, num_attention_heads=2, mlp_ratio=2, image_size=70,
                          patch_size=14, hidden_act="gelu", layer_norm_eps=1e-6, use_mask_token=False)
    config._attn_implementation = "eager"
    model = randomise(Dinov2Model(config), 10)
    model.save_pretrained(folder)
    write_json(folder / "preprocessor_config.json", preprocessor(56))
    model.double()
    write_images(folder, model, lambda x: model(x).last_hidden_state[:, 0], 56, gradients=True)


def make_vit():
    """The pooler is not used: the feature is the class token."""
    folder = FOLDER / "vit"
    config = ViTConfig(hidden_size=24, num_hidden_layers=1, num_attention_heads=2, intermediate_size=36, image_size=20,
                       patch_size=4)
    config._attn_implementation = "eager"
    model = randomise(ViTModel(config), 10)
    model.save_pretrained(folder)
    write_json(folder / "preprocessor_config.json", preprocessor(20))
    model.double()
    write_images(folder, model, lambda x: model(x).last_hidden_state[:, 0], 20, gradients=False)


def make_timm(name, classes, architecture="vit_tiny_patch16_224", config={}, **arguments):
    folder, side = FOLDER / name, 20
    model = VisionTransformer(img_size=side, patch_size=4, num_classes=classes, embed_dim=64, depth=1, num_heads=1,
                              mlp_ratio=0.25, **arguments)
    randomise(model, 11)
    write_json(folder / "config.json", {
        "architecture": architecture, "num_classes": classes, "num_features": 64, **config,
        "pretrained_cfg": {"input_size": [3, side, side], "interpolation": "bicubic", "crop_pct": 0.9, "mean": MEAN,
                           "std": STD, "num_classes": classes}})
    save_file(model.state_dict(), folder / "model.safetensors", {"format": "pt"})
    write_images(folder, model, model.double(), side, gradients=False)


# ---- text towers ----


def write_tokenizer(folder):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.txt").write_text("".join(f"{token}\n" for token in VOCABULARY))
    write_json(folder / "tokenizer_config.json", {"tokenizer_class": "BertTokenizer", "do_lower_case": True,
                                                  "model_max_length": 512})
    write_json(folder / "sentence_bert_config.json", {"max_seq_length": MAX_TOKENS, "do_lower_case": False})


def token_ids(folder, texts):
    tokenizer = BertWordPieceTokenizer(str(folder / "vocab.txt"), lowercase=True)
    tokenizer.enable_truncation(MAX_TOKENS)
    return [tokenizer.encode(text).ids for text in texts]


def text_features(model, ids, pooling, normalise):
    """One text at a time, so that no padding is in it."""
    rows = []
    for text in ids:
        hidden = model(input_ids=torch.tensor([text])).last_hidden_state[0]
        rows.append(hidden[0] if pooling == "cls" else hidden.mean(dim=0))
    features = torch.stack(rows)
    return torch.nn.functional.normalize(features, dim=-1) if normalise else features


def new_bert(layers):
    config = BertConfig(vocab_size=len(VOCABULARY), hidden_size=24, num_hidden_layers=layers, num_attention_heads=3,
                        intermediate_size=36, max_position_embeddings=24, type_vocab_size=2, hidden_dropout_prob=0.0,
                        attention_probs_dropout_prob=0.0)
    config._attn_implementation = "eager"
    return BertModel(config, add_pooling_layer=False)


def make_bert(name, layers, pooling, normalise, gradients):
    folder = FOLDER / name
    model = randomise(new_bert(layers), 12)
    model.save_pretrained(folder)
    write_tokenizer(folder)
    kinds = ["Transformer", "Pooling"] + ["Normalize"] * normalise
    write_json(folder / "modules.json", [
        {"idx": i, "name": str(i), "path": f"{i}_{kind}" if i else "", "type": f"sentence_transformers.models.{kind}"}
        for i, kind in enumerate(kinds)])
    write_json(folder / "1_Pooling" / "config.json", {
        "word_embedding_dimension": 24, "pooling_mode_cls_token": pooling == "cls",
        "pooling_mode_mean_tokens": pooling == "mean", "pooling_mode_max_tokens": False})
    (folder / "texts.txt").write_text("".join(f"{text}\n" for text in TEXTS))
    model.double()
    write_features(folder, model, text_features(model, token_ids(folder, TEXTS), pooling, normalise), gradients)


def main():
    make_dinov2()
    make_timm("timm_classes", classes=10)
    make_timm("timm_plain", classes=0, init_values=0.1)
    make_vit()
    make_timm("timm_avg", classes=0, config={"global_pool": "avg"}, global_pool="avg")
    make_timm("timm_avg_norm_first", classes=0, config={"global_pool": "avg"}, global_pool="avg", class_token=False,
              fc_norm=False)
    make_timm("timm_map", classes=0, architecture="vit_tiny_patch16_siglip_224",
              config={"model_args": {"act_layer": "gelu_tanh"}}, global_pool="map", class_token=False,
              act_layer="gelu_tanh")
    make_timm("timm_clip", classes=0, architecture="vit_tiny_patch16_clip_quickgelu_224", pre_norm=True,
              norm_layer=partial(torch.nn.LayerNorm, eps=1e-5), act_layer="quick_gelu")
    make_bert("bert_mean", layers=2, pooling="mean", normalise=False, gradients=True)
    make_bert("bert_normalised", layers=1, pooling="mean", normalise=True, gradients=False)
    make_bert("bert_first", layers=1, pooling="cls", normalise=False, gradients=True)


if __name__ == "__main__":
    main()
