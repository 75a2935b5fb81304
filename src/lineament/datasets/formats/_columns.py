"""What the columns of somebody's table mean: box, subject, split, class, and everything else a label."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, Literal

from lineament.datasets import tables
from lineament.datasets.formats._labelled import (
    CLASS,
    FACE,
    LabelledFace,
    label_value,
    split_in,
    split_name,
)
from lineament.datasets.formats._problems import Problems
from lineament.datasets.tables import Line, Table
from lineament.io.manifest import Box

Shape = Literal["xyxy", "xywh", "cxcywh"]

SUBJECT: tuple[str, ...] = (
    "subject",
    "person",
    "identity",
    "subjectid",
    "personid",
    "subjectname",
    "personname",
)
SUBJECT += ("identityid", "identityname", "celebrity", "celebrityname")
SPLIT: tuple[str, ...] = (
    "split",
    "subset",
    "partition",
    "evalpartition",
    "set",
    "usage",
    "isvalid",
    "isval",
    "istest",
)
_CLASS = ("class", "classname", "label", "labelname", "category", "categoryname", "objectclass")
_SIDES = {
    "left": ("x1", "xmin", "left", "xtl", "minx", "topleftx", "xleft"),
    "top": ("y1", "ymin", "top", "ytl", "miny", "toplefty", "ytop"),
    "right": ("x2", "xmax", "right", "xbr", "maxx", "bottomrightx", "xright"),
    "bottom": ("y2", "ymax", "bottom", "ybr", "maxy", "bottomrighty", "ybottom"),
    "w": ("w", "width"),
    "h": ("h", "height"),
    "cx": ("cx", "xcenter", "xcentre", "centerx", "centrex", "xc"),
    "cy": ("cy", "ycenter", "ycentre", "centery", "centrey", "yc"),
}
_PREFIXES = ("", "bbox", "bb", "box", "face", "facebox", "facebbox", "rect")
_CELLS: tuple[str, ...] = (
    "bbox",
    "box",
    "boundingbox",
    "boundingboxes",
    "bboxes",
    "boxes",
    "facebox",
    "facebbox",
    "rect",
)
_CELLS += ("bboxxywh", "bboxxyxy", "boxxywh", "boxxyxy", "regionshapeattributes")
_SIZES = {
    "width": ("width", "imagewidth", "imgwidth", "imagew", "imgw"),
    "height": ("height", "imageheight", "imgheight", "imageh", "imgh"),
}
_MORE_SPLITS = {
    "publictest": "val",
    "privatetest": "test",
    "dev": "val",
    "development": "val",
    "eval": "val",
}
_NUMBERED_SPLITS = {"0": "train", "1": "val", "2": "test"}
"""Of CelebA's list_eval_partition."""
_FLAGS = {"isvalid": "val", "isval": "val", "istest": "test"}
_HUMAN_FACE = "/m/0dzct"
"""Open Images' class "Human face"."""
_ANY_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")


@dataclass(frozen=True, slots=True)
class BoxColumns:
    """Where a table has its boxes: four columns, or one cell for all four, and what the numbers are."""

    columns: tuple[str, ...]
    shape: Shape


