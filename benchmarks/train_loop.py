"""What the training loop costs beside a bare one, and its memory over many pictures.

``python -m benchmarks.train_loop [--pictures 156000] [--steps 2000]`` needs no data: some hundred generated
JPEGs of 96x96, linked under as many names as asked for.

Throughput: the loop with checkpoints, metrics and per-step seeds, against twenty lines of torch with the
same network, batches, loader and optimiser; turn by turn in one process, the ratio of their seconds per
picture from the first batch to the last checkpoint. Wall clock and processor time both, as other programs
disturb the former.

Threads (``--threads``, alone): steps of MobileNetV2 in processes of their own, with one thread, with all as
torch comes, with all sleeping while they wait, and as lineament chooses; turn by turn, with and without as
many busy neighbours as there are cores. The ratio is to one thread of the same turn. Each measurement is
told on stderr when it is done. ``load``: processes of the whole machine that wanted to run, on average over
the minute before, the neighbours among them.

Memory: the most this process held after some steps of an epoch of all the pictures, and after many more.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader

from lineament.datasets.augment.pipeline import Pipeline
from lineament.io import images
from lineament.io.manifest import Manifest, ManifestRow, row_id
from lineament.training import optimisers
from lineament.training import threads as chosen_threads
from lineament.training.architectures import build
from lineament.training.data import Batch, Batches, Pictures, collate, normalised, shuffled
from lineament.training.loop import fit
from lineament.training.runs.folder import open_run
from lineament.training.settings import LoopSettings

SIDE, CLASSES, FILES = 96, 10, 300


@dataclass(frozen=True, slots=True)
class Settings:
    loop: LoopSettings = field(default_factory=LoopSettings)


class Enough(Exception):
    """The steps asked for are done."""


class Task:
    """Ten classes; nothing is evaluated, so that the figures are of training alone."""

    monitor, better = "loss", "low"

    def __init__(self, body: nn.Module, dimension: int) -> None:
        self.model = nn.Sequential(body, nn.Linear(dimension, CLASSES))

    def groups(self) -> list[dict[str, Any]]:
        return optimisers.parameters(self.model)

    def loss(self, model: nn.Module, batch: Batch) -> tuple[torch.Tensor, Mapping[str, torch.Tensor]]:
        logits = model(normalised(batch.pixels, (127.5,), (127.5,)))
        right = (logits.detach().argmax(dim=1) == batch.targets["class"]).float().mean()
        return nn.functional.cross_entropy(logits, batch.targets["class"]), {"accuracy": right}

    def evaluate(self, _device: torch.device) -> Mapping[str, float]:
        return {"loss": 0.0}


def tiny() -> Task:
    """Two small convolutions: loading pictures is nearly all the work."""
    layers = (nn.Conv2d(3, 8, 5, stride=4), nn.ReLU(), nn.Conv2d(8, 16, 3, stride=2), nn.ReLU())
    return Task(nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten()), 16)


def mobilenet() -> Task:
    """MobileNetV2."""
    backbone = build("mobilenet_v2")
    return Task(backbone, backbone.dimension)


def data_set(folder: Path, count: int) -> Manifest:
    """``count`` rows over `FILES` generated pictures."""
    rng = np.random.default_rng(0)
    (folder / "files").mkdir()
    for i in range(min(FILES, count)):
        small = rng.integers(0, 256, (12, 12, 3), dtype=np.uint8)
        images.save(folder / "files" / f"{i}.jpg", small.repeat(8, axis=0).repeat(8, axis=1))
    (folder / "all").mkdir()
    rows = []
    for i in range(count):
        path = f"all/{i}.jpg"
        (folder / path).symlink_to(f"../files/{i % FILES}.jpg")
        rows.append(ManifestRow(row_id(f"{i:064x}", path), path, f"{i:064x}", subject=str(i % CLASSES)))
    return Manifest(tuple(rows), folder=folder)


def target(row: ManifestRow, _view: Any) -> Mapping[str, Any]:
    return {"class": np.int64(row.subject or 0)}


Spent = tuple[float, float]
"""Seconds of the wall clock and of the processor."""


def clocks(began: Spent = (0.0, 0.0)) -> Spent:
    return time.perf_counter() - began[0], time.process_time() - began[1]


def bare(task: Task, data: Pictures, batch: int, epochs: int) -> Spent:
    """The least that trains."""
    began = clocks()
    plan = shuffled(len(data), batch, 0)
    optimiser = torch.optim.Adam(task.model.parameters(), lr=1e-3)
    task.model.train()
    for epoch in range(epochs):
        keys = [[(index, epoch) for index in some] for some in plan(epoch)]
        for held in DataLoader(data, batch_sampler=keys, collate_fn=collate):
            loss, _ = task.loss(task.model, held)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
    return clocks(began)


def looped(task: Task, data: Pictures, batch: int, epochs: int) -> Spent:
    """The same through `fit`, into a run folder."""
    told = Settings(LoopSettings(epochs=epochs, batch_size=batch, patience=None))
    with (
        tempfile.TemporaryDirectory() as out,
        open_run(Path(out) / "run", "bench", told, data.manifest) as run,
    ):
        began = clocks()
        fit(task, Batches(data, shuffled(len(data), batch, 0)), run, told.loop)
        return clocks(began)


def throughput(
    name: str, make: Callable[[], Task], manifest: Manifest, batch: int, epochs: int, turns: int
) -> None:
    """Print a line of the table: ratios over ``turns`` pairs, the order changing from pair to pair."""
    ratios: dict[str, list[float]] = {"wall": [], "processor": []}
    seen = len(manifest) // batch * batch * epochs
    spent = []
    for turn in range(turns):
        took: dict[Any, tuple[float, float]] = {}
        for train in (bare, looped) if turn % 2 else (looped, bare):
            data = Pictures(manifest, manifest.rows, target, size=SIDE, augment=Pipeline(("flip",)))
            took[train] = train(make(), data, batch, epochs)
        for place, clock in enumerate(ratios):
            ratios[clock].append(took[bare][place] / took[looped][place])
        spent.append(took[looped][1] / seen * 1e3)
    cells = [f"{statistics.median(r):.3f} ({min(r):.3f} to {max(r):.3f})" for r in ratios.values()]
    print(
        f"| {name} | {batch} | {seen} | {statistics.median(spent):.2f} | {' | '.join(cells)} |", flush=True
    )


WAYS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "one": ("1", {}),
    "all, as torch comes": ("all", {}),
    "all, sleeping while they wait": ("all", {"OMP_WAIT_POLICY": "PASSIVE"}),
    "lineament's choice": ("chosen", {"OMP_WAIT_POLICY": "PASSIVE"}),
}


def steps_alone(way: str, budget: float) -> None:
    """Print threads, seconds a step on the wall clock and of the processor, in ``budget`` seconds or so."""
    every = len(os.sched_getaffinity(0))
    number = {"1": 1, "all": every, "chosen": 0}[way] or chosen_threads.choose(None, 0)
    torch.set_num_threads(number)
    task, generator = mobilenet(), torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (16, 3, SIDE, SIDE), dtype=torch.uint8, generator=generator)
    batch = Batch(pixels, {"class": torch.arange(16) % CLASSES}, torch.arange(16))
    optimiser = torch.optim.Adam(task.model.parameters(), lr=1e-3)
    done, began = -1, clocks()
    while done < 1 or clocks(began)[0] < budget:
        loss, _ = task.loss(task.model.train(), batch)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        done += 1
        if done == 0:
            began = clocks()
    wall, processor = clocks(began)
    print(number, wall / done, processor / done)


def _spin() -> None:
    while True:
        pass


def thread_table(turns: int, budget: float) -> None:
    """Print the table of threads."""
    print("| neighbours | threads | number | s a step | processor s a step | times one thread's | load |")
    print("| --- | --- | --- | --- | --- | --- | --- |", flush=True)
    for neighbours in (0, len(os.sched_getaffinity(0))):
        busy = [multiprocessing.get_context("spawn").Process(target=_spin) for _ in range(neighbours)]
        for process in busy:
            process.start()
        try:
            found: dict[str, list[tuple[float, ...]]] = {name: [] for name in WAYS}
            for _ in range(turns):
                for name, (way, told) in WAYS.items():
                    command = [sys.executable, "-m", "benchmarks.train_loop", "--steps-alone", way]
                    clean = {k: v for k, v in os.environ.items() if not k.startswith(("OMP_", "KMP_"))}
                    done = subprocess.run(
                        [*command, str(budget)],
                        env=clean | told,
                        capture_output=True,
                        text=True,
                        check=True,
                    )
                    figures = tuple(float(part) for part in done.stdout.split())
                    found[name].append((*figures, os.getloadavg()[0]))
                    print(f"{neighbours} neighbours, {name}: {done.stdout.strip()}", file=sys.stderr)
        finally:
            for process in busy:
                process.kill()
        for name, turns_of in found.items():
            number, wall, processor, load = map(statistics.median, zip(*turns_of, strict=True))
            ratios = [mine[1] / one[1] for mine, one in zip(turns_of, found["one"], strict=True)]
            ratio = f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
            figures = f"{number:g} | {wall:.3f} | {processor:.3f} | {ratio} | {load:.0f}"
            print(f"| {neighbours} | {name} | {figures} |", flush=True)


def memory(manifest: Manifest, batch: int, steps: int) -> None:
    """Print how much this process holds after so many steps of one epoch."""
    data = Pictures(manifest, manifest.rows, target, size=SIDE, augment=Pipeline(("flip", "rotate:20")))
    shown = {max(1, steps * part // 10) for part in (1, 2, 4, 6, 8, 10)}
    done = -1
    print("\n| steps | pictures | holds now, MB |\n| --- | --- | --- |")

    def advance(count: int) -> None:
        nonlocal done
        done = done + count if done >= 0 else 0
        if done in shown:
            shown.discard(done)
            print(f"| {done} | {done * batch} | {resident_mb():.0f} |", flush=True)
        if done >= steps:
            raise Enough

    told = Settings(LoopSettings(epochs=1, batch_size=batch, patience=None))
    with (
        tempfile.TemporaryDirectory() as out,
        open_run(Path(out) / "run", "bench", told, manifest) as run,
    ):
        try:
            batches = Batches(data, shuffled(len(data), batch, 0))
            fit(tiny(), batches, run, told.loop, advance=advance)
        except Enough:
            pass


def resident_mb() -> float:
    """Memory this process holds, from /proc."""
    (line,) = (x for x in Path("/proc/self/status").read_text().splitlines() if x.startswith("VmRSS:"))
    return int(line.split()[1]) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=156_000)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--networks", default="tiny,MobileNetV2", help="empty: memory only")
    parser.add_argument("--threads", action="store_true", help="the table of threads, and nothing else")
    parser.add_argument("--seconds", type=float, default=5.0, help="of steps, for the table of threads")
    parser.add_argument("--steps-alone", nargs=2, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.steps_alone:
        steps_alone(chosen.steps_alone[0], float(chosen.steps_alone[1]))
        return
    if chosen.threads:
        thread_table(chosen.turns, chosen.seconds)
        return
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        manifest = data_set(Path(folder), chosen.pictures)
        print("| network | batch | pictures | ms a picture | ratio, wall clock | ratio, processor time |")
        print("| --- | --- | --- | --- | --- | --- |")
        if "tiny" in chosen.networks:
            part = Manifest(manifest.rows[:640], folder=manifest.folder)
            throughput("tiny", tiny, part, 32, 4, chosen.turns)
        if "MobileNetV2" in chosen.networks:
            part = Manifest(manifest.rows[:128], folder=manifest.folder)
            throughput("MobileNetV2", mobilenet, part, 16, 2, chosen.turns)
        if chosen.steps:
            memory(manifest, 32, chosen.steps)


if __name__ == "__main__":
    main()
