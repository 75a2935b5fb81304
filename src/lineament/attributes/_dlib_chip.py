"""The face chips of dlib, cut from our five landmarks, and the networks that take them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lineament.errors import NoLandmarks
from lineament.geometry.alignment import similarity_transform
from lineament.geometry.crops import cut_smooth
from lineament.io import assets, catalog
from lineament.io.inputs import found_in, pictures
from lineament.io.onnx import open_session
from lineament.types import Faces, Float32, Image, UInt8

_PADDING = 0.2
"""dlib's ``get_face_chip_details`` default: this share of the face's size is added on each side."""

_MEAN_FACE = np.array(
    [
        [0.227330, 0.221306],
        [0.752814, 0.221306],
        [0.490127, 0.515625],
        [0.254149, 0.780233],
        [0.726104, 0.780233],
    ]
)
"""Eye centres, nose tip and mouth corners of dlib's mean face, as shares of the unpadded chip.

dlib fits the four eye corners and the base of the nose, which our detectors do not give. The eye centres
are the means of its eye corners; nose tip and mouth corners are those of its 68-point mean face, which
lies in the same coordinates (dlib, image_transforms/interpolation.h). What other fits measured stands in
docs/reference/quality.md.
"""

_BATCH = 32


def cut_chips(image: Image, faces: Faces, size: int) -> UInt8:
    """Chips uint8 ``(N, size, size, 3)`` RGB; raises `NoLandmarks`."""
    if faces.landmarks is None:
        raise NoLandmarks("age and gender need landmarks: use a detector that gives them")
    template = np.asarray((_MEAN_FACE + _PADDING) / (1 + 2 * _PADDING) * size, np.float32)
    try:
        transforms = similarity_transform(faces.landmarks, np.broadcast_to(template, faces.landmarks.shape))
    except ValueError as error:
        raise NoLandmarks("all landmarks of a face coincide, so it cannot be aligned") from error
    return cut_smooth(image.pixels, transforms, size)


class ChipClassifier:
    """A network of the catalogue on dlib chips. Safe to call from several threads."""

    def __init__(self, name: str, classes: int) -> None:
        card = catalog.card(name)
        self._classes = classes
        self._size = card.input.size or 64
        self._mean = np.array(card.input.mean, np.float32)
        self._std = np.array(card.input.std, np.float32)
        # Not bfloat16: these networks take a millisecond, and nobody measured what it costs them.
        self._session = open_session(assets.fetch(card), pinned=True)

    def probabilities(self, images: Sequence[Image], faces: Sequence[Faces]) -> list[Float32]:
        """Class probabilities ``(N, C)`` of each picture's faces, all pictures' chips in common batches."""
        images, faces = pictures(images), found_in(faces)
        chips = [cut_chips(i, f, self._size) for i, f in zip(images, faces, strict=True)]
        rows = np.zeros((sum(map(len, chips)), self._classes), np.float32)
        for start in range(0, len(rows), _BATCH):
            rows[start : start + _BATCH] = self._run(np.concatenate(chips)[start : start + _BATCH])
        ends = np.cumsum([len(f) for f in faces])
        return [rows[end - len(f) : end] for end, f in zip(ends, faces, strict=True)]

    def _run(self, chips: UInt8) -> Float32:
        values = (chips.astype(np.float32) - self._mean) / self._std
        return self._session.run({"images": np.ascontiguousarray(values.transpose(0, 3, 1, 2))})[
            "probabilities"
        ]
