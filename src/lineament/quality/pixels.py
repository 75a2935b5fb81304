"""Sharpness and exposure of aligned crops."""

from __future__ import annotations

import numpy as np

from lineament.types import Float32, UInt8

_NEAR_BLACK, _NEAR_WHITE = 16, 239
_ENOUGH_RANGE = 64.0


def sharpness(crops: UInt8) -> Float32:
    """Share of luminance variation that is fine detail, ``(N,)``: near 0 is flat or blurred.

    Standard deviation of the 3 x 3 Laplacian over that of the luminance, in the face region of RGB crops
    ``(N, S, S, 3)``. Dividing by the contrast keeps soft light from passing for blur; noise counts as
    detail. A face smaller than the crop was enlarged, so it scores low, as it should.
    """
    import cv2

    values = np.zeros(len(crops), np.float32)
    for i, crop in enumerate(crops):
        grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)
        _, contrast = cv2.meanStdDev(_face_region(grey))
        _, detail = cv2.meanStdDev(_face_region(cv2.Laplacian(grey, cv2.CV_16S)))
        if contrast[0, 0] >= 1:
            values[i] = detail[0, 0] / contrast[0, 0]
    return values


def exposure(crops: UInt8) -> Float32:
    """How much of the brightness range the face uses without clipping, ``(N,)`` in [0, 1].

    The share of face pixels neither near black (below 16) nor near white (above 239), times the range from
    the 5th to the 95th percentile of luminance as a share of 64, at most 1. Mean brightness is left out on
    purpose: it would mark dark skin down.
    """
    import cv2

    values = np.zeros(len(crops), np.float32)
    for i, crop in enumerate(crops):
        grey = np.ascontiguousarray(_face_region(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)))
        below = np.cumsum(np.bincount(grey.ravel(), minlength=256)) / grey.size
        low, high = np.searchsorted(below, [0.05, 0.95])
        usable = below[_NEAR_WHITE] - below[_NEAR_BLACK - 1]
        values[i] = usable * min(1.0, float(high - low) / _ENOUGH_RANGE)
    return values


def _face_region(crop: UInt8) -> UInt8:
    """The middle of an aligned crop: brows to chin, without most hair and background."""
    size = crop.shape[0]
    return crop[size * 3 // 14 : size * 13 // 14, size * 3 // 14 : size * 11 // 14]
