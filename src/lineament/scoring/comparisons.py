"""All comparisons of a set of samples with each other: exact thresholds and counts in bounded memory.

Blocks of the similarity matrix are scored one at a time, in a fixed shuffled order. Kept whole are the
mated scores and the highest non-mated ones (the tail); rates too high for that are found by counting
(`lineament.scoring.selection`). The tail, the windows and one block take some 700 MB at most beyond the
embeddings and the mated scores, however many samples there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lineament.counting import quantity
from lineament.errors import InsufficientData, InvalidArray
from lineament.scoring import intervals, similarity, thresholds
from lineament.scoring.intervals import Sums
from lineament.scoring.selection import Around, Best
from lineament.scoring.similarity import BLOCK, Index
from lineament.scoring.verification import Roc
from lineament.shown import shown
from lineament.types import Float32, Float64

TAIL_MOST = 6_000_000
"""Scores kept whole; 12 bytes each, and twice that while they are being found."""

WINDOW_MOST = 2_000_000
SAMPLE = 2048
EXACT_MOST = 1_000_000
"""Up to so many comparisons everything is kept."""

HISTOGRAM_MOST = 10_000_000
"""Comparisons the histogram holds at least, where there are as many."""

BINS = 1000
_STRIP = 128
_LANES = 8


@dataclass(frozen=True, slots=True, eq=False)
class Histogram:
    """Scores in equal bins of [-1, 1]: counts ``(B,)`` between ``edges`` ``(B + 1,)``.

    ``counted`` non-mated comparisons were put in, failures to acquire included: all of them, or those of
    evenly spread blocks when there are more than `HISTOGRAM_MOST`.
    """

    edges: Float64
    mated: NDArray[np.int64]
    nonmated: NDArray[np.int64]
    counted: int

    def to_json(self) -> dict[str, Any]:
        """Plain numbers."""
        return {
            "low": float(self.edges[0]),
            "high": float(self.edges[-1]),
            "mated": self.mated.tolist(),
            "non_mated": self.nonmated.tolist(),
            "non_mated_counted": self.counted,
        }


@dataclass(frozen=True, slots=True, eq=False)
class Counted:
    """A threshold outside the tail, and the false matches of each sample at it."""

    threshold: float
    above: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Comparisons:
    """What all comparisons gave.

    ``mated`` float32 ``(M,)`` with each one's subject code ``mated_codes`` ``(M,)``. ``scores`` float32
    ``(K,)`` are the highest non-mated ones, best first, of the rows ``first`` and ``second`` ``(K,)``;
    ``complete`` says that every finite non-mated score is among them. ``total`` counts all non-mated
    comparisons, those of failures to acquire too. ``samples`` ``(S,)`` is the number of samples of each
    subject, ``codes`` ``(N,)`` each row's subject. ``counted`` maps target rates too high for the tail.
    """

    mated: Float32
    mated_codes: Index
    scores: Float32
    first: Index
    second: Index
    complete: bool
    total: int
    samples: Index
    codes: Index
    counted: dict[float, Counted]
    at: tuple[Counted, ...]
    histogram: Histogram

    __repr__ = shown

    def threshold(self, rate: float) -> float:
        """The smallest threshold with FMR <= ``rate``; raises `InvalidArray` for a rate not asked for."""
        if rate in self.counted:
            return self.counted[rate].threshold
        allowed = thresholds.allowed_errors(rate, self.total)
        if allowed < len(self.scores):
            return thresholds.just_above(self.scores[allowed])
        if not self.complete:
            raise InvalidArray(f"rate {rate:g} was not asked for, and lies outside the scores kept")
        # Beyond the scores that exist lie only failures to acquire, which match at no threshold.
        return thresholds.just_above(np.float32(-np.inf))

    def false_matches(self, threshold: float) -> Sums:
        """Sums over all non-mated comparisons at a threshold in the tail, or asked for.

        Outside the tail the pairs of subjects of the errors are not known; comparisons of one pair of
        subjects are then counted as correlated twice, which errs on the careful side.
        """
        if not self.complete and (not len(self.scores) or threshold <= self.scores[-1]):
            for known in (*self.counted.values(), *self.at):
                if known.threshold == threshold:
                    by_subject = np.bincount(self.codes, known.above, len(self.samples)).astype(np.int64)
                    return intervals.from_counts(self.samples, by_subject)
            raise InvalidArray(f"threshold {threshold} lies outside the scores kept")
        wrong = self.scores >= np.float64(threshold)
        return intervals.all_against_all(
            self.samples, self.codes[self.first[wrong]], self.codes[self.second[wrong]]
        )

    def false_nonmatches(self, threshold: float) -> Sums:
        """Sums over the mated comparisons; raises `InsufficientData` without any."""
        if not len(self.mated):
            raise InsufficientData("FNMR needs subjects with two samples or more, you have none")
        return intervals.by_subject(self.mated < np.float64(threshold), self.mated_codes)

    def roc(self, points: int = 2000) -> tuple[Roc, bool]:
        """Operating points, strictest first, and whether every one of them is exact.

        At most ``points`` thresholds in the tail, evenly spread over the logarithm of FMR; below it the
        edges of the histogram, whose FMR is estimated when not all comparisons are in it.
        """
        k = len(self.scores)
        ranks = np.unique(np.geomspace(1, max(k, 1), points).astype(np.intp)) - 1
        upper = np.unique(self.scores[ranks[ranks < k]].astype(np.float64))[::-1]
        if not self.complete:
            upper = upper[upper > self.scores[-1]]
        floor = upper[-1] if len(upper) else np.inf
        ascending = np.sort(self.scores)
        fmr = [(k - np.searchsorted(ascending, upper.astype(np.float32), "left")) / self.total]
        lower = self.histogram.edges[self.histogram.edges < floor][::-1]
        below = np.concatenate([np.cumsum(self.histogram.nonmated[::-1])[::-1], [0]])
        share = below[: len(self.histogram.edges)] / max(self.histogram.counted, 1)
        fmr.append(share[self.histogram.edges < floor][::-1])
        values = np.concatenate([[np.inf], upper, lower])
        mated = np.sort(self.mated.astype(np.float64))
        fnmr = np.searchsorted(mated, values, "left") / max(len(mated), 1)
        exact = self.complete or self.histogram.counted == self.total
        joined = np.maximum.accumulate(np.concatenate([[0.0], *fmr]))
        return Roc(thresholds=values, fmr=joined, fnmr=fnmr), exact


def compare(
    embeddings: Float32,
    subjects: Any,
    rates: Sequence[float],
    *,
    at: Sequence[float] = (),
    block: int = BLOCK,
    tail_most: int = TAIL_MOST,
    exact_most: int = EXACT_MOST,
    window_most: int = WINDOW_MOST,
    progress: Callable[[int], None] | None = None,
) -> Comparisons:
    """Compare all ``(N, D)`` unit embeddings of ``N`` subjects' labels with each other.

    ``rates`` are false match rates whose thresholds will be asked for, ``at`` thresholds at which false
    matches will be. A row of NaN is a failure to acquire. ``progress`` is told the scores done since its
    last call. Raises `InsufficientData` with fewer than two subjects.
    """
    code = similarity.codes(subjects)
    if len(code) != len(embeddings):
        raise InvalidArray(f"{quantity(len(embeddings), 'embedding')} but {quantity(len(code), 'subject')}")
    samples = np.bincount(code)
    if len(samples) < 2:
        raise InsufficientData(f"cross-subject comparisons need 2 subjects, you have {len(samples)}")
    order = np.argsort(code, kind="stable")
    if (order[1:] < order[:-1]).any():
        embeddings = embeddings[order]
    run = _Run(np.ascontiguousarray(embeddings, np.float32), code[order].astype(np.int32), block)
    run.mated, owners = similarity.mated(run.rows, run.codes)
    margin = 1.0
    while not run.attempt(rates, at, margin, tail_most, exact_most, window_most, progress):
        margin *= 4  # the sample misled: guess wider and look again
    scores, first, second = run.best.ranked()
    return Comparisons(
        mated=run.mated,
        mated_codes=owners,
        scores=scores,
        first=order[first],
        second=order[second],
        complete=bool(np.isneginf(run.best.cut)),
        total=run.total,
        samples=np.asarray(samples, np.intp),
        codes=code,
        counted={rate: Counted(t, _unsorted(w.above, order)) for rate, (t, w) in run.found.items()},
        at=tuple(Counted(float(t), _unsorted(w.above, order)) for t, w in zip(at, run.fixed, strict=True)),
        histogram=run.histogram(),
    )


def _unsorted(values: NDArray[np.int64], order: Index) -> NDArray[np.int64]:
    back = np.empty_like(values)
    back[order] = values
    return back


class _Run:
    """One or more passes over the blocks; rows are sorted by subject."""

    def __init__(self, rows: Float32, codes: NDArray[np.int32], block: int) -> None:
        if not 1 <= block <= 255 * _LANES:
            raise InvalidArray(f"block: expected 1 to {quantity(255 * _LANES, 'row')}, got {block}")
        self.rows, self.codes, self.block = rows, codes, block
        self.mated: Float32 = np.zeros(0, np.float32)
        counts = np.bincount(codes).astype(np.int64)
        self.total = int((len(codes) ** 2 - int((counts**2).sum())) // 2)
        self.best = Best(1, -np.inf, 0)
        self.found: dict[float, tuple[float, Around]] = {}
        self.fixed: list[Around] = []
        self._scores = np.empty(block * block, np.float32)
        self._masks = [np.empty(_STRIP * block, bool) for _ in range(3)]

    def attempt(
        self,
        rates: Sequence[float],
        at: Sequence[float],
        margin: float,
        tail_most: int,
        exact_most: int,
        window_most: int,
        progress: Callable[[int], None] | None,
    ) -> bool:
        """One pass; False when a guess from the sample was wrong."""
        allowed = {rate: thresholds.allowed_errors(rate, self.total) for rate in rates}
        sample = self._sample()
        tail = [k + 1 for k in allowed.values() if k + 1 <= tail_most]
        crossing = int(1.5 * self._equal_error(sample) * self.total) + 1
        keep = self.total if self.total <= exact_most else max([*tail, 1])
        keep = max(keep, min(crossing, tail_most))
        share = min(1.0, keep / self.total * (1 + 0.5 * margin) + 100 * margin / max(len(sample), 1))
        self.best = Best(keep, _at_share(sample, share), self.block * self.block // 4)
        windows: dict[float, Around] = {}
        for rate, rank in allowed.items():
            if rank >= keep:
                spread = rate * 0.2 * margin + 100 * margin / max(len(sample), 1)
                low, high = _at_share(sample, rate + spread), _at_share(sample, rate - spread)
                windows[rate] = Around(rank, low, high, len(self.rows), int(window_most * margin))
        self.fixed = [Around(0, t, t, len(self.rows), 0) for t in map(np.float32, map(_up, at))]
        self._pass([*windows.values(), *self.fixed], progress)
        self.found = {}
        for rate, window in windows.items():
            score = window.found()
            if score is None:
                return False
            self.found[rate] = (thresholds.just_above(score), window)
        return self.best.complete

    def _pass(self, windows: Sequence[Around], progress: Callable[[int], None] | None) -> None:
        schedule = list(_schedule(len(self.rows), self.block))
        # Shuffled, so that what has been seen so far speaks for the rest.
        np.random.default_rng(0).shuffle(schedule)
        every = max(1, self.total // HISTOGRAM_MOST)
        self._bins = np.zeros(BINS, np.int64)
        self._counted = 0
        done = 0
        with np.errstate(invalid="ignore"):
            for number, (top, left) in enumerate(schedule):
                scores, comparisons = self._block(top, left)
                done += comparisons
                if number % every == 0:
                    self._bins += _binned(scores)
                    self._counted += comparisons
                for start in range(0, len(scores), _STRIP):
                    self._strip(
                        scores[start : start + _STRIP], top + start, left, windows, done / self.total
                    )
                if progress is not None:
                    progress(scores.size)

    def _block(self, top: int, left: int) -> tuple[Float32, int]:
        """Scores of one block, NaN where they are mated, double or failed; how many are non-mated."""
        rows, columns = slice(top, top + self.block), slice(left, left + self.block)
        a, b = self.rows[rows], self.rows[columns]
        scores = self._scores[: len(a) * len(b)].reshape(len(a), len(b))
        np.matmul(a, b.T, out=scores)
        comparisons = scores.size
        if self.codes[left] <= self.codes[top + len(a) - 1]:
            void = self.codes[rows, None] == self.codes[None, columns]
            if top == left:
                void |= np.tri(len(a), dtype=bool)
            scores[void] = np.nan
            comparisons -= int(void.sum())
        return scores, comparisons

    def _strip(self, scores: Float32, top: int, left: int, windows: Sequence[Around], done: float) -> None:
        """A few rows of a block: small enough that they stay near the processor for every comparison."""
        flat = scores.ravel()
        wanted, upper, lower = (mask[: len(flat)] for mask in self._masks)
        np.greater(flat, self.best.cut, out=wanted)
        for window in windows:
            np.greater_equal(flat, window.high, out=upper)
            _count(upper.reshape(scores.shape), window.above, top, left)
            if window.low < window.high:
                np.greater_equal(flat, window.low, out=lower)
                np.logical_xor(lower, upper, out=lower)
                np.logical_or(wanted, lower, out=wanted)
        hits = np.flatnonzero(wanted)
        if not len(hits):
            return
        picked = flat[hits]
        row, column = np.divmod(hits.astype(np.int32), np.int32(scores.shape[1]))
        row += np.int32(top)
        column += np.int32(left)
        self.best.add(picked, row, column)
        for window in windows:
            if window.low < window.high:
                window.add(picked, row, column, done)

    def _sample(self) -> Float32:
        """Non-mated scores of randomly picked rows, highest first; -inf for failures to acquire."""
        rng = np.random.default_rng(1)
        picked = np.sort(rng.permutation(len(self.rows))[:SAMPLE])
        scores = self.rows[picked] @ self.rows[picked].T
        apart = np.triu(self.codes[picked, None] != self.codes[None, picked], 1)
        values = scores[apart]
        values[np.isnan(values)] = -np.inf
        return np.asarray(np.sort(values)[::-1], np.float32)

    def _equal_error(self, sample: Float32) -> float:
        """About where FMR and FNMR cross; 0 without mated comparisons."""
        if not len(self.mated) or not len(sample):
            return 0.0
        fnmr = np.searchsorted(np.sort(self.mated), sample, "right") / len(self.mated)
        fmr = np.arange(1, len(sample) + 1) / len(sample)
        return float(fmr[min(int(np.argmax(fmr >= fnmr)) + 1, len(fmr) - 1)])

    def histogram(self) -> Histogram:
        """Of the last pass."""
        return Histogram(np.linspace(-1, 1, BINS + 1), _binned(self.mated), self._bins, self._counted)


def _schedule(count: int, block: int) -> Iterator[tuple[int, int]]:
    for top in range(0, count, block):
        for left in range(top, count, block):
            yield top, left


def _count(mask: NDArray[np.bool_], above: NDArray[np.int64], top: int, left: int) -> None:
    """Add the true values of each row and column; a strip's columns never overflow a byte."""
    rows, columns = mask.shape
    above[left : left + columns] += np.add.reduce(mask.view(np.uint8), axis=0, dtype=np.uint8)
    if columns % _LANES:
        above[top : top + rows] += mask.sum(axis=1)
    else:  # eight bytes at a time: a row's lanes never overflow either
        lanes = np.add.reduce(mask.view(np.uint64), axis=1)
        above[top : top + rows] += lanes.view(np.uint8).reshape(rows, _LANES).sum(axis=1, dtype=np.int64)


def _binned(scores: Float32) -> NDArray[np.int64]:
    flat = scores[np.isfinite(scores)]
    return np.histogram(np.clip(flat, -1, 1), BINS, (-1, 1))[0].astype(np.int64)


def _at_share(ranked: Float32, share: float) -> float:
    """The sample's score below which that share does not reach; -inf or +inf beyond its ends."""
    if share <= 0:
        return np.inf
    place = int(share * len(ranked))
    return float(ranked[place]) if place < len(ranked) else -np.inf


def _up(threshold: float) -> np.float32:
    """The smallest float32 at or above a threshold: the same scores reach both."""
    value = np.float32(threshold)
    return np.nextafter(value, np.float32(np.inf)) if float(value) < threshold else value
