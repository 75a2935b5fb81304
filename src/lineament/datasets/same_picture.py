"""Whether two files hold the same picture: hashes that find candidates, and a comparison that decides.

The perceptual hash is pHash (Zauner 2010, "Implementation and benchmarking of perceptual image hash
functions", section 3.2.1): the signs of the lowest 8 x 8 cosine frequencies of the picture at 32 x 32,
about their median.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lineament.geometry.alignment import ARCFACE_112, similarity_transform
from lineament.geometry.crops import cut_smooth
from lineament.geometry.landmarks import flip_horizontally
from lineament.shown import shown
from lineament.types import Float32, Float64, UInt8

CANVAS = 128
"""Side in pixels at which two pictures are laid over each other."""

_FACE_SHARE = 0.5
"""Of the canvas's side that the face's template takes: hair, shoulders and background tell photos of one
session apart, the face alone does not."""

_LEAST_OVERLAP = 0.35
_ROUNDS = (10, 40)
_HOPELESS = 0.5
"""Correlation after the first rounds below which more of them are not worth their time."""

_DETAIL = 8.0
"""Sigma in pixels of the canvas: what is coarser is light and contrast, and does not count."""

_GLANCE, _GLANCE_ROUNDS, _GLANCE_DETAIL = 48, (3, 7), 3.0
_ALIKE = 0.8
"""Correlation at a glance below which two pictures are not one. Of 900 copies of LFW and UTKFace photos,
cropped by 5 % too, all reach 0.96. Of 8,000 pairs of aligned faces with near hashes three reach 0.8, which
are copies; the rest stays below 0.79, here and when compared in full."""


def perceptual_hashes(pixels: UInt8) -> tuple[int, int]:
    """The 64-bit hash of a picture and that of its mirror image."""
    import cv2
    from scipy.fft import dctn

    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, (32, 32), interpolation=cv2.INTER_AREA).astype(np.float32)
    hashes = []
    for picture in (small, small[:, ::-1]):
        low = np.asarray(dctn(picture, norm="ortho"))[:8, :8].ravel()
        bits = low > np.median(low[1:])  # the first is the mean brightness
        hashes.append(int.from_bytes(np.packbits(bits).tobytes(), "big"))
    return hashes[0], hashes[1]


@dataclass(frozen=True, slots=True, eq=False)
class Glance:
    """A picture at 48 x 48, laid out by its edges and by its face if it has one, to be kept for many pairs.

    Each view is the grey picture, float16, and where the canvas shows it.
    """

    views: tuple[tuple[NDArray[np.float16], NDArray[np.bool_]], ...]

    __repr__ = shown


def glance(pixels: UInt8, landmarks: Float32 | None = None) -> Glance:
    """What `may_be_one` compares: RGB ``(H, W, 3)`` and the landmarks ``(5, 2)`` of its face, or None."""
    import cv2

    views = []
    for points in (None,) if landmarks is None else (None, landmarks):
        grey, shown = _laid_out(pixels, points)
        small = cv2.resize(grey, (_GLANCE, _GLANCE), interpolation=cv2.INTER_AREA)
        whole = cv2.resize(shown.astype(np.float32), (_GLANCE, _GLANCE), interpolation=cv2.INTER_AREA)
        views.append((np.asarray(small, np.float16), np.asarray(whole) > 0.999))
    return Glance(tuple(views))


def may_be_one(a: Glance, b: Glance) -> bool:
    """Whether two pictures are alike enough for `overlay`, which takes ten times as long, to decide."""
    for first, second in zip(a.views, b.views, strict=False):  # a face may be known of one only
        x = first[0].astype(np.float32), first[1]
        y = second[0].astype(np.float32), second[1]
        for other in (y, (np.ascontiguousarray(y[0][:, ::-1]), np.ascontiguousarray(y[1][:, ::-1]))):
            if _correlation(x, other, _GLANCE_ROUNDS, _GLANCE_DETAIL) >= _ALIKE:
                return True
    return False


def overlay(
    a: UInt8,
    b: UInt8,
    a_landmarks: Float32 | None = None,
    b_landmarks: Float32 | None = None,
    *,
    enough: float = 1.0,
) -> tuple[float, bool]:
    """How far two pictures are one, and whether one is mirrored: correlation in [-1, 1] when laid together.

    RGB ``(H, W, 3)``; landmarks ``(5, 2)`` of a face in each, or None. They are laid edge on edge, then
    face on face, plain and mirrored, until the correlation of their detail reaches ``enough``; the best
    counts. The fit is refined to fractions of a pixel (Evangelidis & Psarakis 2008, "ECC image alignment",
    IEEE TPAMI 30:10). Brightness and contrast do not count.
    """
    mirror = np.ascontiguousarray(b[:, ::-1])
    best = (-1.0, False)
    for by_face in (False, True):
        if by_face and (a_landmarks is None or b_landmarks is None):
            break
        first = _laid_out(a, a_landmarks if by_face else None)
        for mirrored in (False, True):
            points = b_landmarks if by_face else None
            if mirrored and points is not None:
                points = flip_horizontally(points, b.shape[1])
            score = _correlation(first, _laid_out(mirror if mirrored else b, points))
            best = max(best, (score, mirrored))
            if best[0] >= enough:
                return best
    return best


def _laid_out(pixels: UInt8, landmarks: Float32 | None) -> tuple[Float32, NDArray[np.bool_]]:
    """The picture on the canvas, grey, and where the canvas shows the picture."""
    import cv2

    h, w = pixels.shape[:2]
    if landmarks is None:
        transform = _for_cv2(np.array([[CANVAS / w, 0, 0], [0, CANVAS / h, 0]]))
        crop = cv2.resize(pixels, (CANVAS, CANVAS), interpolation=cv2.INTER_AREA)
    else:
        inner = CANVAS * _FACE_SHARE
        target = ARCFACE_112 * (inner / 112) + (CANVAS - inner) / 2
        transform = _for_cv2(similarity_transform(landmarks, target.astype(np.float32)))
        crop = cut_smooth(pixels, transform[None], CANVAS)[0]
    grey = cv2.cvtColor(np.asarray(crop, np.uint8), cv2.COLOR_RGB2GRAY)
    shown = cv2.warpAffine(np.ones((h, w), np.uint8), transform, (CANVAS, CANVAS), flags=cv2.INTER_NEAREST)
    return np.asarray(cv2.GaussianBlur(grey, (0, 0), 1.0), np.float32), np.asarray(shown, bool)


def _for_cv2(transform: Float64) -> Float64:
    """The map of continuous pixels as OpenCV takes it: the middle of the first pixel at 0, not at 0.5."""
    moved = transform.copy()
    moved[:, 2] += transform[:, :2] @ np.array([0.5, 0.5]) - 0.5
    return moved


def _correlation(
    a: tuple[Float32, NDArray[np.bool_]],
    b: tuple[Float32, NDArray[np.bool_]],
    tries: tuple[int, ...] = _ROUNDS,
    coarser: float = _DETAIL,
) -> float:
    """Of two canvases of one size, after as many rounds of fitting as each of ``tries`` allows."""
    import cv2

    (x, x_shown), (y, y_shown) = a, b
    both = x_shown & y_shown
    if both.mean() < _LEAST_OVERLAP:
        return -1.0
    size = (x.shape[1], x.shape[0])
    warp = np.eye(2, 3, dtype=np.float32)
    score = -1.0
    for rounds in tries:
        stop = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, rounds, 1e-4)
        try:
            cv2.findTransformECC(x, y, warp, cv2.MOTION_AFFINE, stop, both.astype(np.uint8), 5)
        except cv2.error:  # it does not converge: the pictures have nothing in common
            return score
        moved = cv2.warpAffine(y, warp, size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
        mask_flags = cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
        seen = cv2.warpAffine(y_shown.astype(np.uint8), warp, size, flags=mask_flags)
        where = (
            cv2.erode(
                (x_shown & (np.asarray(seen) > 0)).astype(np.uint8),
                np.ones((3, 3), np.uint8),
                borderValue=0,
            )
            > 0
        )
        if where.mean() < _LEAST_OVERLAP:
            return score
        score = max(score, _detail_correlation(x, np.asarray(moved, np.float32), where, coarser))
        if score < _HOPELESS:
            return score
    return score


def _detail_correlation(x: Float32, y: Float32, where: NDArray[np.bool_], coarser: float) -> float:
    import cv2

    weight = np.maximum(cv2.GaussianBlur(where.astype(np.float32), (0, 0), coarser), 1e-6)

    def detail(picture: Float32) -> Float32:
        mean = cv2.GaussianBlur(np.where(where, picture, 0).astype(np.float32), (0, 0), coarser)
        values = (picture - np.asarray(mean) / weight)[where]
        return np.asarray(values - values.mean(), np.float32)

    p, q = detail(x), detail(y)
    spread = float(np.sqrt((p**2).sum() * (q**2).sum()))
    # Two empty pictures have no detail in which they could differ.
    return float((p * q).sum()) / spread if spread > 1e-3 else 1.0
