"""The sides that bench.py holds oclip against. Each function sets one case up and returns what is timed.

    python tests/peers/bench_sides.py torch_gemm '{"m": 64, "n": 768, "k": 768, "layout": "NT"}' --runs 20

Prints the median of the runs as a line of JSON. bench.py sets the threads through the environment. Packages are
imported by the side that needs them: a process holds one side's memory, and a package may be absent.
"""
import argparse
import json
import pathlib
import statistics
import time

CONTEXT, VOCABULARY = 77, 49408  # CLIP's
SEED_CONTEXT = 100
SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp"}


def first_lines(path, count):
    lines = [line.strip() for line in open(path, encoding="utf-8") if line.strip()]
    if len(lines) < count:
        raise SystemExit(f"{path}: {len(lines)} lines for a batch of {count}")
    return lines[:count]


def photos_below(folder):
    return sorted(str(path) for path in pathlib.Path(folder).rglob("*") if path.suffix.lower() in SUFFIXES)


# ---- matrix products: without transposed copies, into memory that is there ----

def operands(random, m, n, k, layout):
    """A and B as they lie in memory for `layout`, seen as [m, k] and [k, n]"""
    a = random(k, m).T if layout[0] == "T" else random(m, k)
    b = random(n, k).T if layout[1] == "T" else random(k, n)
    return a, b


def torch_gemm(m, n, k, layout):
    import torch
    a, b = operands(torch.randn, m, n, k, layout)
    c = torch.empty(m, n)
    return lambda: torch.matmul(a, b, out=c)


def numpy_gemm(m, n, k, layout):
    import numpy as np
    random = np.random.default_rng(0)
    a, b = operands(lambda *shape: random.standard_normal(shape, dtype=np.float32), m, n, k, layout)
    c = np.empty((m, n), np.float32)
    return lambda: np.matmul(a, b, out=c)


# ---- CLIP ViT-B/32 as open_clip has it ----

def clip_model(tokens=CONTEXT):
    """With fewer tokens than 77, the text tower is cut to that length: open_clip itself always pads."""
    import open_clip
    from torch import nn
    model = open_clip.create_model("ViT-B-32", pretrained=None)
    if tokens < CONTEXT:
        model.positional_embedding = nn.Parameter(model.positional_embedding[:tokens].detach())
        model.attn_mask = model.attn_mask[:tokens, :tokens]
    return model


def clip_pictures(batch):
    import torch
    return torch.randn(batch, 3, 224, 224)


def clip_texts(batch, tokens, texts):
    """Random ids, or the first lines of a file padded to 77: [batch, tokens]"""
    import open_clip
    import torch
    if texts:
        return open_clip.tokenize(first_lines(texts, batch))
    return torch.randint(1, VOCABULARY, (batch, tokens))


def text_tower(model):
    from torch import nn

    class TextTower(nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, ids):
            return self.model.encode_text(ids)

    return TextTower().eval()


def in_inference(module, inputs):
    import torch
    return torch.inference_mode()(lambda: module(inputs))


def torch_image(batch):
    return in_inference(clip_model().visual.eval(), clip_pictures(batch))


def torch_text(batch, tokens=CONTEXT, texts=None):
    return in_inference(text_tower(clip_model(tokens)), clip_texts(batch, tokens, texts))


def clip_train(batch, tokens, texts, compiled):
    import open_clip
    import torch
    model, loss_of = clip_model().train(), open_clip.ClipLoss()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5, betas=(0.9, 0.98), eps=1e-6)
    pictures, ids = clip_pictures(batch), clip_texts(batch, tokens, texts)
    forward = torch.compile(model) if compiled else model

    def step():
        optimizer.zero_grad(set_to_none=True)
        loss_of(*forward(pictures, ids)[:3]).backward()
        optimizer.step()

    return step


def torch_train(batch, tokens=CONTEXT, texts=None):
    return clip_train(batch, tokens, texts, compiled=False)


def compile_train(batch, tokens=CONTEXT, texts=None):
    return clip_train(batch, tokens, texts, compiled=True)


# ---- the same towers in ONNX Runtime ----

def ort_step(module, inputs, path):
    """Exports the module to `path` unless an earlier turn has done so."""
    import onnxruntime
    import torch
    if not pathlib.Path(path).exists():
        torch.onnx.export(module, (inputs,), path, input_names=["x"], output_names=["y"], dynamo=False,
                          opset_version=17)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    feed = {"x": inputs.numpy()}
    return lambda: session.run(None, feed)


def ort_image(batch, folder):
    return ort_step(clip_model().visual.eval(), clip_pictures(batch), f"{folder}/image-{batch}.onnx")


def ort_text(batch, folder, tokens=CONTEXT, texts=None):
    return ort_step(text_tower(clip_model(tokens)), clip_texts(batch, tokens, texts),
                    f"{folder}/text-{batch}-{tokens}.onnx")


# ---- R4j4n/OpenAI-CLIP-in-PyTorch: timm's ViT-B/16 with its logits, BERT-base, two heads ----

