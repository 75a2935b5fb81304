"""How many mated comparisons are between copies of one picture: thumbnails, re-encoded files, bursts.

A person is always recognised in a copy of the same photo, so such comparisons flatter every rate. Copies
have near embeddings, which an evaluation has anyway: only pictures that are that near to another one of
their person are read again, and compared as `lineament.datasets.cleaning.duplicates` does it. Of tiny
thumbnails the embedding says little: they are compared with the larger pictures of their shape.
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from math import comb
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from lineament.counting import quantity
from lineament.datasets.cleaning.duplicates import KEPT_LAYOUTS, confirmed, groups, lay_outs
from lineament.datasets.cleaning.linking import linked
from lineament.datasets.cleaning.same_picture import Canvas
from lineament.evaluation.capture import Captures
from lineament.io import images
from lineament.io.manifest import Manifest

Rows = NDArray[np.integer[Any]]

_NEAR = 0.8
"""Cosine of embeddings from which two pictures of a person may be one: thumbnails of 148 x 240 pixels have
0.81 and more to their photo and its other thumbnails."""

_TINY_SIDE = 256
"""Of a picture whose shorter side is below it no near embedding is asked: little is left of the face."""

_SAME_SHAPE = 0.03
"""How far the shapes of a tiny picture and of its original differ, by whole pixels and a cut edge."""

_MOST = 64
"""Pictures of a person that one is compared with, the nearest first."""


class Labelled(Protocol):
    """Pictures with a person each, such as `LabelledPictures`."""

    @property
    def pictures(self) -> Sequence[Path]:
        """Their files."""

    @property
    def subjects(self) -> Sequence[Any]:
        """Who is on each."""


@dataclass(frozen=True, slots=True)
class Whose:
    """Pictures of a list of pairs, with a number for who is on each."""

    pictures: Sequence[Path]
    subjects: Sequence[int]


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
            f"warning: {self.between:,} of {quantity(self.mated, 'mated comparison')} are between copies "
            f"of one picture ({quantity(self.pictures, 'picture is')} copies of others, without them "
            f"there would be {quantity(self.distinct, 'comparison')}): error rates are flattered. Take "
            "copies out with lineament dataset clean, and keep them in one split with lineament dataset "
            "split"
        )


@dataclass(frozen=True, slots=True)
class RepeatedPictures:
    """So many ``pictures`` are copies of others, in ``groups``, where no persons are compared."""

    pictures: int
    groups: int

    def to_json(self) -> dict[str, int]:
        """Plain numbers."""
        return {"pictures": self.pictures, "groups": self.groups}

    def warning(self) -> str | None:
        """A line for people, or None where there is nothing to warn of."""
        if not self.pictures:
            return None
        return (
            f"warning: {quantity(self.pictures, 'picture is')} copies of others: their faces count "
            "several times, and intervals are too narrow. Take copies out with lineament dataset clean"
        )


def repeated_pictures(
    manifest: Manifest, split: str | None, *, workers: int | None = None
) -> RepeatedPictures:
    """The pictures of a split that are copies of others there.

    It needs no embeddings: pictures are linked as a split links them.
    """
    rows = [row for row in manifest if row.outcome == "ok" and split in (None, row.split)]
    paths = {row.id: row.path for row in rows}
    files = [
        {paths[i] for i in ids} for ids in linked(replace(manifest, rows=tuple(rows)), workers=workers)
    ]
    several = [len(group) for group in files if len(group) > 1]
    return RepeatedPictures(sum(several) - len(several), len(several))


def near_copies(
    people: Labelled,
    captures: Captures,
    *,
    compared: tuple[Rows, Rows] | None = None,
    workers: int | None = None,
) -> NearCopies:
    """Find copies among the pictures of each person; ``captures`` are of ``people``, in that order.

    ``compared``, rows ``(M,)`` each, are the mated comparisons that are made; by default all there are.
    """
    by_subject: dict[Any, list[int]] = defaultdict(list)
    for row in np.flatnonzero(~captures.failed).tolist():
        by_subject[people.subjects[row]].append(row)
    near: dict[int, Rows] = {}
    for rows in by_subject.values():
        near |= _near(captures, people.pictures, np.array(rows))

    @lru_cache(maxsize=KEPT_LAYOUTS)
    def layouts(row: int) -> tuple[Canvas, ...]:
        return lay_outs(images.load(people.pictures[row], min_side=256).pixels)

    pairs = [
        pair for found in confirmed(near, layouts, workers=workers or os.cpu_count() or 1) for pair in found
    ]
    copies = groups(len(people.pictures), pairs)
    if compared is not None:
        return _among(copies, captures, *compared)
    repeated = Counter(people.subjects[row] for group in copies for row in group[1:])
    return NearCopies(
        pictures=sum(len(group) - 1 for group in copies),
        groups=len(copies),
        between=sum(comb(len(group), 2) for group in copies),
        mated=sum(comb(len(rows), 2) for rows in by_subject.values()),
        distinct=sum(comb(len(rows) - repeated[name], 2) for name, rows in by_subject.items()),
    )


def _among(copies: list[list[int]], captures: Captures, first: Rows, second: Rows) -> NearCopies:
    """What copies make of the comparisons that are made."""
    stands = np.arange(len(captures.embeddings))
    for group in copies:
        stands[group] = group[0]
    used = ~(captures.failed[first] | captures.failed[second])
    ends = np.sort(np.stack([stands[first[used]], stands[second[used]]], axis=1), axis=1)
    apart = ends[ends[:, 0] != ends[:, 1]]
    return NearCopies(
        pictures=sum(len(group) - 1 for group in copies),
        groups=len(copies),
        between=len(ends) - len(apart),
        mated=len(ends),
        distinct=len(np.unique(apart, axis=0)),
    )


def _near(captures: Captures, pictures: Sequence[Path], rows: NDArray[np.int64]) -> dict[int, Rows]:
    """Of one person: for each picture the later ones that may be it, the likeliest first."""
    if len(rows) < 2:
        return {}
    vectors = captures.embeddings[rows]
    sizes = np.array([_size(pictures[row]) for row in rows.tolist()], np.float64)
    sides, shapes = sizes.min(axis=1), sizes[:, 0] / sizes[:, 1]
    found: dict[int, Rows] = {}
    for at, row in enumerate(rows[:-1]):
        cosine = vectors[at + 1 :] @ vectors[at]
        smaller = np.minimum(sides[at + 1 :], sides[at])
        scaled = np.maximum(sides[at + 1 :], sides[at]) > 1.2 * smaller
        alike = np.abs(np.log(shapes[at + 1 :] / shapes[at])) <= _SAME_SHAPE
        others = np.flatnonzero((cosine >= _NEAR) | (scaled & alike & (smaller < _TINY_SIDE)))
        if len(others):
            order = np.argsort(-cosine[others], kind="stable")[:_MOST]
            found[int(row)] = rows[at + 1 :][others[order]]
    return found


def _size(path: Path) -> tuple[int, int]:
    """Width and height, as stored."""
    return images.probe(path).size_wh
