"""Makes tests/goldens/layouts: small models in the layouts that people have them in, with random weights, and what the
libraries that wrote them make of them. make_clip_towers.py has CLIP's own, and says what stands in a folder.

    pip install torch==2.11.0 transformers==5.23.0 open-clip-torch==3.3.0 timm==1.0.31 tokenizers==0.23.3 safetensors
    python tests/goldens/make_layouts.py

image_features.npy and text_features.npy are behind the projections, before they are normalised.
"""
import pathlib
import shutil
import tempfile

import numpy as np
import open_clip
import timm
import torch
from safetensors.torch import save_file
from timm.models.vision_transformer import VisionTransformer
from torch.nn import functional
from transformers import (BertConfig, CLIPConfig, CLIPModel, CLIPVisionConfig, Dinov2Config, SiglipConfig, SiglipModel,
                          VisionTextDualEncoderConfig, VisionTextDualEncoderModel, ViTConfig)

from make_clip_towers import (CONTEXT, HEAD_WIDTH, MLP_RATIO, PATCH, PROJECTION, SIDE, START, TEXT_WIDTH, TEXTS,
                              VISION_WIDTH, VOCABULARY, padded, randomise)
from make_towers import MEAN, STD, normalised, preprocessor, random_pictures, write_json

FOLDER = pathlib.Path(__file__).parent / "layouts"
SIGLIP_CONTEXT, SIGLIP_PADDING = 7, 1
SIGLIP_TEXTS = torch.tensor([[5, 17, 5, 3, 1, 1, 1], [1] * 7, [9, 8, 7, 6, 5, 4, 3]])
BERT_TEXTS = [[2, 5, 17, 5, 3], [2, 3], [2, 4, 6, 8, 10, 12, 14, 16, 3]]
VISION = dict(hidden_size=VISION_WIDTH, intermediate_size=MLP_RATIO * VISION_WIDTH, num_hidden_layers=1,
              num_attention_heads=VISION_WIDTH // HEAD_WIDTH, image_size=SIDE, patch_size=PATCH)
TEXT = dict(hidden_size=TEXT_WIDTH, intermediate_size=MLP_RATIO * TEXT_WIDTH, num_hidden_layers=1,
            num_attention_heads=TEXT_WIDTH // HEAD_WIDTH, vocab_size=VOCABULARY)


def clip_loss(image, text, model):
    scores, right = model.logit_scale.exp() * image @ text.T, torch.arange(len(image))
    return (functional.cross_entropy(scores, right) + functional.cross_entropy(scores.T, right)) / 2


def siglip_loss(image, text, model):
    scores = model.logit_scale.exp() * text @ image.T + model.logit_bias
    return -functional.logsigmoid((2 * torch.eye(len(image)) - 1) * scores).sum(-1).mean()


def write_case(folder, texts, run, model, loss=None):
    """run: (pictures, list of texts) -> (image, text), before normalisation. With a loss: its gradients too, in the
    weights' place, so that they are written under the weights' names."""
    model.double()
    pictures = random_pictures(len(texts), SIDE, 3)
    (folder / "pictures.u8").write_bytes(pictures.tobytes())
    np.save(folder / "ids.npy", np.array([i for text in texts for i in text], np.float32))
    np.save(folder / "lengths.npy", np.array([len(text) for text in texts], np.float32))
    image, text = run(normalised(pictures), texts)
    np.save(folder / "image_features.npy", image.detach().float().numpy())
    np.save(folder / "text_features.npy", text.detach().float().numpy())
    if loss is None:
        return
    value = loss(functional.normalize(image, dim=-1), functional.normalize(text, dim=-1), model)
    np.save(folder / "loss.npy", value.detach().float().reshape(1).numpy())
    value.backward()
    for name, parameter in model.named_parameters():
        parameter.data = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
    model.float()
    if not hasattr(model, "save_pretrained"):
        save_file(model.state_dict(), folder / "gradients.safetensors", {"format": "pt"})
        return
    with tempfile.TemporaryDirectory() as scratch:
        model.save_pretrained(scratch)
        shutil.copyfile(pathlib.Path(scratch, "model.safetensors"), folder / "gradients.safetensors")


# ---- transformers ----


def make_siglip():
    folder = FOLDER / "siglip"
    config = SiglipConfig(vision_config=VISION, text_config=dict(TEXT, max_position_embeddings=SIGLIP_CONTEXT,
                                                                 projection_size=VISION_WIDTH))
    config._attn_implementation = "eager"
    model = randomise(SiglipModel(config), 30)
    model.logit_scale.data, model.logit_bias.data = torch.tensor([1.5]).half(), torch.tensor([-2.5]).half()
    model.save_pretrained(folder)
    write_json(folder / "preprocessor_config.json", {
        "image_processor_type": "SiglipImageProcessor", "do_resize": True, "size": {"height": SIDE, "width": SIDE},
        "resample": 3, "image_mean": MEAN, "image_std": STD})

    def run(pictures, texts):
        ids = torch.tensor(texts)
        output = model(input_ids=ids, pixel_values=pictures, return_loss=True)
        image, text = model.vision_model(pictures).pooler_output, model.text_model(ids).pooler_output
        own = siglip_loss(*(functional.normalize(x, dim=-1) for x in (image, text)), model)
        assert abs(own - output.loss) < 1e-12
        return image, text

    write_case(folder, SIGLIP_TEXTS.tolist(), run, model, siglip_loss)


def make_dual(name, vision, loss=None):
    folder = FOLDER / name
    text = BertConfig(**TEXT, max_position_embeddings=12, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    config = VisionTextDualEncoderConfig.from_vision_text_configs(vision, text, projection_dim=PROJECTION)
    model = VisionTextDualEncoderModel(config)
    model.vision_model.set_attn_implementation("eager")
    model.text_model.set_attn_implementation("eager")
    model = randomise(model, 31)
    model.save_pretrained(folder)
    write_json(folder / "preprocessor_config.json", preprocessor(SIDE))

    def run(pictures, texts):
        """A text at a time, so that no padding is in it."""
        rows = [model.text_projection(model.text_model(torch.tensor([text])).pooler_output) for text in texts]
        return model.visual_projection(model.vision_model(pictures).pooler_output), torch.cat(rows)

    write_case(folder, BERT_TEXTS, run, model, loss)


def make_hf_clip(name, dtype, shards):
    """Weights of the dtype; the reference has them in float32."""
    folder = FOLDER / name
    config = CLIPConfig(projection_dim=PROJECTION, vision_config=VISION,
                        text_config=dict(TEXT, max_position_embeddings=CONTEXT, bos_token_id=START, eos_token_id=2))
    config._attn_implementation = "eager"
    model = randomise(CLIPModel(config), 32)
    if dtype is not None:
        for parameter in model.parameters():
            parameter.data = parameter.data.float() + 1e-4 * torch.randn(parameter.shape)
    copy = CLIPModel(config)
    copy.load_state_dict(model.state_dict())
    copy.to(dtype or torch.float32).save_pretrained(folder, **({"max_shard_size": "12KB"} if shards else {}))
    write_json(folder / "preprocessor_config.json", preprocessor(SIDE))

    def run(pictures, texts):
        return (model.visual_projection(model.vision_model(pictures).pooler_output),
                model.text_projection(model.text_model(padded(0)).pooler_output))

    write_case(folder, TEXTS, run, model)


# ---- open_clip ----


@timm.models.register_model
def vit_tiny_golden(pretrained=False, pretrained_cfg=None, pretrained_cfg_overlay=None, cache_dir=None, **kwargs):
    model = VisionTransformer(**{**dict(img_size=SIDE, patch_size=PATCH, embed_dim=64, depth=1, num_heads=1,
                                        mlp_ratio=0.25), **kwargs})
    model.default_cfg = {}
    return model


@timm.models.register_model
def vit_tiny_siglip_golden(pretrained=False, **kwargs):
    return vit_tiny_golden(**{**dict(class_token=False, global_pool="map"), **kwargs})


def make_open_clip(name, kind, vision, text, texts, loss=clip_loss, pad=None, **more):
    folder = FOLDER / name
    folder.mkdir(parents=True, exist_ok=True)
    config = {"embed_dim": more.pop("embed_dim", PROJECTION), "vision_cfg": dict(vision, image_size=SIDE),
              "text_cfg": dict(text, vocab_size=VOCABULARY, width=TEXT_WIDTH, heads=TEXT_WIDTH // HEAD_WIDTH, layers=1,
                               mlp_ratio=MLP_RATIO), **more}
    arguments = {key: value for key, value in config.items() if key != "custom_text"}
    model = randomise(kind(**arguments), 33)
    write_json(folder / "open_clip_config.json", {
        "model_cfg": config, "preprocess_cfg": {"mean": MEAN, "std": STD, "interpolation": "bicubic",
                                                "resize_mode": "squash"}})
    save_file(model.state_dict(), folder / "open_clip_model.safetensors", {"format": "pt"})

    def run(pictures, ids):
        return model.encode_image(pictures), model.encode_text(padded(0) if pad is None else torch.tensor(ids))

    write_case(folder, texts, run, model, loss)


def main():
    make_siglip()
    make_dual("dual_vit_bert", ViTConfig(**VISION), clip_loss)
    make_dual("dual_dinov2_bert", Dinov2Config(hidden_size=VISION_WIDTH, num_hidden_layers=1, num_attention_heads=3,
                                               mlp_ratio=2, image_size=SIDE, patch_size=PATCH))
    make_dual("dual_clip_bert", CLIPVisionConfig(**VISION))
    make_hf_clip("hf_shards", None, shards=True)
    make_hf_clip("hf_fp16", torch.float16, shards=False)
    make_hf_clip("hf_bf16", torch.bfloat16, shards=False)

    native = dict(layers=1, width=VISION_WIDTH, head_width=HEAD_WIDTH, patch_size=PATCH, mlp_ratio=MLP_RATIO)
    make_open_clip("open_clip_custom", open_clip.CustomTextCLIP, native, dict(context_length=CONTEXT), TEXTS,
                   quick_gelu=True, custom_text=True)
    make_open_clip("open_clip_timm", open_clip.CLIP,
                   dict(timm_model_name="vit_tiny_golden", timm_pool="avg", timm_proj="linear"),
                   dict(context_length=CONTEXT), TEXTS)
    siglip = dict(context_length=SIGLIP_CONTEXT, no_causal_mask=True, proj_bias=True, pool_type="last",
                  norm_kwargs={"eps": 1e-6}, act_kwargs={"approximate": "tanh"})
    make_open_clip("open_clip_siglip", open_clip.CustomTextCLIP,
                   dict(timm_model_name="vit_tiny_siglip_golden", timm_pool="map", timm_proj="none"), siglip,
                   SIGLIP_TEXTS.tolist(), siglip_loss, pad=SIGLIP_PADDING, embed_dim=64, init_logit_bias=-10,
                   custom_text=True)


if __name__ == "__main__":
    main()
