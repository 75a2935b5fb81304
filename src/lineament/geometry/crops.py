"""Cutting aligned faces out of pictures."""

from __future__ import annotations

import numpy as np

from lineament.geometry.alignment import ARCFACE_112, apply, invert, similarity_transform
from lineament.types import Float32, Float64, UInt8

_CV2_LONGEST_SIDE = 32_766
"""cv2.warpAffine addresses source pixels with 16-bit integers."""


def cut(pixels: UInt8, transforms: Float64, size: int, out: UInt8 | None = None) -> UInt8:
    """Square crops ``(N, size, size, 3)`` of one picture, black beyond its border.

    ``transforms`` float64 ``(N, 2, 3)`` take picture to crop coordinates. Bilinear, as the models were
    trained and as ``cv2.FaceRecognizerSF.alignCrop`` does it. ``out`` is filled and returned when given.
    """
    import cv2

    crops = np.empty((len(transforms), size, size, 3), np.uint8) if out is None else out
    for crop, whole in zip(crops, transforms, strict=True):
        source, transform = pixels, whole
        if max(pixels.shape[:2]) > _CV2_LONGEST_SIDE:
            source, transform = _around(pixels, whole, size)
        cv2.warpAffine(source, transform, (size, size), dst=crop, flags=cv2.INTER_LINEAR)
    return crops


def cut_aligned(pixels: UInt8, landmarks: Float32, size: int) -> UInt8:
    """Faces with landmarks ``(N, 5, 2)`` of one picture as `cut` gives them, aligned by ArcFace's template.

    Raises `ValueError` where all landmarks of a face coincide.
    """
    template = np.broadcast_to(ARCFACE_112 * (size / 112), landmarks.shape)
    return cut(pixels, similarity_transform(landmarks, template), size)


def cut_smooth(pixels: UInt8, transforms: Float64, size: int) -> UInt8:
    """As `cut`, but where the picture is shrunk, each crop pixel averages those it covers.

    What models expect that were trained on chips from an image pyramid, as dlib makes them.
    """
    import cv2

    crops = np.empty((len(transforms), size, size, 3), np.uint8)
    for crop, transform in zip(crops, transforms, strict=True):
        times = max(1, int(1 / np.sqrt(abs(np.linalg.det(transform[:, :2])))))
        # Pixel i of the crop is the mean of pixels times * i to times * i + times - 1 of the larger one.
        larger = transform * times
        larger[:, 2] += (times - 1) / 2
        wide = cut(pixels, larger[None], size * times)[0]
        cv2.resize(wide, (size, size), dst=crop, interpolation=cv2.INTER_AREA)
    return crops


def _around(pixels: UInt8, transform: Float64, size: int) -> tuple[UInt8, Float64]:
    """The part of the picture that the crop reads, and the map from that part."""
    corners: Float32 = np.array([[0, 0], [size, 0], [0, size], [size, size]], np.float32)
    seen = apply(invert(transform), corners)
    h, w = pixels.shape[:2]
    x0, y0 = (int(v) for v in np.clip(np.floor(seen.min(axis=0)) - 2, 0, [w - 1, h - 1]))
    x1, y1 = (int(v) for v in np.clip(np.ceil(seen.max(axis=0)) + 3, [x0 + 1, y0 + 1], [w, h]))
    moved = transform.copy()
    moved[:, 2] += transform[:, :2] @ np.array([x0, y0])
    return pixels[y0:y1, x0:x1][:_CV2_LONGEST_SIDE, :_CV2_LONGEST_SIDE], moved
