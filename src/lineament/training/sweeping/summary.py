"""The figures of a sweep: each training, and means over seeds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lineament.datasets.splitting.held_out import exam_of
from lineament.scoring.rate import Rate
from lineament.training.classification.report import at_chance
from lineament.training.splits import SPLITS

BASELINE = "baseline"
AT_CHANCE = "at chance"


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a cell has no figures: a few words, and the error's own."""

    kind: str
    message: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """One cell after its training; ``result`` or ``failure`` is None. ``folder`` is below the sweep's."""

    architecture: str
    method: str
    augmentation: str
    seed: int
    folder: str
    result: Mapping[str, Any] | None
    failure: Failure | None


@dataclass(frozen=True, slots=True)
class Mean:
    """A mean over ``n`` seeds with its 95 % interval; None where seeds tell nothing of others."""

    mean: float
    low: float | None
    high: float | None
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One training: accuracy by split, how it ended, and what failed of it, in a word and in words."""

    architecture: str
    method: str
    augmentation: str
    seed: int
    folder: str
    failed: str | None
    error: str | None
    train: Rate | None = None
    val: Rate | None = None
    test: Rate | None = None
    measured_on: str | None = None
    chance: float | None = None
    majority: float | None = None
    epochs: int | None = None
    best_epoch: int | None = None
    ended: str | None = None
    seconds: float | None = None

    @property
    def key(self) -> tuple[str, str, str]:
        """What it has in common with trainings of other seeds."""
        return self.architecture, self.method, self.augmentation

    def on(self, split: str) -> Rate | None:
        """Its accuracy on a split."""
        rate: Rate | None = getattr(self, split)
        return rate


@dataclass(frozen=True, slots=True)
class Row:
    """Trainings that differ by their seeds alone: mean accuracies, pictures, mean seconds, what failed."""

    architecture: str
    method: str
    augmentation: str
    train: Mean | None
    val: Mean | None
    test: Mean | None
    pictures: int | None
    seconds: float | None
    failed: tuple[str, ...]
    folders: tuple[str, ...]

    def on(self, split: str) -> Mean | None:
        """Its accuracy on a split."""
        mean: Mean | None = getattr(self, split)
        return mean


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Trainings, and rows over seeds, best first; ``left`` of the grid are not trained yet.

    ``data`` is the manifest's digest. ``splits`` are those that figures are of, ``measured_on`` the one
    that counts: test, or val without one. ``chance`` and ``majority`` are what guessing gives there.
    """

    data: str
    left: int
    splits: tuple[str, ...]
    measured_on: str
    chance: float | None = None
    majority: float | None = None
    rows: tuple[Row, ...]
    runs: tuple[Run, ...]


def summarise(outcomes: Sequence[Outcome], *, data: str, left: int) -> Summary:
    """What came of a sweep so far."""
    runs = tuple(_run(outcome) for outcome in outcomes)
    keys = list(dict.fromkeys(run.key for run in runs))
    rows = [_row(key, [run for run in runs if run.key == key]) for key in keys]
    good = [run for run in runs if run.train is not None]
    splits = tuple(name for name in SPLITS if not good or any(run.on(name) for run in good))
    exam = exam_of(splits)
    rows.sort(key=lambda row: -(mean.mean if (mean := row.on(exam)) else -1.0))
    first = next((run for run in good if run.method != BASELINE), None)
    return Summary(
        data=data,
        left=left,
        splits=splits,
        measured_on=exam,
        chance=None if first is None else first.chance,
        majority=None if first is None else first.majority,
        rows=tuple(rows),
        runs=runs,
    )


def mean_interval(values: Sequence[float]) -> Mean:
    """Mean accuracy over seeds, with its interval by Student's t.

    None for one seed, nor for seeds that all came to the same: they tell nothing of others. It ends at 0
    and 1, which that of two or three seeds would often pass.
    """
    from scipy.stats import t

    mean, n = float(np.mean(values)), len(values)
    if n < 2 or min(values) == max(values):
        return Mean(mean, None, None, n)
    half = float(t.ppf(0.975, n - 1)) * float(np.std(values, ddof=1)) / math.sqrt(n)
    return Mean(mean, max(mean - half, 0.0), min(mean + half, 1.0), n)


def _run(outcome: Outcome) -> Run:
    result, failure = outcome.result, outcome.failure
    failed, error = (None, None) if failure is None else (failure.kind, failure.message)
    figures: dict[str, Any] = {}
    if result is not None:
        figures = {name: Rate.from_json(result[name]["accuracy"]) for name in SPLITS if name in result}
        figures["measured_on"] = exam = exam_of(result)
        names = ("chance", "majority", "epochs", "best_epoch", "ended")
        figures |= {name: result.get(name) for name in names}
        seconds = result.get("seconds")
        figures["seconds"] = sum(seconds.values()) if isinstance(seconds, Mapping) else seconds
        if outcome.method != BASELINE and (words := at_chance(figures[exam], result, exam)):
            failed, error = AT_CHANCE, words
    return Run(
        architecture=outcome.architecture,
        method=outcome.method,
        augmentation=outcome.augmentation,
        seed=outcome.seed,
        folder=outcome.folder,
        failed=failed,
        error=error,
        **figures,
    )


def _row(key: tuple[str, str, str], runs: Sequence[Run]) -> Row:
    train, val, test = (
        mean_interval(values)
        if (values := [rate.value for run in runs if (rate := run.on(split))])
        else None
        for split in SPLITS
    )
    first = next((run for run in runs if run.train is not None), None)
    measured = None if first is None else first.on(first.measured_on or "test")
    seconds = [run.seconds for run in runs if run.seconds is not None]
    return Row(
        *key,
        train,
        val,
        test,
        pictures=None if measured is None else measured.n,
        seconds=float(np.mean(seconds)) if seconds else None,
        failed=tuple(run.failed for run in runs if run.failed is not None),
        folders=tuple(run.folder for run in runs),
    )
