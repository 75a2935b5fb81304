"""The worst misses of a detector as pictures, and every error as a table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lineament.errors import PictureError
from lineament.evaluation.detection_report import DetectionReport
from lineament.io import images, spreadsheets
from lineament.io.own_files import DRAWING, ERROR_TABLE
from lineament.io.writing import make_folder, replacing
from lineament.scoring import matching
from lineament.types import Float64, Image

TABLE = "errors.csv"


@dataclass(frozen=True, slots=True, eq=False)
class PictureErrors:
    """One picture's faces found and missed and its false detections, boxes ``(N, 4)``, at one score."""

    path: str
    found: Float64
    missed: Float64
    false: Float64
    false_scores: Float64


def errors_of(report: DetectionReport) -> Iterator[PictureErrors]:
    """Each picture with an error at the report's score and IoU 0.5, most missed faces first."""
    score = report.rates.score
    rows = []
    for one, boxes in zip(report.truths.pictures, report.boxes, strict=False):
        matches = matching.match([boxes], 0.5)
        found = (matches.found_at[0] >= score) & boxes.counted
        missed = ~found & boxes.counted
        ranked = boxes.boxes[np.argsort(-boxes.scores, kind="stable")]
        wrong = matches.wrong[0] & (matches.scores >= score)
        if missed.any() or wrong.any():
            rows.append(
                PictureErrors(
                    one.path,
                    boxes.truths[found],
                    boxes.truths[missed],
                    ranked[wrong],
                    matches.scores[wrong],
                )
            )
    return iter(sorted(rows, key=lambda row: (-len(row.missed), -len(row.false), row.path)))


def write_errors(report: DetectionReport, folder: Path, most: int = 20) -> list[Path]:
    """Draw the ``most`` worst pictures into a folder and list every error in ``errors.csv``.

    The table holds one line an error: picture, its drawing if there is one, missed or false, box, score.
    A picture that cannot be read is in the table only. Raises `OutputError` when the folder cannot be
    written.
    """
    from lineament.plots.detection_errors import detection_errors

    drawings: list[Path] = []
    lines: list[list[Any]] = [["picture", "drawing", "error", "x1", "y1", "x2", "y2", "score"]]
    make_folder(folder)
    for one in errors_of(report):
        drawing = ""
        if len(drawings) < most and (picture := _readable(report.truths.folder / one.path)) is not None:
            drawing = f"{len(drawings) + 1:03d}_{len(one.missed)}_missed_{len(one.false)}_false.jpg"
            drawn = detection_errors(picture, one.found, one.missed, one.false)
            images.save(folder / drawing, drawn, kind=DRAWING)
            drawings.append(folder / drawing)
        start = [one.path, drawing]
        lines += [[*start, "missed", *np.round(box, 2).tolist(), None] for box in one.missed]
        lines += [
            [*start, "false", *np.round(box, 2).tolist(), round(float(score), 4)]
            for box, score in zip(one.false, one.false_scores, strict=True)
        ]
    with replacing(folder / TABLE, ERROR_TABLE) as file:
        spreadsheets.write(file, lines)
    return [*drawings, folder / TABLE]


def _readable(path: Path) -> Image | None:
    try:
        return images.load(path)
    except PictureError:
        return None
