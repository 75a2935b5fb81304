"""Detection on labelled pictures: COCO's figures, WIDER FACE's, recall by size and by label.

Average precision looks at all scores, so a detector's threshold is lowered to `LOWEST_SCORE`; precision,
recall and F1 are told at the threshold that it is used at, or at a stated score.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from lineament import registry
from lineament.analyzer import Analyzer
from lineament.errors import InsufficientData
from lineament.evaluation.capture import Failure
from lineament.evaluation.truths import TruePicture, Truths
from lineament.kinds import NO_GROUP, noun
from lineament.protocols import Advance, Detector
from lineament.scoring import detection_rates, matching, wider
from lineament.scoring.detection import Curve, curve
from lineament.scoring.detection_rates import DetectionRates
from lineament.scoring.matching import Mask, Matches, PictureBoxes
from lineament.scoring.rate import Rate
from lineament.scoring.resampling import RESAMPLES
from lineament.scoring.thresholds import RULE_OF
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


@dataclass(frozen=True, slots=True, eq=False)
class DetectionReport:
    """What `evaluate` found.

    ``boxes`` are the pictures with truths and detections, in the order of ``truths.pictures``, followed by
    one that stands for all missing pictures, if any. ``wider`` holds the levels that have faces;
    ``wider_levels`` tells whether the faces' label ``level`` or their height says which. ``curve`` is at
    IoU 0.5.
    """

    truths: Truths
    boxes: tuple[PictureBoxes, ...]
    matches: Matches
    rates: DetectionRates
    curve: Curve
    by_size: Mapping[str, Rate | None]
    by_label: Mapping[str, Mapping[str, Rate]]
    wider: Mapping[str, Rate]
    wider_levels: str
    failures: tuple[Failure, ...]
    min_side: float

    def to_json(self) -> dict[str, Any]:
        """Plain numbers; the keys are explained in docs/reference/detection-metrics.md."""
        truths = self.truths
        return {
            "images": len(truths.pictures),
            "truths": self.matches.truths,
            "truths_ignored": len(self.matches.counted) - self.matches.truths,
            "detections": len(self.matches.scores),
            "min_side": self.min_side,
            **self.rates.to_json(),
            "best_f1": self._best(),
            "by_size": {name: _json(rate) for name, rate in self.by_size.items()},
            "by_label": {
                label: {value: rate.to_json() for value, rate in rates.items()}
                for label, rates in self.by_label.items()
            },
            "wider": {level: rate.to_json() for level, rate in self.wider.items()},
            "wider_levels_by": self.wider_levels,
            "failures": [failure.to_json() for failure in self.failures],
            "faces_of_missing_pictures": truths.missing_faces,
            "pictures_with_unusable_labels": dict(truths.unusable),
            "pictures_elsewhere": truths.elsewhere,
            "pictures_without_labels": truths.unlabelled,
            "label_format": truths.format,
            "split": truths.split or "all",
            "pictures_of_other_splits": truths.other_splits,
            "boxes": dict(truths.boxes),
            "boxes_of_other_classes": dict(truths.other_kinds),
            "label_problems": dict(truths.problems),
        }

    def by_picture(self) -> dict[str, dict[str, tuple[float, float]]]:
        """Numerator and denominator of precision and recall by picture, under digests of the paths."""
        right, wrong, truths = detection_rates.by_picture(self.matches, self.rates.score)
        names = [
            hashlib.sha256(one.path.encode("utf-8", "surrogateescape")).hexdigest()[:20]
            for one in self.truths.pictures
        ]
        names += ["missing"] * (len(right) - len(names))
        return {
            "recall": {n: (float(r), float(t)) for n, r, t in zip(names, right, truths, strict=True)},
            "precision": {n: (float(r), float(r + w)) for n, r, w in zip(names, right, wrong, strict=True)},
        }

    def _best(self) -> dict[str, Any] | None:
        if not len(self.curve.scores):
            return None
        i, truths = self.curve.best, self.matches.truths
        few = truths < RULE_OF
        return {
            "score": None if few else float(self.curve.scores[i]),
            "precision": float(self.curve.precision[i]),
            "recall": float(self.curve.recall[i]),
            "f1": float(self.curve.f1[i]),
            "truths": truths,
            "note": "chosen on these very pictures: it flatters"
            + (f"; no score is named: that needs {RULE_OF} truths, you have {truths}" if few else ""),
        }


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
    return compare(
        truths,
        found,
        failures,
        score=score if score is not None else opened.score or 0.0,
        min_side=min_side,
        resamples=resamples,
    )


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


def _json(rate: Rate | None) -> dict[str, float | int | None] | None:
    return None if rate is None else rate.to_json()
