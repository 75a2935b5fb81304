"""A small look at a picture, and how near to it a small shift, crop or turn can bring many others at once.

Near a picture, the pictures that a small affine map makes of it lie in the space that it spans with its
derivatives by the six numbers of the map (the tangent distance of Simard, LeCun & Denker 1993, "Efficient
pattern recognition using a new transformation distance", NIPS 5). How much of another picture lies in that
space is one product of small matrices, so that the pairs worth laying over each other in full, which takes
a thousand times as long, are found at the speed of memory. The coefficients are the map itself: the other
picture is moved by it and looked at again before it is believed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from lineament.types import Float32, Float64, UInt8

SIDE = 48
_COARSE = 3.0
"""Sigma in pixels of the look: what is coarser is light and contrast, and does not count."""

_HALF = SIDE // 2
_MARGIN = 16
"""Pixels at each edge whose derivatives are one-sided, and which a crop has lost."""

_WORTH_A_MOVE = 0.75
"""Share of a picture in the other's space below which no map is tried. Of 3,000 copies of photos, faces
and crowds (resized, compressed, mirrored, cropped by 5 %) the least had 0.87; of pairs of different aligned
faces one in a hundred has 0.76."""

_MOVES = 2
"""Of half the look, and again of the whole."""

_HOPELESS = (-1.0, 0.6, 0.8, 0.6)
"""Correlation before each move below which it is not tried: coarse looks are more alike than fine ones."""

_LEAST_SHOWN = 0.35


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """How one picture lies on another: the correlation of their detail there, and where that is.

    ``where`` takes a place on the canvas of the first to its place on the second's, float64 ``(3, 3)``,
    about the middle and in sides of the canvas; ``mirrored`` says that the first was mirrored before.
    """

    score: float
    where: Float64
    mirrored: bool = False


def small_look(canvas: UInt8) -> UInt8:
    """A square grey picture as 48 x 48."""
    import cv2

    return np.asarray(cv2.resize(canvas, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.uint8)


def outline(look: UInt8) -> Float32:
    """The detail of half a look as a vector of unit length; zero where there is nothing to see."""
    inner = _inner(_half(look)).ravel()
    length = float(np.linalg.norm(inner))
    return np.asarray(inner / length if length > 0.5 else np.zeros_like(inner), np.float32)


class Surroundings:
    """What small maps make of one look and of its mirror image."""

    def __init__(self, look: UInt8) -> None:
        plain = _Fitter(look)
        self._fitters = [plain, plain.mirrored()]

    def nearest(
        self, look: Callable[[int], UInt8], outlines: Float32, *, least: float, most: int
    ) -> list[tuple[int, Fit]]:
        """Which looks come to correlate at ``least`` or more once they are moved, by number, best first.

        ``outlines`` are those of the looks, one a row. Only the ``most`` likeliest are moved.
        """
        shares = np.stack([fitter.coarse.share(outlines) for fitter in self._fitters])
        best = shares.max(axis=0)
        order = np.argsort(-best, kind="stable")[:most]
        found = []
        for number in order[best[order] >= _WORTH_A_MOVE]:
            mirrored = bool(shares[1, number] > shares[0, number])
            fit = self._fitters[mirrored].fit(look(int(number)))
            if fit is not None and fit.score >= least:
                found.append((int(number), replace(fit, mirrored=mirrored)))
        return sorted(found, key=lambda one: (-one[1].score, one[0]))


class _Space:
    """A look and its derivatives by the six numbers of an affine map."""

    def __init__(self, look: Float32) -> None:
        self._side = len(look)
        down, right = np.gradient(look)
        at = np.arange(self._side, dtype=np.float32) - (self._side - 1) / 2
        x, y = at[None, :], at[:, None]
        parts = np.stack((look, right, right * x, right * y, down, down * x, down * y), axis=2)
        columns = _inner(np.asarray(parts, np.float32)).reshape(-1, parts.shape[2])
        self._sizes = np.maximum(np.linalg.norm(columns, axis=0), 1e-3)
        self._take(np.asarray(columns / self._sizes, np.float32))

    def _take(self, parts: Float32) -> None:
        self._parts = parts
        # A ten-thousandth keeps a look that is flat, or flat one way, from dividing by nothing.
        mixed = (parts.T @ parts).astype(np.float64) + 1e-4 * np.eye(parts.shape[1])
        self._unmixed = np.linalg.inv(mixed)
        self._apart = np.linalg.inv(np.linalg.cholesky(mixed)).T.astype(np.float32)

    def mirrored(self) -> _Space:
        """That of the mirror image: the same columns from right to left, where left is right now."""
        other = copy(self)
        side = math.isqrt(len(self._parts))
        seen = self._parts.reshape(side, side, -1)[:, ::-1].reshape(self._parts.shape)
        other._take(np.ascontiguousarray(seen * np.array((1, -1, 1, -1, 1, -1, 1), np.float32)))
        return other

    def share(self, outlines: Float32) -> Float32:
        """Length of each row's part that lies in the space, in [0, 1]."""
        return np.asarray(np.linalg.norm(outlines @ self._parts @ self._apart, axis=1), np.float32)

    def step(self, look: Float32, where: Float64, least: float) -> Float64 | None:
        """A better map than ``where`` for another look; None if that one correlates below ``least``."""
        seen = _inner(_moved(look, where)).ravel()
        likeness = self._parts.T @ seen
        if likeness[0] < least * float(np.linalg.norm(seen)):
            return None
        weights = self._unmixed @ likeness / self._sizes
        if weights[0] <= 0:
            return None
        a, b, c, d, e, f = weights[1:] / weights[0]
        back = np.array([[1 + b, c, a / self._side], [e, 1 + f, d / self._side], [0, 0, 1.0]])
        if not 0.25 < back[0, 0] * back[1, 1] - back[0, 1] * back[1, 0] < 4:
            return None
        return np.asarray(where @ np.linalg.inv(back), np.float64)


