"""Whether two files hold the same picture: hashes that find candidates, and a comparison that decides.

The perceptual hash is pHash (Zauner 2010, "Implementation and benchmarking of perceptual image hash
functions", section 3.2.1): the signs of the lowest 8 x 8 cosine frequencies of the picture at 32 x 32,
about their median.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dctn

from lineament.datasets.cleaning.glances import Fit, in_pixels, small_look
from lineament.geometry.alignment import ARCFACE_112, similarity_transform
from lineament.geometry.crops import cut_smooth
from lineament.shown import shown as in_short
from lineament.types import Float32, Float64, UInt8

CANVAS = 128
"""Side in pixels at which two pictures are laid over each other."""

_FACE_SHARE = 0.5
"""Of the canvas's side that the face's template takes: hair, shoulders and background tell photos of one
session apart, the face alone does not."""

_MIDDLE = 0.5
"""Of the side of a canvas with a face, what is looked at first: the face alone."""

_LEAST_OVERLAP = 0.35
_ROUNDS = (10, 40)
_HOPELESS = 0.85
"""Correlation after the first rounds below which more of them are not worth their time: the fit that they
start from is within a pixel already."""

_DETAIL = 8.0
"""Sigma in pixels of the canvas: what is coarser is light and contrast, and does not count."""


def perceptual_hashes(pixels: UInt8) -> tuple[int, int]:
    """The 64-bit hash of a picture and that of its mirror image."""
    import cv2

    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, (32, 32), interpolation=cv2.INTER_AREA).astype(np.float32)
    hashes = []
    for picture in (small, small[:, ::-1]):
        low = np.asarray(dctn(picture, norm="ortho"))[:8, :8].ravel()
        bits = low > np.median(low[1:])  # the first is the mean brightness
        hashes.append(int.from_bytes(np.packbits(bits).tobytes(), "big"))
    return hashes[0], hashes[1]


@dataclass(frozen=True, slots=True, eq=False)
class Canvas:
    """A picture laid out at 128 x 128, grey; ``shown`` is where it has pixels, None for everywhere."""

    grey: UInt8
    shown: NDArray[np.bool_] | None = None

    __repr__ = in_short


def lay_out(pixels: UInt8, landmarks: Float32 | None = None) -> Canvas:
    """RGB ``(H, W, 3)`` by its edges, or by the landmarks ``(5, 2)`` of its face where they are given."""
    import cv2

    h, w = pixels.shape[:2]
    if landmarks is None:
        crop, shown = cv2.resize(pixels, (CANVAS, CANVAS), interpolation=cv2.INTER_AREA), None
    else:
        inner = CANVAS * _FACE_SHARE
        target = ARCFACE_112 * (inner / 112) + (CANVAS - inner) / 2
        transform = _for_cv2(similarity_transform(landmarks, target.astype(np.float32)))
        crop = cut_smooth(pixels, transform[None], CANVAS)[0]
        ones = np.ones((h, w), np.uint8)
        shown = np.asarray(cv2.warpAffine(ones, transform, (CANVAS, CANVAS), flags=cv2.INTER_NEAREST), bool)
    grey = cv2.cvtColor(np.asarray(crop, np.uint8), cv2.COLOR_RGB2GRAY)
    return Canvas(np.asarray(cv2.GaussianBlur(grey, (0, 0), 1.0), np.uint8), shown)


def look_at(canvas: Canvas) -> UInt8:
    """What is kept of a canvas for a glance: all of it, or the middle of one that a face was laid on.

    There a cut that took the surroundings away has left pixels.
    """
    if canvas.shown is None:
        return small_look(canvas.grey)
    edge = round(CANVAS * (1 - _MIDDLE) / 2)
    return small_look(np.ascontiguousarray(canvas.grey[edge:-edge, edge:-edge]))


def overlay(a: Canvas, b: Canvas, fit: Fit, *, enough: float = 1.0) -> float:
    """How far two pictures are one: correlation of their detail in [-1, 1], laid together from ``fit`` on.

    ``fit`` is that of what `look_at` makes of them; it is refined to fractions of a pixel (Evangelidis &
    Psarakis 2008, "ECC image alignment", IEEE TPAMI 30:10) until the correlation reaches ``enough``.
    Brightness and contrast do not count.
    """
    import cv2

    x, x_shown = _parts(a)
    if fit.mirrored:
        x, x_shown = np.ascontiguousarray(x[:, ::-1]), np.ascontiguousarray(x_shown[:, ::-1])
    y, y_shown = _parts(b)
    size = (CANVAS, CANVAS)
    seen_side = 1.0 if a.shown is None else _MIDDLE
    first = fit.where * np.array([1.0, 1.0, seen_side])
    warp = np.asarray(in_pixels(first, CANVAS), np.float32)
    score = -1.0
    for rounds in _ROUNDS:
        stop = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, rounds, 1e-4)
        both = (x_shown & _read(y_shown, warp)).astype(np.uint8)
        if both.mean() < _LEAST_OVERLAP:
            return score
        try:
            cv2.findTransformECC(x, y, warp, cv2.MOTION_AFFINE, stop, x_shown.astype(np.uint8), 5)
        except cv2.error:  # it does not converge: the pictures have nothing in common
            return score
        moved = cv2.warpAffine(y, warp, size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
        seen = (x_shown & _read(y_shown, warp)).astype(np.uint8)
        where = np.asarray(cv2.erode(seen, np.ones((3, 3), np.uint8), borderValue=0)) > 0
        if where.mean() < _LEAST_OVERLAP:
            return score
        score = max(score, _detail_correlation(x, np.asarray(moved, np.float32), where))
        if score < _HOPELESS or score >= enough:
            return score
    return score


def _parts(canvas: Canvas) -> tuple[Float32, NDArray[np.bool_]]:
    grey = canvas.grey.astype(np.float32)
    return grey, np.ones(grey.shape, bool) if canvas.shown is None else canvas.shown


def _read(shown: NDArray[np.bool_], warp: Float32) -> NDArray[np.bool_]:
    """Where a canvas that is read through a map has pixels."""
    import cv2

    flags = cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(shown.astype(np.uint8), warp, (CANVAS, CANVAS), flags=flags)) > 0


def _for_cv2(transform: Float64) -> Float64:
    """The map of continuous pixels as OpenCV takes it: the middle of the first pixel at 0, not at 0.5."""
    moved = transform.copy()
    moved[:, 2] += transform[:, :2] @ np.array([0.5, 0.5]) - 0.5
    return moved


def _detail_correlation(x: Float32, y: Float32, where: NDArray[np.bool_]) -> float:
    import cv2

    weight = np.maximum(cv2.GaussianBlur(where.astype(np.float32), (0, 0), _DETAIL), 1e-6)

    def detail(picture: Float32) -> Float32:
        mean = cv2.GaussianBlur(np.where(where, picture, 0).astype(np.float32), (0, 0), _DETAIL)
        values = (picture - np.asarray(mean) / weight)[where]
        return np.asarray(values - values.mean(), np.float32)

    p, q = detail(x), detail(y)
    spread = float(np.sqrt((p**2).sum() * (q**2).sum()))
    # Two empty pictures have no detail in which they could differ.
    return float((p * q).sum()) / spread if spread > 1e-3 else 1.0
