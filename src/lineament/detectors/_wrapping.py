"""What detectors that wrap another have in common: making it, and changed pictures to show it."""

from __future__ import annotations

import numpy as np

from lineament.errors import ConfigError
from lineament.geometry.rotation import rotate_about_center
from lineament.protocols import Detector
from lineament.registry import detectors
from lineament.types import Float64, UInt8


def create_base(wrapper: str, spec: str) -> Detector:
    """The detector to wrap."""
    if spec.partition(":")[0] == wrapper:
        raise ConfigError(f"{wrapper}: cannot wrap itself")
    return detectors.create(spec)


def rotated(pixels: UInt8, angle_deg: float, longest: int) -> tuple[UInt8, Float64, float]:
    """The picture turned counter-clockwise about its centre on a canvas that holds all of it.

    Also returns the map from its coordinates to the canvas's, and its scale: quarter turns move pixels
    unchanged, other angles first shrink a picture longer than ``longest``.
    """
    h, w = pixels.shape[:2]
    transform, size_wh = rotate_about_center((w, h), angle_deg)
    if angle_deg % 90 == 0:
        return np.ascontiguousarray(np.rot90(pixels, int(angle_deg // 90))), transform, 1.0
    scale = min(1.0, longest / max(h, w))
    size_wh = (max(1, round(size_wh[0] * scale)), max(1, round(size_wh[1] * scale)))
    return warp(pixels, transform * scale, size_wh), transform * scale, scale


def warp(pixels: UInt8, transform: Float64, size_wh: tuple[int, int]) -> UInt8:
    """The picture under an affine map of continuous coordinates, black beyond its border.

    OpenCV puts the centre of a pixel at whole numbers, we at halves. A map that shrinks by more than half
    is applied to a picture shrunk by area averaging, or fine texture would turn into noise.
    """
    import cv2

    h, w = pixels.shape[:2]
    shrink = float(np.sqrt(abs(np.linalg.det(transform[:, :2]))))
    if shrink < 0.5:
        small_wh = max(1, round(w * shrink)), max(1, round(h * shrink))
        pixels = np.asarray(cv2.resize(pixels, small_wh, interpolation=cv2.INTER_AREA), np.uint8)
        transform = transform.copy()
        transform[:, :2] = transform[:, :2] @ np.diag([w / small_wh[0], h / small_wh[1]])
    centred = transform.copy()
    centred[:, 2] += transform[:, :2] @ np.array([0.5, 0.5]) - 0.5
    return np.asarray(cv2.warpAffine(pixels, centred, size_wh, flags=cv2.INTER_LINEAR), np.uint8)
