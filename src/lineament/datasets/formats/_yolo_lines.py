"""What the numbers of a YOLO label line mean: a box, a box with keypoints, or an outline.

The number of columns alone does not tell: fifteen are a class, a box and five points for yolov5-face, and a
class and an outline of seven corners for a segmentation set. ``kpt_shape`` of the data file decides where
it is there, else what the numbers can be: a point of -1 is missing, landmarks lie in their box with the
mouth below the eyes, the corners of an outline follow each other round it. Lines that can be either follow
the rest of their data set and are counted.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lineament.counting import quantity
from lineament.datasets.formats._files import read_text
from lineament.datasets.formats._labelled import LabelledFace
from lineament.datasets.formats._outlines import around, pairs
from lineament.datasets.formats._problems import Problems
from lineament.errors import LabelFileError
from lineament.io.manifest import Box, Points

LANDMARKS, OUTLINE = "landmarks", "outline"
_FACE_NUMBERS = 4 + 2 * 5
_SURVEYED = 2000


@dataclass(frozen=True, slots=True)
class Meaning:
    """``keypoints`` (how many, numbers each) of the data file; ``fifteen``: what ambiguous lines are."""

    keypoints: tuple[int, int] | None = None
    fifteen: str = LANDMARKS


def values_in(text: str, where: str) -> list[tuple[int, int, list[float]]]:
    """Number of the line, class and the other numbers of each line; raises `LabelFileError`."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        fields = line.replace(",", " ").split()
        if not fields:
            continue
        try:
            found.append((number, int(float(fields[0])), [float(field) for field in fields[1:]]))
        except (ValueError, OverflowError):
            raise LabelFileError(f"{where}, line {number}: not numbers: {line[:60]!r}") from None
    return found


def looks_like_labels(text: str) -> bool:
    """Whether the first lines are a class number and shares of a picture."""
    lines = [line for line in text[:65536].splitlines()[:20] if line.strip()]
    if len(text) > 65536 and len(lines) > 1:
        lines.pop()
    try:
        found = values_in("\n".join(lines), "")
    except LabelFileError:
        return False
    return bool(found) and all(
        kind >= 0 and len(values) >= 4 and all(-1 <= v <= 2 for v in values[:4])
        for _, kind, values in found
    )


def meaning_of(files: Iterable[Path], keypoints: tuple[int, int] | None) -> Meaning:
    """What lines that can be two things are in this data set: what most of its certain lines are."""
    if keypoints is not None:
        return Meaning(keypoints)
    votes: Counter[str] = Counter()
    for file, _ in zip(files, range(_SURVEYED), strict=False):
        try:
            lines = values_in(read_text(file), "")
        except LabelFileError:
            continue
        for _, _, values in lines:
            if _numbers_a_point(values, Meaning()):
                votes[LANDMARKS] += 1
            elif len(values) == _FACE_NUMBERS:
                readings = _readings(values)
                votes.update(readings if len(readings) == 1 else ())
            elif len(values) >= 6 and len(values) % 2 == 0:
                votes[OUTLINE] += 1
    return Meaning(None, OUTLINE if votes[OUTLINE] > votes[LANDMARKS] else LANDMARKS)


def faces_in(
    file: Path, names: Mapping[int, str] | None, meaning: Meaning, problems: Problems, where: str
) -> tuple[LabelledFace, ...]:
    """The faces of a label file, in shares of the picture; raises `LabelFileError`.

    A class that ``names`` lacks keeps its number as its name; that is counted where there are names.
    """
    faces = []
    for number, kind, values in values_in(read_text(file), where):
        place = f"{where}, line {number}"
        if names is not None and kind not in names:
            problems.add("unknown_class", place)
        box, landmarks = _shape(values, meaning, problems, place)
        faces.append(LabelledFace(box, (names or {}).get(kind, str(kind)), landmarks))
    return tuple(faces)


