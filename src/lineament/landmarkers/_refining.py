"""What landmarkers have in common: the faces of many pictures as one list, and back again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lineament.counting import quantity
from lineament.errors import NoLandmarks, UsageError
from lineament.io.inputs import found_in, pictures
from lineament.shown import shown
from lineament.types import Faces, Float32, Refinement, UInt8


@dataclass(frozen=True, slots=True, eq=False)
class Given:
    """The N faces of all pictures: each one's picture, boxes ``(N, 4)`` and landmarks ``(N, 5, 2)``."""

    pixels: Sequence[UInt8]
    boxes: Float32
    landmarks: Float32

    __repr__ = shown

    def __len__(self) -> int:
        return len(self.boxes)


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """New landmarks ``(N, 5, 2)`` of N faces, which to use ``(N,)``, and, where known, scores and mesh."""

    landmarks: Float32
    used: Any
    scores: Float32 | None = None
    dense: Float32 | None = None

    __repr__ = shown


_BOX_OF_POINTS = 2.4
"""How much longer a face's box is than the longer extent of its five points, as detectors draw it."""


def _close(boxes: Float32, landmarks: Float32) -> Float32:
    """The boxes, but for those that lie loosely round a face's points: one round the points instead.

    A person who labels draws boxes as loose as they like, round two faces even; the points say which.
    """
    low, high = landmarks.min(axis=1), landmarks.max(axis=1)
    half = _BOX_OF_POINTS * (high - low).max(axis=1) / 2
    centre, side = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]).max(axis=1)
    off = np.abs(centre - (low + high) / 2).max(axis=1)
    loose = (side > 3 * half) | (off > 0.85 * half)
    own = np.concatenate([(low + high) / 2 - half[:, None], (low + high) / 2 + half[:, None]], axis=1)
    return np.asarray(np.where(loose[:, None] & (half > 0)[:, None], own, boxes), np.float32)


def refined(images: Any, faces: Any, name: str, place: Callable[[Given], Placed]) -> list[Faces]:
    """The faces of each picture as one call of ``place`` puts their points.

    Raises `NoLandmarks` for faces without, `UsageError` where faces and pictures are not of one number.
    """
    images, faces = pictures(images), found_in(faces)
    if len(images) != len(faces):
        raise UsageError(f"{name}: faces of {quantity(len(faces), 'picture')}, given with {len(images)}")
    known = [found.landmarks for found in faces if found.landmarks is not None]
    if len(known) < len(faces):
        raise NoLandmarks(f"{name}: the detector gave no landmarks to refine")
    given = Given(
        [image.pixels for image, found in zip(images, faces, strict=True) for _ in range(len(found))],
        np.concatenate([np.zeros((0, 4), np.float32), *(found.boxes for found in faces)]),
        np.concatenate([np.zeros((0, 5, 2), np.float32), *known]),
    )
    given = replace(given, boxes=_close(given.boxes, given.landmarks))
    placed = place(given)
    points = np.where(placed.used[:, None, None], placed.landmarks, given.landmarks)
    dense = placed.dense
    if dense is not None:
        dense = np.where(placed.used[:, None, None], dense, np.float32(np.nan))
    said = [
        Refinement(name, bool(used), None if placed.scores is None else float(placed.scores[i]))
        for i, used in enumerate(placed.used)
    ]
    done, start = [], 0
    for found in faces:
        rows = slice(start, start := start + len(found))
        done.append(
            found.with_columns(
                landmarks=points[rows],
                dense=None if dense is None else dense[rows],
                refinements=tuple(said[rows]),
            )
        )
    return done
