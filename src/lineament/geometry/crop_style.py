"""Which part of a picture becomes a face crop, and how: upright and square, or aligned to the template."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from lineament.errors import ConfigError
from lineament.geometry.alignment import ARCFACE_112, apply, similarity_transform
from lineament.geometry.crops import cut_smooth
from lineament.geometry.rotation import centered_boxes
from lineament.types import Float32, Float64, UInt8

MARGIN = 0.25
"""Of a crop that is not aligned, a share of the face box's longer side, on each side."""

EMBEDDED_SIDE = 224
"""A crop of that many pixels holds a face large enough for any embedder, whatever its own size is."""


@dataclass(frozen=True, slots=True)
class CropStyle:
    """``size`` is the crop's side in pixels.

    Not ``align``: a square about the box, ``margin`` times its longer side added on each side. With
    ``align``: the five landmarks brought to the ArcFace template scaled to ``size``, shrunk to leave
    ``margin`` times the template's side on each side (none by default). A face found in a turned picture
    is turned upright. Beyond the picture's border the crop is black.
    """

    size: int = 256
    margin: float | None = None
    align: bool = False

    def __post_init__(self) -> None:
        if not 16 <= self.size <= 4096:
            raise ConfigError("size lies between 16 and 4096 pixels")
        if self.margin is not None and not 0 <= self.margin <= 4:
            raise ConfigError("margin lies between 0 and 4")

    def transform(self, box: Float32, landmarks: Float32, rotation_deg: float) -> Float64:
        """The map ``(2, 3)`` from picture to crop; raises ValueError when all landmarks coincide."""
        margin = self.margin if self.margin is not None else 0.0 if self.align else MARGIN
        if self.align:
            inner = self.size / (1 + 2 * margin)
            target = ARCFACE_112 * (inner / 112) + (self.size - inner) / 2
            return similarity_transform(landmarks, target.astype(np.float32))
        side = float((box[2:] - box[:2]).max()) * (1 + 2 * margin)
        k = self.size / max(side, 1.0)
        c, s = (k * f(math.radians(float(rotation_deg))) for f in (math.cos, math.sin))
        linear = np.array([[c, s], [-s, c]])
        middle = (box[:2].astype(np.float64) + box[2:]) / 2
        return np.concatenate([linear, (self.size / 2 - linear @ middle)[:, None]], axis=1)

    def cut(self, pixels: UInt8, transform: Float64) -> UInt8:
        """The crop ``(size, size, 3)``."""
        indexed = transform
        if not self.align:
            # Boxes count from a pixel's corner, warps from its middle; templates are made for the latter.
            indexed = transform.copy()
            indexed[:, 2] += transform[:, :2] @ [0.5, 0.5] - 0.5
        crop: UInt8 = cut_smooth(pixels, indexed[None], self.size)[0]
        return crop

    def needs_more_pixels(self, transform: Float64) -> bool:
        """Whether a picture with more pixels would give a sharper crop or a better embedding."""
        enlarged = math.sqrt(abs(float(np.linalg.det(transform[:, :2]))))
        return enlarged * max(1.0, EMBEDDED_SIDE / self.size) > 1


def moved(box: Float32, landmarks: Float32, transform: Float64) -> tuple[Float32, Float32]:
    """A face's box and landmarks in the crop's pixels."""
    points: Float32 = apply(transform, landmarks)
    corners: Float32 = centered_boxes(box[None], transform)[0]
    return corners, points
