"""Any picture size: which views of a picture a network sees, and how their findings become one list.

The rule, with the default settings:

- the picture is seen at native size, in one piece up to ``long_side`` pixels, beyond that (unless ``tiles``
  is off) as even, overlapping tiles, so small faces are kept;
- with ``tiles`` off a larger picture is seen shrunk to ``long_side`` instead: fast, but small faces go;
- with ``enlarge`` a picture of at most `ENLARGED_UP_TO` pixels is also seen enlarged so many times, for its
  small faces only: those of up to `SMALL_FACE` pixels;
- where a face could be larger than that sees whole, the picture is also seen shrunk to `SHRUNK` pixels, for
  its large faces only, and shrunk to `SMALL` pixels, for one that fills the frame;
- a box that overlaps one too large for the native view, and surer, is no face of its own when a shrunk
  view that sees the large one does not see it, though it would be large enough there: at native size the
  networks take parts of such a face for faces.

docs/reference/detectors.md has the measurements behind the numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lineament.errors import ConfigError
from lineament.geometry.boxes import area, intersection, iou, nms
from lineament.io.inputs import pictures
from lineament.shown import shown
from lineament.types import Faces, Float32, Image, UInt8

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

ENLARGED_UP_TO = 2048
"""Longer side of the largest picture that is also seen enlarged: its cost grows with the enlarged area."""

SEEN = 0.3
"""Score from which a shrunk view bears a face out that a native one found."""

WITHIN = 0.05
"""Share of a box that lies within a larger one from which it may be a part of that face (an ear, a jaw)."""

_LARGER = 1.25
_SAME_FACE_IOU = 0.3


@dataclass(frozen=True, slots=True)
class ViewSettings:
    """Settings of detectors that are networks.

    ``score`` is the least score kept, ``large_score`` that of faces which only the shrunk view finds: more
    things look like a face when little can be seen. ``nms`` is the IoU above which the worse of two boxes
    goes, ``top_k`` how many candidates are considered. ``long_side`` is the largest view, ``overlap`` the
    least that two tiles share (more for huge pictures). ``enlarge`` above 1 is the factor of the view for
    small faces. ``batch`` views of one shape run together: 1 is fastest on a CPU.
    """

    score: float = 0.6
    large_score: float = 0.8
    nms: float = 0.3
    top_k: int = 5000
    long_side: int = 2048
    tiles: bool = True
    overlap: int = 192
    enlarge: float = 1.0
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
        """The least score that a network's answer must hold, for shrunk views to bear out native ones."""
        return min(self.score, SEEN)


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


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """Candidates: boxes ``(K, 4)``, scores ``(K,)``, landmarks ``(K, 5, 2)``."""

    boxes: Float32
    scores: Float32
    landmarks: Float32

    __repr__ = shown


def joined(parts: Sequence[Found]) -> Found:
    """All candidates of several findings, in order."""
    return Found(
        boxes=np.concatenate([p.boxes for p in parts]),
        scores=np.concatenate([p.scores for p in parts]),
        landmarks=np.concatenate([p.landmarks for p in parts]),
    )


def plan(size_wh: tuple[int, int], settings: ViewSettings) -> list[View]:
    """The views of a picture by the module's rule."""
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
    if settings.enlarge > 1 and longer <= ENLARGED_UP_TO:
        views += _enlarged(w, h, settings)
    if overlap or (longer * scale > LARGEST_FACE and min(w, h) * scale > 0.75 * LARGEST_FACE):
        seen = min(side, max(SHRUNK, math.ceil(SMALLEST_FACE * longer / overlap) if overlap else 0))
        views.append(_shrunk(w, h, seen, min(overlap or LARGE_FACE, LARGE_FACE) / scale, large))
    if longer * scale > 1.5 * SMALL:
        views.append(_shrunk(w, h, min(side, SMALL), FILLING * longer, large))
    return views


