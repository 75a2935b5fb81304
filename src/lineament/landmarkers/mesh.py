"""MediaPipe's face mesh (Kartynnik et al. 2019, "Real-time Facial Surface Geometry from Monocular Video").

Of its 468 points eyes, nose and mouth corners become the five that faces are aligned by. How it is asked,
and where a network trained on other points wants them, was fitted on fold 1 of LFW alone;
docs/reference/landmarks.md has the figures.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lineament.errors import ConfigError
from lineament.geometry.alignment import ARCFACE_112, similarity_transform
from lineament.geometry.landmarks import roll
from lineament.io import assets, catalog
from lineament.io.inputs import found_in
from lineament.io.onnx import open_session
from lineament.landmarkers._refining import Given, Placed, refined
from lineament.landmarkers._views import View, around
from lineament.registry import landmarkers
from lineament.shown import shown
from lineament.types import Faces, Float32, Image

POINTS = 468
_SIZE = 192
_BATCH = 8
"""Faces a call of the network; more gains nothing and costs memory."""

_RIGHT_EYE = (33, 7, 163, 144, 145, 153, 154, 155, 133, 246, 161, 160, 159, 158, 157, 173)
_LEFT_EYE = (263, 249, 390, 373, 374, 380, 381, 382, 362, 466, 388, 387, 386, 385, 384, 398)
_NOSE, _RIGHT_MOUTH, _LEFT_MOUTH = 1, 61, 291

_SHIFT = np.array([[-1.10, -0.41], [1.10, -0.41], [0, -2.49], [-0.76, -1.40], [0.76, -1.40]])
"""From the mesh's five points to where embedders want them, in pixels of the 112 x 112 template: the middle
of an eye is not the pupil, and the mesh's nose is its tip."""

_BOX, _OWN_BOX = 1.25, 1.40
"""Side of a view in longer sides of the detector's box, and of the mesh's own."""

_TURNS = np.radians([35.0, -35.0])
_DOUBTFUL, _TILTED = math.radians(25), math.radians(5)
"""Rolls a view still shows: beyond the first other turns are tried, beyond the second it is seen again."""


@dataclass(frozen=True, slots=True)
class MeshConfig:
    """``base`` is the spec of the landmarker whose points turn the first view, "" for the detector's.

    Below ``score`` the detector's points are kept. ``looks``: how often at most a face is looked at again
    once its tilt is known.
    """

    base: str = ""
    score: float = 0.5
    looks: int = 2

    def __post_init__(self) -> None:
        if not 0 < self.score < 1 or not 0 <= self.looks <= 10:
            raise ConfigError("mesh: score lies between 0 and 1, looks from 0 to 10")
        if self.base.partition(":")[0] == "mesh":
            raise ConfigError("mesh: cannot begin with itself")


@landmarkers.register("mesh", MeshConfig)
class Mesh:
    """Places the five landmarks by 468 points of the face. Safe to call from several threads.

    A face is seen as upright as the first points say; where the mesh is unsure, or sees it tilted
    still, also turned to either side. What stays unsure keeps the detector's points.
    """

    def __init__(self, config: MeshConfig | None = None) -> None:
        self.config = config or MeshConfig()
        self.base = landmarkers.create(self.config.base) if self.config.base else None
        self.name = "mesh" if self.base is None else f"mesh:{self.base.name}"
        weights, graph = (assets.fetch(file) for file in catalog.card("mesh").files)
        self._session = open_session(weights, graph=graph, pinned=True)

    def refine(self, images: Sequence[Image], faces: Sequence[Faces]) -> list[Faces]:
        """The same faces with better points and ``dense`` ``(N, 468, 2)``; raises `NoLandmarks`."""
        first = self.base.refine(images, faces) if self.base else found_in(faces)
        rolls = [
            float(roll(points)) for one in first if one.landmarks is not None for points in one.landmarks
        ]
        return refined(images, faces, self.name, lambda given: self._place(given, rolls))

    def _place(self, given: Given, rolls: Sequence[float]) -> Placed:
        views = [
            around(pixels, box, _BOX, angle)
            for pixels, box, angle in zip(given.pixels, given.boxes, rolls, strict=True)
        ]
        seen = self._look(views)
        rows = np.flatnonzero((seen.scores < self.config.score) | (seen.tilts > _DOUBTFUL))
        for turn in _TURNS if len(rows) else ():
            other = self._look([views[row].turned(turn) for row in rows])
            seen.take(rows, other, other.worth > seen.worth[rows])
        for _ in range(self.config.looks):
            rows = np.flatnonzero(seen.tilts > _TILTED)
            if not len(rows):
                break
            seen.take(rows, self._look([_upright(seen.views[i], seen.points[i]) for i in rows]))
        used = (seen.scores >= self.config.score) & _is_face(seen.five)
        return Placed(_shifted(seen.five, used), used, seen.scores, seen.points)

    def _look(self, views: list[View]) -> _Seen:
        points = np.zeros((len(views), POINTS, 2), np.float32)
        scores = np.zeros(len(views), np.float32)
        for start in range(0, len(views), _BATCH):
            batch = views[start : start + _BATCH]
            cuts = np.stack([view.cut(_SIZE) for view in batch]).transpose(0, 3, 1, 2)
            answer = self._session.run({"input": np.ascontiguousarray(cuts, np.float32) / np.float32(255)})
            for row, (view, shares) in enumerate(zip(batch, answer["output"], strict=True), start):
                points[row] = view.to_picture(shares[:, :2])
            scores[start : start + len(batch)] = answer["477"].reshape(-1)
        return _Seen(views, points, np.clip(scores, 0, 1))


