"""Curves and drawn pictures of a trained detector, for its run folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lineament.detectors.yolo import DEFAULT_SCORE
from lineament.errors import InsufficientData, PictureError
from lineament.io import images
from lineament.io.manifest import Manifest
from lineament.io.own_files import SHEET
from lineament.kinds import CLASS
from lineament.plots import canvas
from lineament.plots.box_sheet import BoxedPicture, box_sheet
from lineament.plots.lettering import legible
from lineament.plots.precision_recall import f1_figure, precision_recall_figure
from lineament.scoring.detection import Curve, curve
from lineament.training.detection.scores import Found, matches_of

_DRAWN = 8


def best_score(found: Sequence[Found]) -> float:
    """The score of the highest F1 at IoU 0.5, all classes as one; 0.25 where nothing was right."""
    try:
        line = curve(matches_of(found))
        best = line.best
    except InsufficientData:
        return DEFAULT_SCORE
    return round(float(np.clip(line.scores[best], 0.01, 0.99)), 4) if line.f1[best] > 0 else DEFAULT_SCORE


def at_best(found: Sequence[Found]) -> dict[str, float]:
    """Precision and recall at the score of the highest F1 at IoU 0.5, all classes as one; 0 without any."""
    try:
        line = curve(matches_of(found))
        best = line.best
    except InsufficientData:
        return {"precision": 0.0, "recall": 0.0}
    return {"precision": float(line.precision[best]), "recall": float(line.recall[best])}


def draw(
    folder: Path, manifest: Manifest, found: Sequence[Found], classes: Sequence[str], score: float
) -> None:
    """``precision_recall.png``, ``f1.png``, and ``predictions.png``: truths and detections of some."""
    curves: dict[str, Curve] = {}
    for kind, name in enumerate(classes):
        try:
            curves[name] = curve(matches_of(found, kind))
        except InsufficientData:
            continue
    canvas.save(precision_recall_figure(curves), folder / "precision_recall.png")
    canvas.save(f1_figure(curves, score=score), folder / "f1.png")
    # A class whose name cannot be written bears its number in the order of the card.
    written = dict(zip(classes, legible(classes), strict=True))
    pictures = []
    for i in range(min(_DRAWN, len(found))):
        one = found[i * len(found) // min(_DRAWN, len(found))]
        kept = one.faces[one.faces.scores >= score]
        kinds = kept.attributes.get(CLASS)
        names = (
            [f"{written.get(str(kind), kind)} " for kind in kinds.values]
            if kinds is not None
            else [""] * len(kept)
        )
        try:
            image = images.load(manifest.folder / one.scene.path)
        except PictureError:
            continue
        labels = [f"{name}{s:.2f}" for name, s in zip(names, kept.scores, strict=True)]
        pictures.append(BoxedPicture(image.pixels, one.scene.boxes[~one.scene.ignored], kept.boxes, labels))
    images.save(folder / "predictions.png", box_sheet(pictures), kind=SHEET)
