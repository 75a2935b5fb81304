"""Any picture size: which views of a picture a network sees, and how their findings become one list.

The rule: a picture whose longer side is at most ``long_side`` is seen once, at native size. A larger one
is seen whole, shrunk to ``long_side``, which finds its large faces; and, unless ``tiles`` is off, as
overlapping native-size tiles, which keep its small ones.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lineament.geometry.boxes import nms
from lineament.types import Faces, Float32, UInt8


@dataclass(frozen=True, slots=True)
class View:
    """A rectangle of the picture, resized by ``scale`` (per axis, as the shrunk sides are whole pixels).

    ``edges`` are the sides (left, top, right, bottom) where the picture goes on beyond the view.
    """

    x: int
    y: int
    width: int
    height: int
    scale_xy: tuple[float, float] = (1.0, 1.0)
    edges: tuple[bool, bool, bool, bool] = (False, False, False, False)


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """Candidates in one view or picture: ``(K, 4)``, ``(K,)``, ``(K, 5, 2)``."""

    boxes: Float32
    scores: Float32
    landmarks: Float32


def joined(parts: list[Found]) -> Found:
    """All candidates of several findings, in order."""
    return Found(
        boxes=np.concatenate([p.boxes for p in parts]),
        scores=np.concatenate([p.scores for p in parts]),
        landmarks=np.concatenate([p.landmarks for p in parts]),
    )


def plan(size_wh: tuple[int, int], long_side: int, *, tiles: bool, overlap: int) -> list[View]:
    """The views of a picture by the module's rule; neighbouring tiles share at least ``overlap`` pixels."""
    w, h = size_wh
    if max(w, h) <= long_side:
        return [View(0, 0, w, h)]
    shrink = long_side / max(w, h)
    small_w, small_h = max(1, round(w * shrink)), max(1, round(h * shrink))
    views = [View(0, 0, w, h, (small_w / w, small_h / h))]
    if tiles:
        side = long_side
        for y, tile_h in _spans(h, side, overlap):
            for x, tile_w in _spans(w, side, overlap):
                edges = (x > 0, y > 0, x + tile_w < w, y + tile_h < h)
                views.append(View(x, y, tile_w, tile_h, edges=edges))
    return views


def _spans(length: int, side: int, overlap: int) -> list[tuple[int, int]]:
    """Even cover of ``length`` by spans of at most ``side`` that share at least ``overlap``."""
    if length <= side:
        return [(0, length)]
    count = math.ceil((length - overlap) / (side - overlap))
    starts = [round(i * (length - side) / (count - 1)) for i in range(count)]
    return [(start, side) for start in starts]


def cut(pixels: UInt8, view: View) -> UInt8:
    """The view's pixels, resized by area averaging where it shrinks."""
    part = pixels[view.y : view.y + view.height, view.x : view.x + view.width]
    if view.scale_xy == (1.0, 1.0):
        return part
    import cv2

    size_wh = (round(view.width * view.scale_xy[0]), round(view.height * view.scale_xy[1]))
    return np.asarray(cv2.resize(part, size_wh, interpolation=cv2.INTER_AREA), np.uint8)


def pad_to_multiple(pixels: UInt8, multiple: int) -> UInt8:
    """The picture with black added right and below until both sides divide by ``multiple``."""
    h, w = pixels.shape[:2]
    padded = np.zeros((-(-h // multiple) * multiple, -(-w // multiple) * multiple, 3), np.uint8)
    padded[:h, :w] = pixels
    return padded


def to_picture(found: Found, view: View) -> Found:
    """Findings of a view in the picture's pixels, without the faces that a tile's inner edge cuts.

    A face smaller than the overlap lies whole in some tile, and a larger one is found in the whole
    picture, so a box that reaches over an inner edge is never the only one of its face.
    """
    left, top, right, bottom = view.edges
    b = found.boxes
    whole = ~(
        (left & (b[:, 0] <= 0))
        | (top & (b[:, 1] <= 0))
        | (right & (b[:, 2] >= view.width))
        | (bottom & (b[:, 3] >= view.height))
    )
    scale = np.array(view.scale_xy, np.float32)
    shift = np.array([view.x, view.y], np.float32)
    return Found(
        boxes=(b[whole] / np.tile(scale, 2) + np.tile(shift, 2)).astype(np.float32),
        scores=found.scores[whole],
        landmarks=(found.landmarks[whole] / scale + shift).astype(np.float32),
    )


def merge(parts: list[Found], iou_threshold: float, limit: int, *, whole_pixels: bool = False) -> Faces:
    """One list of faces from the findings of all views, best first.

    ``whole_pixels`` suppresses by corners and sizes cut to whole pixels, as OpenCV does.
    """
    found = joined(parts)
    boxes, scores, landmarks = found.boxes, found.scores, found.landmarks
    if len(scores) > limit:
        best = np.argsort(-scores, kind="stable")[:limit]
        boxes, scores, landmarks = boxes[best], scores[best], landmarks[best]
    compared = boxes
    if whole_pixels:
        corner, size = np.trunc(boxes[:, :2]), np.trunc(boxes[:, 2:] - boxes[:, :2])
        compared = np.concatenate([corner, corner + size], axis=1).astype(np.float32)
    kept = nms(compared, scores, iou_threshold)
    return Faces(boxes=boxes[kept], scores=scores[kept], landmarks=landmarks[kept])


def run_views(
    pictures: list[UInt8],
    views: list[list[View]],
    run: Callable[[UInt8], list[Found]],
    *,
    multiple: int,
    batch: int,
) -> list[list[Found]]:
    """Every view through ``run`` (uint8 ``(N, H, W, 3)`` in), views of one padded shape together.

    Returns the findings of each picture, view by view, in the picture's pixels.
    """
    results: list[list[Found | None]] = [[None] * len(v) for v in views]
    waiting: dict[tuple[int, ...], list[tuple[int, int, UInt8]]] = {}

    def flush(group: list[tuple[int, int, UInt8]]) -> None:
        for (picture, index, _), found in zip(group, run(np.stack([p for *_, p in group])), strict=True):
            results[picture][index] = to_picture(found, views[picture][index])
        group.clear()

    for i, (pixels, planned) in enumerate(zip(pictures, views, strict=True)):
        for j, view in enumerate(planned):
            padded = pad_to_multiple(cut(pixels, view), multiple)
            group = waiting.setdefault(padded.shape, [])
            group.append((i, j, padded))
            if len(group) >= batch:
                flush(group)
    for group in waiting.values():
        if group:
            flush(group)
    return [[found for found in row if found is not None] for row in results]