def seed_head(width, dim=512):
    from torch import nn

    class Head(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc1, self.fc2, self.norm = nn.Linear(width, dim), nn.Linear(dim, dim), nn.LayerNorm(dim)
            self.gelu, self.dropout = nn.GELU(), nn.Dropout(0.1)

        def forward(self, x):
            y = self.fc1(x)
            return self.norm(self.dropout(self.fc2(self.gelu(y))) + y)

    return Head()


def seed_texts(batch, texts, tokenizer):
    """The ids and the mask of the first lines of a file, padded to 100 tokens: [batch, 100]"""
    import torch
    from tokenizers import BertWordPieceTokenizer
    wordpiece = BertWordPieceTokenizer(f"{tokenizer}/vocab.txt", lowercase=True)
    wordpiece.enable_truncation(SEED_CONTEXT)
    wordpiece.enable_padding(length=SEED_CONTEXT)
    encoded = wordpiece.encode_batch(first_lines(texts, batch))
    return torch.tensor([text.ids for text in encoded]), torch.tensor([text.attention_mask for text in encoded])


def torch_seed(batch, texts, tokenizer):
    import timm
    import torch
    from torch.nn import functional, ModuleList, Parameter
    from transformers import BertConfig, BertModel
    image, image_head = timm.create_model("vit_base_patch16_224", pretrained=False), seed_head(1000)
    text, text_head = BertModel(BertConfig(), add_pooling_layer=False), seed_head(768)
    scale = Parameter(torch.tensor(1 / 0.07).log())
    parameters = ModuleList([image, image_head, text, text_head]).train().parameters()
    optimizer = torch.optim.AdamW([*parameters, scale], lr=1e-5)
    pictures, own = torch.randn(batch, 3, 224, 224), torch.arange(batch)
    ids, mask = seed_texts(batch, texts, tokenizer)
    weights = mask[..., None].float()

    def step():
        optimizer.zero_grad(set_to_none=True)
        hidden = text(input_ids=ids, attention_mask=mask).last_hidden_state
        sentences = functional.normalize((hidden * weights).sum(1) / weights.sum(1), dim=-1)
        left = functional.normalize(image_head(image(pictures)), dim=-1)
        right = functional.normalize(text_head(sentences), dim=-1)
        logits = scale.exp() * left @ right.T
        (functional.cross_entropy(logits, own) + functional.cross_entropy(logits.T, own)).div(2).backward()
        optimizer.step()

    return step


# ---- photos ----

def pillow_decode(folder):
    """As far as `bench decode` goes: the square's bytes."""
    import torch
    from PIL import Image
    from torchvision import transforms
    torch.set_num_threads(1)
    square = transforms.Compose([transforms.Resize(224, transforms.InterpolationMode.BICUBIC),
                                 transforms.CenterCrop(224), transforms.PILToTensor()])
    paths = photos_below(folder)

    def step():
        for path in paths:
            square(Image.open(path).convert("RGB"))

    return step


class Photos:
    """A data set: the pixels that the image tower wants of each photo."""

    def __init__(self, paths, prepare):
        self.paths, self.prepare = paths, prepare

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, i):
        from reference import load_square
        return self.prepare(load_square(self.paths[i]))


def torch_dinov2(photos, model):
    """`photos` is a file with a path a line. Two processes read ahead."""
    import torch
    from reference import ImageTower
    tower = ImageTower(model)
    paths = pathlib.Path(photos).read_text(encoding="utf-8").splitlines()
    loader = torch.utils.data.DataLoader(Photos(paths, tower.normalise), batch_size=32, num_workers=2)

    def step():
        with torch.inference_mode():
            return torch.cat([tower.tower(pixels).last_hidden_state[:, 0] for pixels in loader])

    return step


# ---- the ten nearest rows of one query ----

def search_input(rows, dim):
    """[rows, dim] and [1, dim], with numbers such as those of `bench search`"""
    import numpy as np
    numbers = np.random.default_rng(0).random((rows + 1, dim), dtype=np.float32)
    numbers -= 0.5
    return numbers[:rows], numbers[rows:]


def numpy_search(rows, dim):
    import numpy as np
    table, query = search_input(rows, dim)

    def step():
        scores = table @ query[0]
        best = np.argpartition(scores, -10)[-10:]
        return best[np.argsort(-scores[best])]

    return step


def faiss_search(rows, dim, kind):
    import faiss
    table, query = search_input(rows, dim)
    index = faiss.index_factory(dim, kind, faiss.METRIC_INNER_PRODUCT)
    index.train(table[:20000])
    index.add(table)
    return lambda: index.search(query, 10)


def faiss_flat(rows, dim):
    return faiss_search(rows, dim, "Flat")


def faiss_fp16(rows, dim):
    return faiss_search(rows, dim, "SQfp16")


def usearch_fp16(rows, dim, threads):
    import numpy as np
    from usearch.index import MetricKind, search
    table, query = (numbers.astype(np.float16) for numbers in search_input(rows, dim))
    return lambda: search(table, query, 10, MetricKind.IP, exact=True, threads=threads)


SIDES = {side.__name__: side for side in (
    torch_gemm, numpy_gemm, torch_image, torch_text, torch_train, compile_train, ort_image, ort_text, torch_seed,
    pillow_decode, torch_dinov2, numpy_search, faiss_flat, faiss_fp16, usearch_fp16)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("side", choices=SIDES)
    parser.add_argument("options", type=json.loads, help="the side's arguments in JSON")
    parser.add_argument("--runs", type=int, default=5, help="runs counted")
    parser.add_argument("--warm", type=int, default=1, help="runs before those")
    arguments = parser.parse_args()
    step, seconds = SIDES[arguments.side](**arguments.options), []
    for _ in range(arguments.warm):
        step()
    for _ in range(arguments.runs):
        began = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - began)
    print(json.dumps({"ms": 1e3 * statistics.median(seconds)}))


if __name__ == "__main__":
    main()
