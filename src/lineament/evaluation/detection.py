"""Detection on labelled pictures: COCO's figures, WIDER FACE's, recall by size and by label.

Average precision looks at all scores, so a detector's threshold is lowered to `LOWEST_SCORE`; precision,
recall and F1 are told at the threshold that it is used at, or at a stated score.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from lineament import registry
from lineament.analyzer import Analyzer
from lineament.errors import InsufficientData
from lineament.evaluation.capture import Failure
from lineament.evaluation.detection_report import DetectionReport
from lineament.evaluation.truths import TruePicture, Truths
from lineament.kinds import NO_GROUP, found_by, noun
from lineament.protocols import Advance, Detector
from lineament.scoring import detection_rates, matching, wider
from lineament.scoring.detection import curve
from lineament.scoring.matching import Mask, Matches, PictureBoxes
from lineament.scoring.rate import Rate
from lineament.scoring.resampling import RESAMPLES
from lineament.types import Faces, Float64, Outcome

LOWEST_SCORE = 0.02
"""Cutting at a score of 0.6 instead moved WIDER FACE's hard level from .363 to .247 for one detector."""

SIZES_PX = (0, 8, 16, 32, 64, 128)
_MOST_VALUES = 12


@dataclass(frozen=True, slots=True)
class OpenDetector:
    """A detector made ready to be measured.

    ``score`` is the one it would be used at: that of its spec, else its own, which for a detector trained
    here is its card's. It is None where it has no threshold. ``lowest`` is the least score it returns here.
    """

    detector: Detector
    spec: str
    score: float | None
    lowest: float | None


def open_detector(spec: str) -> OpenDetector:
    """Create a detector that returns faces down to `LOWEST_SCORE`, whatever threshold it is used at.

    One that wraps another stays as it is: with other scores it would search otherwise.
    """
    detector = registry.detectors.create(spec)
    own = getattr(detector, "score", None)
    settings = registry.detectors.settings(spec)
    if own is None and {"score", "nms"} <= settings:
        own = detector.config.score  # type: ignore[attr-defined]
    if own is None or own <= LOWEST_SCORE or "score" not in settings or "base" in settings:
        return OpenDetector(detector, spec, own, own)
    lowered = registry.detectors.create(registry.detectors.changed(spec, score=LOWEST_SCORE))
    return OpenDetector(lowered, spec, float(own), LOWEST_SCORE)


def evaluate(
    truths: Truths,
    opened: OpenDetector,
    *,
    min_side: float = 0.0,
    score: float | None = None,
    workers: int | None = None,
    resamples: int = RESAMPLES,
    advance: Advance | None = None,
) -> DetectionReport:
    """Search every labelled picture and compare.

    Truths whose shorter side is below ``min_side`` pixels are ignored. ``score`` is the one that precision,
    recall and F1 are told at; by default the detector's own. Raises `InsufficientData` when no truth
    counts.
    """
    found, failures = _search(truths, opened, workers, advance)
    report = compare(
        truths,
        found,
        failures,
        score=score if score is not None else opened.score or 0.0,
        min_side=min_side,
        resamples=resamples,
    )
    return replace(report, finds=found_by(opened.detector), lowest=opened.lowest)


def compare(
    truths: Truths,
    found: Sequence[Faces],
    failures: Sequence[Failure] = (),
    *,
    score: float,
    min_side: float = 0.0,
    resamples: int = RESAMPLES,
) -> DetectionReport:
    """Every figure from the faces found in each of ``truths.pictures``."""
    shown = tuple(_small_ignored(one, min_side) for one in truths.pictures)
    pictures = [_boxes(one, faces) for one, faces in zip(shown, found, strict=True)]
    labels = [labels for one in shown for labels in one.labels]
    sides = np.concatenate([np.zeros(0), *(one.short_sides for one in shown)])
    if truths.missing_faces:
        pictures.append(_missing(truths.missing_faces))
        labels += [{}] * truths.missing_faces
        sides = np.append(sides, np.full(truths.missing_faces, np.nan))
    matches = matching.match(pictures)
    if not matches.truths:
        raise InsufficientData(
            f"none of the {len(matches.counted)} labelled {noun(truths.boxes)} counts: all are ignored, or "
            f"have a side below {min_side:g} px"
        )
    return DetectionReport(
        truths=truths,
        boxes=tuple(pictures),
        matches=matches,
        rates=detection_rates.rates(matches, score, resamples=resamples),
        curve=curve(matches),
        by_size=_by_size(matches, sides, score),
        by_label=_by_label(matches, labels, score),
        wider=_wider(pictures, labels, resamples),
        wider_levels=_levels_by(labels),
        failures=tuple(failures),
        min_side=min_side,
    )


