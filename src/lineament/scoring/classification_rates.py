"""Classification metrics with intervals, clustered by subject: photos of one person are alike.

Plain shares (accuracy, top-k, precision, recall, F1) have the clustered exact interval; means over classes,
areas and calibration are resampled over subjects.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lineament.counting import quantity
from lineament.errors import InvalidArray
from lineament.scoring import proportions, resampling
from lineament.scoring.classification import (
    Calibration,
    ClassFigures,
    Labels,
    as_class_scores,
    as_labels,
    auc,
    bin_of,
    calibration,
    class_figures,
    confusion_matrix,
    ratio,
    top_k_hits,
)
from lineament.scoring.rate import Rate
from lineament.scoring.resampling import RESAMPLES
from lineament.scoring.similarity import Index, codes
from lineament.types import Float64


@dataclass(frozen=True, slots=True)
class ClassRates:
    """One class: None where there is nothing to divide by (never predicted, no sample, no other class)."""

    name: str
    samples: int
    precision: Rate | None
    recall: Rate | None
    f1: Rate | None
    auc: Rate | None

    def to_json(self) -> dict[str, Any]:
        """Rates as ``{"value", "low", "high", "n"}`` or null."""
        found = {"precision": self.precision, "recall": self.recall, "f1": self.f1, "auc": self.auc}
        return {"samples": self.samples} | {k: Rate.json_of(rate) for k, rate in found.items()}


@dataclass(frozen=True, slots=True, eq=False)
class ClassificationRates:
    """Every figure of one classifier on one set.

    ``accuracy`` counts a sample without an answer (no face found) as wrong, ``accuracy_of_answers`` leaves
    it out, as all other figures do. ``confusion`` ``(C, C)``: rows are true classes. ``empty`` names the
    classes without a sample. ``expected_calibration_error`` is of the predicted class's probability; its
    interval is shifted by the bias that resampling shows, because noise alone makes the error larger.
    """

    classes: tuple[ClassRates, ...]
    confusion: NDArray[np.int64]
    accuracy: Rate
    accuracy_of_answers: Rate
    top_k: dict[int, Rate]
    macro_recall: Rate
    macro_f1: Rate
    macro_auc: Rate | None
    calibration: Calibration
    expected_calibration_error: Rate
    failures: int

    @property
    def empty(self) -> tuple[str, ...]:
        """Classes without a sample: nothing can be said of how often they are recognised."""
        return tuple(one.name for one in self.classes if not one.samples)

    def to_json(self) -> dict[str, Any]:
        """Plain numbers; the confusion matrix with its classes in order."""
        curve = self.calibration
        return {
            "accuracy": self.accuracy.to_json(),
            "accuracy_of_answers": self.accuracy_of_answers.to_json(),
            "top_k": {str(k): rate.to_json() for k, rate in self.top_k.items()},
            "balanced_accuracy": self.macro_recall.to_json(),
            "macro_f1": self.macro_f1.to_json(),
            "macro_auc": Rate.json_of(self.macro_auc),
            "classes": {one.name: one.to_json() for one in self.classes},
            "classes_without_samples": list(self.empty),
            "confusion": {
                "classes": [one.name for one in self.classes],
                "rows_are": "true class",
                "counts": self.confusion.tolist(),
            },
            "expected_calibration_error": self.expected_calibration_error.to_json(),
            "calibration": [
                {"from": low, "to": high, "n": int(n), "confidence": confidence, "frequency": frequency}
                for low, high, n, confidence, frequency in zip(
                    curve.edges[:-1],
                    curve.edges[1:],
                    curve.count,
                    curve.confidence,
                    curve.frequency,
                    strict=True,
                )
                if n
            ],
        }


def rates(
    truth: Any,
    probabilities: Any,
    names: Sequence[str],
    subjects: Any,
    *,
    failed_subjects: Any = (),
    bins: int = 10,
    resamples: int = RESAMPLES,
) -> ClassificationRates:
    """Every figure from class numbers ``(N,)`` and probabilities ``(N, C)``, rows summing to 1.

    ``subjects`` ``(N,)`` says whose each sample is; ``failed_subjects`` whose those are that got no answer.
    The predicted class is the likeliest, the first of equals. Raises `InsufficientData` without samples.
    """
    labels = as_labels("truth", truth, len(names))
    values = as_class_scores(probabilities, len(labels))
    if values.shape[1] != len(names):
        raise InvalidArray(
            f"{quantity(len(names), 'class')} but {quantity(values.shape[1], 'column')} of probabilities"
        )
    own = np.asarray(subjects)
    failed = np.asarray(failed_subjects)
    predicted = values.argmax(axis=1)
    right = predicted == labels
    code = codes(own)
    figures = class_figures(confusion_matrix(labels, predicted, len(names)))
    macro_recall, macro_f1 = _macro(labels, predicted, code, figures, resamples)
    areas, macro_auc = _areas(labels, values, code, resamples)
    everyone = np.concatenate([own.astype(str), failed.astype(str)])
    every_answer = np.concatenate([right, np.zeros(len(failed), bool)])
    return ClassificationRates(
        classes=tuple(_class(name, c, labels, predicted, code, areas[c]) for c, name in enumerate(names)),
        confusion=confusion_matrix(labels, predicted, len(names)),
        accuracy=proportions.of_flags(every_answer, everyone),
        accuracy_of_answers=proportions.of_flags(right, code),
        top_k={
            k: proportions.of_flags(top_k_hits(labels, values, k), code)
            for k in (2, 3, 5)
            if k < len(names)
        },
        macro_recall=macro_recall,
        macro_f1=macro_f1,
        macro_auc=macro_auc,
        calibration=calibration(values.max(axis=1), right, bins),
        expected_calibration_error=_calibration_error(values.max(axis=1), right, code, bins, resamples),
        failures=len(failed),
    )


def _class(
    name: str, number: int, labels: Labels, predicted: Labels, code: Index, area: Rate | None
) -> ClassRates:
    is_one, said_one = labels == number, predicted == number
    both = is_one & said_one
    size = int(code.max()) + 1

    def count(chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
        return np.bincount(code[chosen], minlength=size)

    either = is_one | said_one
    return ClassRates(
        name=name,
        samples=int(is_one.sum()),
        precision=proportions.of_counts(count(both), count(said_one)) if said_one.any() else None,
        recall=proportions.of_counts(count(both), count(is_one)) if is_one.any() else None,
        f1=proportions.f1_of_counts(count(both), count(said_one & ~both), count(is_one & ~both))
        if either.any()
        else None,
        auc=area,
    )


def _macro(
    labels: Labels, predicted: Labels, code: Index, figures: ClassFigures, resamples: int
) -> tuple[Rate, Rate]:
    """Mean recall and mean F1 over the classes that have samples."""
    classes, size = len(figures.support), int(code.max()) + 1
    flat = np.concatenate(
        [
            _sums(code, size, labels, classes, labels == predicted),
            _sums(code, size, labels, classes),
            _sums(code, size, predicted, classes),
        ],
        axis=1,
    )

    def mean(part: Float64, whole: Float64, support: Float64) -> Float64:
        there = np.where(support > 0, np.nan_to_num(ratio(part, whole)), 0.0)
        return np.asarray(there.sum(axis=1) / (support > 0).sum(axis=1), np.float64)

    def recall(totals: Float64) -> Float64:
        hits, support, _ = np.moveaxis(totals.reshape(len(totals), 3, classes), 1, 0)
        return mean(hits, support, support)

    def f1(totals: Float64) -> Float64:
        hits, support, said = np.moveaxis(totals.reshape(len(totals), 3, classes), 1, 0)
        return mean(2 * hits, support + said, support)

    found = []
    for value, figure in ((figures.macro(figures.recall), recall), (figures.macro(figures.f1), f1)):
        interval = resampling.of_sums(flat, figure, resamples=resamples)
        found.append(resampling.share(value, interval, len(labels), size))
    return found[0], found[1]


def _areas(
    labels: Labels, values: Float64, code: Index, resamples: int
) -> tuple[list[Rate | None], Rate | None]:
    """AUC of each class against the rest, and the mean over classes that have one."""
    classes, size = values.shape[1], int(code.max()) + 1
    defined = [c for c in range(classes) if 0 < (labels == c).sum() < len(labels)]
    areas: list[Rate | None] = [None] * classes
    drawn = np.full((resamples, classes), np.nan)
    for c in defined:
        start = 0
        for some in resampling.draws(size, resamples):
            drawn[start : start + len(some), c] = _weighted_auc(values[:, c], labels == c, code, some)
            start += len(some)
        area = auc(values[:, c], labels == c)
        areas[c] = resampling.share(
            area, resampling.percentiles(drawn[:, c], area, size), len(labels), size
        )
    if not defined:
        return areas, None
    chosen = drawn[:, defined]
    some_defined = np.isfinite(chosen).any(axis=1)
    mean = float(np.mean([areas[c].value for c in defined]))  # type: ignore[union-attr]
    interval = resampling.percentiles(np.nanmean(chosen[some_defined], axis=1), mean, size)
    return areas, resampling.share(mean, interval, len(labels), size)


def _weighted_auc(scores: Float64, positive: NDArray[np.bool_], code: Index, draws: Float64) -> Float64:
    """AUC ``(R,)`` when each sample counts as often as its subject was drawn, ``(R, S)``; ties one half."""
    order = np.argsort(scores, kind="stable")
    starts = np.flatnonzero(np.append(True, np.diff(scores[order]) > 0))
    found = np.full(len(draws), np.nan)
    rows_at_once = max(1, 4_000_000 // len(scores))
    for start in range(0, len(draws), rows_at_once):
        weights = draws[start : start + rows_at_once][:, code[order]]
        own = positive[order]
        above = np.add.reduceat(weights * own, starts, axis=1)
        others = np.add.reduceat(weights * ~own, starts, axis=1)
        below = np.cumsum(others, axis=1) - others / 2
        whole = above.sum(axis=1) * others.sum(axis=1)
        found[start : start + len(weights)] = ratio((above * below).sum(axis=1), whole)
    return found


def _calibration_error(
    confidence: Float64, right: NDArray[np.bool_], code: Index, bins: int, resamples: int
) -> Rate:
    size, place = int(code.max()) + 1, bin_of(confidence, bins)
    gaps = _sums(code, size, place, bins, confidence - right)
    flat = np.concatenate([gaps, _sums(code, size, place, bins)], axis=1)

    def error(totals: Float64) -> Float64:
        gaps, counts = np.moveaxis(totals.reshape(len(totals), 2, bins), 1, 0)
        return np.asarray(np.abs(gaps).sum(axis=1) / counts.sum(axis=1), np.float64)

    value = float(error(flat.sum(axis=0, keepdims=True))[0])
    drawn = np.concatenate([error(some @ flat) for some in resampling.draws(size, resamples)])
    interval = resampling.percentiles(drawn - (drawn.mean() - value), value, size)
    return resampling.share(value, interval, len(right), size)


def _sums(code: Index, size: int, column: Any, columns: int, weights: Any = None) -> Float64:
    """Sums ``(size, columns)`` of weights, or counts, by subject and column."""
    cell = code * columns + column
    flat = np.bincount(cell, weights, minlength=size * columns)
    return flat.astype(np.float64).reshape(size, columns)