class Columns:
    """Which column of a table means what."""

    def __init__(self, table: Table, path: str, *, subject: str | None, shape: Shape | None) -> None:
        self.table, self.path = table, path
        self.subject = subject or tables.first(table.header, SUBJECT)
        self.boxes = box_columns(table.header, shape)
        self.split = self._split_column()
        taken = {path, self.subject, self.split}
        self.sizes: tuple[str, str] | None = None
        self.kind: str | None = None
        if self.boxes is not None:
            taken |= set(self.boxes.columns)
            free = [c for c in table.header if c not in taken]
            w, h = (tables.first(free, names) for names in _SIZES.values())
            self.sizes = None if w is None or h is None else (w, h)
            self.kind = tables.first(free, _CLASS)
            taken |= {w, h, self.kind}
        self.labels = [c for c in table.header if c not in taken]
        self.numeric = {column for column in self.labels if table.numeric(column)}
        self.shares = self.boxes is not None and self._are_shares()

    def tell(self, problems: Problems) -> None:
        """Count what is missing, and what looks like a mistake."""
        for note in self.table.notes:
            problems.add(note, self.table.name)
        for column in self.labels:
            for line in self.table.lines:
                if tables.is_missing(line[column], number=column in self.numeric):
                    problems.add("missing_label", self.table.where(line, column))
            for line in self.table.words_among_numbers(column):
                problems.add("word_among_numbers", self.table.where(line, column))

    def split_of(self, line: Line) -> str | None:
        """The split a line tells, or else its table's name or folder."""
        if self.split is None:
            return split_in(PurePath(self.table.name))
        cell = line[self.split]
        flag = _FLAGS.get(tables.key(self.split))
        if flag is not None:
            return flag if cell.strip().lower() in ("true", "1", "1.0", "yes") else "train"
        if tables.is_missing(cell):
            return None
        if self._splits_are_numbers():
            return _NUMBERED_SPLITS[cell]
        return _split_word(cell) or cell

    def subject_of(self, line: Line) -> str | None:
        """The person a line names."""
        if self.subject is None or tables.is_nobody(line[self.subject]):
            return None
        return line[self.subject]

    def size_of(self, line: Line) -> tuple[int, int] | None:
        """Width and height of the picture, where the table states them."""
        cells = [line[column] for column in self.sizes or ()]
        numbers = [tables.number(cell) for cell in cells]
        if len(numbers) != 2 or not all(n and n > 0 and n.is_integer() for n in numbers):
            return None
        return int(numbers[0] or 0), int(numbers[1] or 0)

    def labels_of(self, line: Line) -> dict[str, str | float]:
        """Every label a line has."""
        found: dict[str, str | float] = {}
        for column in self.labels:
            cell = line[column]
            if tables.is_missing(cell, number=column in self.numeric):
                continue
            value = tables.number(cell, comma=self.table.comma) if column in self.numeric else None
            if tables.key(column) == "regionattributes":
                found |= _attributes(cell)
            else:
                found[column] = cell if value is None else value
        return found

    def faces_of(self, line: Line) -> list[LabelledFace]:
        """The faces of a line: none where its cells are empty; raises ValueError for what is no box."""
        if self.boxes is None:
            return []
        labels = self.labels_of(line)
        kind = FACE
        if self.kind is not None and not tables.is_missing(line[self.kind]):
            kind = line[self.kind] if line[self.kind] != _HUMAN_FACE else FACE
        elif self.kind is None and isinstance(labels.get(CLASS), str):
            kind = str(labels.pop(CLASS))
        subject = self.subject_of(line)
        return [LabelledFace(box, kind, None, subject, labels) for box in self._boxes_of(line)]

    def _boxes_of(self, line: Line) -> list[Box]:
        assert self.boxes is not None
        cells = [line[column] for column in self.boxes.columns]
        if all(tables.is_missing(cell) for cell in cells):
            return []
        if len(cells) == 1:
            return _boxes_in(cells[0], self.boxes.shape)
        numbers = [tables.number(cell, comma=self.table.comma) for cell in cells]
        for column, value in zip(self.boxes.columns, numbers, strict=True):
            if value is None:
                raise ValueError(f"{column} is {line[column]!r}, a number is needed")
        return [_corners([n for n in numbers if n is not None], self.boxes.shape)]

    def _are_shares(self) -> bool:
        """Whether no side of any box is longer than a pixel: then they are shares of the picture."""
        most, any_box = 0.0, False
        for line in self.table.lines:
            try:
                for box in self._boxes_of(line):
                    most, any_box = max(most, *map(abs, box)), True
            except ValueError:
                continue
            if most > 1.5:
                return False
        return any_box

    def _split_column(self) -> str | None:
        """The column of splits; a set or a usage only where its words are those of splits."""
        for name in SPLIT:
            column = tables.first(self.table.header, (name,))
            if column is None or column in (self.path, self.subject):
                continue
            told = {line[column] for line in self.table.lines if not tables.is_missing(line[column])}
            if name in ("set", "usage") and not all(_split_word(word) for word in told):
                continue
            if name in _FLAGS and not {word.lower() for word in told} <= {"true", "false", "0", "1"}:
                continue
            return column
        return None

    def _splits_are_numbers(self) -> bool:
        assert self.split is not None
        return {line[self.split] for line in self.table.lines} <= set(_NUMBERED_SPLITS)


