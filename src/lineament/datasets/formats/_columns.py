"""What the columns of somebody's table mean: box, subject, split, class, and everything else a label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from lineament.datasets import tables
from lineament.datasets.formats._labelled import LabelledFace, label_value, split_in, split_name
from lineament.datasets.formats._problems import Problems
from lineament.datasets.formats._regions import Region, Shape, corners, holds_regions, regions_in
from lineament.datasets.tables import Line, Table
from lineament.documents import json_of
from lineament.kinds import CLASS, FACE

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
        self.boxes = box_columns(table.header, shape) or _column_of_regions(table)
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

    def faces_of(self, line: Line, problems: Problems) -> list[LabelledFace]:
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
        regions = self._regions(line)
        for shape in (one.around for one in regions if one.around is not None):
            problems.add(f"{shape}_to_box", self.table.where(line))
        return [LabelledFace(one.box, one.kind or kind, None, subject, labels) for one in regions]

    def _regions(self, line: Line) -> list[Region]:
        assert self.boxes is not None
        cells = [line[column] for column in self.boxes.columns]
        if all(tables.is_missing(cell) for cell in cells):
            return []
        if len(cells) == 1:
            return regions_in(cells[0], self.boxes.shape)
        numbers = [tables.number(cell, comma=self.table.comma) for cell in cells]
        for column, value in zip(self.boxes.columns, numbers, strict=True):
            if value is None:
                raise ValueError(f"{column} is {line[column]!r}, a number is needed")
        return [Region(corners([n for n in numbers if n is not None], self.boxes.shape))]

    def _are_shares(self) -> bool:
        """Whether no side of any box is longer than a pixel: then they are shares of the picture."""
        most, any_box = 0.0, False
        for line in self.table.lines:
            try:
                for one in self._regions(line):
                    most, any_box = max(most, *map(abs, one.box)), True
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


def _column_of_regions(table: Table) -> BoxColumns | None:
    """The column whose told cells are all lists of regions, as Label Studio writes them."""
    for column in table.header:
        told = [cell for line in table.lines if not tables.is_missing(cell := line[column])]
        if told and all(map(holds_regions, told)):
            return BoxColumns((column,), "xywh")
    return None


def _attributes(cell: str) -> dict[str, str | float]:
    try:
        told: Any = json_of(cell)
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
