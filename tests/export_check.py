"""What tools/export wrote, held against the folder and against each other: every form has the same rows.

    python3 export_check.py FOLDER GALLERY      # FOLDER: npy.npy, npy.jsonl, pgvector, qdrant, milvus, embed.npy
    python3 export_check.py FOLDER GALLERY table    # also what PostgreSQL gave back

Only Python's own library is used.
"""

import array
import ast
import base64
import json
import os
import struct
import sys
import uuid


def read_npy(path):
    with open(path, "rb") as file:
        assert file.read(8) == b"\x93NUMPY\x01\x00"
        header = ast.literal_eval(file.read(struct.unpack("<H", file.read(2))[0]).decode("latin1"))
        assert header["descr"] == "<f4" and not header["fortran_order"]
        n, dim = header["shape"]
        numbers = array.array("f", file.read())
    assert len(numbers) == n * dim
    return [numbers[i * dim : (i + 1) * dim] for i in range(n)]


def floats(numbers):
    return array.array("f", numbers)


def path_of(facts):
    if "image_path_base64" in facts:
        path = base64.b64decode(facts["image_path_base64"], validate=True)
        assert "\ufffd" in facts["image_path"]
        return path
    return facts["image_path"].encode()


def copy_column(text):
    """As PostgreSQL's documentation of COPY has it."""
    if text == "\\N":
        return None
    names, letters = {"t": "\t", "n": "\n", "r": "\r", "\\": "\\"}, iter(text)
    return "".join(names[next(letters)] if letter == "\\" else letter for letter in letters)


def read_copy(path):
    for line in open(path, encoding="utf-8", newline="\n"):
        id, text, octets, width, height, hash, taken, vector = map(copy_column, line[:-1].split("\t"))
        yield id, bytes.fromhex(octets[2:]) if octets else text.encode(), floats(json.loads(vector))


def read_table(path):
    for line in open(path):
        id, text, octets, vector = line[:-1].split("|")
        yield id, bytes.fromhex(octets or text), floats(json.loads(vector))


def read_qdrant(path):
    for line in open(path, encoding="utf-8"):
        point = json.loads(line)
        yield point["id"], path_of(point["payload"]), floats(point["vector"])


def read_milvus(path):
    for entity in json.load(open(path, encoding="utf-8"))["rows"]:
        yield entity["id"], path_of(entity), floats(entity["vector"])


folder, gallery, also = sys.argv[1], os.fsencode(sys.argv[2]), sys.argv[3:]
wanted = sorted(
    os.path.join(where, name)
    for where, _, names in os.walk(gallery)
    for name in names
    if not name.startswith(b".")
)
rows = read_npy(f"{folder}/npy.npy")
lines = [json.loads(line) for line in open(f"{folder}/npy.jsonl", encoding="utf-8", newline="\n")]
assert [path_of(line) for line in lines] == wanted, lines
for row, embedded in zip(rows, read_npy(f"{folder}/embed.npy"), strict=True):
    assert abs(sum(a * a for a in row) - 1) < 1e-5
    assert sum(a * b for a, b in zip(row, embedded)) > 0.99999

readers = {"pgvector": read_copy, "table": read_table, "qdrant": read_qdrant, "milvus": read_milvus}
ids = [id for id, _, _ in read_copy(f"{folder}/pgvector")]
assert len(set(ids)) == len(wanted) and all(uuid.UUID(id).variant == uuid.RFC_4122 for id in ids)
for form in ["pgvector", "qdrant", "milvus", *also]:
    got = list(readers[form](f"{folder}/{form}"))
    assert [path for _, path, _ in got] == wanted, (form, got)
    assert [id for id, _, _ in got] == ids, form
    assert [vector for _, _, vector in got] == rows, form
print(f"{len(rows)} rows, the same in {', '.join(['npy', 'pgvector', 'qdrant', 'milvus', *also])}")
