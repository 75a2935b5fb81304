"""How good a localizer is: is there a face, and how well does the box lie on it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lineament.errors import PictureError
from lineament.io import images
from lineament.io.manifest import Manifest, ManifestRow
from lineament.io.own_files import SHEET
from lineament.plots.box_sheet import BoxedPicture, box_sheet
from lineament.scoring import classification, proportions, resampling
from lineament.training.predictions import Predictions
from lineament.types import Float64

_DRAWN = 12


def overlaps(boxes: Any, truths: Any) -> Float64:
    """IoU of each box ``(N, 4)`` with the truth of the same row."""
    a, b = np.asarray(boxes, np.float64), np.asarray(truths, np.float64)
    sides = np.clip(np.minimum(a[:, 2:], b[:, 2:]) - np.maximum(a[:, :2], b[:, :2]), 0, None)
    common = sides.prod(axis=1)
    areas = [np.clip(x[:, 2:] - x[:, :2], 0, None).prod(axis=1) for x in (a, b)]
    union = areas[0] + areas[1] - common
    return np.asarray(np.divide(common, union, out=np.zeros_like(common), where=union > 0))


def monitored(found: Predictions) -> dict[str, float]:
    """Accuracy, precision and recall of "face", its AUC, and the mean IoU of pictures with a face."""
    there = found.targets["face"] > 0.5
    said = found.outputs[0][:, 0] > 0
    iou = overlaps(found.outputs[1][there], found.targets["box"][there])
    right = int((said & there).sum())
    figures = {
        "accuracy": float((said == there).mean()),
        "iou": float(iou.mean()) if len(iou) else 0.0,
        "precision": right / max(int(said.sum()), 1),
        "recall": right / max(int(there.sum()), 1),
    }
    if 0 < there.sum() < len(there):
        figures["auc"] = classification.auc(found.outputs[0][:, 0], there)
    return figures


def summary(found: Predictions, rows: Sequence[ManifestRow], mean_box: Any) -> dict[str, Any]:
    """Rates with intervals over subjects, or pictures where nobody is named, and what guessing gives.

    ``iou`` and ``iou50`` are of all pictures with a face, also those whose face was missed. Guessing: the
    commoner answer, and the mean box of the training pictures.
    """
    there = found.targets["face"] > 0.5
    said = found.outputs[0][:, 0] > 0
    who = np.array([rows[i].subject or rows[i].path for i in found.index.tolist()])
    result: dict[str, Any] = {
        "accuracy": proportions.of_flags(said == there, who),
        "guessing": {"accuracy": float(max(there.mean(), 1 - there.mean()))},
    }
    if there.any():
        truths = found.targets["box"][there]
        iou = overlaps(found.outputs[1][there], truths)
        _, cluster = np.unique(who[there], return_inverse=True)
        sums = np.stack([np.bincount(cluster, iou), np.bincount(cluster)], axis=1).astype(np.float64)
        interval = resampling.of_sums(sums, lambda totals: totals[:, 0] / totals[:, 1])
        result["faces_found"] = proportions.of_flags(said[there], who[there])
        result["iou"] = resampling.share(float(iou.mean()), interval, len(iou), len(sums))
        result["iou50"] = proportions.of_flags(iou >= 0.5, who[there])
        guess = overlaps(np.tile(mean_box, (len(truths), 1)), truths)
        result["guessing"] |= {"iou": float(guess.mean()), "iou50": float((guess >= 0.5).mean())}
    if not there.all():
        result["false_alarms"] = proportions.of_flags(said[~there], who[~there])
    return result


def draw(
    path: Path, manifest: Manifest, found: Predictions, rows: Sequence[ManifestRow], thing: str
) -> None:
    """Some pictures with the labelled box, the box found, and the answer in words: a ``thing`` or none."""
    pictures = []
    chosen = np.unique(np.linspace(0, len(found) - 1, min(_DRAWN, len(found))).astype(int))
    for i in chosen.tolist():
        row = rows[int(found.index[i])]
        try:
            pixels = images.load(manifest.file(row)).pixels
        except PictureError:
            continue
        sides = np.tile(pixels.shape[1::-1], 2)
        logit = float(found.outputs[0][i, 0])
        probability = 1 / (1 + np.exp(-np.clip(logit, -60, 60)))
        pictures.append(
            BoxedPicture(
                pixels,
                [] if row.box is None else [row.box],
                [found.outputs[1][i] * sides] if logit > 0 else [],
                caption=f"{thing if logit > 0 else f'no {thing}'}, probability {probability:.2f}",
            )
        )
    images.save(path, box_sheet(pictures), kind=SHEET)
