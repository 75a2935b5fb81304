"""Tables with a column of 0 and 1 for each class, as Roboflow's ``_classes.csv``.

Where each line of every such table has exactly one 1, the columns are one class. Where a line has several
or none, each column is a label of its own, 1 or 0: no split of a data set is read otherwise than another. A
line whose class is ``Unlabeled`` was not looked at and tells nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from lineament.counting import quantity
from lineament.datasets import tables
from lineament.datasets.formats._columns import SPLIT, SUBJECT
from lineament.datasets.tables import Line, Table
from lineament.errors import LabelFileError
from lineament.kinds import CLASS

_NAME = "_classes.csv"
_TRUE = {"1", "1.0", "true", "yes"}
_FALSE = {"0", "0.0", "false", "no"}
_NOBODY_LOOKED = {"unlabeled", "unlabelled", "unannotated"}


def is_named_so(table: Table) -> bool:
    """Whether it is one of Roboflow's."""
    return table.name.rpartition("/")[2] == _NAME


def is_exclusive(table: Table, path: str) -> bool:
    """Whether each line is of exactly one of two or more classes."""
    names = _names(table, path)
    whole = len(names) == len(table.header) - 1
    return whole and len(names) > 1 and all(len(_true(line, names)) == 1 for line in table.lines)


def as_class(table: Table, path: str) -> Table:
    """The table with one column of classes; raises `LabelFileError` for a line of several."""
    names = _names(table, path)
    kept = [column for column in table.header if column not in names]
    if len(names) < 2 or CLASS in kept:
        return table
    lines = []
    for line in table.lines:
        found = _true(line, names)
        if len(found) > 1:
            raise LabelFileError(
                f"{table.where(line)}: is of {quantity(len(found), 'class')}, {', '.join(found[:4])}; to "
                "take them as labels: --format csv:one_hot=labels"
            )
        told = found[0] if found and tables.key(found[0]) not in _NOBODY_LOOKED else ""
        lines.append(Line(line.number, {**{column: line[column] for column in kept}, CLASS: told}))
    return replace(table, header=(*kept, CLASS), lines=tuple(lines))


def as_labels(table: Table, path: str) -> Table:
    """The table with a column a label; nothing is told of pictures that nobody looked at."""
    names = _names(table, path)
    unseen = [name for name in names if tables.key(name) in _NOBODY_LOOKED]
    kept = [column for column in table.header if column not in unseen]
    lines = []
    for line in table.lines:
        blind = bool(_true(line, unseen))
        cells = {c: _number(line[c], blind) if c in names else line[c] for c in kept}
        lines.append(Line(line.number, cells))
    return replace(table, header=tuple(kept), lines=tuple(lines))


def _names(table: Table, path: str) -> list[str]:
    """The columns that hold nothing but true and false."""
    others = [c for c in table.header if c != path and tables.key(c) not in (*SUBJECT, *SPLIT)]
    return [c for c in others if all(line[c].lower() in _TRUE | _FALSE for line in table.lines)]


def _true(line: Line, names: Sequence[str]) -> list[str]:
    return [name for name in names if line[name].lower() in _TRUE]


def _number(cell: str, blind: bool) -> str:
    return "" if blind else str(int(cell.lower() in _TRUE))
