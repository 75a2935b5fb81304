"""How many mated comparisons are between copies of one picture: thumbnails, re-encoded files, bursts.

A person is always recognised in a copy of the same photo, so such comparisons flatter every rate. Copies
have near embeddings, which an evaluation has anyway: only pictures that are that near to another one of
their person are read again, and compared as `lineament.datasets.duplicates` does it.
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from dataclasses import dataclass
from functools import lru_cache
from math import comb
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lineament.datasets.duplicates import KEPT_LAYOUTS, confirmed, groups, lay_outs
from lineament.datasets.same_picture import Canvas
from lineament.evaluation.capture import Captures
from lineament.evaluation.people import LabelledPictures
from lineament.io import images

_NEAR = 0.8
"""Cosine of embeddings from which two pictures of a person may be one: thumbnails of 148 x 240 pixels have
0.81 and more to their photo and its other thumbnails."""

_MOST = 64
"""Pictures of a person that one is compared with, the nearest first."""


@dataclass(frozen=True, slots=True)
class NearCopies:
    """``pictures`` are copies of others, in ``groups``: ``between`` of ``mated`` comparisons are theirs.

    ``distinct`` mated comparisons would be left if each picture were there once.
    """

    pictures: int
    groups: int
    between: int
    mated: int
    distinct: int

    def to_json(self) -> dict[str, Any]:
        """Plain numbers."""
        return {
            "pictures": self.pictures,
            "groups": self.groups,
            "mated_comparisons": self.between,
            "of_mated_comparisons": self.mated,
            "without_copies": self.distinct,
        }

    def warning(self) -> str | None:
        """A line for people, or None where there is nothing to warn of."""
        if not self.between:
            return None
        return (
            f"warning: {self.between:,} of {self.mated:,} mated comparisons are between copies of one "
            f"picture ({self.pictures:,} pictures are copies of others, without them there would be "
            f"{self.distinct:,} comparisons): error rates are flattered. Take copies out with lineament "
            "dataset clean, and keep them in one split with lineament dataset split"
        )


def near_copies(people: LabelledPictures, captures: Captures, *, workers: int | None = None) -> NearCopies:
    """Find copies among the pictures of each person; ``captures`` are of ``people``, in that order."""
    by_subject: dict[str, list[int]] = defaultdict(list)
    for row in np.flatnonzero(~captures.failed).tolist():
        by_subject[people.subjects[row]].append(row)
    near: dict[int, NDArray[np.int64]] = {}
    for rows in by_subject.values():
        near |= _near(captures, np.array(rows))

    @lru_cache(maxsize=KEPT_LAYOUTS)
    def layouts(row: int) -> tuple[Canvas, ...]:
        return lay_outs(images.load(people.pictures[row], min_side=256).pixels)

    pairs = [
        pair for found in confirmed(near, layouts, workers=workers or os.cpu_count() or 1) for pair in found
    ]
    copies = groups(len(people), pairs)
    repeated = Counter(people.subjects[row] for group in copies for row in group[1:])
    return NearCopies(
        pictures=sum(len(group) - 1 for group in copies),
        groups=len(copies),
        between=sum(comb(len(group), 2) for group in copies),
        mated=sum(comb(len(rows), 2) for rows in by_subject.values()),
        distinct=sum(comb(len(rows) - repeated[name], 2) for name, rows in by_subject.items()),
    )


def _near(captures: Captures, rows: NDArray[np.int64]) -> dict[int, NDArray[np.int64]]:
    """Of one person: for each picture the later ones that are near it, nearest first."""
    vectors = captures.embeddings[rows]
    found = {}
    for at, row in enumerate(rows[:-1]):
        cosine = vectors[at + 1 :] @ vectors[at]
        others = np.flatnonzero(cosine >= _NEAR)
        if len(others):
            order = np.argsort(-cosine[others], kind="stable")[:_MOST]
            found[int(row)] = rows[at + 1 :][others[order]]
    return found
