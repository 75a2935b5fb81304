"""What a classifier is worth on a split: accuracy with its interval, beside what guessing would give."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from lineament.counting import quantity
from lineament.io.manifest import ManifestRow
from lineament.scoring import classification, proportions
from lineament.scoring.rate import Rate
from lineament.training.answers import rate_text
from lineament.training.classification.result import ClassRow, SplitFigures
from lineament.types import Float64

_MOST_AREAS = 100


def log_probabilities(logits: NDArray[np.float32]) -> Float64:
    """Logarithms of the softmax ``(N, C)``."""
    values = logits.astype(np.float64)
    values -= values.max(axis=1, keepdims=True)
    return np.asarray(values - np.log(np.exp(values).sum(axis=1, keepdims=True)), np.float64)


def figures(
    logits: NDArray[np.float32], truth: NDArray[np.int64], rows: Sequence[ManifestRow]
) -> SplitFigures:
    """The figures of a split.

    ``logits`` ``(N, C)``, ``truth`` ``(N,)``; ``rows`` says whose each picture is: intervals are clustered
    by subject, and by the picture it was cut from where no subject is known.
    """
    whose = [row.subject or row.parent or row.id for row in rows]
    right = logits.argmax(axis=1) == truth
    five = classification.top_k_hits(truth, logits, 5) if logits.shape[1] > 5 else None
    return SplitFigures(
        accuracy=proportions.of_flags(right, whose),
        loss=float(-log_probabilities(logits)[np.arange(len(truth)), truth].mean()),
        top5=None if five is None else proportions.of_flags(five, whose),
    )


def monitored(logits: NDArray[np.float32], truth: NDArray[np.int64]) -> dict[str, float]:
    """Accuracy, and means over the classes there are of precision, recall and AUC against the rest.

    AUC only of at most `_MOST_AREAS` classes, for the time it takes each epoch, and where both sides are.
    """
    matrix = classification.confusion_matrix(truth, logits.argmax(axis=1), logits.shape[1])
    of = classification.class_figures(matrix)
    found = {
        "accuracy": float((logits.argmax(axis=1) == truth).mean()),
        "precision": of.macro(of.precision),
        "recall": of.macro(of.recall),
    }
    if logits.shape[1] <= _MOST_AREAS and len(np.unique(truth)) > 1:
        areas = classification.auc_one_vs_rest(truth, np.exp(log_probabilities(logits)))
        found["auc"] = float(np.nanmean(areas))
    return found


def guessing(train: Sequence[int], test: Sequence[int], classes: int) -> dict[str, float]:
    """What needs no network: ``chance``, and ``majority``, always naming the commonest training class."""
    always = commonest(train)
    return {"chance": 1 / classes, "majority": sum(t == always for t in test) / len(test)}


def commonest(train: Sequence[int]) -> int:
    """The class that most training rows are of."""
    return Counter(train).most_common(1)[0][0]


def at_chance(accuracy: Rate, guesses: Mapping[str, float], split: str = "test") -> str | None:
    """Words for an accuracy of a split whose interval reaches down to guessing, None for one above it."""
    guess = max(guesses["chance"], guesses["majority"])
    if accuracy.low > guess:
        return None
    return (
        f"{rate_text(accuracy)} on {quantity(accuracy.n, 'picture')} of the split {split} is no more than "
        f"guessing gives, {guess:.3f}"
    )


def per_class(
    logits: NDArray[np.float32], truth: NDArray[np.int64], names: Sequence[str]
) -> tuple[tuple[ClassRow, ...], NDArray[np.int64]]:
    """The figures of each class, and the confusion matrix."""
    matrix = classification.confusion_matrix(truth, logits.argmax(axis=1), len(names))
    of = classification.class_figures(matrix)
    table = tuple(
        ClassRow(name, int(of.support[i]), *(_defined(one[i]) for one in (of.precision, of.recall, of.f1)))
        for i, name in enumerate(names)
    )
    return table, matrix


def _defined(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
