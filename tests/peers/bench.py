"""oclip's speed and memory against PyTorch, torch.compile, ONNX Runtime, OpenBLAS, Pillow, faiss and usearch.

    python tests/peers/bench.py build/tools/bench [--cases REGEX] [--runs 5]
           [--texts captions.txt --tokenizer DIR] [--photos DIR] [--towers DIR]

A case is done by oclip and its peers in turn, --runs times over, so that what slows the machine down for a while hits
all of them. Each turn is a fresh process, which warms up and takes a case's own number of timed runs. Prints a case's
medians, and behind each peer's how many times oclip's it is; then tables in Markdown. A peer that is not installed and
a case whose option is not given are named and left out.
"""
import argparse
import importlib.metadata
import importlib.util
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time
from typing import NamedTuple

THREADS = 2
SIDES = pathlib.Path(__file__).with_name("bench_sides.py")
SEARCH = {"rows": 500000, "dim": 512}

# side of bench_sides.py: its name in the tables, the packages it needs
PEERS = {
    "torch_gemm": ("PyTorch", ["torch"]),
    "torch_image": ("PyTorch", ["torch", "open_clip"]),
    "torch_text": ("PyTorch", ["torch", "open_clip"]),
    "torch_train": ("PyTorch", ["torch", "open_clip"]),
    "torch_seed": ("PyTorch", ["torch", "timm", "transformers", "tokenizers"]),
    "torch_dinov2": ("PyTorch", ["torch", "torchvision", "transformers", "tokenizers", "PIL"]),
    "compile_train": ("torch.compile", ["torch", "open_clip"]),
    "ort_image": ("ONNX Runtime", ["onnxruntime", "onnx", "torch", "open_clip"]),
    "ort_text": ("ONNX Runtime", ["onnxruntime", "onnx", "torch", "open_clip"]),
    "numpy_gemm": ("NumPy (OpenBLAS)", ["numpy"]),
    "numpy_search": ("NumPy (OpenBLAS)", ["numpy"]),
    "pillow_decode": ("Pillow", ["torch", "torchvision", "PIL"]),
    "faiss_flat": ("faiss flat", ["faiss"]),
    "faiss_fp16": ("faiss SQfp16", ["faiss"]),
    "usearch_fp16": ("usearch fp16", ["usearch"]),
}

# the names packages are installed by, where they are not what is imported
DISTRIBUTIONS = {"open_clip": "open_clip_torch", "PIL": "pillow", "faiss": "faiss-cpu"}


class Case(NamedTuple):
    table: str
    name: str
    words: list  # BENCH's, or embed's where `whole`
    peers: dict  # side: its options
    runs: int = 5  # timed in one turn
    needs: tuple = ()  # options of this program
    variants: dict = {}  # column: what BENCH is given besides
    whole: bool = False  # oclip's time is that of the process, its start included; nothing warms up


class Measured(NamedTuple):
    ms: float
    bytes: int


# ---- the cases ----

GEMMS = [  # m, n, k, layout; NT is a layer's forward pass, NN and TN the gradients of its input and of its weight
    ("square", ["1024x1024x1024 NT"]),
    ("ViT-B/32", ["1600x3072x768 NT", "1600x768x3072 NT", "1600x768x3072 NN", "3072x768x1600 TN",
                  "1600x3072x768 NN", "768x3072x1600 TN"]),
    ("ViT-B/16", ["6304x768x768 NT"]),
    ("small", ["64x768x768 NT"]),
    ("BERT-base, 3,200 tokens", ["3200x3072x768 NT", "3200x768x3072 NN", "3072x768x3200 TN", "3200x768x3072 NT",
                                 "3200x3072x768 NN", "768x3072x3200 TN"]),
]


def gemm_cases():
    for label, shapes in GEMMS:
        for shape in shapes:
            sizes, layout = shape.split()
            options = dict(zip("mnk", map(int, sizes.split("x")))) | {"layout": layout}
            yield Case("Matrix products", f"gemm {shape} ({label})", ["gemm", sizes, layout],
                       {"torch_gemm": options, "numpy_gemm": options}, runs=20)


def tower_cases(arguments, scratch):
    table, ort = "Towers: CLIP ViT-B/32", {"folder": str(scratch)}
    for batch in (1, 32):
        options = {"batch": batch}
        yield Case(table, f"image tower, batch {batch}", ["image", "ViT-B-32", "--batch", batch],
                   {"torch_image": options, "ort_image": options | ort})
    text = ["text", "ViT-B-32", "--batch", 32]
    options = {"batch": 32}
    yield Case(table, "text tower, batch 32 of 77 tokens", [*text, "--tokens", 77],
               {"torch_text": options, "ort_text": options | ort})
    options = {"batch": 32, "texts": arguments.texts}
    yield Case(table, "text tower, batch 32 of real captions (peers pad to 77)", [*text, *captions(arguments)],
               {"torch_text": options, "ort_text": options | ort}, needs=("texts", "tokenizer"))
    for tokens, label in ((77, "8 tokens (peers pad to 77)"), (8, "8 tokens (peers' towers cut to 8)")):
        options = {"batch": 1, "tokens": tokens}
        yield Case(table, f"text tower, one caption of {label}", ["text", "ViT-B-32", "--batch", 1, "--tokens", 8],
                   {"torch_text": options, "ort_text": options | ort}, runs=20)


