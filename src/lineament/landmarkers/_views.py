"""Square views of faces, turned upright, and the way back from a view to the picture."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from lineament.geometry.alignment import apply, invert
from lineament.shown import shown
from lineament.types import Float32, Float64, UInt8

_SHRINK_FIRST = 0.6
"""Below this scale the picture is shrunk by area first: bilinear reading would skip pixels."""


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """A square of ``side`` pixels of a picture around ``center`` ``(2,)``, shown upright.

    ``roll`` is how far the square is turned clockwise on screen, in radians.
    """

    pixels: UInt8
    center: Float64
    side: float
    roll: float = 0.0

    __repr__ = shown

    def turned(self, radians: float) -> View:
        """The same square turned further."""
        return View(self.pixels, self.center, self.side, self.roll + radians)

    def to_view(self, size: int) -> Float64:
        """The map ``(2, 3)`` from the picture's continuous coordinates to those of a view of that size."""
        c, s = math.cos(self.roll), math.sin(self.roll)
        linear = np.array([[c, s], [-s, c]]) * (size / self.side)
        return np.concatenate([linear, (size / 2 - linear @ self.center)[:, None]], axis=1)

    def to_picture(self, shares: Float32) -> Float32:
        """Points ``(K, 2)`` given as shares of the view, in the picture's pixels."""
        return apply(invert(self.to_view(1)), shares)

    def cut(self, size: int) -> UInt8:
        """uint8 ``(size, size, 3)``; beyond the picture its border goes on.

        Only the surroundings are read: the picture may be huge.
        """
        import cv2

        h, w = self.pixels.shape[:2]
        reach = self.side * 0.75 + 2
        x0, y0 = (int(v) for v in np.clip(np.floor(self.center - reach), 0, [w - 1, h - 1]))
        x1, y1 = (int(v) for v in np.clip(np.ceil(self.center + reach), [x0 + 1, y0 + 1], [w, h]))
        part, transform = self.pixels[y0:y1, x0:x1], self.to_view(size)
        transform[:, 2] += transform[:, :2] @ np.array([x0, y0])
        scale = size / self.side
        if scale < _SHRINK_FIRST:
            small_wh = max(1, round((x1 - x0) * scale)), max(1, round((y1 - y0) * scale))
            part = np.asarray(cv2.resize(part, small_wh, interpolation=cv2.INTER_AREA), np.uint8)
            transform[:, :2] *= np.array([(x1 - x0) / small_wh[0], (y1 - y0) / small_wh[1]])
        # OpenCV puts the centre of a pixel at whole numbers, we at halves.
        transform[:, 2] += transform[:, :2] @ np.array([0.5, 0.5]) - 0.5
        cut = cv2.warpAffine(
            part, transform, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        return np.asarray(cut, np.uint8)


def around(pixels: UInt8, box: Float32, times: float, roll: float = 0.0) -> View:
    """The square round a box's centre, its side so many times the box's longer one."""
    box = np.asarray(box, np.float64)
    return View(pixels, (box[:2] + box[2:]) / 2, max(1.0, *(box[2:] - box[:2])) * times, roll)
