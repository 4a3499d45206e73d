"""What tools/export writes, loaded by the engines it is meant for and searched there.

    pip install numpy faiss-cpu qdrant-client pymilvus milvus-lite
    python tests/peers/export.py build/tools/export ~/Pictures       # a gallery that was searched before

Each engine has to give back every path and find for every photo (the first 200) the ten that NumPy finds; among scores
closer than 1e-5 any order will do. Engines that are not installed are left out by name. Qdrant and Milvus are their
local forms; Milvus Lite has no bulk import, so its rows go in by insert. tests/test_export.sh does the same with
PostgreSQL.
"""

import argparse
import base64
import json
import os
import pathlib
import subprocess
import tempfile

import numpy

QUERIES, BEST = 200, 10


def path_of(facts):
    if "image_path_base64" in facts:
        return base64.b64decode(facts["image_path_base64"])
    return facts["image_path"].encode()


def search_faiss(folder, queries):
    import faiss

    index = faiss.read_index(str(folder / "faiss.faiss"))
    paths = [path_of(json.loads(line)) for line in open(folder / "faiss.jsonl", encoding="utf-8")]
    _, numbers = index.search(queries, BEST)
    return [[paths[i] for i in row] for row in numbers]


def search_qdrant(folder, queries):
    from qdrant_client import QdrantClient, models

    client = QdrantClient(":memory:")
    client.create_collection("pictures", models.VectorParams(**json.load(open(folder / "qdrant.schema"))["vectors"]))
    points = [models.PointStruct(**json.loads(line)) for line in open(folder / "qdrant", encoding="utf-8")]
    for i in range(0, len(points), 500):
        client.upsert("pictures", points[i : i + 500])
    assert client.count("pictures").count == len(points)
    answers = (client.query_points("pictures", query=query.tolist(), limit=BEST) for query in queries)
    return [[path_of(point.payload) for point in answer.points] for answer in answers]


def search_milvus(folder, queries):
    from pymilvus import DataType, MilvusClient

    wanted = json.load(open(folder / "milvus.schema"))
    client = MilvusClient(str(folder / "milvus.db"))
    schema = client.create_schema(
        auto_id=wanted["schema"]["autoId"], enable_dynamic_field=wanted["schema"]["enableDynamicField"]
    )
    types = {"VarChar": DataType.VARCHAR, "FloatVector": DataType.FLOAT_VECTOR}
    for field in wanted["schema"]["fields"]:
        schema.add_field(
            field["fieldName"],
            types[field["dataType"]],
            is_primary=field.get("isPrimary", False),
            **field["elementTypeParams"],
        )
    index = client.prepare_index_params()
    for row in wanted["indexParams"]:
        index.add_index(row["fieldName"], index_type=row["indexType"], metric_type=row["metricType"])
    name = wanted["collectionName"]
    client.create_collection(name, schema=schema, index_params=index)
    rows = json.load(open(folder / "milvus", encoding="utf-8"))["rows"]
    assert client.insert(name, rows)["insert_count"] == len(rows)
    fields = ["image_path", "image_path_base64"]
    answers = client.search(name, queries.tolist(), limit=BEST, output_fields=fields)
    client.close()
    return [[path_of(hit["entity"]) for hit in answer] for answer in answers]


parser = argparse.ArgumentParser()
parser.add_argument("export")
parser.add_argument("gallery")
arguments = parser.parse_args()

with tempfile.TemporaryDirectory() as scratch:
    folder = pathlib.Path(scratch)
    for name in ["npy", "faiss", "qdrant", "milvus"]:
        command = [arguments.export, "--quiet", "--gallery", arguments.gallery, "--format", name]
        subprocess.run([*command, "--out", folder / name], check=True)
        if name in ("qdrant", "milvus"):
            subprocess.run([*command, "--schema", "--out", folder / f"{name}.schema"], check=True)
    rows = numpy.load(folder / "npy.npy")
    paths = [path_of(json.loads(line)) for line in open(folder / "npy.jsonl", encoding="utf-8")]
    assert rows.dtype == numpy.float32 and len(rows) == len(paths) and all(map(os.path.exists, paths))
    number = {path: i for i, path in enumerate(paths)}
    scores = rows[:QUERIES] @ rows.T
    best = -numpy.sort(-scores)[:, :BEST]
    print(f"numpy: {len(rows)} x {rows.shape[1]}")
    for name, search in {"faiss": search_faiss, "qdrant": search_qdrant, "milvus": search_milvus}.items():
        try:
            answers = search(folder, rows[:QUERIES])
        except ImportError as missing:
            print(f"{name}: left out ({missing})")
            continue
        for i, answer in enumerate(answers):
            found = scores[i, [number[path] for path in answer]]
            assert len(set(answer)) == best.shape[1] and abs(found - best[i]).max() < 1e-5, (name, paths[i], answer)
        print(f"{name}: {len(answers)} photos, the {best.shape[1]} nearest are NumPy's")
