"""Any picture size: which views of a picture a network sees.

The rule, with the default settings:

- the picture is seen at native size, in one piece up to ``long_side`` pixels, beyond that (unless ``tiles``
  is off) as even, overlapping tiles, so small faces are kept;
- with ``tiles`` off a larger picture is seen shrunk to ``long_side`` instead: fast, but small faces go;
- with ``half`` a picture in one piece is also seen at half its size, for faces longer than `HALVED`;
- with ``enlarge`` the part of a picture in one piece where the native view has a hint of a face of up to
  `SMALL_FACE` pixels is also seen enlarged, for such faces only;
- where a face could be larger than that sees whole, the picture is also seen shrunk to `SHRUNK` pixels, for
  its large faces only, and shrunk to `SMALL` pixels, for one that fills the frame;
- a box that overlaps one too large for the native view, and surer, is no face of its own when a shrunk
  view that sees the large one does not see it, though it would be large enough there: at native size the
  networks take parts of such a face for faces.

docs/reference/detectors.md has the measurements behind the numbers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from lineament.errors import ConfigError
from lineament.geometry.boxes import center
from lineament.types import Float32, UInt8

LARGEST_FACE = 800
"""Longer side in pixels up to which both networks find frontal faces at native size."""

SHRUNK = 512
"""Longer side of the shrunk view."""

SMALLEST_FACE = 24
"""Longer side in pixels from which both networks find frontal faces surely."""

LARGE_FACE = 700
"""Longer side in pixels above which the shrunk view adds faces to a native one."""

SMALL = 256
"""Longer side of the smallest view: a face that fills it has the size that the networks know best."""

FILLING = 0.6
"""Share of the picture's longer side above which the smallest view adds faces."""

SMALL_FACE = 32
"""Longer side in pixels up to which the enlarged view adds faces to a native one."""

HINT = 0.15
"""Score of the native view from which a small face is looked for in the enlarged one."""

AROUND = 24
"""Pixels around the centres of all hints that belong to the enlarged part."""

HALVED = 40
"""Longer side in pixels above which the view at half size adds faces to a native one."""

SEEN = 0.3
"""Score from which a shrunk view bears a face out that a native one found."""


@dataclass(frozen=True, slots=True)
class ViewSettings:
    """Settings of detectors that are networks.

    ``score`` is the least score kept, ``large_score`` that of faces which only the shrunk view finds: more
    things look like a face when little can be seen. ``nms`` is the IoU above which the worse of two boxes
    goes, ``top_k`` how many candidates are considered. ``long_side`` is the largest view, ``overlap`` the
    least that two tiles share (more for huge pictures). ``enlarge`` above 1 is the factor of the view for
    small faces, ``half`` adds the one at half size. With ``average`` a face's box is the mean of those
    found of it, weighted by score, and its points that of the best one's view; otherwise both are the best
    one's. ``batch`` views of one shape run together: 1 is fastest on a CPU.
    """

    score: float = 0.6
    large_score: float = 0.8
    nms: float = 0.3
    top_k: int = 5000
    long_side: int = 2048
    tiles: bool = True
    overlap: int = 192
    enlarge: float = 1.0
    half: bool = False
    average: bool = False
    batch: int = 1

    def __post_init__(self) -> None:
        if not 0 < self.score < 1 or not 0 < self.large_score < 1 or not 0 < self.nms <= 1:
            raise ConfigError("score, large_score and nms lie between 0 and 1")
        if self.long_side < 64 or not 0 <= self.overlap <= self.long_side // 2:
            raise ConfigError("long_side is at least 64 and overlap at most half of it")
        if not 1 <= self.enlarge <= 4:
            raise ConfigError("enlarge lies between 1 and 4")
        if self.top_k < 1 or self.batch < 1:
            raise ConfigError("top_k and batch are at least 1")

    @property
    def lowest(self) -> float:
        """The least score that a network's answer must hold: to bear out a native view, or to be a hint."""
        return min(self.score, SEEN, HINT if self.enlarge > 1 else 1.0)


@dataclass(frozen=True, slots=True)
class View:
    """A rectangle of the picture, resized by ``scale_xy`` (two factors: shrunk sides are whole pixels).

    ``edges`` are the sides (left, top, right, bottom) where the picture goes on beyond the view. Only faces
    count whose longer side is above ``least`` pixels of the picture and at most ``most``, and whose score
    reaches ``score``.
    """

    x: int
    y: int
    width: int
    height: int
    scale_xy: tuple[float, float] = (1.0, 1.0)
    edges: tuple[bool, bool, bool, bool] = (False, False, False, False)
    least: float = 0.0
    score: float = 0.0
    most: float = math.inf


