"""Which detection is which labelled face: COCO's greedy matching, over a whole set at once.

In each picture detections choose in the order of their scores: the free truth with the highest IoU at or
above the threshold, the later one of equals, a truth that counts before one that is ignored. A truth is
matched once, a crowd as often as detections lie in it. A detection matched to an ignored truth is neither
right nor wrong (Lin et al. 2014, "Microsoft COCO", and pycocotools). There is no limit on detections a
picture: the usual one of 100 scores a perfect detector 0.34 on a picture of 300 faces.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lineament.counting import quantity
from lineament.errors import InvalidArray
from lineament.types import Float64

IOU_THRESHOLDS: Float64 = np.linspace(0.5, 0.95, 10)
"""COCO's ten: .50, .55 ... .95."""

_CELLS_AT_ONCE = 1_000_000
_ROUNDING = 1e-10

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class PictureBoxes:
    """Truths and detections of one picture, boxes xyxy in the same pixels.

    ``truths`` ``(T, 4)``; ``boxes`` ``(D, 4)`` with ``scores`` ``(D,)`` in any order. ``ignored`` ``(T,)``
    truths are neither to be found nor wrong to find; ``crowd`` ``(T,)`` stand for many faces: they are
    ignored, and overlap is measured by the share of the *detection* inside.
    """

    truths: Float64
    boxes: Float64
    scores: Float64
    ignored: Mask | None = None
    crowd: Mask | None = None

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "truths", as_boxes("truths", self.truths))
        put(self, "boxes", as_boxes("detections", self.boxes))
        scores = np.asarray(self.scores, np.float64)
        if scores.shape != (len(self.boxes),) or not np.isfinite(scores).all():
            raise InvalidArray(
                f"scores: expected {quantity(len(self.boxes), 'finite number')}, got {scores.shape}"
            )
        put(self, "scores", scores)
        for name in ("ignored", "crowd"):
            given = getattr(self, name)
            flags = np.zeros(len(self.truths), bool) if given is None else np.asarray(given, bool)
            if flags.shape != (len(self.truths),):
                raise InvalidArray(f"{name}: {flags.shape} for {quantity(len(self.truths), 'truth')}")
            put(self, name, flags)

    @property
    def counted(self) -> Mask:
        """Truths that are to be found, ``(T,)``."""
        assert self.ignored is not None and self.crowd is not None
        return ~(self.ignored | self.crowd)


def as_boxes(name: str, values: Any) -> Float64:
    """Validate boxes: float64 ``(N, 4)``, finite, no side negative."""
    boxes = np.asarray(values, np.float64)
    if boxes.size == 0:
        return np.zeros((0, 4))
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise InvalidArray(f"{name}: expected (N, 4), got {boxes.shape}")
    if not np.isfinite(boxes).all() or (boxes[:, 2:] < boxes[:, :2]).any():
        raise InvalidArray(f"{name}: boxes are finite x1 <= x2, y1 <= y2")
    return boxes


@dataclass(frozen=True, slots=True, eq=False)
class Matches:
    """Every detection of a set, best score first, and every truth, at each of K IoU thresholds.

    ``scores``, ``picture`` ``(N,)``: of equal scores those of the earlier picture stand first.
    ``right``, ``wrong`` ``(K, N)``: neither means matched to what is ignored. ``truth_picture``,
    ``counted`` ``(T,)``: all truths in the order of the pictures; ``found_at`` ``(K, T)`` the score of the
    detection that took each, -inf for a missed one. ``pictures`` is how many there are.
    """

    thresholds: Float64
    scores: Float64
    picture: NDArray[np.intp]
    right: Mask
    wrong: Mask
    truth_picture: NDArray[np.intp]
    counted: Mask
    found_at: Float64
    pictures: int

    @property
    def truths(self) -> int:
        """How many truths are to be found."""
        return int(self.counted.sum())

    @property
    def pictures_with_truths(self) -> int:
        """How many pictures hold one: what intervals are clustered by."""
        return len(np.unique(self.truth_picture[self.counted]))


def match(
    pictures: Sequence[PictureBoxes],
    thresholds: Any = IOU_THRESHOLDS,
    *,
    area_range: tuple[float, float] | None = None,
) -> Matches:
    """Match every picture's detections at each IoU threshold.

    With ``area_range``, in square pixels, truths outside it are ignored, and so are unmatched detections
    outside it: COCO's small, medium and large.
    """
    levels = np.atleast_1d(np.asarray(thresholds, np.float64))
    if not ((levels > 0) & (levels <= 1)).all():
        raise InvalidArray("IoU thresholds lie between 0 and 1")
    detections = np.array([len(p.boxes) for p in pictures], np.intp)
    truths = np.array([len(p.truths) for p in pictures], np.intp)
    first_detection, first_truth = _starts(detections), _starts(truths)
    scores = np.zeros(int(detections.sum()))
    counted = np.zeros(int(truths.sum()), bool)
    right = np.zeros((len(levels), len(scores)), bool)
    wrong = np.zeros_like(right)
    found_at = np.full((len(levels), len(counted)), -np.inf)
    for some in _of_like_size(detections, truths):
        group = _Group([pictures[i] for i in some], area_range)
        taken = group.match(levels)
        for row, i in enumerate(some):
            d = slice(first_detection[i], first_detection[i] + detections[i])
            t = slice(first_truth[i], first_truth[i] + truths[i])
            ranked, order, counts = group.of(row)
            scores[d], counted[t] = ranked, counts
            chosen = taken[:, row, : detections[i]]
            hit = chosen >= 0
            counts_here = np.append(counts[order], False)[chosen]
            right[:, d] = hit & counts_here
            wrong[:, d] = ~hit & ~group.outside[row, : detections[i]]
            level, rank = np.nonzero(hit)
            # Reversed, because the best score of a crowd's many detections is to stand.
            found_at[level[::-1], first_truth[i] + order[chosen[level, rank]][::-1]] = ranked[rank][::-1]
    ranking = np.argsort(-scores, kind="stable")
    picture = np.repeat(np.arange(len(pictures)), detections)
    return Matches(
        thresholds=levels,
        scores=scores[ranking],
        picture=picture[ranking],
        right=right[:, ranking],
        wrong=wrong[:, ranking],
        truth_picture=np.repeat(np.arange(len(pictures)), truths),
        counted=counted,
        found_at=found_at,
        pictures=len(pictures),
    )


