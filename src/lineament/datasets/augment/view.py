"""One picture with the boxes and landmarks of its faces: what every step takes and gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from lineament.errors import InvalidArray
from lineament.shown import shown
from lineament.types import Float32, UInt8


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """A picture, uint8 ``(H, W, 3)`` RGB, and its N faces.

    ``boxes`` float32 ``(N, 4)`` xyxy and ``landmarks`` float32 ``(N, 5, 2)`` in continuous pixels: the
    centre of the first pixel lies at (0.5, 0.5). A face without a box or landmarks has NaN there.
    ``shares`` float32 ``(N,)`` is how much of each box's area the steps so far have left to be seen.
    """

    pixels: UInt8
    boxes: Float32
    landmarks: Float32
    shares: Float32

    __repr__ = shown

    @classmethod
    def of(cls, pixels: UInt8, boxes: Any = None, landmarks: Any = None) -> View:
        """A view from what is known; missing boxes or landmarks become NaN. Raises `InvalidArray`."""
        if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or 0 in pixels.shape:
            raise InvalidArray(f"picture: expected uint8 (H, W, 3) RGB, got {pixels.dtype} {pixels.shape}")
        given_boxes = None if boxes is None else np.asarray(boxes, np.float32)
        given_points = None if landmarks is None else np.asarray(landmarks, np.float32)
        n = next((len(g) for g in (given_boxes, given_points) if g is not None), 0)
        box_array = np.full((n, 4), np.nan, np.float32) if given_boxes is None else given_boxes
        points = np.full((n, 5, 2), np.nan, np.float32) if given_points is None else given_points
        if box_array.shape != (n, 4) or points.shape != (n, 5, 2):
            raise InvalidArray(
                f"expected boxes (N, 4) and landmarks (N, 5, 2), got {box_array.shape} and {points.shape}"
            )
        return cls(pixels, box_array, points, np.ones(n, np.float32))

    @property
    def size_wh(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.pixels.shape[1], self.pixels.shape[0]


class Step(Protocol):
    """One random change, drawn from the generator alone."""

    def __call__(self, view: View, rng: np.random.Generator) -> View:
        """The changed view; the one given is left as it is."""


FloatPixels = NDArray[np.float32]
