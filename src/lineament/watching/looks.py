"""Looks at faces that are followed: which are embedded, the best of each moment first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from lineament.errors import NoLandmarks
from lineament.geometry.crops import cut_aligned
from lineament.io.video import Frame
from lineament.protocols import Embedder, Landmarker
from lineament.quality.score import assess
from lineament.shown import shown
from lineament.types import Embedding, Faces, Float32, Image, ModelId, UInt8

_CROP = 112


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """A face of one frame; landmarks and box in the frame's own pixels."""

    frame: Frame
    face: Faces
    quality: float

    __repr__ = shown

    @property
    def seconds(self) -> float:
        """When."""
        return self.frame.seconds


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """A view that was embedded, with the quality that the embedding's length is part of."""

    view: View
    embedding: Embedding
    quality: float

    __repr__ = shown


def assessed(faces: Faces, image: Image) -> Faces:
    """The faces with how good each looks in the picture that was searched, without embedding it."""
    if not len(faces):
        return faces.with_columns(quality=())
    return faces.with_columns(quality=assess(faces, crops_of(faces, image, _CROP)))


def crops_of(faces: Faces, image: Image, size: int) -> UInt8:
    """Aligned crops ``(N, size, size, 3)``; raises `NoLandmarks`."""
    if faces.landmarks is None:
        raise NoLandmarks("following people needs landmarks: wrap the detector with one that gives them")
    try:
        return cut_aligned(image.pixels, faces.landmarks, size)
    except ValueError:
        raise NoLandmarks("all landmarks of a face coincide, so it cannot be aligned") from None


def look(
    views: Sequence[View], embedder: Embedder, model: ModelId, landmarker: Landmarker | None = None
) -> list[Look]:
    """Embed views, those of all frames in one call; each frame is turned into RGB once.

    The embeddings are of ``model``, to which a landmarker that places the points anew belongs.
    """
    if not views:
        return []
    turned: dict[int, Image] = {}
    for view in views:
        if id(view.frame) not in turned:
            turned[id(view.frame)] = view.frame.image()
    images = [turned[id(view.frame)] for view in views]
    faces = [view.face for view in views]
    if landmarker is not None:
        faces = [found.with_columns(dense=None) for found in landmarker.refine(images, faces)]
    crops = [crops_of(face, image, embedder.crop_size) for face, image in zip(faces, images, strict=True)]
    stacked = np.concatenate(crops)
    vectors = embedder.embed(stacked)
    lengths = np.linalg.norm(vectors, axis=1)
    units: Float32 = vectors / np.maximum(lengths, np.finfo(np.float32).tiny)[:, None]
    looks = []
    for row, view in enumerate(views):
        face = faces[row].with_columns(
            embeddings=units[row : row + 1], embedding_lengths=lengths[row : row + 1], model=model
        )
        [quality] = assess(face, crops[row], embedder.model.name)
        looks.append(Look(view, Embedding(units[row], model, float(lengths[row])), quality.score))
    return looks


class Waiting:
    """The best view of each track since it was last looked at; ``a_second`` looks at each are enough.

    The first look comes as soon as a track has ``settled`` views, the next ones after each interval.
    """

    def __init__(self, a_second: float, settled: int) -> None:
        self._interval, self._settled = 1 / a_second, settled
        self._best: dict[int, View] = {}
        self._views: dict[int, int] = {}
        self._due: dict[int, float] = {}

    def offer(self, number: int, view: View) -> None:
        """One more view of a track."""
        self._views[number] = self._views.get(number, 0) + 1
        best = self._best.get(number)
        if best is None or view.quality > best.quality:
            self._best[number] = view

    def due(self, now: float) -> dict[int, View]:
        """Each track whose time has come, with its best view."""
        ready = [
            number
            for number in self._best
            if self._views[number] >= self._settled and now >= self._due.get(number, -np.inf)
        ]
        for number in ready:
            self._due[number] = now + self._interval
        return {number: self._best.pop(number) for number in ready}

    def looked(self, number: int, now: float) -> None:
        """A track was looked at for another reason: its best view needs no look any more."""
        self._due[number] = now + self._interval

    def rest(self) -> dict[int, View]:
        """Every view that still waits, of tracks that are about to end."""
        rest = {n: view for n, view in self._best.items() if self._views[n] >= self._settled}
        self._best.clear()
        return rest

    def forget(self, numbers: Iterable[int]) -> None:
        """Tracks that are over."""
        for number in numbers:
            for kept in (self._best, self._views, self._due):
                kept.pop(number, None)
