"""Train a classifier: which of N people, or which value of a label, a face crop shows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from lineament.datasets.splitting.held_out import exam_of, telling
from lineament.io.manifest import Manifest
from lineament.io.trained import Head
from lineament.plots import canvas
from lineament.plots.confusion import confusion_figure
from lineament.protocols import Advance
from lineament.training import transfer_run
from lineament.training.architectures import Backbone
from lineament.training.architectures.backbone import count_parameters
from lineament.training.callbacks import turning_point
from lineament.training.classification import report
from lineament.training.classification.classes import Classes, ClassTarget, classes_of
from lineament.training.classification.result import ClassifierResult, SplitFigures
from lineament.training.classification.settings import ClassifierSettings
from lineament.training.data import Batch, Batches
from lineament.training.predictions import Predictions, predict
from lineament.training.runs.folder import RunFolder, open_run
from lineament.training.splits import require_no_leak
from lineament.training.transfer import Transferred
from lineament.training.transfer_run import (
    Fitted,
    Prepare,
    TransferRun,
    TransferTask,
    rows_by_split,
    rows_seen,
)


class Classifier(Transferred):
    """A backbone with one layer of logits."""

    def __init__(self, backbone: Backbone, classes: int, settings: ClassifierSettings) -> None:
        super().__init__(backbone, settings.method, settings.fine_tuning)
        self.dropout = nn.Dropout(settings.dropout)
        self.head = nn.Linear(backbone.dimension, classes)

    def answer(self, features: torch.Tensor) -> torch.Tensor:
        """Features ``(N, D)`` -> logits ``(N, C)``."""
        logits: torch.Tensor = self.head(self.dropout(features))
        return logits


class ClassifierTask(TransferTask):
    """Cross-entropy of the true class."""

    def __init__(
        self,
        model: nn.Module,
        groups: list[dict[str, Any]],
        settings: ClassifierSettings,
        val: Batches,
        prepare: Prepare,
        class_weights: torch.Tensor | None,
    ) -> None:
        super().__init__(model, groups, val, prepare)
        self._settings, self._weights = settings, class_weights

    def loss(self, model: nn.Module, batch: Batch) -> tuple[torch.Tensor, Mapping[str, torch.Tensor]]:
        """Cross-entropy, and the accuracy on the batch (without mixup, where it has no meaning)."""
        settings, truth = self._settings, batch.targets["class"]
        pixels = self.prepare(batch.pixels)
        weight = None if self._weights is None else self._weights.to(truth.device)

        def entropy(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
            return nn.functional.cross_entropy(
                logits, target, weight=weight, label_smoothing=settings.label_smoothing
            )

        if settings.mixup:
            share = float(torch.distributions.Beta(settings.mixup, settings.mixup).sample())
            other = torch.randperm(len(truth), device=truth.device)
            logits = model(share * pixels + (1 - share) * pixels[other])
            return share * entropy(logits, truth) + (1 - share) * entropy(logits, truth[other]), {}
        logits = model(pixels)
        right = (logits.detach().argmax(dim=1) == truth).float().mean()
        return entropy(logits, truth), {"accuracy": right}

    def evaluate(self, device: torch.device) -> Mapping[str, float]:
        """Plain cross-entropy, and the figures of `report.monitored`, on the validation split."""
        found = predict(self.model, self.val, device, self.prepare)
        logits, truth = found.outputs[0], found.targets["class"]
        entropy = -report.log_probabilities(logits)[np.arange(len(truth)), truth]
        return {"loss": float(entropy.mean()), **report.monitored(logits, truth)}


def train_classifier(
    manifest: Manifest, out: Path, settings: ClassifierSettings, *, advance: Advance | None = None
) -> ClassifierResult | None:
    """Train, evaluate and export into the run folder ``out``; returns the result, also of a finished run.

    A further process of torchrun gets None: the first one measures. ``advance`` is told of each finished
    batch; see `length`. Raises the errors of the settings, of `classes_of`, `weights.load`, `fit` and
    `export`, and `SplitError` when splits leak into each other.
    """
    require_no_leak(manifest)
    classes = _classes(manifest, settings)
    with open_run(out, "classifier", settings, manifest) as run:
        if (done := run.result()) is not None:
            return ClassifierResult.from_json(done, out)
        return _Training(manifest, classes, run, settings, advance or (lambda _count: None)).run()


def length(manifest: Manifest, settings: ClassifierSettings) -> int:
    """How many batches `train_classifier` tells of at most; training may end early."""
    return transfer_run.length(_classes(manifest, settings).rows, settings)


def _classes(manifest: Manifest, settings: ClassifierSettings) -> Classes:
    return classes_of(rows_by_split(manifest), settings.label, settings.classes)


class _Training:
    """One training, in the order of its parts."""

    def __init__(
        self,
        manifest: Manifest,
        classes: Classes,
        folder: RunFolder,
        settings: ClassifierSettings,
        advance: Advance,
    ) -> None:
        self.manifest, self.classes, self.folder, self.settings = manifest, classes, folder, settings
        self.transfer = TransferRun(folder, settings, advance)
        self.whole = Classifier(self.transfer.backbone, len(classes.names), settings)
        self.pictures = self.transfer.pictures(
            manifest, classes.rows, ClassTarget(classes.label, classes.numbers)
        )

    def run(self) -> ClassifierResult | None:
        """Fit, evaluate, export, finish."""

        def task(
            model: nn.Module, groups: list[dict[str, Any]], val: Batches, prepare: Prepare
        ) -> ClassifierTask:
            return ClassifierTask(model, groups, self.settings, val, prepare, self._class_weights())

        fitted = self.transfer.fit(self.whole, [self.whole.head], self.pictures, task)
        return None if fitted is None else self._finish(fitted)

    def _class_weights(self) -> torch.Tensor | None:
        if self.settings.class_weights == "none":
            return None
        counts = np.zeros(len(self.classes.names))
        for row in self.classes.rows["train"]:
            counts[self.classes.of(row)] += row.repeats
        return torch.tensor(counts.sum() / (len(counts) * counts), dtype=torch.float32)

    def _finish(self, fitted: Fitted) -> ClassifierResult:
        settings, classes, state, found = self.settings, self.classes, fitted.state, fitted.found
        splits = {name: self._figures(name, some) for name, some in found.items()}
        exam = exam_of(found)
        truth = found[exam].targets["class"]
        table, matrix = report.per_class(found[exam].outputs[0], truth, classes.names)
        accuracy = splits[exam].accuracy
        guesses = report.guessing(
            found["train"].targets["class"].tolist(), truth.tolist(), len(classes.names)
        )
        figure = confusion_figure(matrix, classes.names, title=f"Split {exam}")
        canvas.save(figure, self.folder.path / "confusion.png")
        refused = fitted.refused
        self.folder.write_refused(self.manifest, refused)
        head = Head(classes.label, "classes", classes.names)
        figures = {"accuracy": accuracy.to_json(), **guesses, **telling(exam)}
        self.transfer.export(self.whole, self.manifest, "classifier", [head], **figures)
        result = ClassifierResult(
            folder=self.folder.path,
            architecture=settings.architecture,
            method=settings.method,
            trained_from=self.transfer.trained_from,
            label=classes.label,
            classes=len(classes.names),
            chance=guesses["chance"],
            majority=guesses["majority"],
            at_chance=report.at_chance(accuracy, guesses, exam),
            **telling(exam),
            train=splits["train"],
            val=splits["val"],
            test=splits.get("test"),
            per_class=table,
            rows={name: len(rows) for name, rows in classes.rows.items()},
            unlabelled=dict(classes.unlabelled),
            refused={name: len(rows) for name, rows in refused.items()},
            classes_with_one_picture=classes.single,
            classes_without_pictures=dict(classes.unseen),
            **state.end,
            overfits_from=turning_point(state.history),
            **count_parameters(self.whole),
            seconds=fitted.seconds,
        )
        self.folder.finish(result.to_json())
        return result

    def _figures(self, split: str, found: Predictions) -> SplitFigures:
        rows = rows_seen(self.pictures[split], found)
        return report.figures(found.outputs[0], found.targets["class"], rows)
