"""Boxes and points between the stored picture and the upright one (EXIF orientation applied).

EXIF 2.32, 4.6.4 A; the pixels themselves are turned by `lineament.io.orientation`. Coordinates are
continuous, so that the right edge of a picture of width w is at w.
"""

from __future__ import annotations

from collections.abc import Callable

from lineament.io.manifest import Box, Points

Size = tuple[int, int]


def upright_size(size_wh: Size, orientation: int) -> Size:
    """Width and height after the orientation is applied."""
    return (size_wh[1], size_wh[0]) if orientation >= 5 else size_wh


def points_to_upright(points: Points, stored_wh: Size, orientation: int) -> Points:
    """Points of the stored picture, where they are in the upright one."""
    w, h = stored_wh
    turned: Callable[[float, float], tuple[float, float]] = {
        1: lambda x, y: (x, y),
        2: lambda x, y: (w - x, y),
        3: lambda x, y: (w - x, h - y),
        4: lambda x, y: (x, h - y),
        5: lambda x, y: (y, x),
        6: lambda x, y: (h - y, x),
        7: lambda x, y: (h - y, w - x),
        8: lambda x, y: (y, w - x),
    }[orientation]
    return tuple(turned(x, y) for x, y in points)


def points_to_stored(points: Points, upright_wh: Size, orientation: int) -> Points:
    """The inverse of `points_to_upright`, given the upright size."""
    return points_to_upright(points, upright_wh, {6: 8, 8: 6}.get(orientation, orientation))


def box_to_upright(box: Box, stored_wh: Size, orientation: int) -> Box:
    """A box of the stored picture, where it is in the upright one."""
    return _around(points_to_upright((box[:2], box[2:]), stored_wh, orientation))


def box_to_stored(box: Box, upright_wh: Size, orientation: int) -> Box:
    """The inverse of `box_to_upright`, given the upright size."""
    return _around(points_to_stored((box[:2], box[2:]), upright_wh, orientation))


def _around(corners: Points) -> Box:
    (ax, ay), (bx, by) = corners
    return (min(ax, bx), min(ay, by), max(ax, bx), max(ay, by))