class _Fitter:
    """Brings other looks onto one, coarse first."""

    def __init__(self, look: UInt8, coarse: _Space | None = None) -> None:
        self._look = look.astype(np.float32)
        self.coarse = coarse or _Space(_half(look))

    def mirrored(self) -> _Fitter:
        """That of the mirror image."""
        look = np.ascontiguousarray(self._look[:, ::-1])
        return _Fitter(np.asarray(look, np.uint8), self.coarse.mirrored())

    @cached_property
    def _fine(self) -> _Space:
        return _Space(self._look)

    def fit(self, look: UInt8) -> Fit | None:
        """How another look lies on this one, or None where it does not."""
        where: Float64 | None = np.eye(3)
        half, whole = _half(look), look.astype(np.float32)
        for number in range(2 * _MOVES):
            assert where is not None
            least = _HOPELESS[number]
            coarse = number < _MOVES
            where = self.coarse.step(half, where, least) if coarse else self._fine.step(whole, where, least)
            if where is None:
                return None
        assert where is not None
        shown = _moved(np.ones((SIDE, SIDE), np.float32), where, outside=0.0) > 0.999
        if shown.mean() < _LEAST_SHOWN:
            return None
        return Fit(_correlation(self._look, _moved(whole, where), shown), where)


def in_pixels(where: Float64, side: int) -> Float64:
    """A map about the middle, in sides, as OpenCV takes it for a square of ``side`` pixels, ``(2, 3)``."""
    middle = (side - 1) / 2
    moved = where[:2] * np.array([1, 1, side])
    moved[:, 2] += middle - where[:2, :2] @ np.array([middle, middle])
    return np.asarray(moved, np.float64)


def _half(look: UInt8) -> Float32:
    import cv2

    smooth = cv2.GaussianBlur(look.astype(np.float32), (0, 0), 2.0)
    return np.asarray(cv2.resize(smooth, (_HALF, _HALF), interpolation=cv2.INTER_AREA), np.float32)


def _inner(look: Float32) -> Float32:
    """The detail of a look, or of several one behind the other, without its edges."""
    edge = len(look) // _MARGIN
    fine = (look - _blurred(look, _COARSE * len(look) / SIDE))[edge:-edge, edge:-edge]
    return np.asarray(fine - fine.mean(axis=(0, 1)), np.float32)


def _blurred(look: Float32, sigma: float) -> Float32:
    import cv2

    return np.asarray(cv2.GaussianBlur(look, (0, 0), sigma, borderType=cv2.BORDER_REFLECT), np.float32)


def _moved(look: Float32, where: Float64, outside: float | None = None) -> Float32:
    """The look read where a map about its middle leads; beyond the edges as at them, or ``outside``."""
    import cv2

    read = in_pixels(where, len(look))
    mode = cv2.BORDER_REPLICATE if outside is None else cv2.BORDER_CONSTANT
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    moved = cv2.warpAffine(
        look, read, look.shape[::-1], flags=flags, borderMode=mode, borderValue=outside or 0
    )
    return np.asarray(moved, np.float32)


def _correlation(a: Float32, b: Float32, shown: NDArray[np.bool_]) -> float:
    x, y = ((look - _blurred(look, _COARSE))[shown] for look in (a, b))
    x, y = x - x.mean(), y - y.mean()
    spread = float(np.sqrt((x @ x) * (y @ y)))
    return float(x @ y) / spread if spread > 1e-3 else -1.0
