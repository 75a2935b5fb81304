"""A training of seconds on generated pictures: the real loop, loader, augmentation and run folder.

``python small_training.py DATA OUT JSON`` trains in forked children, each of which may kill itself; see
`main`. Everything that could make two trainings differ is on: dropout, batch normalisation, augmentation,
momentum, warm-up and a schedule.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from lineament.datasets.augment.pipeline import Pipeline
from lineament.io import images
from lineament.io.manifest import Manifest, ManifestRow, row_id
from lineament.training import loop
from lineament.training.data import Batch, Batches, Pictures, in_order, normalised, shuffled
from lineament.training.loop import fit
from lineament.training.runs.folder import RunFolder, open_run
from lineament.training.settings import LoopSettings
from lineament.training.splits import rows_of
from lineament.training.tasks import Progress

CLASSES = ("a", "b", "c")
SIZE = 24
STEPS = ("flip", "rotate:15", "brightness", "noise")
LOOP = LoopSettings(
    epochs=4,
    batch_size=6,
    optimiser="sgd",
    learning_rate=0.05,
    schedule="cosine",
    warmup_epochs=0.5,
    patience=None,
    threads=1,
)


@dataclass(frozen=True, slots=True)
class Settings:
    loop: LoopSettings = field(default_factory=lambda: LOOP)
    normed: bool = True
    dropout: float = 0.3
    steps: tuple[str, ...] = STEPS


def photos(folder: Path, count: int = 30) -> Manifest:
    """Noisy stripes whose direction is the class, split into train (24 of 30) and val."""
    rng = np.random.default_rng(5)
    rows = []
    for i in range(count):
        kind = i % len(CLASSES)
        y, x = np.mgrid[:SIZE, :SIZE]
        wave = np.sin((x, y, x + y)[kind] * 0.9 + rng.uniform(0, 6)) * 60 + 128
        pixels = (wave[..., None] + rng.normal(0, 30, (SIZE, SIZE, 3))).clip(0, 255).astype(np.uint8)
        path = f"{CLASSES[kind]}/{i}.png"
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        images.save(folder / path, pixels)
        sha = f"{i:064x}"
        split = "val" if i >= count * 4 // 5 else "train"
        rows.append(ManifestRow(row_id(sha, path), path, sha, subject=CLASSES[kind], split=split))
    manifest = Manifest(tuple(rows), folder=folder)
    manifest.save(folder / "split.jsonl")
    return manifest


def network(settings: Settings) -> nn.Module:
    torch.manual_seed(settings.loop.seed)
    norm = nn.BatchNorm2d(8) if settings.normed else nn.Identity()
    layers = (nn.Conv2d(3, 8, 5, stride=2), norm, nn.ReLU(), nn.AdaptiveAvgPool2d(4), nn.Flatten())
    return nn.Sequential(*layers, nn.Dropout(settings.dropout), nn.Linear(128, len(CLASSES)))


class Stripes:
    """Which way the stripes go."""

    monitor = "loss"
    better = "low"

    def __init__(self, manifest: Manifest, settings: Settings) -> None:
        self.model = network(settings)
        self.val = Pictures(manifest, rows_of(manifest, "val"), target, size=SIZE)

    def groups(self) -> list[dict[str, Any]]:
        return [
            {"params": list(self.model[0].parameters()), "scale": 0.5},  # type: ignore[index]
            {"params": [p for layer in list(self.model)[1:] for p in layer.parameters()]},  # type: ignore[arg-type,call-overload]
        ]

    def loss(self, model: nn.Module, batch: Batch) -> tuple[torch.Tensor, Mapping[str, torch.Tensor]]:
        logits = model(normalised(batch.pixels, (128.0,), (64.0,)))
        right = (logits.argmax(1) == batch.targets["label"]).float().mean()
        return functional.cross_entropy(logits, batch.targets["label"]), {"accuracy": right}

    def evaluate(self, device: torch.device) -> Mapping[str, float]:
        loss, right, seen = 0.0, 0, 0
        for batch in Batches(self.val, in_order(len(self.val), 16)).epoch():
            logits = self.model(normalised(batch.pixels.to(device), (128.0,), (64.0,)))
            loss += float(functional.cross_entropy(logits, batch.targets["label"], reduction="sum"))
            right += int((logits.argmax(1) == batch.targets["label"]).sum())
            seen += len(batch)
        return {"loss": loss / seen, "accuracy": right / seen}


def target(row: ManifestRow, _view: Any) -> Mapping[str, Any]:
    return {"label": np.int64(CLASSES.index(row.subject or ""))}


def train(
    manifest: Manifest,
    out: Path,
    settings: Settings,
    *,
    advance: Callable[[int], None] | None = None,
    callbacks: tuple[loop.Callback, ...] = (),
    make: Callable[[Manifest, Settings], Any] = Stripes,
) -> tuple[Progress, RunFolder]:
    """One training; its last checkpoint stays, for tests to look at the final weights."""
    with open_run(out, "stripes", settings, manifest) as run:
        task = make(manifest, settings)
        data = Pictures(
            manifest,
            rows_of(manifest, "train"),
            target,
            size=SIZE,
            augment=Pipeline(settings.steps, seed=settings.loop.seed),
        )
        batches = Batches(
            data,
            shuffled(len(data), settings.loop.batch_size, settings.loop.seed),
            workers=settings.loop.workers,
        )
        return fit(task, batches, run, settings.loop, advance=advance, callbacks=callbacks), run


def final_weights(out: Path) -> dict[str, torch.Tensor]:
    """Those of the last checkpoint, with the optimiser's memory."""
    state = torch.load(out / "last.ckpt", weights_only=True)
    memory = state["optimiser"]["state"]
    momenta = {f"momentum {key}": value["momentum_buffer"] for key, value in memory.items()}
    return {**state["model"], **momenta}


