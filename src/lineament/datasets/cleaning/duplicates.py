"""The same picture twice: byte for byte, pixel for pixel, or resized, recompressed, mirrored, cropped.

Near duplicates are looked for among pictures with near perceptual hashes (of the picture or its mirror
image) or near embeddings. A glance leaves few of those (`lineament.datasets.cleaning.glances`), which are
confirmed by laying one over the other. Photos of one session have near
embeddings and often near hashes; it is the overlay that tells them apart from copies. When the limit was
set copies of LFW photos correlated at 0.98 and more, its most similar different photos at 0.87.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lineament.datasets.cleaning.glances import Fit, Surroundings, outline
from lineament.datasets.cleaning.proposals import Proposal
from lineament.datasets.cleaning.same_picture import Canvas, lay_out, look_at, overlay
from lineament.engines.batching import Each
from lineament.engines.threads import Threads
from lineament.protocols import Advance
from lineament.shown import shown
from lineament.types import Float32, UInt8

CONFIRMED = 0.93
"""Correlation from which two pictures are one: midway between copies and the nearest different photos."""

_NEAR_HASH, _FAR_HASH = 12, 22
_NEAR_FACE, _LIKE_FACE = 0.85, 0.74
"""Candidates: hashes of at most 12 differing bits of 64; or embeddings from cosine 0.85; or both at most 22
bits and at least 0.74. Measured on copies of LFW photos and on crops of such copies, of which one had 22
bits and 0.777. From 0.70 there are half as many candidates again and no more copies."""

_ALIKE = 0.85
"""Correlation at a glance from which two pictures are laid over each other. Of 3,000 copies of photos,
faces and crowds the least has 0.88 (5 % cut off two edges), but for pictures of 10 pixels; of 14,000 pairs
of different photos the most has 0.73."""

_MOST_CANDIDATES, _MOST_GLANCES, _MOST_OVERLAYS = 256, 12, 4
"""For one picture, the likeliest first: frames of one video are all near each other, and what a picture
costs must not grow with their number."""

_BLOCK = 256

KEPT_LAYOUTS = 4096
"""Pictures that are kept laid out, 16 or 48 KB each."""


@dataclass(frozen=True, slots=True, eq=False)
class Print:
    """What is known of one picture.

    ``pixels`` is the SHA-256 of the decoded ones, ``hashes`` the perceptual hash and that of the mirror
    image, ``embedding`` and ``landmarks`` those of its main face or None. ``mirrored`` is the embedding of
    the mirror image, where it is known and differs. ``looks`` are `small_looks` where they were taken.
    """

    path: str
    subject: str | None
    sha256: str
    pixels: str
    hashes: tuple[int, int]
    size_wh: tuple[int, int]
    embedding: Float32 | None = None
    landmarks: Float32 | None = None
    bytes: int = 0
    id: str = ""
    mirrored: Float32 | None = None
    looks: tuple[UInt8, ...] = ()

    __repr__ = shown


@dataclass(frozen=True, slots=True)
class Pair:
    """Two pictures that are one, by their numbers; ``score`` is 1 for exact ones, else the correlation."""

    a: int
    b: int
    kind: Literal["exact", "near"]
    score: float
    mirrored: bool = False


def find_duplicates(
    prints: Sequence[Print],
    layouts: Callable[[int], tuple[Canvas, ...]],
    *,
    workers: int = 1,
    advance: Advance | None = None,
) -> list[Pair]:
    """Pairs that link every group of duplicates; within a group not every pair is listed.

    ``layouts`` gives what `lay_outs` makes of a picture, and should remember some: a picture may be needed
    several times. ``advance`` is told of every picture twice: when it was glanced at, and when it was
    compared; at once of those that are like none.
    """
    told = advance or (lambda _count: None)
    pairs = _exact(prints)
    copies = {pair.b for pair in pairs}
    unique = [i for i in range(len(prints)) if i not in copies]
    near = dict(_candidates(prints, unique))
    told(2 * len(prints) - len(_looked_at(near)) - len(near))

    def looks(i: int) -> tuple[UInt8, ...]:
        return prints[i].looks or small_looks(layouts(i))

    for found in confirmed(near, layouts, looks, workers=workers, advance=told):
        pairs += found
        told(1)
    return pairs


def confirmed(
    near: Mapping[int, NDArray[np.integer[Any]]],
    layouts: Callable[[int], tuple[Canvas, ...]],
    looks: Callable[[int], tuple[UInt8, ...]] | None = None,
    *,
    workers: int = 1,
    advance: Advance | None = None,
) -> Iterator[list[Pair]]:
    """For each picture of ``near``, which of the others there are one with it: the likeliest are compared.

    ``looks`` gives what `small_looks` makes of a picture; without it they are made of its ``layouts``.
    ``advance`` is told of every picture glanced at.
    """
    seen = _Looks(layouts, looks or (lambda i: small_looks(layouts(i))))
    with Threads(workers) as engine:
        for _ in engine.map_batches(Each(seen.glance), _looked_at(near)):
            if advance is not None:
                advance(1)
        yield from engine.map_batches(Each(lambda i: list(seen.confirmed(i, near[i]))), near)


def _looked_at(near: Mapping[int, NDArray[np.integer[Any]]]) -> list[int]:
    return sorted({*near, *(int(j) for own in near.values() for j in own)})


def lay_outs(pixels: UInt8, landmarks: Float32 | None = None) -> tuple[Canvas, ...]:
    """A picture laid out by its edges, and by the landmarks of its face where they are known."""
    return (lay_out(pixels),) if landmarks is None else (lay_out(pixels), lay_out(pixels, landmarks))


def small_looks(canvases: Sequence[Canvas]) -> tuple[UInt8, ...]:
    """What is kept of each canvas for a glance at it."""
    return tuple(look_at(canvas) for canvas in canvases)


class _Looks:
    """The pictures as they are compared: all at a glance, few laid out in full."""

    def __init__(
        self, layouts: Callable[[int], tuple[Canvas, ...]], looks: Callable[[int], tuple[UInt8, ...]]
    ) -> None:
        self._layouts = layouts
        self._looks = looks
        self._views: dict[int, tuple[tuple[UInt8, Float32], ...]] = {}

    def glance(self, i: int) -> None:
        """Keep the small looks at a picture, by its edges and by its face where one is known."""
        self._views[i] = tuple((look, outline(look)) for look in self._looks(i))

    def confirmed(self, i: int, others: NDArray[np.integer[Any]]) -> Iterator[Pair]:
        """The pairs that a picture makes with others: the likeliest few of them are laid over it."""
        fits: dict[int, tuple[int, Fit]] = {}
        for view, (look, _) in enumerate(self._views[i]):
            # Face on face only where edge on edge failed, and where a face is known of both.
            left = [j for j in others.tolist() if j not in fits and len(self._views[j]) > view]
            if left:
                views = [self._views[j][view] for j in left]
                near = Surroundings(look).nearest(
                    lambda n, views=views: views[n][0],  # type: ignore[misc]
                    np.stack([outlined for _, outlined in views]),
                    least=_ALIKE,
                    most=_MOST_GLANCES,
                )
                fits |= {left[number]: (view, fit) for number, fit in near}
        best = sorted(fits.items(), key=lambda item: (-item[1][1].score, item[0]))[:_MOST_OVERLAYS]
        for j, (view, fit) in best:
            score = overlay(self._layouts(i)[view], self._layouts(j)[view], fit, enough=CONFIRMED)
            if score >= CONFIRMED:
                yield Pair(i, j, "near", min(score, 1.0), fit.mirrored)


def groups(count: int, pairs: Sequence[Pair]) -> list[list[int]]:
    """The groups of pictures that pairs link, each ordered, without those that stand alone."""
    parent = list(range(count))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    for pair in pairs:
        a, b = sorted((root(pair.a), root(pair.b)))
        parent[b] = a
    found: dict[int, list[int]] = {}
    for i in range(count):
        found.setdefault(root(i), []).append(i)
    return [group for group in found.values() if len(group) > 1]


def propose(
    prints: Sequence[Print], pairs: Sequence[Pair], wrong: Mapping[str, float] | None = None
) -> list[Proposal]:
    """Which copies to remove: all but the best of each subject, by pixels, then bytes, then path.

    One picture under several subjects is for review under each, unless ``wrong`` (how surely a picture, by
    path, shows somebody else than its subject) leaves just one of them; then the others are to be removed.
    """
    wrong = wrong or {}
    scores = {(p.a, p.b): p for p in pairs} | {(p.b, p.a): p for p in pairs}
    proposals = []
    for group in groups(len(prints), pairs):
        by_subject: dict[str | None, list[int]] = {}
        for i in group:
            by_subject.setdefault(prints[i].subject, []).append(i)
        kept = []
        for members in by_subject.values():
            best = min(members, key=lambda i: _worth(prints[i]))
            kept.append(best)
            proposals += [_removal(prints, scores, i, best) for i in members if i != best]
        if len(kept) > 1:
            right = [i for i in kept if wrong.get(prints[i].path, 0.0) < 0.5]
            for i in kept:
                if right == [i]:
                    continue
                other = next(j for j in (right or kept) if j != i)
                sure = len(right) == 1
                proposals.append(_across(prints, scores, i, other, wrong if sure else None))
    return proposals


def _worth(print_: Print) -> tuple[int, int, str]:
    """Smallest for the picture most worth keeping."""
    width, height = print_.size_wh
    return -width * height, -print_.bytes, print_.path


def _removal(
    prints: Sequence[Print], scores: Mapping[tuple[int, int], Pair], i: int, best: int
) -> Proposal:
    pair = _link(scores, i, best)
    exact = pair is not None and pair.kind == "exact"
    how = "the same pixels" if exact else "mirrored" if pair and pair.mirrored else "the same picture"
    return Proposal(
        prints[i].path,
        prints[i].subject,
        "remove",
        "exact duplicate" if exact else "near duplicate",
        _confidence(pair),
        of=prints[best].path,
        detail=f"{how} as {prints[best].path}",
        id=prints[i].id,
    )


def _across(
    prints: Sequence[Print],
    scores: Mapping[tuple[int, int], Pair],
    i: int,
    other: int,
    wrong: Mapping[str, float] | None,
) -> Proposal:
    pair = _link(scores, i, other)
    confidence = _confidence(pair)
    if wrong is not None:
        confidence = min(confidence, wrong.get(prints[i].path, 0.0))
    return Proposal(
        prints[i].path,
        prints[i].subject,
        "remove" if wrong is not None else "review",
        "exact duplicate" if pair is not None and pair.kind == "exact" else "near duplicate",
        confidence,
        of=prints[other].path,
        detail=f"the same picture is {prints[other].path}, of another subject",
        id=prints[i].id,
    )


def _link(scores: Mapping[tuple[int, int], Pair], i: int, j: int) -> Pair | None:
    """The pair that says so; None where others link the two."""
    return scores.get((i, j))


def _confidence(pair: Pair | None) -> float:
    return round(pair.score if pair is not None else CONFIRMED, 4)


def _exact(prints: Sequence[Print]) -> list[Pair]:
    """Every further picture of equal pixels with the best one of them."""
    same: dict[str, list[int]] = {}
    for i, print_ in enumerate(prints):
        same.setdefault(print_.pixels, []).append(i)
    pairs = []
    for members in same.values():
        best, *rest = sorted(members, key=lambda i: _worth(prints[i]))
        pairs += [Pair(best, i, "exact", 1.0) for i in rest]
    return pairs


def _candidates(prints: Sequence[Print], unique: Sequence[int]) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """For each picture that has any, those worth a glance: a pair once, nearest first, a bounded number."""
    if len(unique) < 2:
        return
    numbers = np.array(unique)
    plain = np.array([prints[i].hashes[0] for i in unique], np.uint64)
    mirrored = np.array([prints[i].hashes[1] for i in unique], np.uint64)
    vectors = _rows([prints[i].embedding for i in unique])
    turned = [prints[i].mirrored for i in unique]
    mirrors = None if all(vector is None for vector in turned) else _rows(turned)
    for start in range(0, len(unique), _BLOCK):
        rows = slice(start, start + _BLOCK)
        bits = np.minimum(
            np.bitwise_count(plain[rows, None] ^ plain), np.bitwise_count(mirrored[rows, None] ^ plain)
        )
        cosine = vectors[rows] @ vectors.T
        if mirrors is not None:
            cosine = np.maximum(cosine, mirrors[rows] @ vectors.T)
        near = (bits <= _NEAR_HASH) | (cosine >= _NEAR_FACE)
        near |= (bits <= _FAR_HASH) & (cosine >= _LIKE_FACE)
        for row in np.flatnonzero(near.any(axis=1)):
            me = start + row
            others = np.flatnonzero(near[row])
            others = others[others > me]
            # A bit weighs as much as 0.02 of cosine: near by either is near.
            order = np.argsort(bits[row, others] - cosine[row, others] * 50, kind="stable")
            if len(others):
                yield int(numbers[me]), numbers[others[order[:_MOST_CANDIDATES]]]


def _rows(vectors: Sequence[Float32 | None]) -> NDArray[np.float32]:
    """For a matrix product; zeros, which are near nothing, where there is no vector."""
    found = next((vector for vector in vectors if vector is not None), None)
    rows = np.zeros((len(vectors), 1 if found is None else len(found)), np.float32)
    for row, vector in zip(rows, vectors, strict=True):
        if vector is not None:
            row[:] = vector
    return rows
