"""What the training loop costs beside a bare one, and its memory over many pictures.

``python -m benchmarks.train_loop [--pictures 156000] [--steps 2000]`` needs no data: some hundred generated
JPEGs of 96x96, linked under as many names as asked for.

Throughput: the loop with checkpoints, metrics and per-step seeds, against twenty lines of torch with the
same network, batches, loader and optimiser; turn by turn in one process, the ratio of their seconds per
picture from the first batch to the last checkpoint. Wall clock and processor time both, as other programs
disturb the former.

Memory: the most this process held after some steps of an epoch of all the pictures, and after many more.
"""

from __future__ import annotations

import argparse
import statistics
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
from lineament.training.architectures import build
from lineament.training.data import Batch, Batches, Pictures, collate, normalised, shuffled
from lineament.training.loop import fit
from lineament.training.run_folder import open_run
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
    chosen = parser.parse_args()
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
