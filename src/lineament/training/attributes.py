"""Attributes of faces by one network with several heads: gender, age, emotion, glasses, any label."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from lineament.datasets.augment.pipeline import Pipeline
from lineament.errors import ConfigError
from lineament.io.manifest import Manifest, ManifestRow
from lineament.io.trained import TrainedCard
from lineament.training import attribute_report as report
from lineament.training import cards, distributed, export, features, transfer
from lineament.training.architectures import build, weights
from lineament.training.architectures.backbone import count_parameters
from lineament.training.callbacks import Curves, TensorBoard, turning_point
from lineament.training.data import Batches, Pictures, in_order, normalised, shuffled
from lineament.training.heads import Attribute, HeadSettings, resolve, targets
from lineament.training.labels import Labelled, with_labels
from lineament.training.loop import Progress, fit
from lineament.training.multi_task import AttributeNetwork, AttributesTask
from lineament.training.predictions import Predictions, predict
from lineament.training.run_folder import RunFolder, open_run
from lineament.training.settings import LoopSettings
from lineament.training.splits import require_no_leak, rows_of
from lineament.training.transfer import FineTuning, Method

SPLITS = ("train", "val", "test")
Advance = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class AttributesSettings:
    """What to train, and on what.

    ``heads`` are the attributes. ``labels`` is a table with labels for the rows, see
    `lineament.training.labels`. ``method`` and ``fine_tuning`` are of `lineament.training.transfer`;
    ``weights`` auto is ``imagenet``, and ``none`` for the method scratch. ``size`` is the side of the
    network's input. ``augment`` are steps for training pictures; ``variants`` is how many of each the
    method feature-extraction keeps.
    """

    architecture: str = "resnet50"
    method: Method = "fine-tuning"
    weights: str = "auto"
    heads: tuple[HeadSettings, ...] = ()
    labels: Path | None = None
    size: int = 224
    normalise: cards.Normalise = "imagenet"
    augment: tuple[str, ...] = ("flip",)
    variants: int = 4
    dropout: float = 0.2
    fine_tuning: FineTuning = field(default_factory=FineTuning)
    loop: LoopSettings = field(default_factory=LoopSettings)

    def __post_init__(self) -> None:
        if not 16 <= self.size <= 1024:
            raise ConfigError("size lies between 16 and 1024 pixels")
        if not 0 <= self.dropout < 1 or self.variants < 1:
            raise ConfigError("dropout lies from 0 to below 1, variants is at least 1")
        if self.method == "scratch" and self.weights not in ("auto", "none"):
            raise ConfigError("the method scratch begins with random weights: leave weights out")
        if Pipeline(self.augment).normalise is not None:
            raise ConfigError("augment: normalise is a setting of its own")

    @property
    def start(self) -> str:
        """The weights that ``auto`` means."""
        if self.weights != "auto":
            return self.weights
        return "none" if self.method == "scratch" else "imagenet"


def train_attributes(
    manifest: Manifest, out: Path, settings: AttributesSettings, *, advance: Advance | None = None
) -> dict[str, Any]:
    """Train, evaluate and export into the run folder ``out``; returns the result, also of a finished run.

    ``advance`` is told of each finished batch; see `length`. Raises the errors of the settings, of
    `with_labels`, `resolve`, `weights.load`, `fit` and `export`, and `SplitError` when splits leak into
    each other.
    """
    require_no_leak(manifest)
    data = Data.of(manifest, settings)
    with open_run(out, "attributes", settings, data.manifest) as run:
        done = run.result()
        if done is not None:
            return done
        return _Training(data, run, settings, advance or (lambda _count: None)).run()


def length(manifest: Manifest, settings: AttributesSettings) -> int:
    """How many batches `train_attributes` tells of at most; training may end early."""
    rows = Data.of(manifest, settings).rows
    count = {name: sum(row.repeats for row in found) for name, found in rows.items()}
    size = settings.loop.batch_size
    steps = settings.loop.epochs * max(1, count["train"] // size)
    if settings.method != "feature-extraction":
        return steps
    variants = settings.variants if settings.augment else 1
    return steps + variants * -(-count["train"] // size) + sum(-(-count[n] // size) for n in SPLITS)


@dataclass(frozen=True, slots=True)
class Data:
    """The rows of each split that have a label of any head, and the heads matched to them."""

    manifest: Manifest
    rows: Mapping[str, Sequence[ManifestRow]]
    attributes: tuple[Attribute, ...]
    unlabelled: Mapping[str, int]
    table: Labelled | None

    @classmethod
    def of(cls, manifest: Manifest, settings: AttributesSettings) -> Data:
        """Match heads to rows; raises as `with_labels` and `resolve` do."""
        table = None if settings.labels is None else with_labels(manifest, settings.labels)
        manifest = manifest if table is None else table.manifest
        every: dict[str, Sequence[ManifestRow]] = {}
        for split in SPLITS:
            found = rows_of(manifest, split)
            # Balancing repeats rows for training; in evaluation every picture counts once.
            every[split] = (
                [r for r in found if r.repeats]
                if split == "train"
                else [replace(r, repeats=1) for r in found]
            )
        attributes = resolve(settings.heads, every)
        rows = {split: [r for r in found if _labelled(attributes, r)] for split, found in every.items()}
        # The share of rows with a label is that of the rows trained on.
        attributes = resolve(settings.heads, rows)
        left_out = {split: len(every[split]) - len(rows[split]) for split in SPLITS}
        return cls(manifest, rows, attributes, left_out, table)


class _Training:
    """One training, in the order of its parts."""

    def __init__(
        self, data: Data, folder: RunFolder, settings: AttributesSettings, advance: Advance
    ) -> None:
        self.data, self.folder, self.advance = data, folder, advance
        self.settings, self.loop, self.attributes = settings, settings.loop, data.attributes
        self.extracts = settings.method == "feature-extraction"
        if self.extracts and not distributed.is_alone():
            raise ConfigError("feature-extraction trains in one process: its epochs take no time")
        if self.loop.threads is not None:
            torch.set_num_threads(self.loop.threads)
        torch.manual_seed(self.loop.seed)
        backbone = build(settings.architecture)
        if settings.size < backbone.min_size:
            raise ConfigError(f"size: {backbone.name} takes {backbone.min_size} pixels or more")
        self.trained_from = weights.load(backbone, settings.start)
        self.contract = cards.contract(settings.size, settings.normalise)
        self.whole = AttributeNetwork(
            backbone, self.attributes, settings.method, settings.fine_tuning, settings.dropout
        )
        self.device = distributed.device_for(self.loop.device, distributed.Place())
        self.pictures = self._pictures()

    def run(self) -> dict[str, Any]:
        """Fit, evaluate, export, finish."""
        settings, loop, whole, path = self.settings, self.loop, self.whole, self.folder.path
        began = time.monotonic()
        data: Mapping[str, Dataset[Any]] = self._features() if self.extracts else self.pictures
        feature_seconds = time.monotonic() - began
        workers = 0 if self.extracts else loop.workers
        held = {
            name: Batches(data[name], in_order(len(self.pictures[name]), loop.batch_size), workers=workers)
            for name in SPLITS
        }
        prepare = _as_it_is if self.extracts else self._prepare
        task = AttributesTask(
            transfer.NewLayers(whole) if self.extracts else whole,
            transfer.groups(whole.backbone, [whole.heads], settings.method, settings.fine_tuning),
            self.attributes,
            held["val"],
            prepare,
        )
        first = distributed.is_first()
        shown = ["loss", *(f"loss_{a.name}" for a in self.attributes if len(self.attributes) > 1)]
        state = fit(
            task,
            Batches(
                data["fit"],
                shuffled(len(self.pictures["fit"]), loop.batch_size, loop.seed),
                workers=workers,
            ),
            self.folder,
            loop,
            callbacks=[TensorBoard(path / "events"), Curves(path / "curves.png", shown)] if first else [],
            advance=self.advance,
        )
        if not first:
            return {}
        if self.extracts:
            self.folder.save_best(whole)
        found = {name: predict(task.model, held[name], self.device, prepare) for name in SPLITS}
        return self._finish(state, found, feature_seconds)

    def _pictures(self) -> dict[str, Pictures]:
        """Every split as it is, each picture once, and ``fit``: what is trained on."""
        augment = Pipeline(self.settings.augment, seed=self.loop.seed) if self.settings.augment else None
        rows = self.data.rows

        def target(row: ManifestRow, _view: Any) -> dict[str, Any]:
            return {
                a.name: np.float32(a.target(row)) if a.kind == "number" else int(a.target(row))
                for a in self.attributes
            }

        def of(some: Sequence[ManifestRow], steps: Pipeline | None) -> Pictures:
            return Pictures(self.data.manifest, some, target, size=self.settings.size, augment=steps)

        plain = {name: of([replace(r, repeats=1) for r in rows[name]], None) for name in SPLITS}
        return {**plain, "fit": of(rows["train"], augment)}

    def _features(self) -> dict[str, Dataset[Any]]:
        """The same as features, from the run folder or computed into it."""
        return {
            name: features.cached(
                self.whole.backbone,
                pictures,
                self.folder.path / "features" / name,
                variants=self.settings.variants,
                batch_size=self.loop.batch_size,
                device=self.device,
                prepare=self._prepare,
                workers=self.loop.workers,
                advance=self.advance,
            )
            for name, pictures in self.pictures.items()
        }

    def _prepare(self, pixels: torch.Tensor) -> torch.Tensor:
        return normalised(pixels, self.contract.mean, self.contract.std)

    def _finish(
        self, state: Progress, found: Mapping[str, Predictions], feature_seconds: float
    ) -> dict[str, Any]:
        settings, data, path = self.settings, self.data, self.folder.path
        measured = {a.name: self._head(number, a, found) for number, a in enumerate(self.attributes)}
        refused = {name: found[name].refused for name in SPLITS}
        refused["train"] = {**state.refused, **refused["train"]}
        self.folder.write_refused(data.manifest, refused)
        crop, note = cards.crop_of(data.manifest)
        card = TrainedCard(
            name=path.name or "attributes",
            job="attributes",
            architecture=settings.architecture,
            file="",
            sha256="",
            input=self.contract,
            heads=tuple(a.head for a in self.attributes),
            data=cards.data_of(data.manifest),
            trained_from=self.trained_from,
            crop=crop,
            measured={name: report.headline(figures["test"]) for name, figures in measured.items()},
            notes=note,
        )
        export.export(self.whole, card, self.folder)
        result = {
            "architecture": settings.architecture,
            "method": settings.method,
            "trained_from": self.trained_from,
            "attributes": measured,
            "rows": {name: len(rows) for name, rows in data.rows.items()},
            "unlabelled": dict(data.unlabelled),
            "table": None
            if data.table is None
            else {
                "labelled": data.table.labelled,
                "without_line": data.table.without_line,
                "lines_without_row": data.table.lines_without_row,
            },
            "refused": {name: len(rows) for name, rows in refused.items()},
            "epochs": state.epoch,
            "best_epoch": state.best_epoch,
            "ended": state.ended,
            "overfitting_from": overfitting(state.history, self.attributes),
            **count_parameters(self.whole),
            "seconds": {
                "features": feature_seconds,
                "training": sum(row["seconds"] + row["validation_seconds"] for row in state.history),
            },
        }
        self.folder.finish(result)
        return {"trainer": "attributes", **result}

    def _head(self, number: int, attribute: Attribute, found: Mapping[str, Predictions]) -> dict[str, Any]:
        """One attribute on all splits."""
        figures: dict[str, Any] = {
            "label": attribute.label,
            "labelled": dict(attribute.labelled),
            "classes_with_one_picture": attribute.single,
            "classes_without_pictures": dict(attribute.unseen),
        }
        train = targets([attribute], self.data.rows["train"])[attribute.name]
        for split in SPLITS:
            seen = found[split]
            entries = self.pictures[split].entries
            rows = [entries[i][0] for i in seen.index.tolist()]
            truth = seen.targets[attribute.name].astype(np.float64)
            output = seen.outputs[number]
            if split == "test":
                figures[split] = report.full(attribute, output, truth, rows, train, self.folder.path)
            else:
                figures[split] = report.short(attribute, output, truth, rows)
        return figures


def overfitting(
    history: Sequence[Mapping[str, float]], attributes: Sequence[Attribute]
) -> dict[str, int | None]:
    """The epoch after which the validation loss rose while the training loss fell: of all, and by head."""

    def of(suffix: str) -> int | None:
        return turning_point(
            [
                {
                    "epoch": r["epoch"],
                    "train_loss": r[f"train_loss{suffix}"],
                    "val_loss": r[f"val_loss{suffix}"],
                }
                for r in history
            ]
        )

    return {"all": of(""), **{a.name: of(f"_{a.name}") for a in attributes}}


def _labelled(attributes: Sequence[Attribute], row: ManifestRow) -> bool:
    values = [(a, a.target(row)) for a in attributes]
    return any(np.isfinite(v) if a.kind == "number" else v >= 0 for a, v in values)


def _as_it_is(features: torch.Tensor) -> torch.Tensor:
    return features
