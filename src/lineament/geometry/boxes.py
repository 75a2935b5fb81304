"""Boxes: float32 ``(N, 4)`` xyxy in continuous pixels; areas have no ``+1``."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lineament.types import Float32


def area(boxes: Float32) -> Float32:
    """Areas ``(N,)`` in square pixels; a degenerate box has none."""
    return np.asarray(
        np.clip(boxes[:, 2] - boxes[:, 0], 0, None) * np.clip(boxes[:, 3] - boxes[:, 1], 0, None),
        np.float32,
    )


def center(boxes: Float32) -> Float32:
    """Centres ``(N, 2)``."""
    return np.asarray((boxes[:, :2] + boxes[:, 2:]) / 2, np.float32)


def intersection(a: Float32, b: Float32) -> Float32:
    """Common areas ``(N, M)`` of every box of ``a`` with every box of ``b``."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    return np.asarray(np.clip(high - low, 0, None).prod(axis=2), np.float32)


def iou(a: Float32, b: Float32) -> Float32:
    """Intersection over union ``(N, M)``; 0 where both boxes are empty."""
    common = intersection(a, b)
    union = area(a)[:, None] + area(b)[None, :] - common
    return np.asarray(np.divide(common, union, out=np.zeros_like(common), where=union > 0), np.float32)


def nms(boxes: Float32, scores: Float32, iou_threshold: float) -> NDArray[np.intp]:
    """Greedy non-maximum suppression: indices kept, best score first.

    A box is dropped when its IoU with a better kept box is *above* the threshold. Ties keep input order.
    """
    order = np.argsort(-scores, kind="stable")
    boxes = boxes[order]
    areas = area(boxes)
    alive = np.ones(len(order), bool)
    kept: list[int] = []
    for i in range(len(order)):
        if not alive[i]:
            continue
        kept.append(i)
        rest = slice(i + 1, None)
        low = np.maximum(boxes[i, :2], boxes[rest, :2])
        high = np.minimum(boxes[i, 2:], boxes[rest, 2:])
        common = np.clip(high - low, 0, None).prod(axis=1)
        union = areas[i] + areas[rest] - common
        alive[rest] &= common <= iou_threshold * union
    return order[kept]


def clip(boxes: Float32, size_wh: tuple[int, int]) -> Float32:
    """Boxes cut to the picture."""
    w, h = size_wh
    return np.clip(boxes, 0, np.array([w, h, w, h], np.float32)).astype(np.float32)


def expand(boxes: Float32, factor: float) -> Float32:
    """Boxes grown about their centres: factor 1.2 makes both sides 20 % longer."""
    c = center(boxes)
    half = (boxes[:, 2:] - boxes[:, :2]) / 2 * factor
    return np.concatenate([c - half, c + half], axis=1).astype(np.float32)


def nearest_to(boxes: Float32, point_xy: tuple[float, float]) -> int:
    """Index of the box whose centre is nearest to the point; the first of equals. N >= 1."""
    return int(np.argmin(((center(boxes) - np.asarray(point_xy, np.float32)) ** 2).sum(axis=1)))
