"""Attributes of faces by one network with several heads: gender, age, emotion, glasses, any label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from lineament.datasets.splitting.held_out import exam_of, telling
from lineament.io.manifest import Manifest, ManifestRow
from lineament.protocols import Advance
from lineament.training import transfer_run
from lineament.training.architectures.backbone import count_parameters
from lineament.training.attributes import report
from lineament.training.attributes.heads import Attribute, resolve, targets
from lineament.training.attributes.multi_task import AttributeNetwork, AttributesTask
from lineament.training.attributes.result import AttributesResult, Figures, HeadResult, LabelTable
from lineament.training.attributes.settings import AttributesSettings
from lineament.training.callbacks import turning_point
from lineament.training.data import Batches
from lineament.training.labels import Labelled, with_labels
from lineament.training.predictions import Predictions
from lineament.training.runs.folder import RunFolder, open_run
from lineament.training.splits import require_no_leak
from lineament.training.transfer_run import (
    Fitted,
    Prepare,
    TransferRun,
    rows_by_split,
    rows_seen,
)

RATES = ("accuracy", "precision", "recall", "auc")


def train_attributes(
    manifest: Manifest, out: Path, settings: AttributesSettings, *, advance: Advance | None = None
) -> AttributesResult | None:
    """Train, evaluate and export into the run folder ``out``; returns the result, also of a finished run.

    A further process of torchrun gets None: the first one measures. ``advance`` is told of each finished
    batch; see `length`. Raises the errors of the settings, of `with_labels`, `resolve`, `weights.load`,
    `fit` and `export`, and `SplitError` when splits leak into each other.
    """
    require_no_leak(manifest)
    data = Data.of(manifest, settings)
    with open_run(out, "attributes", settings, data.manifest) as run:
        if (done := run.result()) is not None:
            return AttributesResult.from_json(done, out)
        return _Training(data, run, settings, advance or (lambda _count: None)).run()


def length(manifest: Manifest, settings: AttributesSettings) -> int:
    """How many batches `train_attributes` tells of at most; training may end early."""
    return transfer_run.length(Data.of(manifest, settings).rows, settings)


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
        numbers = {head.label or head.name for head in settings.heads if head.of_numbers}
        table = None
        if settings.labels is not None:
            table = with_labels(manifest, settings.labels, numbers=numbers)
        manifest = manifest if table is None else table.manifest
        every = rows_by_split(manifest)
        attributes = resolve(settings.heads, every)
        rows = {split: [r for r in found if _labelled(attributes, r)] for split, found in every.items()}
        # The share of rows with a label is that of the rows trained on.
        attributes = resolve(settings.heads, rows)
        left_out = {split: len(every[split]) - len(rows[split]) for split in every}
        return cls(manifest, rows, attributes, left_out, table)


@dataclass(frozen=True, slots=True)
class AttributeTargets:
    """What each head should answer; no function, so that any process can be sent it."""

    attributes: Sequence[Attribute]

    def __call__(self, row: ManifestRow, _view: object) -> dict[str, Any]:
        """Class numbers, and numbers as float32, by attribute."""
        return {
            a.name: np.float32(a.target(row)) if a.kind == "number" else int(a.target(row))
            for a in self.attributes
        }


class _Training:
    """One training, in the order of its parts."""

    def __init__(
        self, data: Data, folder: RunFolder, settings: AttributesSettings, advance: Advance
    ) -> None:
        self.data, self.folder, self.settings, self.attributes = data, folder, settings, data.attributes
        self.transfer = TransferRun(folder, settings, advance)
        self.whole = AttributeNetwork(
            self.transfer.backbone, self.attributes, settings.method, settings.fine_tuning, settings.dropout
        )
        self.pictures = self.transfer.pictures(data.manifest, data.rows, AttributeTargets(self.attributes))

    def run(self) -> AttributesResult | None:
        """Fit, evaluate, export, finish."""

        def task(
            model: nn.Module, groups: list[dict[str, Any]], val: Batches, prepare: Prepare
        ) -> AttributesTask:
            return AttributesTask(model, groups, self.attributes, val, prepare)

        shown = ["loss"] if len(self.attributes) > 1 else []
        for a in self.attributes:
            rates = ("mean_absolute_error",) if a.kind == "number" else RATES
            shown += [f"{name}_{a.name}" for name in ("loss", *rates)]
        fitted = self.transfer.fit(self.whole, [self.whole.heads], self.pictures, task, shown)
        return None if fitted is None else self._finish(fitted)

    def _finish(self, fitted: Fitted) -> AttributesResult:
        settings, data, state = self.settings, self.data, fitted.state
        found, path = fitted.found, self.folder.path
        exam = exam_of(found)
        measured = {a.name: self._head(number, a, found) for number, a in enumerate(self.attributes)}
        refused = fitted.refused
        self.folder.write_refused(data.manifest, refused)
        figures = {name: report.headline(head.on(exam)) for name, head in measured.items()}
        figures |= telling(exam)
        heads = [a.head for a in self.attributes]
        self.transfer.export(self.whole, data.manifest, "attributes", heads, **figures)
        table = data.table
        result = AttributesResult(
            folder=path,
            architecture=settings.architecture,
            method=settings.method,
            trained_from=self.transfer.trained_from,
            attributes=measured,
            **telling(exam),
            rows={name: len(rows) for name, rows in data.rows.items()},
            unlabelled=dict(data.unlabelled),
            table=None
            if table is None
            else LabelTable(table.labelled, table.without_line, table.lines_without_row, table.missing),
            refused={name: len(rows) for name, rows in refused.items()},
            **state.end,
            overfits_from=overfitting(state.history, self.attributes),
            **count_parameters(self.whole),
            seconds=fitted.seconds,
        )
        self.folder.finish(result.to_json())
        return result

    def _head(self, number: int, attribute: Attribute, found: Mapping[str, Predictions]) -> HeadResult:
        """One attribute on all splits."""
        figures: dict[str, Figures] = {}
        train = targets([attribute], self.data.rows["train"])[attribute.name]
        for split, seen in found.items():
            rows = rows_seen(self.pictures[split], seen)
            truth = seen.targets[attribute.name].astype(np.float64)
            output = seen.outputs[number]
            if split == exam_of(found):
                figures[split] = report.full(attribute, output, truth, rows, train, self.folder.path, split)
            else:
                figures[split] = report.short(attribute, output, truth, rows)
        return HeadResult(
            label=attribute.label,
            labelled=dict(attribute.labelled),
            classes_with_one_picture=attribute.single,
            classes_without_pictures=dict(attribute.unseen),
            **figures,
        )


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
