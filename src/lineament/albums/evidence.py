"""How much speaks for two groups of faces being one person: a mean over their pairs, kept as sums.

The mean similarity of two groups is the product of their summed vectors over both counts, so groups of any
size are compared in one step. Blurred faces of one person are unlike each other by what blur adds to each;
that averages out in a group, and the mean is taken relative to how like the faces of each group are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lineament import pipelines
from lineament.errors import InsufficientData
from lineament.io import catalog
from lineament.scoring.similarity import Index
from lineament.types import Float32, Float64, ModelId


@dataclass(frozen=True, slots=True)
class Linkage:
    """What joins two groups: measured on other people than those that are grouped.

    Two groups are joined where their mean similarity, over the ``power`` of the product of both groups'
    own mean similarities, reaches ``value``; of two single faces it is their cosine. Power 0 is average
    linkage, 0.5 compares the means. ``poor`` times how far the mean length of a group's embeddings falls
    short of ``usable``, from 0 to 1, is asked for on top: bad faces are like those of strangers. It is 0
    for models whose lengths say nothing. ``twice`` is asked for on top where both show in one photo.
    """

    value: float
    power: float
    poor: float = 0.0
    usable: float = 1.0
    twice: float = 0.15
    measured_on: str = ""

    @property
    def floor(self) -> float:
        """The cosine below which two faces are no neighbours; lower ones gave the same groups."""
        return 0.7 * self.value


MEASURED = {
    "sface": Linkage(
        value=0.42,
        power=0.3,
        poor=0.15,
        usable=9.0,
        measured_on="LFW folds 1-2, half of the photos made bad, yunet + sface",
    )
}
"""By embedder: `benchmarks/clustering.py` measures them."""


def linkage_of(model: ModelId) -> Linkage:
    """The linkage of an embedder, measured, or else from its card: average linkage at FMR 1e-4.

    Raises `InsufficientData` where neither is known.
    """
    if model.name in MEASURED and catalog.card(model.name).model_id == model:
        return MEASURED[model.name]
    rate = 1e-4
    fitting = [
        row
        for row in pipelines.measured(model).rows
        if row.kind == "FMR" and row.target_rate <= rate * 1.001
    ]
    if not fitting:
        raise InsufficientData(
            f"{model}: no threshold was measured at a false match rate of {rate:g} or below, and none for "
            "grouping; a lower one would join strangers: take the embedder sface"
        )
    row = max(fitting, key=lambda row: row.target_rate)
    return Linkage(value=row.value, power=0.0, measured_on=row.measured_on)


class Evidence:
    """Sums of groups, each of one face at first: ``vectors`` float32 ``(N, D)``, ``lengths`` ``(N,)``."""

    def __init__(self, vectors: Float32, lengths: Float32, linkage: Linkage) -> None:
        self.linkage = linkage
        self._sums: Float64 = vectors.astype(np.float64)
        self._counts: Float64 = np.ones(len(vectors))
        self._poor: Float64 = linkage.poor * np.clip(1 - lengths.astype(np.float64) / linkage.usable, 0, 1)
        self._own: Float64 = np.ones(len(vectors))

    def pairs(self, first: Index, second: Index) -> Float64:
        """What speaks for group ``first[i]`` and ``second[i]`` being one person, float64 ``(E,)``.

        0 and more joins.
        """
        sums = np.empty(len(first))
        for start in range(0, len(first), 1 << 16):
            some = slice(start, start + (1 << 16))
            sums[some] = np.einsum("nd,nd->n", self._sums[first[some]], self._sums[second[some]])
        return self._judged(sums, first, second)

    def with_each(self, group: int, others: Index) -> Float64:
        """The same for one group and each of ``others``."""
        return self._judged(self._sums[others] @ self._sums[group], group, others)

    def _judged(self, sums: Float64, first: Index | int, second: Index) -> Float64:
        mean = sums / (self._counts[first] * self._counts[second])
        relative = mean / (self._own[first] * self._own[second])
        poor = np.maximum(self._poor[first], self._poor[second])
        return np.asarray(relative - poor - self.linkage.value, np.float64)

    def join(self, group: int, other: int) -> None:
        """Make ``other`` part of ``group``."""
        n, m = self._counts[group], self._counts[other]
        self._poor[group] = (n * self._poor[group] + m * self._poor[other]) / (n + m)
        self._sums[group] += self._sums[other]
        self._counts[group] = n + m
        mean = float(self._sums[group] @ self._sums[group]) / (n + m) ** 2
        self._own[group] = max(mean, 1e-3) ** self.linkage.power