def captions(arguments):
    return ["--texts", arguments.texts, "--tokenizer", arguments.tokenizer]


def training_cases(arguments):
    table, train = "Training steps, batch 32, AdamW", ["train", "ViT-B-32", "--batch", 32]
    less = {"oclip --grad-checkpointing": ["--grad-checkpointing"]}
    options = {"batch": 32}
    yield Case(table, "CLIP ViT-B/32, 77 tokens", [*train, "--tokens", 77],
               {"torch_train": options, "compile_train": options}, runs=1, variants=less)
    yield Case(table, "CLIP ViT-B/32, real captions (PyTorch pads to 77)", [*train, *captions(arguments)],
               {"torch_train": options | {"texts": arguments.texts}}, runs=1, needs=("texts", "tokenizer"),
               variants=less)
    wordpiece = f"{arguments.towers}/all-MiniLM-L6-v2"  # BERT's own vocabulary
    yield Case(table, "seed: ViT-B/16 and BERT-base, real captions (PyTorch pads to 100)",
               ["train", "seed", "--batch", 32, "--texts", arguments.texts, "--tokenizer", wordpiece],
               {"torch_seed": options | {"texts": arguments.texts, "tokenizer": wordpiece}}, runs=1,
               needs=("texts", "towers"), variants=less)


def photo_cases(arguments, scratch):
    listing, count = scratch / "photos.txt", 0
    if arguments.photos:
        from bench_sides import photos_below
        paths = photos_below(arguments.photos)
        listing.write_text("".join(f"{path}\n" for path in paths), encoding="utf-8")
        count = len(paths)
    yield Case("Photos", f"decoding and cutting {count:,} photos to 224 x 224, one thread",
               ["decode", arguments.photos, "--workers", 1], {"pillow_decode": {"folder": arguments.photos}}, runs=1,
               needs=("photos",))
    model = f"{arguments.towers}/dinov2-small"
    yield Case("Photos", f"DINOv2-small features of {count:,} photos (PyTorch without its start, oclip with it)",
               ["--image-model", model, "--images", listing, "--out", scratch / "rows.npy", "--quiet"],
               {"torch_dinov2": {"photos": str(listing), "model": model}}, runs=1, needs=("photos", "towers"),
               whole=True)


def search_cases():
    yield Case("Exact search", "top 10 of 500,000 x 512, one query",
               ["search", "--rows", SEARCH["rows"], "--dim", SEARCH["dim"]],
               {"numpy_search": SEARCH, "faiss_flat": SEARCH, "faiss_fp16": SEARCH,
                "usearch_fp16": SEARCH | {"threads": THREADS}}, runs=20)


def all_cases(arguments, scratch):
    return [*gemm_cases(), *tower_cases(arguments, scratch), *training_cases(arguments),
            *photo_cases(arguments, scratch), *search_cases()]


# ---- measuring ----

def environment():
    threads = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POCL_MAX_PTHREAD_COUNT",
               "POCL_CPU_MAX_CU_COUNT")
    kept = {name: value for name, value in os.environ.items()
            if name not in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")}  # OpenBLAS shall choose its kernels itself
    return kept | {name: str(THREADS) for name in threads} | {"HF_HUB_OFFLINE": "1"}


def run(command):
    """One process: its last line of output, the seconds it took, and the most memory it held."""
    with tempfile.TemporaryFile("w+") as errors:
        began = time.perf_counter()
        process = subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, stderr=errors, text=True,
                                   env=environment())
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        seconds, process.returncode = time.perf_counter() - began, os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            errors.seek(0)
            last = (errors.read().strip().splitlines() or ["no message"])[-1]
            raise RuntimeError(f"{command[0]} failed with {process.returncode}: {last}")
    return (output.strip().splitlines() or [""])[-1], seconds, 1024 * usage.ru_maxrss


