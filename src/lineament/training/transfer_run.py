"""One training of a backbone with new layers: what the classifier and the attributes trainers share."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import nn
from torch.utils.data import Dataset

from lineament.datasets.augment.pipeline import Pipeline
from lineament.errors import ConfigError
from lineament.io.manifest import Manifest, ManifestRow
from lineament.io.trained import Head, Job, TrainedCard
from lineament.protocols import Advance
from lineament.training import distributed, features, threads, transfer
from lineament.training.architectures import build, middle, weights
from lineament.training.callbacks import Curves, TensorBoard
from lineament.training.data import Batches, Pictures, Target, in_order, normalised, shuffled
from lineament.training.loop import fit
from lineament.training.predictions import Predictions, predict
from lineament.training.runs import cards, export
from lineament.training.runs.folder import FEATURES, RunFolder
from lineament.training.settings import TransferSettings
from lineament.training.splits import rows_of, splits_of
from lineament.training.tasks import Progress, Task
from lineament.training.telling import log
from lineament.training.transfer import Transferred
from lineament.training.whole_pictures import require_cut_out, require_cut_out_unless_split

FIT = "fit"
"""Names the training pictures as they are trained on, beside the splits as they are."""

RANDOM_ADVICE = "see --weights, and --method scratch"
Prepare = Callable[[torch.Tensor], torch.Tensor]


def rows_by_split(manifest: Manifest) -> dict[str, Sequence[ManifestRow]]:
    """The rows of each split there is: repeated for training as balancing says, else each once.

    Raises `NotCutOut` for faces inside pictures, of which nobody would know whose label counts.
    """
    require_cut_out_unless_split(manifest)
    found: dict[str, Sequence[ManifestRow]] = {
        split: [r for r in rows_of(manifest, split) if r.repeats]
        if split == "train"
        else [replace(r, repeats=1) for r in rows_of(manifest, split)]
        for split in splits_of(manifest)
    }
    require_cut_out(manifest, [row for rows in found.values() for row in rows])
    return found


def length(rows: Mapping[str, Sequence[ManifestRow]], settings: TransferSettings) -> int:
    """How many batches a training tells of at most; it may end early."""
    count = {name: sum(row.repeats for row in found) for name, found in rows.items()}
    size = settings.loop.batch_size
    steps = settings.loop.epochs * len(shuffled(count["train"], size, 0)(0))
    if settings.method != "feature-extraction":
        return steps
    variants = settings.variants if settings.augment else 1
    return steps + variants * -(-count["train"] // size) + sum(-(-some // size) for some in count.values())


@dataclass(frozen=True, slots=True)
class Fitted:
    """What `TransferRun.fit` reached: predictions by split, and the seconds the features took."""

    state: Progress
    found: Mapping[str, Predictions]
    feature_seconds: float

    @property
    def refused(self) -> dict[str, dict[str, str]]:
        """Pictures that could not be read, by split: reason by row id."""
        refused = {name: found.refused for name, found in self.found.items()}
        return {**refused, "train": {**self.state.refused, **refused["train"]}}

    @property
    def seconds(self) -> dict[str, float]:
        """What features and training took."""
        epochs = sum(row["seconds"] + row["validation_seconds"] for row in self.state.history)
        return {"features": self.feature_seconds, "training": epochs}


class TransferTask:
    """What tasks on a backbone with new layers share; the best epoch has the lowest loss on val."""

    monitor = "loss"
    better: Literal["low", "high"] = "low"

    def __init__(
        self, model: nn.Module, groups: list[dict[str, Any]], val: Batches, prepare: Prepare
    ) -> None:
        self.model, self.val, self.prepare, self._groups = model, val, prepare, groups

    def groups(self) -> list[dict[str, Any]]:
        """Parameter groups by `transfer.groups`."""
        return self._groups


class TransferRun:
    """A backbone with its weights, ready for new layers.

    Raises `ConfigError` for settings that do not fit the machine or the backbone, and as `weights.load`.
    """

    def __init__(self, folder: RunFolder, settings: TransferSettings, advance: Advance) -> None:
        self.folder, self.settings, self.loop, self.advance = folder, settings, settings.loop, advance
        self.extracts = settings.method == "feature-extraction"
        if self.extracts and not distributed.is_alone():
            raise ConfigError("feature-extraction trains in one process: its epochs take no time")
        torch.set_num_threads(threads.choose(self.loop.threads, self.loop.workers))
        torch.manual_seed(self.loop.seed)
        self.backbone = build(settings.architecture)
        self.backbone.require_size(settings.size)
        start = settings.weights
        if start == "auto":
            start = "none" if settings.method == "scratch" else "imagenet"
        self.trained_from = weights.load(self.backbone, start)
        if self.trained_from is None and settings.method != "scratch":
            log.info(f"{settings.method} from random weights, which have learnt nothing: {RANDOM_ADVICE}")
        if settings.feature_layer:
            self.backbone = middle.ended_at(self.backbone, settings.feature_layer, settings.size)
        self.contract = cards.contract(settings.size, settings.normalise)
        self.device = distributed.device_for(self.loop.device, distributed.Place())

    def pictures(
        self, manifest: Manifest, rows: Mapping[str, Sequence[ManifestRow]], target: Target
    ) -> dict[str, Pictures]:
        """Every split as it is, each picture once, and ``fit``: what is trained on."""
        steps = self.settings.augment
        augment = Pipeline(steps, seed=self.loop.seed) if steps else None

        def of(some: Sequence[ManifestRow], augment: Pipeline | None = None) -> Pictures:
            return Pictures(manifest, some, target, size=self.settings.size, augment=augment)

        plain = {name: of([replace(r, repeats=1) for r in rows[name]]) for name in rows}
        return {**plain, FIT: of(rows["train"], augment)}

    def export(
        self, whole: Transferred, manifest: Manifest, job: Job, heads: Sequence[Head], **measured: Any
    ) -> None:
        """Write the network as ONNX with a card that holds the figures ``measured``."""
        crop, notes = cards.crop_of(manifest)
        card = TrainedCard(
            name=self.folder.path.name or job,
            job=job,
            architecture=self.settings.architecture,
            file="",
            sha256="",
            input=self.contract,
            heads=tuple(heads),
            data=cards.data_of(manifest),
            trained_from=self.trained_from,
            crop=crop,
            measured=measured,
            notes=notes,
        )
        export.export(whole, card, self.folder)

    def fit(
        self,
        whole: Transferred,
        new: list[nn.Module],
        pictures: Mapping[str, Pictures],
        task: Callable[[nn.Module, list[dict[str, Any]], Batches, Prepare], Task],
        curves: Sequence[str] = ("loss", "accuracy", "precision", "recall", "auc"),
    ) -> Fitted | None:
        """Train the ``new`` layers of ``whole``, and the backbone as the method says; predict every split.

        ``task`` makes the task of what is trained, its parameter groups, the validation batches, and what
        turns a batch into the input. None in a process that does not write.
        """
        loop, path = self.loop, self.folder.path
        began = time.monotonic()
        data: Mapping[str, Dataset[Any]] = self._features(pictures) if self.extracts else pictures
        feature_seconds = time.monotonic() - began
        workers = 0 if self.extracts else loop.workers
        held = {
            name: Batches(data[name], in_order(len(pictures[name]), loop.batch_size), workers=workers)
            for name in pictures
            if name != FIT
        }
        prepare = _as_it_is if self.extracts else self._prepare
        plan = shuffled(len(pictures[FIT]), loop.batch_size, loop.seed)
        todo = task(
            transfer.NewLayers(whole) if self.extracts else whole,
            transfer.groups(whole.backbone, new, self.settings.method, self.settings.fine_tuning),
            held["val"],
            prepare,
        )
        first = distributed.is_first()
        state = fit(
            todo,
            Batches(data[FIT], plan, workers=workers),
            self.folder,
            loop,
            callbacks=[TensorBoard(path / "events"), Curves(path / "curves.png", curves)] if first else [],
            advance=self.advance,
        )
        if not first:
            return None
        if self.extracts:
            self.folder.save_best(whole)
        found = {name: predict(todo.model, batches, self.device, prepare) for name, batches in held.items()}
        return Fitted(state, found, feature_seconds)

    def _features(self, pictures: Mapping[str, Pictures]) -> dict[str, Dataset[Any]]:
        """The same as features, from the run folder or computed into it."""
        self.folder.begin()
        return {
            name: features.cached(
                self.backbone,
                some,
                self.folder.path / FEATURES / name,
                variants=self.settings.variants,
                batch_size=self.loop.batch_size,
                device=self.device,
                prepare=self._prepare,
                what="training pictures" if name == FIT else f"the split {name}",
                workers=self.loop.workers,
                advance=self.advance,
            )
            for name, some in pictures.items()
        }

    def _prepare(self, pixels: torch.Tensor) -> torch.Tensor:
        return normalised(pixels, self.contract.mean, self.contract.std)


def rows_seen(pictures: Pictures, found: Predictions) -> list[ManifestRow]:
    """The rows of the predictions, in their order."""
    return [pictures.entries[i][0] for i in found.index.tolist()]


def _as_it_is(values: torch.Tensor) -> torch.Tensor:
    return values
