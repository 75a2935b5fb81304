"""What the numbers of a YOLO line are goes by what they can mean, not by how many they are."""

from __future__ import annotations

import math
import random
from pathlib import Path

import pytest
from label_sets import one, put

from lineament.counting import quantity
from lineament.datasets.importing.labels import Imported, import_labels
from lineament.io.manifest import Points

BOX = "0 0.5 0.5 0.2 0.3"
FACE = [(0.45, 0.45), (0.55, 0.45), (0.5, 0.5), (0.46, 0.56), (0.54, 0.56)]
MISSING = [(-1.0, -1.0)] * 5
ROUND = [(0.5 + 0.2 * math.cos(a), 0.5 + 0.3 * math.sin(a)) for a in (math.tau * n / 7 for n in range(7))]


def numbers(points: list[tuple[float, float]], seen: str = "") -> str:
    return " ".join(f"{x:.6f} {y:.6f} {seen}".strip() for x, y in points)


def outline(points: list[tuple[float, float]]) -> str:
    return f"0 {numbers(points)}"


def import_lines(folder: Path, lines: list[str], shape: str = "") -> Imported:
    """A picture a line, all in one set."""
    for number, line in enumerate(lines):
        put(folder, f"images/{number}.jpg", number)
        path = folder / "labels" / f"{number}.txt"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"{line}\n")
    (folder / "data.yaml").write_text(f"train: images\nnames: [face]\n{shape}")
    return import_labels(folder)


def in_pixels(points: list[tuple[float, float]]) -> Points:
    return tuple((pytest.approx(x * 40, abs=1e-4), pytest.approx(y * 24, abs=1e-4)) for x, y in points)


PLACED = (16.0, 8.4, 24.0, 15.6)
LINES: dict[str, tuple[str, str, bool, dict[str, int]]] = {
    "yolov5-face": (f"{BOX} {numbers(FACE)}", "", True, {}),
    "yolov5-face without landmarks": (f"{BOX} {numbers(MISSING)}", "", False, {}),
    "yolov5-face, one missing": (
        f"{BOX} {numbers([*FACE[:4], (-1, -1)])}",
        "",
        False,
        {"not_taken: incomplete landmarks": 1},
    ),
    "yolov5-face, turned head": (f"{BOX} {numbers([(y, 1 - x) for x, y in FACE])}", "", True, {}),
    "yolov7-face": (f"{BOX} {numbers(FACE, '2')}", "", True, {}),
    "yolov7-face without landmarks": (f"{BOX} {numbers([(0, 0)] * 5, '0')}", "", False, {}),
    "pose of 5 x 2": (f"{BOX} {numbers(FACE)}", "kpt_shape: [5, 2]", True, {}),
    "pose of 5 x 3": (f"{BOX} {numbers(FACE, '2')}", "kpt_shape: [5, 3]", True, {}),
    "pose of 5 x 3, -1": (f"{BOX} {numbers(MISSING, '-1')}", "kpt_shape: [5, 3]", False, {}),
    "pose of 5 x 2, -1": (f"{BOX} {numbers(MISSING)}", "kpt_shape: [5, 2]", False, {}),
    "pose of 17 x 3": (
        f"{BOX} {numbers([(0.5, 0.5)] * 17, '2')}",
        "kpt_shape: [17, 3]",
        False,
        {"not_taken: keypoints that are not five": 1},
    ),
    "pose of 17 x 2": (
        f"{BOX} {numbers([(0.5, 0.5)] * 17)}",
        "kpt_shape: [17, 2]",
        False,
        {"not_taken: keypoints that are not five": 1},
    ),
    "pose of 17 x 3, not said": (
        f"{BOX} {numbers([(0.5, 0.5)] * 17, '1')}",
        "",
        False,
        {"not_taken: keypoints that are not five": 1},
    ),
    "98 points, some missing": (
        f"{BOX} {numbers([(0.5, 0.5)] * 97 + [(-1, -1)])}",
        "",
        False,
        {"not_taken: keypoints that are not five": 1},
    ),
    "commas": (f"{BOX} {numbers(FACE)}".replace(" ", ","), "", True, {}),
}


@pytest.mark.parametrize("name", LINES)
def test_a_box_with_points_is_a_box_with_points(name: str, tmp_path: Path) -> None:
    """The box is what the first four numbers say, the landmarks what five points say, in every dialect."""
    line, shape, pointed, problems = LINES[name]
    found = import_lines(tmp_path, [line], shape)
    row = one(found.manifest)
    assert row.box == pytest.approx(PLACED)
    points = [(y, 1 - x) for x, y in FACE] if "turned" in name else FACE
    assert row.landmarks == (in_pixels(points) if pointed else None)
    assert found.problems.counts() == problems


