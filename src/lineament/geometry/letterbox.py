"""A picture of any shape as a square, its proportions kept: shrunk or enlarged, grey bars beside it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lineament.types import Float32, UInt8

GREY = 114
"""Of the bars, as in Ultralytics' networks."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where the picture lies in the square: its point ``p`` lies at ``p * scale_xy + offset_xy``.

    Two scales, because the sides of the picture in the square are whole pixels.
    """

    scale_xy: tuple[float, float]
    offset_xy: tuple[float, float]

    def to_square(self, points: Float32) -> Float32:
        """Points or boxes ``(..., 2)`` or ``(..., 4)`` of the picture, in the square's pixels."""
        scale, offset = self._like(points)
        return np.asarray(points * scale + offset, np.float32)

    def to_picture(self, points: Float32) -> Float32:
        """The reverse of `to_square`."""
        scale, offset = self._like(points)
        return np.asarray((points - offset) / scale, np.float32)

    def _like(self, points: Float32) -> tuple[Float32, Float32]:
        times = points.shape[-1] // 2
        scale, offset = np.array(self.scale_xy, np.float32), np.array(self.offset_xy, np.float32)
        return np.tile(scale, times), np.tile(offset, times)


def letterbox(pixels: UInt8, size: int) -> tuple[UInt8, Placement]:
    """uint8 ``(H, W, 3)`` -> ``(size, size, 3)``, the picture in its middle, and where it lies there."""
    import cv2

    h, w = pixels.shape[:2]
    scale = size / max(h, w)
    inner_w, inner_h = max(1, round(w * scale)), max(1, round(h * scale))
    if (inner_w, inner_h) != (w, h):
        how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        pixels = np.asarray(cv2.resize(pixels, (inner_w, inner_h), interpolation=how), np.uint8)
    left, top = (size - inner_w) // 2, (size - inner_h) // 2
    square = np.full((size, size, 3), GREY, np.uint8)
    square[top : top + inner_h, left : left + inner_w] = pixels
    return square, Placement((inner_w / w, inner_h / h), (float(left), float(top)))
