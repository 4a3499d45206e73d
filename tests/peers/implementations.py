"""The same training on every OpenCL implementation at hand: losses side by side, and the largest difference.

    python tests/peers/implementations.py build/trainer [--intel DIR] [--steps 200] [--only NAME,NAME]

DIR holds the .so files of Intel's CPU runtime and an .icd file that names libintelocl.so (CONTRIBUTING.md says how to
make it). PoCL is run twice: once with the kernels' CPU form, once with that for GPUs. An implementation that is not
there is named and left out. Ends with 1 if two losses of a step differ by more than 1e-3.
"""
import argparse
import os
import pathlib
import re
import subprocess
import sys
import tempfile

BAR, NO_DEVICE = 1e-3, 3
SAMPLE = pathlib.Path(__file__).parents[1] / "sample"


def implementations(intel):
    """A name, and what in the environment chooses it."""
    yield "pocl", {"OCLIP_DEVICE": "portable"}
    yield "pocl as gpu", {"OCLIP_DEVICE": "portable", "OCLIP_DEVICE_CLASS": "gpu"}
    if intel:
        yield "intel", {"OCL_ICD_VENDORS": str(intel), "LD_LIBRARY_PATH": str(intel)}
    yield "rusticl", {"OCLIP_DEVICE": "rusticl", "RUSTICL_ENABLE": "llvmpipe"}


def train(arguments, environment, scratch, name):
    """The losses of all steps; None when there is no such device."""
    command = [arguments.trainer, "--quiet", "--model", "tiny", "--train-data", SAMPLE / "captions.csv", "--image-root",
               SAMPLE / "images", "--batch-size", "16", "--epochs", "1000", "--max-steps", str(arguments.steps),
               "--val-split", "0", "--log-every-n-steps", "1", "--save-frequency", "1000", "--out", scratch, "--name", name]
    environment = os.environ | environment | {"OCLIP_CACHE": f"{scratch}/cache-{name}"}
    result = subprocess.run(command, env=environment, stderr=subprocess.PIPE, text=True, check=False)
    if result.returncode == NO_DEVICE:
        return None
    if result.returncode:
        sys.exit(f"{name}: exit code {result.returncode}: {result.stderr}")
    print(f"{name}: {result.stderr.strip() or 'every kernel was found right'}")
    log = (pathlib.Path(scratch) / name / "out.log").read_text()
    return [float(loss) for loss in re.findall(r" loss (\S+) ", log)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trainer")
    parser.add_argument("--intel", type=pathlib.Path)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--only", default="", help="these implementations, with commas between them")
    arguments = parser.parse_args()
    only = arguments.only.split(",")
    losses = {}
    with tempfile.TemporaryDirectory() as scratch:
        for name, environment in implementations(arguments.intel):
            if arguments.only and name not in only:
                continue
            losses[name] = train(arguments, environment, scratch, name)
            if losses[name] is None:
                print(f"{name}: not there")
                del losses[name]
    print(" step " + "".join(f"{name:>12}" for name in losses))
    for step, row in enumerate(zip(*losses.values(), strict=True), 1):
        if step == 1 or step % 20 == 0:
            print(f"{step:5} " + "".join(f"{loss:12.6f}" for loss in row))
    worst = max(max(row) - min(row) for row in zip(*losses.values(), strict=True))
    print(f"{arguments.steps} steps on {len(losses)} implementations: largest difference {worst:.2g}, {BAR} allowed")
    return worst > BAR or len(losses) < 2


if __name__ == "__main__":
    sys.exit(main())
