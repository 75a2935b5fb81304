"""Which face of a picture is meant: the one asked for, or else the one a photo is most likely of."""

from __future__ import annotations

import math
import operator
from dataclasses import dataclass

import numpy as np

from lineament.counting import quantity
from lineament.errors import ConfigError, NoFaceFound, NoSuchFace
from lineament.geometry.boxes import area, nearest_to
from lineament.types import Float32, Reason

PROMINENT = 0.5
"""Share of the largest face's longer side from which a face may be what a photo is of."""

_LISTED = 10
"""Faces that a message names with their boxes."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The row of the face taken, and why."""

    row: int
    reason: Reason

    @property
    def number(self) -> int:
        """The face's number as commands print it: from 1, best score first."""
        return self.row + 1


def choose(
    boxes: Float32,
    size_wh: tuple[int, int],
    *,
    face: int | tuple[float, float] | None = None,
    largest: bool = False,
) -> Choice:
    """One of the faces with ``boxes`` ``(N, 4)`` in a picture of ``size_wh`` pixels.

    ``face`` asks for one by its number, from 1, or by a point x, y in its box (the smallest box that holds
    it); ``largest`` for the one of the largest area. With neither it is the only face, or the nearest to
    the picture's centre of those at least half as long-sided as the largest: a passer-by who happens to
    stand in the middle is not who the photo is of.

    Raises `NoFaceFound`, `NoSuchFace` when nothing is where ``face`` says, and `ConfigError` for a ``face``
    that is neither number nor point, or given together with ``largest``.
    """
    if face is not None and largest:
        raise ConfigError("ask for a face or for the largest, not for both")
    wanted = None if face is None else _checked(face)
    if not len(boxes):
        raise NoFaceFound("no face was found")
    if wanted is not None:
        return Choice(_asked(boxes, size_wh, wanted), Reason.ASKED)
    if len(boxes) == 1:
        return Choice(0, Reason.ONLY)
    if largest:
        return Choice(int(area(boxes).argmax()), Reason.LARGEST)
    longer = (boxes[:, 2:] - boxes[:, :2]).max(axis=1)
    prominent = np.flatnonzero(longer >= PROMINENT * longer.max())
    row = prominent[nearest_to(boxes[prominent], (size_wh[0] / 2, size_wh[1] / 2))]
    return Choice(int(row), Reason.CENTRE)


def parse_face(text: str) -> int | tuple[float, float]:
    """``"2"`` as a number, ``"310,220"`` as a point; raises `ConfigError` for anything else."""
    parts = text.split(",")
    try:
        if len(parts) == 1:
            return _number(int(text))
        if len(parts) == 2:
            return _point((float(parts[0]), float(parts[1])))
    except (ValueError, ConfigError):
        pass
    raise ConfigError(f"{text!r} names no face: {_HOW}")


_HOW = (
    "give its number as `lineament detect` prints it, from 1 (2), or a point in it, x,y in pixels (310,220)"
)


def _checked(face: int | tuple[float, float]) -> int | tuple[float, float]:
    try:
        if isinstance(face, (tuple, list, np.ndarray)) and len(face) == 2:
            return _point((float(face[0]), float(face[1])))
        if isinstance(face, (bool, np.bool_)):
            raise TypeError
        return _number(operator.index(face))
    except (TypeError, ValueError):
        raise ConfigError(f"{face!r} names no face: {_HOW}") from None


def _number(value: int) -> int:
    if value < 1:
        raise ConfigError(f"{value} names no face: {_HOW}")
    return value


def _point(value: tuple[float, float]) -> tuple[float, float]:
    if not all(map(math.isfinite, value)):
        raise ConfigError(f"{value} names no face: {_HOW}")
    return value


def _asked(boxes: Float32, size_wh: tuple[int, int], wanted: int | tuple[float, float]) -> int:
    if isinstance(wanted, int):
        if wanted > len(boxes):
            raise NoSuchFace(f"there is no face {wanted}; {listed(boxes)}")
        return wanted - 1
    point = np.asarray(wanted, np.float32)
    holds = np.flatnonzero(((boxes[:, :2] <= point) & (point <= boxes[:, 2:])).all(axis=1))
    if not len(holds):
        x, y = wanted
        w, h = size_wh
        raise NoSuchFace(f"no face at {x:g},{y:g} of {w} x {h} pixels; {listed(boxes)}")
    return int(holds[area(boxes[holds]).argmin()])


def listed(boxes: Float32) -> str:
    """How many faces a picture has, and where, as a message says it."""
    named = [
        f"{i}: {' '.join(f'{value:.0f}' for value in box)}" for i, box in enumerate(boxes[:_LISTED], 1)
    ]
    more = ", ..." if len(boxes) > _LISTED else ""
    count = quantity(len(boxes), "face")
    return f"the picture has {count} ({', '.join(named)}{more})"
