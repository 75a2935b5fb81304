"""One face of several: by number, by point, the largest, or the one a photo is most likely of."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lineament.errors import ConfigError, NoFaceFound, NoSuchFace
from lineament.geometry.choosing import Choice, choose, parse_face
from lineament.types import Reason

SIZE = (1000, 600)
LARGE, SMALL, EDGE = (100, 100, 400, 460), (480, 280, 540, 350), (800, 100, 980, 320)


def _boxes(*boxes: tuple[float, ...]) -> np.ndarray:
    return np.asarray(boxes, np.float32).reshape(-1, 4)


@pytest.mark.parametrize(
    ("boxes", "asked", "row", "reason"),
    [
        ([SMALL], {}, 0, Reason.ONLY),
        ([SMALL], {"largest": True}, 0, Reason.ONLY),
        ([SMALL, LARGE], {}, 1, Reason.CENTRE),
        ([SMALL, LARGE, EDGE], {}, 1, Reason.CENTRE),
        ([EDGE, SMALL, (430, 200, 590, 400)], {}, 2, Reason.CENTRE),
        ([SMALL, EDGE, LARGE], {"largest": True}, 2, Reason.LARGEST),
        ([SMALL, EDGE, LARGE], {"face": 1}, 0, Reason.ASKED),
        ([SMALL, EDGE, LARGE], {"face": np.int64(3)}, 2, Reason.ASKED),
        ([SMALL, EDGE, LARGE], {"face": (900, 200)}, 1, Reason.ASKED),
        ([LARGE, (200, 200, 240, 240)], {"face": (230, 230)}, 1, Reason.ASKED),
        ([LARGE, (200, 200, 240, 240)], {"face": (300, 300)}, 0, Reason.ASKED),
    ],
)
def test_who_is_meant(boxes: list[Any], asked: dict[str, Any], row: int, reason: Reason) -> None:
    """What is asked for is taken; else the only face, else the one nearest the centre of the large ones."""
    assert choose(_boxes(*boxes), SIZE, **asked) == Choice(row, reason)


def test_numbers_are_those_of_detect() -> None:
    """A choice's number, handed back as the face asked for, is the same face."""
    boxes = _boxes(SMALL, EDGE, LARGE)
    for row in range(3):
        number = Choice(row, Reason.ONLY).number
        assert choose(boxes, SIZE, face=number).row == row


@pytest.mark.parametrize(
    ("asked", "error", "words"),
    [
        ({"face": 4}, NoSuchFace, "no face 4; the picture has 3 faces (1: 480 280 540 350, 2:"),
        ({"face": (5, 5)}, NoSuchFace, "no face at 5,5 of 1000 x 600 pixels"),
        ({"face": 0}, ConfigError, "from 1"),
        ({"face": -1}, ConfigError, "from 1"),
        ({"face": True}, ConfigError, "names no face"),
        ({"face": 2.0}, ConfigError, "names no face"),
        ({"face": "2"}, ConfigError, "names no face"),
        ({"face": ("left", "top")}, ConfigError, "names no face"),
        ({"face": (1, 2, 3, 4)}, ConfigError, "names no face"),
        ({"face": (float("nan"), 2)}, ConfigError, "names no face"),
        ({"face": 1, "largest": True}, ConfigError, "not for both"),
    ],
)
def test_what_is_not_there_is_refused(asked: dict[str, Any], error: type[Exception], words: str) -> None:
    """A face that is not there, or a request that is none, is refused by name and never replaced."""
    with pytest.raises(error) as caught:
        choose(_boxes(SMALL, EDGE, LARGE), SIZE, **asked)
    assert words in str(caught.value)


def test_no_faces() -> None:
    """Without a face there is nothing to choose."""
    with pytest.raises(NoFaceFound):
        choose(_boxes(), SIZE)


@pytest.mark.parametrize(
    ("text", "value"),
    [("2", 2), (" 2 ", 2), ("310,220", (310, 220)), ("310.5, 220", (310.5, 220)), ("0,0", (0, 0))],
)
def test_written_faces(text: str, value: object) -> None:
    """A face is written as its number or as a point."""
    assert parse_face(text) == value


@pytest.mark.parametrize(
    "text", ["", "0", "-1", "2.5", "two", "1,2,3", "1,2,3,4", "nan,1", "1,", "1;2", "#2"]
)
def test_what_names_no_face(text: str) -> None:
    """Anything else is refused with both ways to say it."""
    with pytest.raises(ConfigError, match=r"names no face: give its number .* or a point"):
        parse_face(text)