class Bench:
    def __init__(self, arguments):
        self.program, self.turns = arguments.bench, arguments.runs
        self.device = None
        self.left_out = []

    def ours(self, case, extra=()):
        if case.whole:
            _, seconds, peak = run([self.program.with_name("embed"), *case.words])
            return Measured(1e3 * seconds, peak)
        line, _, peak = run([self.program, *case.words, *extra, "--json", "--quiet", "--runs", case.runs])
        measured = json.loads(line)
        self.device = measured["device"]
        return Measured(measured["ms"], peak)

    def theirs(self, case, side):
        line, _, peak = run([sys.executable, SIDES, side, json.dumps(case.peers[side]), "--runs", case.runs, "--warm",
                             0 if case.whole else 1])
        return Measured(json.loads(line)["ms"], peak)

    def measure(self, case):
        """{column: Measured}, oclip's first; without those that failed"""
        turns = {"oclip": lambda: self.ours(case)}
        for column, extra in case.variants.items():
            turns[column] = lambda extra=extra: self.ours(case, extra)
        for side in case.peers:
            turns[PEERS[side][0]] = lambda side=side: self.theirs(case, side)
        taken = {column: [] for column in turns}
        for _ in range(self.turns):
            for column in list(turns):
                try:
                    taken[column].append(turns[column]())
                except RuntimeError as error:
                    self.left_out.append(f"{column} in \"{case.name}\": {error}")
                    del turns[column], taken[column]
        return {column: Measured(*map(statistics.median, zip(*some))) for column, some in taken.items()}


def absent_packages(side):
    return [name for name in PEERS[side][1] if importlib.util.find_spec(name) is None]


def choose(cases, arguments, left_out):
    """The cases that --cases names, without what cannot run here."""
    for case in cases:
        if not re.search(arguments.cases, case.name):
            continue
        missing = [f"--{option}" for option in case.needs if not getattr(arguments, option)]
        if missing:
            left_out.append(f"\"{case.name}\" wants {' and '.join(missing)}")
            continue
        peers = {}
        for side, options in case.peers.items():
            absent = absent_packages(side)
            if absent:
                left_out.append(f"{PEERS[side][0]} ({side}): {', '.join(absent)} not installed")
            else:
                peers[side] = options
        yield case._replace(peers=peers)


# ---- printing ----

def time_text(ms):
    value, unit = (ms / 1e3, "s") if ms >= 1e3 else (ms, "ms")
    return f"{value:.{0 if value >= 100 else 1 if value >= 10 else 2}f} {unit}"


def memory_text(size):
    return f"{size / 1e9:.2f} GB"


def cell(measured, column, field, text):
    if column not in measured:
        return ""
    value = getattr(measured[column], field)
    if column == "oclip" or "oclip" not in measured:
        return text(value)
    return f"{text(value)} ({value / getattr(measured['oclip'], field):.2f})"


def print_case(case, measured):
    cells = (f"{column} {cell(measured, column, 'ms', time_text)}" for column in measured)
    print(f"{case.name}: {', '.join(cells)}", flush=True)


def print_table(title, results, field, text):
    columns = list(dict.fromkeys(column for _, measured in results for column in measured))
    print(f"\n| {title} | {' | '.join(columns)} |\n|{' --- |' * (len(columns) + 1)}")
    for case, measured in results:
        print(f"| {case.name} | {' | '.join(cell(measured, column, field, text) for column in columns)} |")


def machine(bench, results):
    lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")] or ["unknown CPU"]
    packages = sorted({package for case, _ in results for side in case.peers for package in PEERS[side][1]})
    versions = [f"Python {sys.version.split()[0]}"]
    versions += [f"{name} {importlib.metadata.version(DISTRIBUTIONS.get(name, name))}" for name in packages]
    return (f"{models[0]} with {os.cpu_count()} processors, {THREADS} threads; oclip on "
            f"{bench.device or 'the device that embed chose'}; {', '.join(versions)}. Medians over {bench.turns} "
            "turns; in brackets how many times oclip's")


def print_tables(bench, results):
    print(f"\nMeasured on {machine(bench, results)}.")
    for title in dict.fromkeys(case.table for case, _ in results):
        print_table(title, [result for result in results if result[0].table == title], "ms", time_text)
    training = [result for result in results if result[0].words[0] == "train"]
    if training:
        print_table("Peak memory of the whole process", training, "bytes", memory_text)
    for line in dict.fromkeys(bench.left_out):
        print(f"\nLeft out: {line}")


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bench", type=pathlib.Path, help="build/tools/bench; embed is looked for beside it")
    parser.add_argument("--cases", default="", metavar="REGEX", help="only cases whose name it is found in")
    parser.add_argument("--runs", type=int, default=5, metavar="N", help="turns of each side")
    parser.add_argument("--texts", metavar="FILE", help="captions, one a line: at least 32")
    parser.add_argument("--tokenizer", metavar="DIR", help="a folder with CLIP's tokenizer, for oclip")
    parser.add_argument("--photos", metavar="DIR", help="photos to decode and embed")
    parser.add_argument("--towers", metavar="DIR", help="what tools/fetch_towers.py wrote")
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    arguments.bench = arguments.bench.resolve()
    bench, results = Bench(arguments), []
    with tempfile.TemporaryDirectory() as scratch:
        try:
            for case in choose(all_cases(arguments, pathlib.Path(scratch)), arguments, bench.left_out):
                results.append((case, bench.measure(case)))
                print_case(*results[-1])
        except KeyboardInterrupt:
            bench.left_out.append("what comes after the interruption")
    print_tables(bench, results)


if __name__ == "__main__":
    main()
