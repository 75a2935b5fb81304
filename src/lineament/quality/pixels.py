"""Sharpness and exposure of aligned crops."""

from __future__ import annotations

import numpy as np

from lineament.types import Float32, UInt8

_DARK, _LIGHT = 16, 239
_ENOUGH_RANGE = 64.0


def _face_region(size: int) -> tuple[slice, slice]:
    """The middle of an aligned crop: brows to chin, without most hair and background."""
    return slice(size * 3 // 14, size * 13 // 14), slice(size * 3 // 14, size * 11 // 14)


def sharpness(crops: UInt8) -> Float32:
    """Share of luminance variation that is fine detail, ``(N,)``: 0 is flat or blurred.

    Standard deviation of the 3 x 3 Laplacian over that of the luminance, in the face region of RGB crops
    ``(N, S, S, 3)``. Dividing by the contrast keeps a soft light from passing for blur; noise counts as
    detail. A face smaller than the crop was enlarged, so it scores low, as it should.
    """
    import cv2

    region = _face_region(crops.shape[1])
    values = np.zeros(len(crops), np.float32)
    for i, crop in enumerate(crops):
        grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)
        detail = cv2.Laplacian(grey, cv2.CV_32F)[region]
        contrast = float(grey[region].std())
        values[i] = 0.0 if contrast < 1 else float(detail.std()) / contrast
    return values


def exposure(crops: UInt8) -> Float32:
    """How much of the brightness range the face uses without clipping, ``(N,)`` in [0, 1].

    The share of face pixels neither near black (below 16) nor near white (above 239), times the range
    between the 5th and the 95th percentile of luminance as a share of 64, at most 1. The mean brightness
    is left out on purpose: it would mark dark skin down.
    """
    import cv2

    region = _face_region(crops.shape[1])
    values = np.zeros(len(crops), np.float32)
    for i, crop in enumerate(crops):
        grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)[region]
        low, high = np.percentile(grey, [5, 95])
        usable = float(((grey >= _DARK) & (grey <= _LIGHT)).mean())
        values[i] = usable * min(1.0, float(high - low) / _ENOUGH_RANGE)
    return values