class _Group:
    """Pictures padded to a common number of detections and truths, truths that count first."""

    def __init__(self, pictures: Sequence[PictureBoxes], area_range: tuple[float, float] | None) -> None:
        depth = max(len(p.boxes) for p in pictures)
        width = max(len(p.truths) for p in pictures)
        self.boxes = np.zeros((len(pictures), depth, 4))
        self.truths = np.zeros((len(pictures), width, 4))
        self.counts = np.zeros((len(pictures), width), bool)
        self.crowd = np.zeros((len(pictures), width), bool)
        self.present = np.zeros((len(pictures), width), bool)
        self.outside = np.zeros((len(pictures), depth), bool)
        self._rows: list[tuple[Float64, NDArray[np.intp], Mask]] = []
        for row, one in enumerate(pictures):
            assert one.crowd is not None
            counts = one.counted
            ranking = np.argsort(-one.scores, kind="stable")
            if area_range is not None:
                counts &= ~_outside(one.truths, area_range)
                self.outside[row, : len(ranking)] = _outside(one.boxes[ranking], area_range)
            order = np.argsort(~counts, kind="stable")
            n = len(order)
            self.boxes[row, : len(ranking)] = one.boxes[ranking]
            self.truths[row, :n] = one.truths[order]
            self.counts[row, :n] = counts[order]
            self.crowd[row, :n] = one.crowd[order]
            self.present[row, :n] = True
            self._rows.append((one.scores[ranking], order, counts))

    def of(self, row: int) -> tuple[Float64, NDArray[np.intp], Mask]:
        """A picture's scores, best first, its truths' order here, and which of them count."""
        return self._rows[row]

    def match(self, levels: Float64) -> NDArray[np.intp]:
        """Which truth each detection took, -1 for none: ``(K, P, D)``."""
        overlap = self._overlaps()
        pictures, depth, width = overlap.shape
        taken = np.full((len(levels), pictures, depth), -1, np.intp)
        if width == 0:
            return taken
        free = np.repeat(self.present[None], len(levels), axis=0)
        # An IoU that rounding keeps a hair below 1 still counts as 1, as in pycocotools.
        least = np.minimum(levels, 1 - _ROUNDING)[:, None, None]
        any_ignored = bool((self.present & ~self.counts).any())
        for rank in range(depth):
            near = overlap[None, :, rank, :]
            usable = free & (near >= least)
            choice, found = _last_best(np.where(usable & self.counts, near, -1.0))
            if any_ignored:
                other, also = _last_best(np.where(usable & ~self.counts, near, -1.0))
                choice, found = np.where(found, choice, other), found | also
            taken[:, :, rank] = np.where(found, choice, -1)
            level, picture = np.nonzero(found)
            truth = choice[level, picture]
            free[level, picture, truth] = self.crowd[picture, truth]
        return taken

    def _overlaps(self) -> Float64:
        low = np.maximum(self.boxes[:, :, None, :2], self.truths[:, None, :, :2])
        high = np.minimum(self.boxes[:, :, None, 2:], self.truths[:, None, :, 2:])
        sides = np.clip(high - low, 0, None)
        common = sides[..., 0] * sides[..., 1]
        own = _area(self.boxes)[:, :, None]
        union = own + _area(self.truths)[:, None, :] - common
        whole = np.where(self.crowd[:, None, :], own, union)
        shares = np.divide(common, whole, out=np.zeros_like(common), where=whole > 0)
        return np.asarray(shares, np.float64)


def _last_best(values: Float64) -> tuple[NDArray[np.intp], Mask]:
    """Index of the largest on the last axis, the last of equals, and whether it is not below 0."""
    width = values.shape[-1]
    choice = width - 1 - values[..., ::-1].argmax(axis=-1)
    best = np.take_along_axis(values, choice[..., None], axis=-1)[..., 0]
    return np.asarray(choice, np.intp), np.asarray(best >= 0)


def _area(boxes: Float64) -> Float64:
    return np.asarray((boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1]), np.float64)


def _outside(boxes: Float64, area_range: tuple[float, float]) -> Mask:
    area = _area(boxes)
    return np.asarray((area < area_range[0]) | (area > area_range[1]))


def _starts(counts: NDArray[np.intp]) -> NDArray[np.intp]:
    return np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(np.intp) if len(counts) else counts


def _of_like_size(detections: NDArray[np.intp], truths: NDArray[np.intp]) -> Iterator[list[int]]:
    """Pictures in groups that padding does not blow up; pictures without either need no matching."""
    larger = np.maximum(detections, truths)
    group: list[int] = []
    depth = width = 0
    for i in map(int, np.lexsort((truths, detections, larger))):
        deeper, wider = max(depth, int(detections[i])), max(width, int(truths[i]))
        if group and (len(group) + 1) * max(deeper, 1) * max(wider, 1) > _CELLS_AT_ONCE:
            yield group
            group, deeper, wider = [], int(detections[i]), int(truths[i])
        group.append(i)
        depth, width = deeper, wider
    if group:
        yield group
