"""TensorBoard's own reader over a run's event files: are its curves those of steps.jsonl and results.jsonl?

    pip install tensorboard
    python3 tests/peers/events.py runs/NAME
"""
import json
import os
import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator


def records(run, name):
    with open(os.path.join(run, name)) as lines:
        return [json.loads(line) for line in lines]


def main(run):
    events = EventAccumulator(os.path.join(run, "tensorboard"), size_guidance={"scalars": 0})
    events.Reload()
    curves = {tag: [(e.step, e.value) for e in events.Scalars(tag)] for tag in events.Tags()["scalars"]}
    steps, epochs = records(run, "steps.jsonl"), records(run, "results.jsonl")
    wanted = {"train/loss": [(r["step"], r["loss"]) for r in steps], "train/lr": [(r["step"], r["lr"]) for r in steps]}
    for key in epochs[0]:
        if key == "val_loss" or "recall@" in key:
            wanted["val/" + key.removeprefix("val_")] = [(r["step"], r[key]) for r in epochs]
    for tag, points in wanted.items():
        got = curves[tag]
        assert [step for step, _ in got] == [step for step, _ in points], f"{tag}: other steps"
        worst = max(abs(a - b) / max(abs(b), 1e-30) for (_, a), (_, b) in zip(got, points))
        assert worst < 1e-6, f"{tag}: {worst} apart"
        print(f"{tag}: {len(points)} points, within {worst:.1e}")
    print("curves:", ", ".join(sorted(curves)))


main(sys.argv[1])
