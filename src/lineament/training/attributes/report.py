"""What a multi-task network is worth on a split: every head's figures with intervals, beside guessing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lineament.io.manifest import ManifestRow
from lineament.plots import canvas
from lineament.plots.class_roc import class_roc_figure
from lineament.plots.confusion import confusion_figure
from lineament.plots.numbers import numbers_figure
from lineament.scoring import classification_rates, numbers, proportions
from lineament.scoring.classification import RocCurve, roc
from lineament.training.attributes.heads import Attribute
from lineament.training.classification.report import commonest, guessing, log_probabilities
from lineament.types import Float64

REACH = 5.0
"""How near a number must be to count as near, in its own unit."""


def whose(rows: Sequence[ManifestRow]) -> list[str]:
    """What intervals are clustered by: the subject, or the picture where no subject is known."""
    return [row.subject or row.parent or row.id for row in rows]


def short(
    attribute: Attribute, output: NDArray[np.float32], truth: Float64, rows: Sequence[ManifestRow]
) -> dict[str, Any]:
    """Accuracy, or mean absolute error, of the labelled rows of a split."""
    known, subjects = _known(attribute, truth, rows)
    if attribute.kind == "number":
        errors = numbers.errors(truth[known], output[known, 0], subjects, reach=REACH)
        return {"mean_absolute_error": errors.mean_absolute_error.to_json()}
    right = output[known].argmax(axis=1) == truth[known]
    return {"accuracy": proportions.of_flags(right, subjects).to_json()}


def full(
    attribute: Attribute,
    output: NDArray[np.float32],
    truth: Float64,
    rows: Sequence[ManifestRow],
    train: Float64,
    folder: Path,
    split: str,
) -> dict[str, Any]:
    """Every figure of one head on the held-out ``split``, and its figures as PNG into ``folder``.

    ``train`` are the targets of the training rows, from which guessing takes the commonest class or median.
    """
    known, subjects = _known(attribute, truth, rows)
    name = file_name(attribute.name)
    if attribute.kind == "number":
        true, said = truth[known], output[known, 0].astype(np.float64)
        errors = numbers.errors(true, said, subjects, reach=REACH)
        guessed = numbers.errors(true, np.full(len(true), attribute.median), subjects, reach=REACH)
        figure = numbers_figure(true, said, name=attribute.name, unit=attribute.unit)
        canvas.save(figure, folder / f"numbers_{name}.png")
        return {
            "kind": "number",
            "unit": attribute.unit,
            **errors.to_json(),
            "guessing": {"median": guessed.mean_absolute_error.to_json()},
        }
    real, logits = truth[known].astype(np.int64), output[known]
    probabilities = np.exp(log_probabilities(logits))
    found = classification_rates.rates(real, probabilities, attribute.classes, subjects)
    trained = train[train >= 0].astype(np.int64).tolist()
    canvas.save(
        confusion_figure(found.confusion, attribute.classes, title=f"{attribute.name}, split {split}"),
        folder / f"confusion_{name}.png",
    )
    if curves := roc_curves(attribute.classes, real, probabilities):
        areas = {one.name: one.auc.value for one in found.classes if one.auc is not None}
        figure = class_roc_figure(curves, areas, title=f"{attribute.name}, split {split}")
        canvas.save(figure, folder / f"roc_{name}.png")
    return {
        "kind": "classes",
        **found.to_json(),
        "guessing": guessing(trained, real.tolist(), len(attribute.classes)),
        "commonest": attribute.classes[commonest(trained)],
    }


def roc_curves(
    classes: Sequence[str], truth: NDArray[np.int64], probabilities: Float64
) -> dict[str, RocCurve]:
    """Each class against the rest, where there are both; of two classes only the second."""
    numbered = list(enumerate(classes))
    wanted = numbered[1:] if len(classes) == 2 else numbered
    return {
        name: roc(probabilities[:, c], truth == c)
        for c, name in wanted
        if 0 < int((truth == c).sum()) < len(truth)
    }


def headline(figures: Mapping[str, Any]) -> dict[str, Any]:
    """The few figures of a head that its card keeps."""
    names = ("accuracy", "macro_auc", "macro_f1", "mean_absolute_error")
    return {name: figures[name] for name in names if figures.get(name) is not None}


def file_name(head: str) -> str:
    """A head's name as part of a file name."""
    return "".join(c if c.isalnum() or c in "-_" else "_" for c in head)


def _known(
    attribute: Attribute, truth: Float64, rows: Sequence[ManifestRow]
) -> tuple[NDArray[np.bool_], list[str]]:
    known = np.isfinite(truth) if attribute.kind == "number" else truth >= 0
    return known, [who for who, there in zip(whose(rows), known, strict=True) if there]