OUTLINES: dict[str, list[tuple[float, float]]] = {
    "seven corners, round": ROUND,
    "seven corners, the other way": ROUND[::-1],
    "seven corners, from another one": ROUND[3:] + ROUND[:3],
    "seven corners in a corner": [(x * 0.3, y * 0.3) for x, y in ROUND],
    "seven corners at the edge": [(min(x + 0.3, 1.0), y) for x, y in ROUND],
    "seven corners, small": [(0.2 + x * 0.05, 0.2 + y * 0.05) for x, y in ROUND],
    "four corners (OBB)": [(0.3, 0.25), (0.7, 0.25), (0.7, 0.75), (0.3, 0.75)],
    "three corners": [(0.3, 0.25), (0.7, 0.25), (0.7, 0.75)],
}


@pytest.mark.parametrize("name", OUTLINES)
def test_an_outline_is_an_outline(name: str, tmp_path: Path) -> None:
    """Corners round a face give the box around them, and no landmarks, as many as they may be."""
    points = OUTLINES[name]
    found = import_lines(tmp_path, [outline(points)])
    row = one(found.manifest)
    xs, ys = [x * 40 for x, _ in points], [y * 24 for _, y in points]
    assert row.box == pytest.approx((min(xs), min(ys), max(xs), max(ys)), abs=1e-4)
    assert row.landmarks is None
    assert found.problems.counts() == {"polygon_to_box": 1}


def test_drawn_faces_and_drawn_outlines_are_told_apart(tmp_path: Path) -> None:
    """Of faces and outlines drawn by chance, at least 99 % are taken for what they are."""
    chance = random.Random(3)
    faces, rounds = [], []
    for _ in range(200):
        w, h = chance.uniform(0.03, 0.4), chance.uniform(0.05, 0.5)
        cx, cy = chance.uniform(w / 2, 1 - w / 2), chance.uniform(h / 2, 1 - h / 2)
        turn = chance.uniform(-0.6, 0.6)
        points = []
        for x, y in FACE:
            dx, dy = (x - 0.5) * chance.uniform(1.2, 1.7), (y - 0.5) * chance.uniform(1.2, 1.7)
            dx, dy = dx * math.cos(turn) - dy * math.sin(turn), dx * math.sin(turn) + dy * math.cos(turn)
            points.append((cx + dx * w, cy + dy * h))
        faces.append(f"0 {cx:.6f} {cy:.6f} {w:.6f} {h:.6f} {numbers(points)}")
        start = chance.uniform(0, math.tau)
        angles = [start + math.tau * (n + chance.uniform(-0.3, 0.3)) / 7 for n in range(7)]
        rounds.append(outline([(cx + w / 2 * math.cos(a), cy + h / 2 * math.sin(a)) for a in angles]))
    as_faces = import_lines(tmp_path / "faces", faces).manifest
    as_rounds = import_lines(tmp_path / "rounds", rounds).manifest
    assert sum(row.landmarks is not None for row in as_faces) >= 198
    assert sum(row.landmarks is None for row in as_rounds) >= 198


def test_a_line_that_can_be_both_follows_its_set_and_is_counted(tmp_path: Path) -> None:
    """Seven corners that could be a face are an outline among outlines, landmarks among faces."""
    both = f"0 0.5 0.5 0.55 0.55 {numbers(FACE)}"
    among_outlines = import_lines(tmp_path / "o", [both, outline(ROUND), outline([*ROUND, (0.6, 0.6)])])
    among_faces = import_lines(tmp_path / "f", [both, f"{BOX} {numbers(MISSING)}"])
    row = next(row for row in among_outlines.manifest if row.path == "images/0.jpg")
    assert row.landmarks is None
    assert among_outlines.problems["landmarks_or_outline: taken as outline"] == 1
    row = next(row for row in among_faces.manifest if row.path == "images/0.jpg")
    assert row.landmarks is not None
    assert among_faces.problems["landmarks_or_outline: taken as landmarks"] == 1


@pytest.mark.parametrize("many", [1, 2, 3, 5, 7, 15])
def test_numbers_that_are_neither_are_refused_by_name(many: int, tmp_path: Path) -> None:
    """Too few numbers, or an odd count that no keypoints have, refuse the picture and are told."""
    found = import_lines(tmp_path, ["0 " + " ".join(["0.5"] * many)])
    row = one(found.manifest)
    assert row.outcome == "refused"
    assert f"{quantity(many, 'number')} after the class" in (row.error or "")