def _shrunk(w: int, h: int, longer: int, least: float = 0.0, score: float = 0.0) -> View:
    small_w, small_h = (max(1, round(s * longer / max(w, h))) for s in (w, h))
    return View(0, 0, w, h, (small_w / w, small_h / h), least=least, score=score)


def _enlarged(w: int, h: int, settings: ViewSettings) -> list[View]:
    """The picture enlarged, in tiles where it gets larger than a view."""
    side, overlap = int(settings.long_side / settings.enlarge), 2 * SMALL_FACE
    return [
        View(
            x,
            y,
            tile_w,
            tile_h,
            (round(tile_w * settings.enlarge) / tile_w, round(tile_h * settings.enlarge) / tile_h),
            (x > 0, y > 0, x + tile_w < w, y + tile_h < h),
            score=settings.score,
            most=SMALL_FACE,
        )
        for y, tile_h in _spans(h, side, overlap)
        for x, tile_w in _spans(w, side, overlap)
    ]


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
    """The view's pixels, resized by area averaging where it shrinks, linearly where it grows."""
    part = pixels[view.y : view.y + view.height, view.x : view.x + view.width]
    if view.scale_xy == (1.0, 1.0):
        return part
    import cv2

    size_wh = (round(view.width * view.scale_xy[0]), round(view.height * view.scale_xy[1]))
    how = cv2.INTER_AREA if max(view.scale_xy) <= 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(part, size_wh, interpolation=how), np.uint8)


