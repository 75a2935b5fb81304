"""Labels in the names of picture files: what a pattern makes of them, and which data sets have them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from lineament.datasets import tables
from lineament.datasets.formats._files import pictures_below, relative
from lineament.datasets.formats._labelled import LabelledPicture, split_name
from lineament.datasets.formats._layout import split_among
from lineament.datasets.formats._problems import Problems
from lineament.errors import ConfigError, LabelFileError

_FIELD = re.compile(r"\{([^{}]*)\}")
_LOOKED_AT = 50
_KNOWN: Sequence[tuple[str, re.Pattern[str], str]] = (
    ("UTKFace", re.compile(r"\d{1,3}_[01]_[0-4]_\d{8}.*"), "{age}_{gender}_{race}_"),
    (
        "IMDB-WIKI",
        re.compile(r"(nm)?\d+_(rm\d+_)?\d{4}-\d\d?-\d\d?_\d{4}.*"),
        "{subject}_{}_{born}_{taken}.",
    ),
    ("Market-1501", re.compile(r"(-1|\d{4})_c\ds\d_\d{6}_\d\d.*"), "{subject}_c{camera}s"),
    ("AgeDB", re.compile(r"\d+_[^_]+_\d{1,3}_[mf]\..*"), "{}_{subject}_{age}_{gender}."),
    ("RAVDESS", re.compile(r"\d\d(-\d\d){6}.*"), "{}-{}-{emotion}-{intensity}-"),
)


@dataclass(frozen=True, slots=True)
class NamePattern:
    """``{age}_{gender}_``: the name begins so; each field ends where the text behind it begins."""

    text: str

    def __post_init__(self) -> None:
        fields = [name for name in _FIELD.findall(self.text) if name]
        if not fields or len(set(fields)) < len(fields):
            raise ConfigError(
                f"names={self.text}: needs fields in braces, each once, such as {{age}}_{{gender}}_"
            )

    def told(self, name: str) -> dict[str, str] | None:
        """The fields of a file's name; None when it is not of this kind."""
        begins, *behind = _FIELD.split(self.text)[::2]
        cells, at = [], len(begins)
        if not name.startswith(begins):
            return None
        for literal in [*behind[:-1], behind[-1] or "."]:
            end = name.find(literal, at + 1)  # a field has a letter at least
            if end < 0:
                return None
            cells.append(name[at:end])
            at = end + len(literal)
        return {field: cell for field, cell in zip(_FIELD.findall(self.text), cells, strict=True) if field}

    def pictures(self, source: Path, root: Path, problems: Problems) -> Iterator[LabelledPicture]:
        """One entry a picture; those whose names do not fit are counted and have no labels."""
        fits = False
        entries: list[LabelledPicture] = []
        for path in pictures_below(source):
            told, where = self.told(path.name), relative(path, root)
            fits = fits or told is not None
            if told is None:
                problems.add("name_without_labels", where)
            told = told or {}
            split = told.pop("split", None)
            entries.append(
                LabelledPicture(
                    where,
                    split=(split_name(split) or split)
                    if split
                    else split_among(path.relative_to(source).parent.parts),
                    subject=told.pop("subject", None),
                    labels={name: _value(cell) for name, cell in told.items()},
                    located=False,
                )
            )
        if not fits:
            raise LabelFileError(f"{source}: no picture is called as names={self.text} says")
        yield from entries


def told_by_names(folder: Path) -> tuple[str, str] | None:
    """The data set whose pictures are called so, and the pattern of its names; None for any other."""
    names = [path.name for path in islice(pictures_below(folder), _LOOKED_AT)]
    for tool, like, pattern in _KNOWN:
        if names and all(like.fullmatch(name) for name in names):
            return tool, pattern
    return None


def _value(cell: str) -> str | float:
    value = tables.number(cell)
    return cell if value is None else value
