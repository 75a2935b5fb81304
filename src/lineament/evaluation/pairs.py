"""Lists of pairs to compare: LFW's ``pairs.txt`` and CSV with ``fold,image1,image2,same``.

``pairs.txt`` begins with ``folds<TAB>n``: each fold has n mated rows ``name<TAB>i<TAB>j`` and n non-mated
rows ``name1<TAB>i<TAB>name2<TAB>j``. The single number of LFW's View 1 files means one fold. Photo i of a
name is ``name/name_%04d.jpg``.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lineament.counting import quantity
from lineament.errors import ConfigError
from lineament.scoring.similarity import Index, codes

COLUMNS = ("fold", "image1", "image2", "same")


@dataclass(frozen=True, slots=True, eq=False)
class PairList:
    """Labelled pairs over distinct pictures.

    ``pictures`` are paths relative to the folder of images, each once. ``first``, ``second`` ``(N,)``
    index them; ``same`` ``(N,)`` is the label, ``folds`` ``(N,)`` the fold. ``subjects`` ``(P,)`` numbers
    the person on each picture: see `people_of`.
    """

    pictures: tuple[str, ...]
    first: Index
    second: Index
    same: NDArray[np.bool_]
    folds: NDArray[np.int64]
    subjects: Index

    def __len__(self) -> int:
        return len(self.same)


@dataclass(frozen=True, slots=True)
class _Row:
    line: int
    fold: int
    first: str
    second: str
    same: bool


def read_pairs(path: Path) -> PairList:
    """Read either layout, told apart by the first line; raises `ConfigError` naming the line at fault."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise ConfigError(f"cannot read the pairs file {path}: {reason}") from error
    head = text.split("\n", 1)[0].strip()
    if not head:
        raise ConfigError(f"{path}: empty, or its first line is")
    rows = _read_csv(text, path) if "," in head else _read_lfw(text, path)
    if not rows:
        raise ConfigError(f"{path}: lists no pairs")
    return _pair_list(rows, path)


def _read_csv(text: str, path: Path) -> list[_Row]:
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
    except csv.Error as error:
        raise ConfigError(f"{path}: line 1: {error}") from error
    if missing:
        raise ConfigError(f"{path}: line 1: needs the columns {','.join(COLUMNS)}; missing: {missing[0]}")
    rows = []
    labels = {"1": True, "true": True, "0": False, "false": False}
    try:
        for record in reader:
            line = reader.line_num
            if any(record[name] is None for name in COLUMNS) or None in record:
                raise ConfigError(
                    f"{path}: line {line}: expected {quantity(len(reader.fieldnames or ()), 'value')}"
                )
            same = labels.get(record["same"].strip().lower())
            if same is None:
                raise ConfigError(f"{path}: line {line}: same is 0 or 1, got {record['same']!r}")
            fold = _number(record["fold"], path, line)
            rows.append(_Row(line, fold, record["image1"], record["image2"], same))
    except csv.Error as error:
        raise ConfigError(f"{path}: line {reader.line_num}: {error}") from error
    return rows


def _read_lfw(text: str, path: Path) -> list[_Row]:
    lines = text.splitlines()
    header = lines[0].split()
    if len(header) not in (1, 2):
        raise ConfigError(f"{path}: line 1: expected 'folds<TAB>pairs' or a CSV header, got {lines[0]!r}")
    numbers = [_number(word, path, 1) for word in header]
    folds, each = (1, numbers[0]) if len(numbers) == 1 else numbers
    if folds < 1 or each < 1:
        raise ConfigError(f"{path}: line 1: folds and pairs are at least 1")
    body = [(n, line.rstrip("\r")) for n, line in enumerate(lines[1:], 2) if line.strip()]
    if len(body) != folds * each * 2:
        raise ConfigError(
            f"{path}: line 1 promises {quantity(folds, 'fold')} of {each} mated and "
            f"{quantity(each, 'non-mated pair')}, "
            f"{folds * each * 2} in all; the file has {len(body)}"
        )
    rows = []
    for count, (n, line) in enumerate(body):
        fold, mated = count // (2 * each) + 1, count % (2 * each) < each
        words = line.split("\t")
        if len(words) != (3 if mated else 4):
            kind = "mated: name i j" if mated else "non-mated: name1 i name2 j"
            raise ConfigError(f"{path}: line {n}: expected a {kind}, separated by tabs, got {line!r}")
        if not mated and words[0] == words[2]:
            raise ConfigError(f"{path}: line {n}: labelled as two people, but both names are {words[0]!r}")
        first, i, second, j = words if not mated else (words[0], words[1], words[0], words[2])
        rows.append(_Row(n, fold, _photo(first, i, path, n), _photo(second, j, path, n), mated))
    return rows


def _photo(name: str, number: str, path: Path, line: int) -> str:
    return f"{name}/{name}_{_number(number, path, line):04d}.jpg"


def _number(text: str, path: Path, line: int) -> int:
    try:
        return int(text)
    except ValueError:
        raise ConfigError(f"{path}: line {line}: expected a whole number, got {text!r}") from None


def _pair_list(rows: list[_Row], path: Path) -> PairList:
    for row in rows:
        for name in (row.first, row.second):
            inside = PurePosixPath(name)
            if not name.strip() or "\0" in name or inside.is_absolute() or ".." in inside.parts:
                raise ConfigError(f"{path}: line {row.line}: {name!r} does not lie in the folder of images")
        if row.first == row.second:
            raise ConfigError(f"{path}: line {row.line}: compares a picture with itself")
    pictures = sorted({name for row in rows for name in (row.first, row.second)})
    index = {name: i for i, name in enumerate(pictures)}
    first = np.array([index[row.first] for row in rows], np.intp)
    second = np.array([index[row.second] for row in rows], np.intp)
    same = np.array([row.same for row in rows])
    subjects = people_of(pictures, first, second, same)
    clash = np.flatnonzero((subjects[first] == subjects[second]) & ~same)
    if len(clash):
        raise ConfigError(
            f"{path}: line {rows[int(clash[0])].line}: labelled as two people, "
            "but other rows say that they are one"
        )
    folds = np.array([row.fold for row in rows], np.int64)
    return PairList(tuple(pictures), first, second, same, folds, subjects)


def folders_of(pairs: PairList) -> list[str]:
    """Names of the people: of the folders, where each holds one person; none where they do not tell."""
    parents = [PurePosixPath(name).parent for name in pairs.pictures]
    apart = codes([str(parent) for parent in parents])
    if ((apart[pairs.first] == apart[pairs.second]) != pairs.same).any():
        return []
    return sorted({parent.name for parent in parents if parent.name})


def people_of(pictures: list[str], first: Index, second: Index, same: NDArray[np.bool_]) -> Index:
    """Number the person on each picture, ``(P,)``.

    A folder is a person if no row contradicts it: none with two people in one folder, none with one
    person in two. Otherwise the labels alone tell: pictures linked by mated rows are one person.
    """
    folder = codes([str(PurePosixPath(name).parent) for name in pictures])
    if not ((folder[first] == folder[second]) != same).any():
        return folder
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    ones = np.ones(int(same.sum()), np.int8)
    links: Any = coo_array((ones, (first[same], second[same])), shape=(len(pictures),) * 2)
    return np.asarray(connected_components(links, directed=False)[1], np.intp)
