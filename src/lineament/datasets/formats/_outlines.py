"""The box around a shape that is no upright rectangle: polygons, masks, circles, turned rectangles."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from lineament.io.manifest import Box

_MAX_RUNS = 10_000_000


def around(points: Iterable[tuple[float, float]]) -> Box:
    """The smallest box that holds the points; NaN when any of them is not finite, or there are none."""
    xs, ys = zip(*points, strict=True) if (points := list(points)) else ((math.nan,), (math.nan,))
    if not all(map(math.isfinite, [*xs, *ys])):
        return (math.nan,) * 4
    return (min(xs), min(ys), max(xs), max(ys))


def around_all(boxes: Sequence[Box]) -> Box:
    """The smallest box that holds the boxes."""
    return around([corner for box in boxes for corner in (box[:2], box[2:])])


def turned(box: Box, degrees: float) -> Box:
    """The box around a rectangle that was turned about its centre; which way makes no difference."""
    x1, y1, x2, y2 = box
    cosine, sine = abs(math.cos(math.radians(degrees))), abs(math.sin(math.radians(degrees)))
    half_w = ((x2 - x1) * cosine + (y2 - y1) * sine) / 2
    half_h = ((x2 - x1) * sine + (y2 - y1) * cosine) / 2
    cx, cy = (x1 + x2) / 2, (y1 + y2) / 2
    return (cx - half_w, cy - half_h, cx + half_w, cy + half_h)


def ellipse(cx: float, cy: float, rx: float, ry: float, degrees: float = 0.0) -> Box:
    """The box around an ellipse that was turned about its centre."""
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    half_w, half_h = math.hypot(rx * cosine, ry * sine), math.hypot(rx * sine, ry * cosine)
    return (cx - half_w, cy - half_h, cx + half_w, cy + half_h)


def number(value: Any) -> float | None:
    """A JSON number, or one in a text, as float; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None


def numbers(values: Any) -> list[float] | None:
    """A list of numbers, None when it is no such thing."""
    if not isinstance(values, list | tuple):
        return None
    found = [number(value) for value in values]
    return None if None in found else [value for value in found if value is not None]


def pairs(flat: Sequence[float]) -> list[tuple[float, float]]:
    """x and y in turn, as points."""
    return list(zip(flat[::2], flat[1::2], strict=True))


def around_segmentation(value: Any) -> tuple[Box, str] | None:
    """The box around a segmentation of COCO, and which kind that was: polygons or a run-length mask."""
    if isinstance(value, dict):
        box = _around_mask(value)
        return None if box is None else (box, "mask")
    if not isinstance(value, list) or not value:
        return None
    if all(isinstance(part, dict) for part in value):
        masks = [box for part in value if (box := _around_mask(part)) is not None]
        return (around_all(masks), "mask") if masks else None
    parts = value if all(isinstance(part, list) for part in value) else [value]
    points: list[tuple[float, float]] = []
    for part in parts:
        flat = numbers(part)
        if flat is None:
            nested = [numbers(point) for point in part]
            flat = [v for point in nested for v in point or ()]
            if not all(point is not None and len(point) == 2 for point in nested):
                return None
        if len(flat) >= 6 and len(flat) % 2 == 0:
            points += pairs(flat)
    return (around(points), "polygon") if points else None


def _around_mask(mask: dict[str, Any]) -> Box | None:
    """The box of a run-length mask, from its runs alone: down the columns, off and on in turn."""
    size, counts = numbers(mask.get("size")), mask.get("counts")
    if size is None or len(size) != 2 or not all(1 <= v < 2**31 and v == int(v) for v in size):
        return None
    height, width = map(int, size)
    runs = _unpacked(counts) if isinstance(counts, str) else numbers(counts)
    if not runs or not all(0 <= run < 2**31 for run in runs):
        return None
    at, x1, y1, x2, y2 = 0, width, height, 0, 0
    for place, run in enumerate(map(int, runs)):
        if place % 2 and run:
            first, last = at, at + run - 1
            if last >= width * height:
                return None
            x1, x2 = min(x1, first // height), max(x2, last // height + 1)
            crosses = first // height != last // height
            y1 = 0 if crosses else min(y1, first % height)
            y2 = height if crosses else max(y2, last % height + 1)
        at += run
    return (x1, y1, x2, y2) if x2 > x1 else None


def _unpacked(text: str) -> list[float] | None:
    """Runs from COCO's compressed form: five bits a character, differences to the run before the last."""
    runs: list[float] = []
    value = shift = 0
    if len(text) > _MAX_RUNS:
        return None
    for character in text:
        code = ord(character) - 48
        if not 0 <= code < 64 or shift > 50:
            return None
        value |= (code & 31) << shift
        shift += 5
        if code & 32:
            continue
        if code & 16:
            value -= 1 << shift
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
        value = shift = 0
    return runs if shift == 0 else None