def box_columns(header: Sequence[str], shape: Shape | None = None) -> BoxColumns | None:
    """The columns of a box: corners, a corner or the middle with width and height, or a single cell."""
    for prefix in _PREFIXES:
        found = {
            side: tables.first(header, [prefix + name for name in names]) for side, names in _SIDES.items()
        }
        x0, y0 = (tables.first(header, (prefix + name,)) for name in ("x0", "y0"))
        if x0 and y0 and found["left"] and found["top"]:
            return BoxColumns((x0, y0, found["left"], found["top"]), shape or "xyxy")
        sets: list[tuple[tuple[str | None, ...], Shape]] = [
            (tuple(found[side] for side in ("left", "top", "right", "bottom")), "xyxy"),
            (tuple(found[side] for side in ("cx", "cy", "w", "h")), "cxcywh"),
        ]
        x, y = (
            found[side] or tables.first(header, (prefix + axis,))
            for side, axis in (("left", "x"), ("top", "y"))
        )
        sets.append(((x, y, found["w"], found["h"]), "xywh"))
        for columns, meant in sets:
            if None not in columns and len(set(columns)) == 4:
                return BoxColumns(tuple(c for c in columns if c), shape or meant)
    cell = tables.first(header, _CELLS)
    if cell is None:
        return None
    return BoxColumns((cell,), shape or ("xyxy" if "xyxy" in tables.key(cell) else "xywh"))


def _boxes_in(cell: str, shape: Shape) -> list[Box]:
    """The boxes of one cell: four numbers each, or a region of the VGG Image Annotator."""
    if cell.startswith("{"):
        box = _region(cell)
        return [] if box is None else [box]
    numbers = [float(text) for text in _ANY_NUMBER.findall(cell)]
    if len(numbers) % 4:
        raise ValueError(f"{len(numbers)} numbers in {cell[:60]!r}, a box has four")
    return [_corners(numbers[i : i + 4], shape) for i in range(0, len(numbers), 4)]


def _region(cell: str) -> Box | None:
    try:
        told = json.loads(cell)
        if not told:
            return None
        xs, ys = told.get("all_points_x"), told.get("all_points_y")
        if xs and ys:
            return float(min(xs)), float(min(ys)), float(max(xs)), float(max(ys))
        if "cx" in told:
            rx, ry = float(told.get("r", told.get("rx", 0))), float(told.get("r", told.get("ry", 0)))
            x, y = float(told["cx"]), float(told["cy"])
            return x - rx, y - ry, x + rx, y + ry
        return _corners([float(told[name]) for name in ("x", "y", "width", "height")], "xywh")
    except (ValueError, TypeError, AttributeError, KeyError):
        raise ValueError(f"no box in {cell[:60]!r}") from None


def _corners(values: Sequence[float], shape: Shape) -> Box:
    a, b, c, d = values
    if shape == "xyxy":
        return a, b, c, d
    if shape == "xywh":
        return a, b, a + c, b + d
    return a - c / 2, b - d / 2, a + c / 2, b + d / 2


def _attributes(cell: str) -> dict[str, str | float]:
    try:
        told: Any = json.loads(cell)
    except ValueError:
        return {}
    return {str(k): label_value(v) for k, v in told.items()} if isinstance(told, dict) else {}


def _split_word(word: str) -> str | None:
    return split_name(word) or _MORE_SPLITS.get(word.lower())


def merged(labels: Sequence[Mapping[str, str | float]]) -> tuple[dict[str, str | float], str | None]:
    """Labels of several lines together, and the name of one that they contradict each other in."""
    found: dict[str, str | float] = {}
    for one in labels:
        for name, value in one.items():
            if found.setdefault(name, value) != value:
                return found, name
    return found, None
