"""Makes tests/goldens/training: a small dual encoder as `trainer` saves one, and the losses of ten steps in PyTorch.

    pip install torch==2.11.0 transformers==5.23.0 timm==1.0.31 tokenizers==0.23.3 safetensors
    python tests/goldens/make_training.py

The folder is a model that clip_open reads: DINOv2 and BERT towers, the seed project's heads, a logit scale, all with
random weights. Beside it: eight pairs (pictures.u8 [8, side, side, 3] bytes, texts.txt) and losses.npy [10], the loss
before each of ten AdamW steps over the same pairs. All arithmetic is in double precision.
"""
import math
import pathlib

import numpy as np
import torch
from make_towers import (normalised, preprocessor, random_pictures, randomise, text_features, token_ids, write_json,
                         write_tokenizer)
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import BertConfig, BertModel, Dinov2Config, Dinov2Model

FOLDER = pathlib.Path(__file__).parent / "training"
SIDE, DIM, STEPS, MAX_NORM = 32, 20, 10, 1.0
RATES = {"image": 1e-3, "text": 5e-4, "head": 2e-3, "scale": 1e-2}
DECAYS = {"image": 0.1, "text": 0.2, "head": 0.3, "scale": 0.4}
BETAS, EPS = (0.9, 0.98), 1e-6
TEXTS = ["A black cat on the grass.", "Two red apples", "a woman in a blue dress and a child in a green shirt",
         "Three dogs running in the water", "street", "A man is sitting on the white street, playing.",
         "green grass and blue water", "the child jumped"]


class Head(nn.Module):
    """The seed project's, without dropout."""

    def __init__(self, width):
        super().__init__()
        self.fc1, self.fc2, self.norm = nn.Linear(width, DIM), nn.Linear(DIM, DIM), nn.LayerNorm(DIM)

    def forward(self, x):
        y = self.fc1(x)
        return self.norm(self.fc2(nn.functional.gelu(y)) + y)


class DualEncoder(nn.Module):
    def __init__(self):
        super().__init__()
        vision = Dinov2Config(hidden_size=24, num_hidden_layers=2, num_attention_heads=2, mlp_ratio=2, image_size=40,
                              patch_size=8, use_mask_token=False)
        text = BertConfig(vocab_size=94, hidden_size=24, num_hidden_layers=2, num_attention_heads=3,
                          intermediate_size=36, max_position_embeddings=24, type_vocab_size=2, hidden_dropout_prob=0.0,
                          attention_probs_dropout_prob=0.0)
        vision._attn_implementation = text._attn_implementation = "eager"
        self.image, self.text = Dinov2Model(vision), BertModel(text, add_pooling_layer=False)
        self.image_head, self.text_head = Head(24), Head(24)
        randomise(self, 20)
        self.scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))

    def loss(self, pictures, ids):
        image = self.image_head(self.image(pictures).last_hidden_state[:, 0])
        text = self.text_head(text_features(self.text, ids, "mean", normalise=True))
        image, text = (nn.functional.normalize(x, dim=-1) for x in (image, text))
        logits = self.scale.clamp(max=math.log(100)).exp() * image @ text.T
        own = torch.arange(len(ids))
        return (nn.functional.cross_entropy(logits, own) + nn.functional.cross_entropy(logits.T, own)) / 2


def save_weights(model):
    """Under the names of transformers' VisionTextDualEncoderModel; the heads below visual_ and text_projection."""
    tensors = {"logit_scale": model.scale.data}
    for part, prefix in ((model.image, "vision_model."), (model.text, "text_model.")):
        part.save_pretrained(FOLDER)  # gives its tensors the names that they have in files
        tensors |= {prefix + name: tensor for name, tensor in load_file(FOLDER / "model.safetensors").items()}
    for head, prefix in ((model.image_head, "visual_projection."), (model.text_head, "text_projection.")):
        tensors |= {prefix + name: tensor for name, tensor in head.state_dict().items()}
    save_file(tensors, FOLDER / "model.safetensors", {"format": "pt"})


def save(model):
    write_tokenizer(FOLDER)
    save_weights(model)
    write_json(FOLDER / "preprocessor_config.json", preprocessor(SIDE))
    write_json(FOLDER / "config.json", {
        "model_type": "vision-text-dual-encoder", "architectures": ["VisionTextDualEncoderModel"],
        "projection_dim": DIM, "vision_config": model.image.config.to_dict(),
        "text_config": model.text.config.to_dict() | {"oclip_pooling": "mean", "oclip_normalise": True},
        "oclip_head": "mlp", "oclip_head_dropout": 0.0})


def optimizer(model):
    """What has one dimension does not decay; transformers writes the class token with two more of size 1."""
    groups = []
    for part, key in (("image.", "image"), ("text.", "text"), ("image_head.", "head"), ("text_head.", "head"),
                      ("scale", "scale")):
        for name, parameter in model.named_parameters():
            if name.startswith(part):
                decay = DECAYS[key] if parameter.squeeze().ndim > 1 else 0
                groups.append({"params": [parameter], "lr": RATES[key], "weight_decay": decay})
    return torch.optim.AdamW(groups, betas=BETAS, eps=EPS)


def main():
    model = DualEncoder()
    save(model)
    pictures = random_pictures(len(TEXTS), SIDE, 21)
    (FOLDER / "pictures.u8").write_bytes(pictures.tobytes())
    (FOLDER / "texts.txt").write_text("".join(f"{text}\n" for text in TEXTS))

    model.double()
    steps, losses, ids = optimizer(model), [], token_ids(FOLDER, TEXTS)
    for _ in range(STEPS):
        loss = model.loss(normalised(pictures), ids)
        steps.zero_grad()
        loss.backward()
        norm = nn.utils.clip_grad_norm_(model.parameters(), MAX_NORM)
        steps.step()
        losses.append(loss.item())
        print(f"loss {loss.item():.6f}  gradient norm {norm:.3f}")
    np.save(FOLDER / "losses.npy", np.array(losses, dtype=np.float32))


if __name__ == "__main__":
    main()