def _search(
    truths: Truths, opened: OpenDetector, workers: int | None, advance: Advance | None
) -> tuple[list[Faces], list[Failure]]:
    found: list[Faces] = []
    failures: list[Failure] = []
    readable = [str(truths.folder / one.path) for one in truths.pictures if one.error is None]
    with Analyzer(opened.detector, embedder=None, quality=False, workers=workers) as analyzer:
        outcomes = analyzer.analyze(readable)
        for one in truths.pictures:
            if one.error is not None:
                kind, _, message = one.error.partition(": ")
                failures.append(Failure(one.path, kind, message, refused=True))
                found.append(Faces.none())
                continue
            outcome: Outcome = next(outcomes)
            if outcome.error is not None:
                failures.append(Failure(one.path, type(outcome.error).__name__, str(outcome.error), True))
            found.append(outcome.faces)
            if advance is not None:
                advance(1)
    return found, failures


def _small_ignored(one: TruePicture, min_side: float) -> TruePicture:
    return replace(one, ignored=one.ignored | (one.short_sides < min_side)) if len(one.boxes) else one


def _boxes(one: TruePicture, faces: Faces) -> PictureBoxes:
    boxes = faces.boxes.astype(np.float64)
    return PictureBoxes(one.boxes, boxes, faces.scores.astype(np.float64), one.ignored, one.crowd)


def _missing(faces: int) -> PictureBoxes:
    """A picture of faces that nobody can find; where they were does not matter."""
    return PictureBoxes(np.tile([0.0, 0.0, 1.0, 1.0], (faces, 1)), np.zeros((0, 4)), np.zeros(0))


def _by_size(matches: Matches, sides: Float64, score: float) -> dict[str, Rate | None]:
    found: dict[str, Rate | None] = {}
    for low, high in pairwise((*SIZES_PX, np.inf)):
        name = f"{low} to {high:g} px" if np.isfinite(high) else f"{low} px and more"
        found[name] = detection_rates.recall_of(matches, (sides >= low) & (sides < high), score)
    return found


def _by_label(
    matches: Matches, labels: Sequence[Mapping[str, str | float]], score: float
) -> dict[str, dict[str, Rate]]:
    """Recall of each value of each label that has a few values: pose, occlusion, class of mask ..."""
    found: dict[str, dict[str, Rate]] = {}
    for name in sorted({key for one in labels for key in one} - NO_GROUP):
        values = [one.get(name) for one in labels]
        distinct = sorted({_word(v) for v in values if v is not None})
        if not 1 < len(distinct) <= _MOST_VALUES:
            continue
        for value in distinct:
            chosen: Mask = np.array([v is not None and _word(v) == value for v in values], bool)
            rate = detection_rates.recall_of(matches, chosen, score)
            if rate is not None:
                found.setdefault(name, {})[value] = rate
    return found


def _word(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:g}"


def _wider(
    pictures: Sequence[PictureBoxes], labels: Sequence[Mapping[str, str | float]], resamples: int
) -> dict[str, Rate]:
    """Average precision of the levels that have faces; each holds the easier ones too."""
    names = list(wider.LEVEL_HEIGHTS)
    given = [one.get("level") for one in labels]
    by_label = _levels_by(labels) == "label"
    found: dict[str, Rate] = {}
    for rank, level in enumerate(names):
        chosen = []
        start = 0
        for one in pictures:
            end = start + len(one.truths)
            if by_label:
                inside = np.array([word in names[: rank + 1] for word in given[start:end]], bool)
            else:
                inside = (one.truths[:, 3] - one.truths[:, 1]) >= wider.LEVEL_HEIGHTS[level]
            start = end
            chosen.append(replace(one, ignored=~(one.counted & inside), crowd=None))
        try:
            found[level] = wider.evaluate(chosen, resamples=resamples).average_precision
        except InsufficientData:
            continue
    return found


def _levels_by(labels: Sequence[Mapping[str, str | float]]) -> str:
    return "label" if any(one.get("level") in wider.LEVEL_HEIGHTS for one in labels) else "height"
