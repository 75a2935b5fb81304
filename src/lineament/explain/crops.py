"""What a network sees of a picture: the crop it would be given."""

from __future__ import annotations

import cv2
import numpy as np

from lineament.analyzer import Analyzer, central_face
from lineament.errors import ConfigError, NoLandmarks
from lineament.geometry.crop_style import CropStyle
from lineament.io import images
from lineament.io.trained import TrainedCard
from lineament.protocols import Detector, Landmarker
from lineament.types import Face, UInt8


def seen_by(
    card: TrainedCard, picture: str, *, detector: str | Detector | None = None, whole: bool = False
) -> UInt8:
    """The crop uint8 ``(S, S, 3)`` of the face nearest the picture's centre, cut as the card says.

    The face is found by the detector of the training unless another is given, or by YuNet. ``whole`` takes
    the picture as it is, resized: for crops, and for models of whole pictures. Raises the picture's error,
    `NoFaceFound`, `NoLandmarks`, or `ConfigError` for a card without a size.
    """
    size = card.input.size
    if size is None:
        raise ConfigError(f"{card.name}: its card does not say how large its pictures are")
    if whole:
        return resized(images.load(picture).pixels, size)
    style = card.crop or CropStyle(size, align=card.input.alignment == "arcface_112")
    return cut(picture, style, size, detector or card.data.detector or "yunet")


def aligned(
    picture: str,
    size: int,
    *,
    detector: str | Detector = "yunet",
    landmarks: str | Landmarker | None = None,
) -> UInt8:
    """The crop that an embedder of that size is given; raises as `seen_by` does."""
    return cut(picture, CropStyle(size, align=True), size, detector, landmarks)


def cut(
    picture: str,
    style: CropStyle,
    size: int,
    detector: str | Detector,
    landmarks: str | Landmarker | None = None,
) -> UInt8:
    """The face nearest the centre in a style, resized to ``size``; ``landmarks`` place its points anew."""
    with Analyzer(
        detector, embedder=None, quality=False, workers=1, keep_images=True, landmarks=landmarks
    ) as analyzer:
        outcome = analyzer.analyze_one(picture)
    face = central_face(outcome)
    assert outcome.image is not None
    return resized(_cut(outcome.image.pixels, outcome.image.scale, face, style), size)


def _cut(pixels: UInt8, scale: float, face: Face, style: CropStyle) -> UInt8:
    if face.landmarks is None and style.align:
        raise NoLandmarks("the detector gave no landmarks, so the face cannot be aligned")
    points = np.zeros((5, 2), np.float32) if face.landmarks is None else face.landmarks / scale
    turned = 0.0 if face.attempt is None else face.attempt.rotation_deg
    try:
        transform = style.transform((face.box / scale).astype(np.float32), points, turned)
    except ValueError as error:
        raise NoLandmarks("all landmarks of the face coincide, so it cannot be aligned") from error
    return style.cut(pixels, transform)


def resized(pixels: UInt8, size: int) -> UInt8:
    """The middle square at ``size`` pixels a side."""
    h, w = pixels.shape[:2]
    side = min(h, w)
    if (h, w) == (size, size):
        return pixels
    square = pixels[(h - side) // 2 : (h - side) // 2 + side, (w - side) // 2 : (w - side) // 2 + side]
    how = cv2.INTER_AREA if side > size else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(square, (size, size), interpolation=how), np.uint8)
