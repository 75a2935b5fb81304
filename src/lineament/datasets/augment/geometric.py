"""Steps that move pixels: one affine map a step, which boxes and landmarks follow."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from lineament.datasets.augment.view import View
from lineament.errors import ConfigError, PictureTooLarge
from lineament.geometry import boxes as box_geometry
from lineament.geometry.alignment import apply
from lineament.geometry.landmarks import flip_horizontally
from lineament.geometry.polygons import shares_inside
from lineament.geometry.rotation import enclosing_boxes
from lineament.types import Float32, Float64

_TRIES = 20
_CV2_LONGEST_SIDE = 32_766
"""cv2.warpAffine addresses pixels with 16-bit integers."""

Border = Literal["black", "reflect", "edge"]


@dataclass(frozen=True, slots=True, eq=False)
class Move:
    """One drawn change of place: an affine map ``(2, 3)`` onto a picture of ``size_wh``, or mirroring."""

    transform: Float64
    size_wh: tuple[int, int]
    border: Border = "black"
    mirrored: bool = False

    def shares(self, view: View) -> Float32:
        """How much of each face's box would be left to be seen, ``(N,)``; no pixel is touched."""
        return view.shares if self.mirrored else _shares(view, self.transform, self.size_wh)

    def __call__(self, view: View) -> View:
        """The view so changed."""
        return flip(view) if self.mirrored else warp(view, self.transform, self.size_wh, self.border)


class Moving:
    """A step that moves pixels: it draws a `Move`, which may be looked at before it is made."""

    __slots__ = ()

    def draw(self, view: View, rng: np.random.Generator) -> Move | None:
        """A random move; None leaves the picture as it is."""
        raise NotImplementedError

    def rest(self, view: View) -> Move | None:
        """What is made of the picture where no draw serves; None leaves it as it is."""
        return None

    def __call__(self, view: View, rng: np.random.Generator) -> View:
        """The view after the first draw."""
        move = self.draw(view, rng)
        return view if move is None else move(view)


@dataclass(frozen=True, slots=True)
class Flip(Moving):
    """Mirror left and right with probability ``p``; right and left landmarks change places."""

    p: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.p <= 1:
            raise ConfigError(f"flip: probability {self.p} is not in [0, 1]")

    def draw(self, view: View, rng: np.random.Generator) -> Move | None:
        """Mirrored or not."""
        if rng.random() >= self.p:
            return None
        w, h = view.size_wh
        return Move(np.array([[-1.0, 0, w], [0, 1, 0]]), (w, h), mirrored=True)


@dataclass(frozen=True, slots=True)
class Rotate(Moving):
    """Turn about the centre by an angle uniform in +-``deg``; the picture keeps its size.

    A box becomes the smallest upright one around the turned box, cut to the picture. ``border`` is what
    shows in the corners.
    """

    deg: float = 20.0
    border: Border = "black"

    def __post_init__(self) -> None:
        if not 0 <= self.deg <= 180:
            raise ConfigError(f"rotate: {self.deg} degrees are not in [0, 180]")
        _check_border(self.border)

    def draw(self, view: View, rng: np.random.Generator) -> Move:
        """Turned."""
        return _turn(view.size_wh, rng.uniform(-self.deg, self.deg), self.border)


@dataclass(frozen=True, slots=True)
class Zoom(Moving):
    """Cut a part of the same shape, its sides shorter by ``low`` to ``high`` percent, and enlarge it again.

    The part lies anywhere. Of every box at least ``visible`` of its area stays in sight (of the part's area
    where the part is the smaller one); where 20 draws find no such part, the picture stays as it is.
    """

    low: float = 0.0
    high: float = 30.0
    visible: float = 0.8

    def __post_init__(self) -> None:
        if not 0 <= self.low <= self.high < 100:
            raise ConfigError(f"zoom: {self.low} to {self.high} percent is not a range in [0, 100)")

    def draw(self, view: View, rng: np.random.Generator) -> Move | None:
        """Cut and enlarged."""
        w, h = view.size_wh
        for _ in range(_TRIES):
            side = 1 - rng.uniform(self.low, self.high) / 100
            part = _part(rng, (w, h), side * w, side * h)
            if _shows_enough(view, part, self.visible):
                return _cut(part, (w, h))
        return None


@dataclass(frozen=True, slots=True)
class Crop(Moving):
    """Random resized crop: ``low`` to ``high`` of the area, sides at a ratio changed by up to ``stretch``.

    Resized to ``size`` pixels square, or to the picture's own size with 0. ``visible`` as in `Zoom`; where
    no draw serves, the whole picture is taken.
    """

    low: float = 0.7
    high: float = 1.0
    stretch: float = 1.15
    size: int = 0
    visible: float = 0.8

    def __post_init__(self) -> None:
        if not 0 < self.low <= self.high <= 1 or self.stretch < 1 or self.size < 0:
            raise ConfigError("crop: 0 < low <= high <= 1, stretch >= 1 and size >= 0 are needed")

    def rest(self, view: View) -> Move:
        """The whole picture, resized."""
        w, h = view.size_wh
        return _cut((0.0, 0.0, float(w), float(h)), self._target(view))

    def draw(self, view: View, rng: np.random.Generator) -> Move:
        """Cut and resized."""
        w, h = view.size_wh
        for _ in range(_TRIES):
            side = math.sqrt(rng.uniform(self.low, self.high))
            ratio = math.exp(rng.uniform(-1, 1) * math.log(self.stretch) / 2)
            part_w, part_h = side * w * ratio, side * h / ratio
            if part_w > w or part_h > h:
                continue
            part = _part(rng, (w, h), part_w, part_h)
            if _shows_enough(view, part, self.visible):
                return _cut(part, self._target(view))
        return self.rest(view)

    def _target(self, view: View) -> tuple[int, int]:
        return (self.size, self.size) if self.size else view.size_wh