@dataclass(slots=True, eq=False)
class _Seen:
    """What was seen in N views: points ``(N, 468, 2)`` in the picture's pixels, scores ``(N,)``."""

    views: list[View]
    points: Float32
    scores: Float32

    __repr__ = shown

    @property
    def five(self) -> Float32:
        """Right eye, left eye, nose, right and left mouth corner, ``(N, 5, 2)``."""
        return five_of(self.points)

    @property
    def tilts(self) -> Float32:
        """The roll that each view still shows, in radians, without its sign."""
        off = roll(self.five) - np.array([view.roll for view in self.views], np.float32)
        return np.asarray(np.abs((off + math.pi) % (2 * math.pi) - math.pi), np.float32)

    @property
    def worth(self) -> Float32:
        """By which views of one face compete: a surer one, seen more upright."""
        return np.asarray(self.scores - self.tilts / (math.pi / 2), np.float32)

    def take(self, rows: Any, other: _Seen, better: Any = True) -> None:
        """Put what was seen of the faces ``rows`` in place, of all or those where it is ``better``."""
        for row, k in zip(rows, range(len(rows)), strict=True):
            if np.broadcast_to(better, len(rows))[k]:
                self.views[row] = other.views[k]
                self.points[row], self.scores[row] = other.points[k], other.scores[k]


def five_of(points: Float32) -> Float32:
    """The five landmarks ``(..., 5, 2)`` of the 468 points ``(..., 468, 2)``, where the mesh sees them."""
    eyes = [points[..., list(eye), :].mean(axis=-2) for eye in (_RIGHT_EYE, _LEFT_EYE)]
    rest = [points[..., i, :] for i in (_NOSE, _RIGHT_MOUTH, _LEFT_MOUTH)]
    return np.asarray(np.stack([*eyes, *rest], axis=-2), np.float32)


def _upright(view: View, points: Float32) -> View:
    """The view of a mesh ``(468, 2)``, as upright as its own eyes say, round the middle of its points."""
    angle = float(roll(five_of(points)))
    c, s = math.cos(angle), math.sin(angle)
    back = np.array([[c, -s], [s, c]])
    turned = points.astype(np.float64) @ back
    low, high = turned.min(axis=0), turned.max(axis=0)
    return View(view.pixels, back @ ((low + high) / 2), max(1.0, *(high - low)) * _OWN_BOX, angle)


def _is_face(five: Float32) -> Any:
    """Which of ``(N, 5, 2)`` are points that a face can be aligned by: finite, and not all in one place."""
    return np.isfinite(five).all(axis=(1, 2)) & (np.ptp(five, axis=1).max(axis=-1) > 1e-3)


def _shifted(five: Float32, rows: Any) -> Float32:
    """The points ``(N, 5, 2)`` of these rows where embedders want them."""
    moved = five.astype(np.float64)
    if rows.any():
        template = np.broadcast_to(ARCFACE_112, five[rows].shape)
        linear = similarity_transform(five[rows], template)[..., :2]
        moved[rows] += np.einsum("nij,kj->nki", np.linalg.inv(linear), _SHIFT)
    return np.asarray(moved, np.float32)