def pad_to_multiple(pixels: UInt8, multiple: int) -> UInt8:
    """The picture with black added right and below until both sides divide by ``multiple``."""
    h, w = pixels.shape[:2]
    padded = np.zeros((-(-h // multiple) * multiple, -(-w // multiple) * multiple, 3), np.uint8)
    padded[:h, :w] = pixels
    return padded


def to_picture(found: Found, view: View) -> Found:
    """Findings of a view in the picture's pixels, without the faces that a tile's inner edge cuts.

    A face smaller than the overlap lies whole in some tile, and a larger one is found in the shrunk
    picture, so a box that reaches over an inner edge is never the only one of its face.
    """
    left, top, right, bottom = view.edges
    scale = np.array(view.scale_xy, np.float32)
    b = found.boxes / np.tile(scale, 2)
    whole = ~(
        (left & (b[:, 0] <= 0))
        | (top & (b[:, 1] <= 0))
        | (right & (b[:, 2] >= view.width))
        | (bottom & (b[:, 3] >= view.height))
    )
    longer = (b[:, 2:] - b[:, :2]).max(axis=1, initial=0)
    whole &= (longer > view.least) & (longer <= view.most) & (found.scores >= view.score)
    shift = np.array([view.x, view.y], np.float32)
    return Found(
        boxes=(b[whole] + np.tile(shift, 2)).astype(np.float32),
        scores=found.scores[whole],
        landmarks=(found.landmarks[whole] / scale + shift).astype(np.float32),
    )


def merge(
    parts: Sequence[Found],
    settings: ViewSettings,
    *,
    opencv: bool = False,
    shrunk: Sequence[tuple[float, Found]] = (),
    too_large: float = LARGE_FACE,
) -> Faces:
    """One list of faces from the findings of all views, best first.

    ``opencv`` compares boxes with corner and size cut to whole pixels, as OpenCV's suppression does.
    ``shrunk`` are the scale of each shrunk view and all that it found, which tell faces longer than
    ``too_large`` pixels from parts of them.
    """
    found = joined(parts)
    best = np.argsort(-found.scores, kind="stable")[: settings.top_k]
    boxes, scores, landmarks = found.boxes[best], found.scores[best], found.landmarks[best]
    compared = boxes
    if opencv:
        corner, size = np.trunc(boxes[:, :2]), np.trunc(boxes[:, 2:] - boxes[:, :2])
        compared = np.concatenate([corner, corner + size], axis=1).astype(np.float32)
    kept = nms(compared, scores, settings.nms)
    kept = kept[~parts_of_others(boxes[kept], shrunk, too_large)]
    return Faces(boxes=boxes[kept], scores=scores[kept], landmarks=landmarks[kept])


def parts_of_others(
    boxes: Float32, shrunk: Sequence[tuple[float, Found]], too_large: float = LARGE_FACE
) -> NDArray[np.bool_]:
    """Which boxes ``(N, 4)``, best first, are parts of surer ones longer than ``too_large``: ``(N,)``.

    A box is one when some shrunk view that shows the larger face would show it too, by its size, and none
    does. So a face on a poster or a child held before the chest stays.
    """
    longer = (boxes[:, 2:] - boxes[:, :2]).max(axis=1, initial=0)
    gone = np.zeros(len(boxes), bool)
    # Without the many boxes around each face, some of which fit a part of it better than the whole.
    looks = [(scale, _faces_seen(found)) for scale, found in shrunk]
    for i in np.flatnonzero(longer > too_large) if looks else ():
        after = np.arange(len(boxes)) > i
        inside = intersection(boxes, boxes[i : i + 1])[:, 0] >= WITHIN * area(boxes)
        doubtful = np.flatnonzero(after & inside & (longer[i] > _LARGER * longer) & ~gone)
        if gone[i] or not len(doubtful):
            continue
        unseen, seen = np.zeros(len(doubtful), bool), np.zeros(len(doubtful), bool)
        for scale, found in looks:
            with_larger = iou(found, boxes[i : i + 1])
            if not (with_larger >= _SAME_FACE_IOU).any():
                continue
            overlap = iou(found, boxes[doubtful])
            shown = ((overlap >= _SAME_FACE_IOU) & (overlap > with_larger)).any(axis=0)
            seen |= shown
            unseen |= ~shown & (longer[doubtful] * scale >= SMALLEST_FACE)
        gone[doubtful[unseen & ~seen]] = True
    return gone


def _faces_seen(found: Found) -> Float32:
    """The boxes ``(K, 4)`` that bear a face out, one a face."""
    sure = found.scores >= SEEN
    boxes, scores = found.boxes[sure], found.scores[sure]
    return boxes[nms(boxes, scores, _SAME_FACE_IOU)]


def detect_views(
    images: Sequence[Image],
    settings: ViewSettings,
    run: Callable[[UInt8], list[Found]],
    *,
    multiple: int,
    opencv: bool = False,
) -> list[Faces]:
    """Faces of each picture from a network ``run`` on uint8 ``(N, H, W, 3)`` of sides ``multiple`` divides.

    Views of one padded shape run together, at most ``settings.batch`` at once.
    """
    images = pictures(images)
    views = [plan(image.size_wh, settings) for image in images]
    results: list[dict[int, Found]] = [{} for _ in images]
    shrunk: list[list[tuple[float, Found]]] = [[] for _ in images]
    waiting: dict[tuple[int, ...], list[tuple[int, int, UInt8]]] = {}

    def flush(group: list[tuple[int, int, UInt8]]) -> None:
        for (i, j, _), found in zip(group, run(np.stack([p for *_, p in group])), strict=True):
            view = views[i][j]
            results[i][j] = to_picture(found, view)
            if view.least:
                everything = to_picture(found, replace(view, least=0.0, score=0.0))
                shrunk[i].append((max(view.scale_xy), everything))
        group.clear()

    for i, image in enumerate(images):
        for j, view in enumerate(views[i]):
            padded = pad_to_multiple(cut(image.pixels, view), multiple)
            group = waiting.setdefault(padded.shape, [])
            group.append((i, j, padded))
            if len(group) == settings.batch:
                flush(group)
    for group in waiting.values():
        if group:
            flush(group)
    return [
        merge(
            [found[j] for j in range(len(found))],
            settings,
            opencv=opencv,
            shrunk=shrunk[i],
            too_large=LARGE_FACE / max(views[i][0].scale_xy),
        )
        for i, found in enumerate(results)
    ]
