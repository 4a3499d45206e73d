#!/usr/bin/env python3
"""Holds the best rows that oclip's search finds against those by NumPy's float64 products.

    python tests/peers/search_exact.py build/tests/search_ids --rows 1000000 --dim 512 --queries 1000

The rows lie in clusters, as embeddings of photos do; the queries are near some of them. Prints for how many queries the
best are the same rows in the same order, and in how many of the others float32 rounding alone tells the rows apart.
"""
import argparse
import pathlib
import subprocess
import tempfile
import time

import numpy as np

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("search_ids")
parser.add_argument("--rows", type=int, default=1000000)
parser.add_argument("--dim", type=int, default=512)
parser.add_argument("--queries", type=int, default=1000)
parser.add_argument("--clusters", type=int, default=2000)
parser.add_argument("-k", type=int, default=10)
options = parser.parse_args()
rng = np.random.default_rng(1)


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def near(centres, count, spread):
    rows = rng.standard_normal((count, options.dim), dtype=np.float32) * np.float32(spread / options.dim ** 0.5)
    rows += centres[rng.integers(len(centres), size=count)]
    return unit(rows)


def best(rows, queries):
    """float64: ids [queries, k], and the scores of those [queries, k], best first."""
    ids, scores = np.empty((len(queries), 0), int), np.empty((len(queries), 0))
    for begin in range(0, len(rows), 20000):
        part = queries.astype(float) @ rows[begin:begin + 20000].T.astype(float)
        top = np.argpartition(-part, options.k, axis=1)[:, :options.k]
        ids = np.hstack([ids, top + begin])
        scores = np.hstack([scores, np.take_along_axis(part, top, 1)])
        order = np.lexsort((ids, -scores))[:, :options.k]
        ids, scores = np.take_along_axis(ids, order, 1), np.take_along_axis(scores, order, 1)
    return ids, scores


centres = unit(rng.standard_normal((options.clusters, options.dim), dtype=np.float32) + 1)  # all share a direction
rows = near(centres, options.rows, 0.7)
queries = near(centres, options.queries, 0.5)
with tempfile.TemporaryDirectory() as folder:
    files = [pathlib.Path(folder) / name for name in ("rows.npy", "queries.npy")]
    for file, array in zip(files, (rows, queries)):
        np.save(file, array)
    begin = time.monotonic()
    lines = subprocess.run([options.search_ids, *files, str(options.k)], check=True, capture_output=True, text=True).stdout
    took = time.monotonic() - begin
found = np.array([line.split() for line in lines.splitlines()], int)
wanted, scores = best(rows, queries)
same_order = (found == wanted).all(axis=1)
same_rows = (np.sort(found) == np.sort(wanted)).all(axis=1)
lost = max((scores[q, -1] - (rows[found[q]].astype(float) @ queries[q].astype(float)).min()
            for q in np.flatnonzero(~same_rows)), default=0)
print(f"{options.rows} x {options.dim}, {options.queries} queries, top {options.k}: {same_rows.mean():.2%} the same rows, "
      f"{same_order.mean():.2%} in the same order; the largest loss of score elsewhere {lost:.1e}; {took:.1f} s with loading")
