"""Regions that one cell of a table holds: bare numbers, or JSON of VGG's annotator and of Label Studio."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from lineament.counting import quantity
from lineament.datasets.formats._outlines import around, ellipse
from lineament.documents import json_of
from lineament.io.manifest import Box

Shape = Literal["xyxy", "xywh", "cxcywh"]
_ANY_NUMBER = re.compile(r"[-+]?(?:\d++(?:\.\d*+)?|\.\d++)(?:[eE][-+]?\d++)?")
_LIST = re.compile(r"\[\s*\{")
_EMPTY = re.compile(r"\[\s*\]")


@dataclass(frozen=True, slots=True)
class Region:
    """A box, its class where the cell names one, and the shape that it is the box around."""

    box: Box
    kind: str | None = None
    around: str | None = None


def holds_regions(cell: str) -> bool:
    """Whether a cell is a JSON list of regions that have sides."""
    if not _LIST.match(cell):
        return False
    try:
        return bool(regions_in(cell, "xywh"))
    except ValueError:
        return False


def regions_in(cell: str, shape: Shape) -> list[Region]:
    """The regions of one cell: four numbers each, or JSON; raises ValueError for what is none."""
    if _EMPTY.fullmatch(cell):
        return []
    if cell.startswith("{") or _LIST.match(cell):
        try:
            told = json_of(cell)
            return [_region(one) for one in (told if isinstance(told, list) else [told]) if one]
        except (ValueError, TypeError, AttributeError, KeyError, IndexError):
            raise ValueError(f"no box in {cell[:60]!r}") from None
    numbers = [float(text) for text in _ANY_NUMBER.findall(cell)]
    if len(numbers) % 4:
        raise ValueError(f"{quantity(len(numbers), 'number')} in {cell[:60]!r}, a box has four")
    return [Region(corners(numbers[i : i + 4], shape)) for i in range(0, len(numbers), 4)]


def corners(values: Sequence[float], shape: Shape) -> Box:
    """Four numbers as x1, y1, x2, y2."""
    a, b, c, d = values
    if shape == "xyxy":
        return a, b, c, d
    if shape == "xywh":
        return a, b, a + c, b + d
    return a - c / 2, b - d / 2, a + c / 2, b + d / 2


def _region(told: Mapping[str, Any]) -> Region:
    if "original_width" in told:
        return _of_label_studio(told)
    xs, ys = told.get("all_points_x"), told.get("all_points_y")
    if xs and ys:
        return Region(around(list(zip(map(float, xs), map(float, ys), strict=True))), None, "polygon")
    if "cx" in told:
        rx, ry = (float(told.get("r", told.get(name, 0))) for name in ("rx", "ry"))
        return Region(ellipse(float(told["cx"]), float(told["cy"]), rx, ry), None, "ellipse")
    return Region(corners([float(told[name]) for name in ("x", "y", "width", "height")], "xywh"))


def _of_label_studio(told: Mapping[str, Any]) -> Region:
    """Percentages of the picture; a rectangle is turned about its upper left corner."""
    sx, sy = float(told["original_width"]) / 100, float(told["original_height"]) / 100
    kinds = [value for name, value in told.items() if name.endswith("labels") and isinstance(value, list)]
    kind = str(kinds[0][0]) if kinds and kinds[0] else None
    if told.get("points"):
        return Region(around([(float(x) * sx, float(y) * sy) for x, y in told["points"]]), kind, "polygon")
    x, y, angle = float(told["x"]) * sx, float(told["y"]) * sy, float(told.get("rotation") or 0)
    if "radiusX" in told:
        rx, ry = float(told["radiusX"]) * sx, float(told["radiusY"]) * sy
        return Region(ellipse(x, y, rx, ry, angle), kind, "ellipse")
    w, h = float(told["width"]) * sx, float(told["height"]) * sy
    if not angle % 360:
        return Region((x, y, x + w, y + h), kind)
    cosine, sine = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    turned = [(x + a * cosine - b * sine, y + a * sine + b * cosine) for a in (0, w) for b in (0, h)]
    return Region(around(turned), kind, "turned_rectangle")