def _shape(
    values: Sequence[float], meaning: Meaning, problems: Problems, where: str
) -> tuple[Box, Points | None]:
    many = len(values)
    if many == 4:
        return _box(values), None
    each = _numbers_a_point(values, meaning)
    if each:
        if many != 4 + 5 * each:
            problems.add("not_taken: keypoints that are not five", where)
            return _box(values), None
        return _box(values), _landmarks(values[4:], each, problems, where)
    if many >= 6 and many % 2 == 0:
        if many == _FACE_NUMBERS and meaning.keypoints is None:
            readings = _readings(values)
            taken = readings[0] if len(readings) == 1 else meaning.fifteen
            if len(readings) > 1:
                problems.add(f"landmarks_or_outline: taken as {taken}", where)
            if taken == LANDMARKS:
                return _box(values), _landmarks(values[4:], 2, problems, where)
        problems.add("polygon_to_box", where)
        return around(pairs(values)), None
    more = "; a confidence (predict without save_conf) or an angle?" if many in (5, 9) else ""
    raise LabelFileError(
        f"{where}: {quantity(many, 'number')} after the class, which are neither box nor outline{more}"
    )


def _numbers_a_point(values: Sequence[float], meaning: Meaning) -> int:
    """2 or 3 where the numbers behind the box are certainly keypoints, else 0."""
    more = len(values) - 4
    if meaning.keypoints is not None and more == meaning.keypoints[0] * meaning.keypoints[1]:
        return meaning.keypoints[1]
    if more > 0 and more % 2 and more % 3 == 0 and all(v in (-1, 0, 1, 2) for v in values[6::3]):
        return 3  # an outline has an even count of numbers
    if more > 0 and more % 2 == 0 and any(a == b == -1 for a, b in pairs(values[4:])):
        return 2  # no corner of an outline is missing
    return 0


def _readings(values: Sequence[float]) -> list[str]:
    """What fourteen numbers can be; an outline when they can be nothing at all."""
    found = []
    x1, y1, x2, y2 = _box(values)
    points = pairs(values[4:])
    right_eye, left_eye, _, right_mouth, left_mouth = points
    slack_x, slack_y = 0.2 * (x2 - x1), 0.2 * (y2 - y1)
    inside = all(x1 - slack_x <= x <= x2 + slack_x and y1 - slack_y <= y <= y2 + slack_y for x, y in points)
    eyes = (left_eye[0] - right_eye[0], left_eye[1] - right_eye[1])
    mouth = (left_mouth[0] - right_mouth[0], left_mouth[1] - right_mouth[1])
    # Eyes and corners of the mouth are given in one direction; round an outline one goes to and fro.
    if (
        x2 > x1
        and y2 > y1
        and min(x1, y1) > -0.2
        and max(x2, y2) < 1.2
        and inside
        and eyes[0] * mouth[0] + eyes[1] * mouth[1] > 0
    ):
        found.append(LANDMARKS)
    corners = pairs(values)
    if all(0 <= v <= 1 for v in values) and _follows(corners):
        found.append(OUTLINE)
    return found or [OUTLINE]


def _follows(corners: Sequence[tuple[float, float]]) -> bool:
    """Whether no corner lies far off the others, as width and height would that are read as a point."""
    ax, ay, bx, by = around([*corners[:1], *corners[2:]])
    x, y = corners[1]
    off = math.hypot(max(ax - x, 0.0, x - bx), max(ay - y, 0.0, y - by))
    return off <= math.hypot(bx - ax, by - ay)


def _box(values: Sequence[float]) -> Box:
    cx, cy, w, h = values[:4]
    return (cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2)


def _landmarks(values: Sequence[float], each: int, problems: Problems, where: str) -> Points | None:
    groups = [values[i : i + each] for i in range(0, len(values), each)]
    # Missing points are written as 0 0 or as -1 -1.
    placed = [g for g in groups if min(g[:2]) > -0.5 and not g[0] == g[1] == 0]
    seen = [g for g in placed if each == 2 or g[2] > 0]
    if len(seen) < len(groups):
        if placed:
            problems.add("not_taken: incomplete landmarks", where)
        return None
    return tuple((group[0], group[1]) for group in groups)