def plan(size_wh: tuple[int, int], settings: ViewSettings) -> list[View]:
    """The views of a picture by the module's rule; the first is native, or else takes its place."""
    w, h = size_wh
    longer, side = max(w, h), settings.long_side
    large = max(settings.score, settings.large_score)
    overlap, scale = 0, 1.0
    if longer <= side:
        views = [View(0, 0, w, h, score=settings.score)]
    elif not settings.tiles:
        views = [_shrunk(w, h, side, score=settings.score)]
        scale = side / longer
    else:
        views = []
        # A face cut by every tile must be large enough to be found in the shrunk view.
        overlap = min(side // 2, max(settings.overlap, math.ceil(SMALLEST_FACE * longer / SHRUNK)))
        for y, tile_h in _spans(h, side, overlap):
            for x, tile_w in _spans(w, side, overlap):
                edges = (x > 0, y > 0, x + tile_w < w, y + tile_h < h)
                views.append(View(x, y, tile_w, tile_h, edges=edges, score=settings.score))
    if settings.half and longer <= side:
        views.append(_shrunk(w, h, max(1, longer // 2), HALVED, settings.score))
    if overlap or (longer * scale > LARGEST_FACE and min(w, h) * scale > 0.75 * LARGEST_FACE):
        seen = min(side, max(SHRUNK, math.ceil(SMALLEST_FACE * longer / overlap) if overlap else 0))
        views.append(_shrunk(w, h, seen, min(overlap or LARGE_FACE, LARGE_FACE) / scale, large))
    if longer * scale > 1.5 * SMALL:
        views.append(_shrunk(w, h, min(side, SMALL), FILLING * longer, large))
    return views


def enlarged(size_wh: tuple[int, int], hints: Float32, settings: ViewSettings) -> list[View]:
    """The enlarged views of a picture whose native view hinted at small faces at ``hints`` ``(N, 4)``.

    They cover the rectangle of all hints, in tiles where it gets larger than a view. It starts at multiples
    of 16 pixels: at twice the size the network's grid then lies on it as on the whole picture.
    """
    w, h = size_wh
    if not len(hints):
        return []
    middle, factor = center(hints), settings.enlarge
    x1, y1 = (max(0, math.floor(v - AROUND) // 16 * 16) for v in middle.min(axis=0))
    x2, y2 = (min(side, math.ceil(v + AROUND)) for v, side in zip(middle.max(axis=0), (w, h), strict=True))
    side = int(settings.long_side / factor)
    return [
        View(
            x1 + x,
            y1 + y,
            tile_w,
            tile_h,
            (round(tile_w * factor) / tile_w, round(tile_h * factor) / tile_h),
            (x1 + x > 0, y1 + y > 0, x1 + x + tile_w < w, y1 + y + tile_h < h),
            score=settings.score,
            most=SMALL_FACE,
        )
        for y, tile_h in _spans(y2 - y1, side, 2 * SMALL_FACE)
        for x, tile_w in _spans(x2 - x1, side, 2 * SMALL_FACE)
    ]


def _shrunk(w: int, h: int, longer: int, least: float = 0.0, score: float = 0.0) -> View:
    small_w, small_h = (max(1, round(s * longer / max(w, h))) for s in (w, h))
    return View(0, 0, w, h, (small_w / w, small_h / h), least=least, score=score)


def _spans(length: int, side: int, overlap: int) -> list[tuple[int, int]]:
    """Even cover of ``length`` by spans of at most ``side`` that share at least ``overlap``.

    Spans start at multiples of 32, so that a network's grid lies on the picture as in one large view.
    """
    if length <= side:
        return [(0, length)]
    step_most = (side - overlap) // 32 * 32
    count = math.ceil((length - side) / step_most) + 1
    step = math.ceil((length - overlap) / count / 32) * 32
    step = min(step, step_most)
    last = (count - 1) * step
    return [(start, step + overlap) for start in range(0, last, step)] + [(last, length - last)]


def cut(pixels: UInt8, view: View) -> UInt8:
    """The view's pixels, resized.

    Shrinking halves as often as it can, which takes a tenth of the time of area averaging by any factor,
    and leaves the rest to linear interpolation.
    """
    part = pixels[view.y : view.y + view.height, view.x : view.x + view.width]
    if view.scale_xy == (1.0, 1.0):
        return part
    import cv2

    wanted = (round(view.width * view.scale_xy[0]), round(view.height * view.scale_xy[1]))
    while min(part.shape[1] // 2 - wanted[0], part.shape[0] // 2 - wanted[1]) >= 0:
        half = (part.shape[1] // 2, part.shape[0] // 2)
        even = part[: 2 * half[1], : 2 * half[0]]
        part = np.asarray(cv2.resize(even, half, interpolation=cv2.INTER_AREA), np.uint8)
    return np.asarray(cv2.resize(part, wanted, interpolation=cv2.INTER_LINEAR), np.uint8)


def pad_to_multiple(pixels: UInt8, multiple: int) -> UInt8:
    """The picture with black added right and below until both sides divide by ``multiple``."""
    h, w = pixels.shape[:2]
    padded = np.zeros((-(-h // multiple) * multiple, -(-w // multiple) * multiple, 3), np.uint8)
    padded[:h, :w] = pixels
    return padded