def main(data: str, out: str, orders: str) -> None:
    """``orders``: ``loop`` settings, and ``kills``: per child after how many batches, or in which write.

    A number below 0 kills when that many-th file would be moved into place. The last child is left alone.
    Prints where each began, as JSON.
    """
    import cv2  # once, here, not in each child
    import safetensors.torch
    import tomli_w
    import torchvision

    assert cv2 and safetensors and tomli_w and torchvision
    order = json.loads(orders)
    manifest = Manifest.load(Path(data) / "split.jsonl")
    values = {name: getattr(LOOP, name) for name in LoopSettings.__slots__} | order.get("loop", {})
    settings = Settings(LoopSettings(**values))
    began = []
    for kill in [*order.get("kills", ()), None]:
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            _child(manifest, Path(out), settings, kill, writer)
        os.close(writer)
        with os.fdopen(reader) as told:
            began.append(told.read())
        status = os.waitpid(child, 0)[1]
        expected = 0 if kill is None else signal.SIGKILL
        if status != expected:
            raise SystemExit(f"child ended with {status}, not {expected}")
    print(json.dumps(began))


def _child(manifest: Manifest, out: Path, settings: Settings, kill: int | None, writer: int) -> None:
    done = -1

    def advance(count: int) -> None:
        nonlocal done
        if done < 0:
            os.write(writer, str(count).encode())
            os.close(writer)
            done = 0
            return
        done += count
        if kill is not None and 0 < kill <= done:
            os.kill(os.getpid(), signal.SIGKILL)

    if kill is not None and kill < 0:
        _kill_in_write(-kill)
    try:
        train(manifest, out, settings, advance=advance)
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def _kill_in_write(number: int) -> None:
    replace, left = Path.replace, number

    def counted(self: Path, to: Path) -> Path:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return replace(self, to)

    Path.replace = counted  # type: ignore[method-assign,assignment]


if __name__ == "__main__":
    main(*sys.argv[1:])