def flip(view: View) -> View:
    """The mirrored view; twice is the identity."""
    w, _ = view.size_wh
    boxes = view.boxes.copy()
    boxes[:, [0, 2]] = w - view.boxes[:, [2, 0]]
    pixels = np.ascontiguousarray(view.pixels[:, ::-1])
    return replace(view, pixels=pixels, boxes=boxes, landmarks=flip_horizontally(view.landmarks, w))


def rotate(view: View, angle_deg: float, border: Border = "black") -> View:
    """The view turned counter-clockwise about its centre, at its own size."""
    return _turn(view.size_wh, angle_deg, border)(view)


def crop(view: View, part: tuple[float, float, float, float], size_wh: tuple[int, int]) -> View:
    """The part (xyxy) of a view, resized to ``size_wh``."""
    return _cut(part, size_wh)(view)


def _turn(size_wh: tuple[int, int], angle_deg: float, border: Border) -> Move:
    w, h = size_wh
    c, s = math.cos(math.radians(angle_deg)), math.sin(math.radians(angle_deg))
    linear = np.array([[c, s], [-s, c]])
    middle = np.array([w / 2, h / 2])
    return Move(np.concatenate([linear, (middle - linear @ middle)[:, None]], axis=1), size_wh, border)


def _cut(part: tuple[float, float, float, float], size_wh: tuple[int, int]) -> Move:
    x0, y0, x1, y1 = part
    sx, sy = size_wh[0] / (x1 - x0), size_wh[1] / (y1 - y0)
    return Move(np.array([[sx, 0, -sx * x0], [0, sy, -sy * y0]]), size_wh, "edge")


def warp(view: View, transform: Float64, size_wh: tuple[int, int], border: Border = "black") -> View:
    """The view under an affine map ``(2, 3)`` of continuous pixels, boxes cut to the new picture.

    Landmarks are not cut: one that left the picture has coordinates outside it. Where the picture shrinks
    it is smoothed first, so that thin lines do not vanish. Raises `PictureTooLarge` for a side that OpenCV
    cannot address.
    """
    import cv2

    if max(*view.size_wh, *size_wh) > _CV2_LONGEST_SIDE:
        raise PictureTooLarge(f"a side is longer than the {_CV2_LONGEST_SIDE} pixels that can be warped")

    # OpenCV puts the centre of the first pixel at 0, these coordinates at 0.5.
    matrix = transform.copy()
    matrix[:, 2] += transform[:, :2] @ np.array([0.5, 0.5]) - 0.5
    pixels = view.pixels
    scale = math.sqrt(abs(float(np.linalg.det(transform[:, :2]))))
    if 0 < scale < 0.9:
        pixels = np.asarray(cv2.GaussianBlur(pixels, (0, 0), 0.5 * math.sqrt(1 / scale**2 - 1)), np.uint8)
    moved = cv2.warpAffine(
        pixels, matrix, size_wh, flags=cv2.INTER_LINEAR, borderMode=_border(border), borderValue=(0, 0, 0)
    )
    boxes = box_geometry.clip(enclosing_boxes(view.boxes, transform), size_wh)
    shares = _shares(view, transform, size_wh)
    return View(np.asarray(moved, np.uint8), boxes, apply(transform, view.landmarks), shares)


def _shares(view: View, transform: Float64, size_wh: tuple[int, int]) -> Float32:
    """How much of each box is to be seen after a map, of what was in the picture before.

    Of a face without a box nobody can tell; its share stays.
    """
    boxes = box_geometry.clip(view.boxes, view.size_wh)
    corners = apply(transform, boxes[:, [0, 1, 2, 1, 2, 3, 0, 3]].reshape(-1, 4, 2)).astype(np.float64)
    unknown = np.isnan(view.boxes).any(axis=1)
    return np.asarray(view.shares * np.where(unknown, 1.0, shares_inside(corners, size_wh)), np.float32)


def _part(
    rng: np.random.Generator, size_wh: tuple[int, int], w: float, h: float
) -> tuple[float, float, float, float]:
    x, y = rng.random() * (size_wh[0] - w), rng.random() * (size_wh[1] - h)
    return x, y, x + w, y + h


def _shows_enough(view: View, part: tuple[float, float, float, float], visible: float) -> bool:
    known = view.boxes[~np.isnan(view.boxes).any(axis=1)]
    whole = box_geometry.area(known)
    seen = box_geometry.intersection(known, np.array([part], np.float32))[:, 0]
    possible = np.minimum(whole, (part[2] - part[0]) * (part[3] - part[1]))
    return bool((seen >= visible * possible).all())


def _border(border: Border) -> int:
    import cv2

    return {
        "black": cv2.BORDER_CONSTANT,
        "reflect": cv2.BORDER_REFLECT_101,
        "edge": cv2.BORDER_REPLICATE,
    }[border]


def _check_border(border: str) -> None:
    if border not in ("black", "reflect", "edge"):
        raise ConfigError(f"border: {border!r} is not black, reflect or edge")
