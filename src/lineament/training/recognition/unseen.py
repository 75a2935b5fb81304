"""Verification among people never trained on: what an embedder is for, and is judged by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lineament.counting import quantity
from lineament.errors import Diverged, InsufficientData, NotEnoughSamples, SplitError
from lineament.io.manifest import ManifestRow
from lineament.scoring import thresholds
from lineament.scoring.comparisons import Comparisons, compare
from lineament.scoring.operating_points import TARGET_RATES, OperatingPoint, from_comparisons
from lineament.training.lacking import counted
from lineament.training.predictions import Predictions
from lineament.types import Float32


@dataclass(frozen=True, slots=True)
class People:
    """Rows of a split with a subject, in order, and each one's subject as a number ``0..S-1``.

    ``left_out`` counts rows without a subject, and of subjects with too few photos.
    """

    rows: tuple[ManifestRow, ...]
    numbers: tuple[int, ...]
    names: tuple[str, ...]
    left_out: dict[str, int]

    @property
    def groups(self) -> list[list[int]]:
        """Positions of each subject's rows."""
        found: list[list[int]] = [[] for _ in self.names]
        for position, number in enumerate(self.numbers):
            found[number].append(position)
        return found

    @property
    def comparisons(self) -> tuple[int, int]:
        """How many mated and non-mated comparisons the rows allow."""
        sizes = [len(group) for group in self.groups]
        mated = sum(size * (size - 1) // 2 for size in sizes)
        return mated, len(self.rows) * (len(self.rows) - 1) // 2 - mated


def people_of(splits: Mapping[str, Sequence[ManifestRow]], split: str, *, at_least: int = 1) -> People:
    """The people of one of the ``splits``' rows; raises `NotEnoughSamples` with fewer than two."""
    rows = splits[split]
    counts: dict[str, int] = {}
    for row in rows:
        if row.subject is not None:
            counts[row.subject] = counts.get(row.subject, 0) + 1
    names = tuple(sorted(name for name, count in counts.items() if count >= at_least))
    if len(names) < 2:
        needs = "" if at_least == 1 else f" with {quantity(at_least, 'photo')} or more"
        there = {name: len({row.subject for row in some} - {None}) for name, some in splits.items()}
        raise NotEnoughSamples(
            f"the split {split!r} needs 2 subjects{needs}, it has {len(names)} (subjects by split: "
            f"{counted(there)}); add people, or give it more: lineament dataset split DATA 60/20/20 "
            "--by subject --exact, or 60/40 without an exam"
        )
    number = {name: i for i, name in enumerate(names)}
    kept = [row for row in rows if row.subject in number]
    left_out = {
        "rows without a subject": sum(row.subject is None for row in rows),
        "rows of subjects with too few photos": len(rows)
        - len(kept)
        - sum(row.subject is None for row in rows),
        "subjects with too few photos": len(counts) - len(names),
    }
    return People(tuple(kept), tuple(number[str(row.subject)] for row in kept), names, left_out)


def require_apart(train: Sequence[ManifestRow], **others: Sequence[ManifestRow]) -> None:
    """Raise `SplitError` when somebody trained on is in another split too."""
    trained = {row.subject for row in train if row.subject is not None}
    for split, rows in others.items():
        both = trained & {row.subject for row in rows}
        if both:
            raise SplitError(
                f"{quantity(len(both), 'person')} of the split 'train' are in {split!r} too, so it would "
                "not tell how well strangers are told apart; split again with: lineament dataset split "
                "DATA --by subject"
            )


def rate_for(people: People, asked: float | None, split: str) -> float:
    """The false match rate to look at: the one asked for, or the lowest that the comparisons support.

    Raises `InsufficientData` when they support neither, or there is no mated comparison.
    """
    mated, nonmated = people.comparisons
    if not mated:
        raise InsufficientData(
            f"the split {split!r} has no subject with two photos, so no FNMR ({_size(people)}): add photos"
        )
    wanted = TARGET_RATES if asked is None else (asked,)
    fitting = [rate for rate in wanted if thresholds.supports(rate, nonmated)]
    if not fitting:
        short = thresholds.shortfall(max(wanted), nonmated, "FMR", "non-mated comparisons")
        raise InsufficientData(
            f"the split {split!r}: {short} ({_size(people)}): add people, or give it more of them: "
            "lineament dataset split DATA 60/20/20 --by subject --exact"
        )
    return min(fitting)


def _size(people: People) -> str:
    return f"{quantity(len(people.names), 'person')} with {quantity(len(people.rows), 'photo')}"


@dataclass(frozen=True, slots=True, eq=False)
class Verified:
    """All comparisons among a split's photos, and operating points at the rates asked for."""

    comparisons: Comparisons
    points: tuple[OperatingPoint, ...]
    refused: dict[str, str]


def verify(people: People, found: Predictions, rates: Sequence[float]) -> Verified:
    """Compare every photo with every other; one that could not be read matches nothing.

    ``found`` holds the embeddings of ``people.rows``. Raises `Diverged` when one is no number.
    """
    vectors: Float32 = found.outputs[0]
    lengths = np.linalg.norm(vectors, axis=1)
    if not np.isfinite(vectors).all() or not (lengths > 0).all():
        raise Diverged(
            "embeddings became NaN, infinite or 0; lower loop.learning_rate, or set loop.clip_norm"
        )
    units = np.full((len(people.rows), vectors.shape[1]), np.nan, np.float32)
    units[found.index] = vectors / lengths[:, None]
    everything = compare(units, np.array(people.numbers), rates)
    return Verified(everything, tuple(from_comparisons(everything, rates)), dict(found.refused))


def supported(people: People) -> list[float]:
    """Every usual false match rate that the comparisons can speak of, highest first."""
    return [rate for rate in TARGET_RATES if thresholds.supports(rate, people.comparisons[1])]
