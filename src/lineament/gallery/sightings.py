"""Where a face was seen, and when two sightings are of one face: the same photo, and overlapping boxes.

Neither the embedding nor the detector decides: another detector, another precision or another try cuts the
face a little otherwise, so its embedding is another one, but the photo is the same and the boxes overlap.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lineament.geometry.boxes import area, intersection, iou
from lineament.io import inputs
from lineament.records import Record
from lineament.shown import shown
from lineament.types import Float32, Image, Outcome, Threshold

SAME_FACE = 0.3
"""IoU of two boxes of one photo from which they may hold one face: measured in docs/howto/gallery.md."""

SURELY = 0.5
"""IoU from which they do. In between they do unless another face of the photo fits better."""

_WITHIN = 0.9
"""Share of the smaller box from which it lies within the other: a part of that face, not another one."""


@dataclass(frozen=True, slots=True, eq=False)
class Sighting:
    """A face of a photo: ``picture`` is the digest of its pixels, ``box`` float32 ``(4,)``.

    ``others`` float32 ``(N, 4)`` are the boxes of the other faces found with it. ``files`` are what
    galleries may have kept before they kept boxes: the SHA-256 of the photo as it was given.
    """

    picture: str
    box: Float32
    vector: Float32
    others: Float32
    files: tuple[str, ...] = ()

    __repr__ = shown

    @property
    def pictures(self) -> Sequence[str]:
        """Every digest under which a store may know the photo."""
        return [self.picture, *self.files]

    def is_in(self, record: Record, threshold: Threshold) -> bool:
        """Whether a stored record is of this very face.

        A record that is older than the boxes is of this face when it is of the same file and similar.
        """
        similar = threshold.accepts(float(record.vector @ self.vector))
        if record.box is None:
            return record.picture in self.files and similar
        if record.picture != self.picture:
            return False
        fit = _fit(record.box, self.box)
        if fit >= SURELY or (fit >= SAME_FACE and similar):
            return True
        return fit >= SAME_FACE and all(_fit(record.box, other) <= fit for other in self.others)


def sighting(source: Any, outcome: Outcome, row: int) -> Sighting:
    """Where one of the faces of an analysed photo, which has embeddings, was seen."""
    faces = outcome.faces
    assert faces.embeddings is not None
    vector = faces.embeddings[row]
    others = np.delete(faces.boxes, row, axis=0)
    return Sighting(_picture(outcome, vector), faces.boxes[row], vector, others, _files(source, vector))


def of_one_face(one: Record, other: Record) -> bool:
    """Whether two stored records are of one face of one photo."""
    if one.picture != other.picture:
        return False
    if one.box is None or other.box is None:
        return np.array_equal(one.vector, other.vector)
    return _fit(one.box, other.box) >= SAME_FACE


def _fit(one: Float32, other: Float32) -> float:
    """IoU of two boxes; 1 where one lies within the other, or both are the same empty one."""
    common = float(intersection(one[None], other[None])[0, 0])
    smaller = float(min(area(one[None])[0], area(other[None])[0]))
    if common >= _WITHIN * smaller:
        return 1.0 if smaller or np.array_equal(one, other) else 0.0
    return float(iou(one[None], other[None])[0, 0])


def _picture(outcome: Outcome, vector: Float32) -> str:
    if outcome.digest is not None:
        return outcome.digest
    if outcome.image is not None:
        return outcome.image.digest()
    # An outcome handed on without its pixels: the embedding stands for them.
    return hashlib.sha256(vector.tobytes()).hexdigest()


def _files(source: Any, vector: Float32) -> tuple[str, ...]:
    """Every SHA-256 under which a gallery without boxes may know the photo.

    It kept that of a file's bytes, of an array, and, for what it could not read twice, of the embedding. A
    picture that another library opened from a file is of that file.
    """
    found = [hashlib.sha256(vector.tobytes()).hexdigest()]
    if isinstance(source, (bytes, bytearray, memoryview)):
        return (*found, hashlib.sha256(source).hexdigest())
    if isinstance(source, Image):
        found.append(hashlib.sha256(repr(source.hw).encode() + source.pixels.tobytes()).hexdigest())
    try:
        name = inputs.name_of(source)
        if name is not None and Path(name).is_file():  # a pipe cannot be read twice
            with Path(name).open("rb") as file:
                return (*found, hashlib.file_digest(file, "sha256").hexdigest())
        if hasattr(source, "getbuffer"):  # a stream in memory
            return (*found, hashlib.sha256(source.getbuffer()).hexdigest())
    except (OSError, ValueError):  # gone, or closed, since it was read
        pass
    return tuple(found)
