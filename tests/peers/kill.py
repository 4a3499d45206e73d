"""Kills a run at random moments and resumes it: it must end with the weights of a run that was never stopped.

    python tests/peers/kill.py --trainer build/trainer --kills 200 [--device cpu] [--seed 1]

Every second kill waits for a checkpoint or a model to be half written; the others come at any time. `--signal TERM`
stops politely instead, which must end with exit code 75 (or -15 before the run has begun). Runs end when they are not
killed in time: then their weights are compared, and the next run begins.
"""
import argparse
import hashlib
import pathlib
import random
import shutil
import signal
import subprocess
import tempfile
import time

DATA = pathlib.Path(__file__).parent.parent / "sample"


def weights(folder):
    """Digests of what a run leaves: the last model, the best, and the newest checkpoint."""
    newest = sorted((folder / "checkpoints").glob("step-*"))[-1]
    files = [folder / "model/model.safetensors", folder / "best/model.safetensors", newest / "arena.safetensors"]
    return [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]


def write_table(path):
    """A few pairs: a run is short then, and much of it is the writing of checkpoints."""
    lines = (DATA / "captions.csv").read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:1] + lines[1::5][:32]))


def command(args, folder, resume):
    words = [args.trainer, "--device", args.device, "--model", "tiny", "--train-data", folder.parent / "pairs.csv",
             "--image-root", DATA / "images", "--batch-size", "8", "--epochs", "8", "--save-frequency", "1",
             "--quiet", "--out", folder.parent, "--name", folder.name]
    return [str(word) for word in words + (["--resume", folder] if resume else [])]


def half_written(folder):
    return any(folder.glob("checkpoints/*.partial")) or any(folder.glob("*/*.tmp*")) or any(folder.glob("*/.*"))


def wait_for_moment(process, folder, draw, whole):
    """Returns whether the kill falls into a write."""
    if draw.random() < 0.5:
        time.sleep(draw.uniform(0, whole))
        return half_written(folder)
    end = time.monotonic() + 2 * whole
    while process.poll() is None and time.monotonic() < end:
        if half_written(folder):
            time.sleep(draw.uniform(0, 0.02))
            return half_written(folder)
        time.sleep(0.0005)
    return False


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--trainer", required=True)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--signal", choices=["KILL", "TERM"], default="KILL")
    args = parser.parse_args()
    draw, scratch = random.Random(args.seed), pathlib.Path(tempfile.mkdtemp())
    number = getattr(signal, "SIG" + args.signal)
    write_table(scratch / "pairs.csv")
    subprocess.run(command(args, scratch / "warm", False), check=True)
    start = time.monotonic()
    subprocess.run(command(args, scratch / "whole", False), check=True)
    seconds, wanted = time.monotonic() - start, weights(scratch / "whole")

    kills = writes = runs = 0
    while kills < args.kills:
        folder, done = scratch / f"run-{runs}", False
        while not done:
            process = subprocess.Popen(command(args, folder, folder.exists()))
            inside = wait_for_moment(process, folder, draw, seconds) if kills < args.kills else False
            if kills < args.kills and process.poll() is None:
                process.send_signal(number)
            code = process.wait()
            done = code == 0
            assert code in ((0, -9) if args.signal == "KILL" else (0, 75, -15)), f"exit code {code}"
            kills += not done
            writes += inside and not done
        assert weights(folder) == wanted, f"{folder}: other weights than those of the run that was never stopped"
        shutil.rmtree(folder)
        runs += 1
        print(f"{kills} kills, {writes} of them inside a write; {runs} runs ended with the same weights", flush=True)
    shutil.rmtree(scratch)


main()
