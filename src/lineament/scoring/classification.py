"""Classification metrics from labels and scores: pure NumPy, equal to scikit-learn's.

Labels are class numbers 0..C-1, int ``(N,)``; scores are ``(N, C)``, higher is likelier. What is not
defined (the precision of a class that was never predicted, the recall of one without a sample) is NaN,
never a silent 0. Intervals stand in `lineament.scoring.classification_rates`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lineament.errors import InsufficientData, InvalidArray
from lineament.scoring import verification
from lineament.types import Float64

Labels = NDArray[np.int64]


def as_labels(name: str, values: Any, classes: int | None = None) -> Labels:
    """Validate class numbers ``(N,)``, N >= 1, each from 0 to ``classes`` - 1."""
    array = np.asarray(values)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iub"):
        raise InvalidArray(f"{name}: expected whole numbers (N,), got {array.dtype} {array.shape}")
    if not len(array):
        raise InsufficientData(f"{name}: a metric needs samples, you have 0")
    if array.min() < 0 or (classes is not None and array.max() >= classes):
        raise InvalidArray(f"{name}: a class number is not below {classes}")
    return array.astype(np.int64)


def as_class_scores(scores: Any, samples: int) -> Float64:
    """Validate scores ``(N, C)``: finite, one row a sample."""
    array = np.asarray(scores, np.float64)
    if array.ndim != 2 or len(array) != samples:
        raise InvalidArray(f"scores: expected ({samples}, classes), got {array.shape}")
    if not np.isfinite(array).all():
        raise InvalidArray("scores: hold NaN or infinity")
    return array


def accuracy(truth: Any, predicted: Any) -> float:
    """Share of samples whose class was predicted."""
    t, p = as_labels("truth", truth), as_labels("predictions", predicted)
    _same_length(t, p)
    return float(np.mean(t == p))


def top_k_hits(truth: Any, scores: Any, k: int) -> NDArray[np.bool_]:
    """Whether the true class is among the ``k`` best scores, bool ``(N,)``.

    Of equal scores the later class goes first, as in scikit-learn, so at k = 1 a tie may count otherwise
    than with ``argmax``, which takes the first.
    """
    t = as_labels("truth", truth)
    values = as_class_scores(scores, len(t))
    t = as_labels("truth", t, values.shape[1])
    if k < 1:
        raise InvalidArray(f"top-k needs k >= 1, got {k}")
    own = values[np.arange(len(t)), t][:, None]
    later = np.arange(values.shape[1]) > t[:, None]
    ahead = ((values > own) | ((values == own) & later)).sum(axis=1)
    return np.asarray(ahead < k)


def top_k_accuracy(truth: Any, scores: Any, k: int) -> float:
    """Share of samples whose class is among the ``k`` best scores; see `top_k_hits` for ties."""
    return float(top_k_hits(truth, scores, k).mean())


def confusion_matrix(truth: Any, predicted: Any, classes: int) -> NDArray[np.int64]:
    """Counts ``(C, C)``: row is the true class, column the predicted one."""
    t, p = as_labels("truth", truth, classes), as_labels("predictions", predicted, classes)
    _same_length(t, p)
    return np.bincount(t * classes + p, minlength=classes * classes).reshape(classes, classes)


@dataclass(frozen=True, slots=True, eq=False)
class ClassFigures:
    """Precision, recall and F1 of each class, float64 ``(C,)``; NaN where there is nothing to divide by.

    ``support`` is the number of samples of a class, ``predicted`` how often it was predicted.
    """

    precision: Float64
    recall: Float64
    f1: Float64
    support: NDArray[np.int64]
    predicted: NDArray[np.int64]

    @property
    def empty(self) -> NDArray[np.int64]:
        """Classes without a sample: nothing can be said of their recall."""
        return np.flatnonzero(self.support == 0)

    def macro(self, figure: Float64) -> float:
        """Mean over the classes that have samples, each counting the same.

        A class that has samples and was never predicted counts with precision 0, not with nothing: leaving
        it out would reward a model that gives up on it.
        """
        return float(np.nan_to_num(figure[self.support > 0]).mean())

    def weighted(self, figure: Float64) -> float:
        """Mean over the classes weighted by their samples."""
        return float(np.average(np.nan_to_num(figure), weights=self.support))


def class_figures(confusion: NDArray[np.int64]) -> ClassFigures:
    """Precision, recall and F1 of each class of a confusion matrix ``(C, C)``."""
    right = np.diag(confusion).astype(np.float64)
    support, predicted = confusion.sum(axis=1), confusion.sum(axis=0)
    return ClassFigures(
        precision=ratio(right, predicted),
        recall=ratio(right, support),
        f1=ratio(2 * right, support + predicted),
        support=support,
        predicted=predicted,
    )


@dataclass(frozen=True, slots=True, eq=False)
class RocCurve:
    """Every operating point of one class against the rest, strictest first: all float64 ``(K,)``."""

    thresholds: Float64
    false_positive_rate: Float64
    true_positive_rate: Float64


def roc(scores: Any, positive: Any) -> RocCurve:
    """Receiver operating characteristic with no point left out; ``scores`` and ``positive`` ``(N,)``.

    Raises `InsufficientData` unless there are positive and negative samples.
    """
    values, own = _scored(scores, positive)
    curve = verification.roc(values[own], values[~own])
    return RocCurve(curve.thresholds, curve.fmr, curve.tmr)


def auc(scores: Any, positive: Any) -> float:
    """Probability that a positive scores above a negative, ties one half: the area under `roc`."""
    values, own = _scored(scores, positive)
    return verification.auc(values[own], values[~own])


def auc_one_vs_rest(truth: Any, scores: Any) -> Float64:
    """AUC of each class against all others, float64 ``(C,)``; NaN for a class with no or all samples."""
    t = as_labels("truth", truth)
    values = as_class_scores(scores, len(t))
    as_labels("truth", t, values.shape[1])
    own = [t == c for c in range(values.shape[1])]
    return np.array([auc(values[:, c], o) if 0 < o.sum() < len(o) else np.nan for c, o in enumerate(own)])


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """A reliability diagram: samples in bins of equal width by the probability they were given.

    ``edges`` ``(B + 1,)``; ``count``, mean ``confidence`` and observed ``frequency`` ``(B,)``, NaN in an
    empty bin. A bin holds what lies above its lower edge and up to its upper one (Guo et al. 2017, "On
    Calibration of Modern Neural Networks").
    """

    edges: Float64
    count: NDArray[np.int64]
    confidence: Float64
    frequency: Float64

    @property
    def expected_error(self) -> float:
        """Expected calibration error: mean over samples of their bin's distance from the diagonal.

        Rises with the number of bins and with noise in small ones: a perfect model on few samples is not 0.
        """
        gap = np.nan_to_num(np.abs(self.confidence - self.frequency))
        return float((gap * self.count).sum() / self.count.sum())


def bin_of(probability: Any, bins: int) -> NDArray[np.intp]:
    """The bin of each probability ``(N,)`` among ``bins`` of equal width over [0, 1]."""
    values = np.asarray(probability, np.float64)
    if bins < 1 or values.ndim != 1:
        raise InvalidArray("calibration needs probabilities (N,) and at least one bin")
    if not len(values):
        raise InsufficientData("calibration needs samples, you have 0")
    # Probabilities of a float32 softmax may end a hair above 1.
    if not ((values >= -1e-6) & (values <= 1 + 1e-6)).all():
        raise InvalidArray("calibration needs probabilities between 0 and 1")
    return np.searchsorted(np.linspace(0, 1, bins + 1)[1:-1], values, side="left")


def calibration(probability: Any, happened: Any, bins: int = 10) -> Calibration:
    """How often what was given a probability came true; both ``(N,)``.

    For several classes pass the probability of the predicted class and whether it was right.
    """
    place = bin_of(probability, bins)
    values, came = np.asarray(probability, np.float64), np.asarray(happened, bool)
    _same_length(values, came)
    count = np.bincount(place, minlength=bins)
    return Calibration(
        edges=np.linspace(0, 1, bins + 1),
        count=count,
        confidence=ratio(np.bincount(place, values, bins), count),
        frequency=ratio(np.bincount(place, came, bins), count),
    )


def mean_absolute_error(truth: Any, predicted: Any) -> float:
    """Mean distance between numbers ``(N,)`` and their predictions, in the numbers' unit."""
    return float(np.abs(differences(truth, predicted)).mean())


def differences(truth: Any, predicted: Any) -> Float64:
    """Prediction minus truth, float64 ``(N,)``; raises `InvalidArray` for NaN or unequal lengths."""
    t, p = np.asarray(truth, np.float64), np.asarray(predicted, np.float64)
    _same_length(t, p)
    if not len(t):
        raise InsufficientData("a mean error needs samples, you have 0")
    if t.ndim != 1 or not (np.isfinite(t).all() and np.isfinite(p).all()):
        raise InvalidArray("numbers to compare: expected finite (N,)")
    return p - t


def ratio(part: Any, whole: Any) -> Float64:
    """``part / whole`` in float64, NaN where ``whole`` is 0."""
    over = np.asarray(whole, np.float64)
    parts = np.divide(np.asarray(part, np.float64), over, out=np.full(over.shape, np.nan), where=over != 0)
    return np.asarray(parts, np.float64)


def _scored(scores: Any, positive: Any) -> tuple[Float64, NDArray[np.bool_]]:
    values, own = np.asarray(scores, np.float64), np.asarray(positive, bool)
    _same_length(values, own)
    if not np.isfinite(values).all():
        raise InvalidArray("scores: hold NaN or infinity")
    if own.all() or not own.any():
        raise InsufficientData(
            f"a ROC needs positive and negative samples, you have {int(own.sum())} and {int((~own).sum())}"
        )
    return values, own


def _same_length(a: NDArray[Any], b: NDArray[Any]) -> None:
    if a.shape != b.shape:
        raise InvalidArray(f"arrays of different shapes: {a.shape} and {b.shape}")
