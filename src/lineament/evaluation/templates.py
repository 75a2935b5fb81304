"""Template-based 1:1 lists, in the layout of IJB: templates of one or more pictures, and pairs of them.

The template file is CSV with ``template_id,subject,file`` and perhaps ``media``, one row a picture; the
pairs file is CSV with ``template1,template2`` and perhaps ``fold``. Whether a pair is mated follows from
the subjects. A template is the mean of its media, a medium the mean of its pictures' unit embeddings, so a
video of 200 frames weighs no more than a photo. A picture without a medium is one of its own. IJB's face
boxes are not part of it.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import numpy as np

from lineament.analyzer import Analyzer
from lineament.errors import ConfigError, UsageError
from lineament.evaluation.capture import Captures, capture
from lineament.evaluation.pairs import PairList
from lineament.protocols import Advance
from lineament.scoring.similarity import codes
from lineament.scoring.templates import fuse

TEMPLATE_COLUMNS = ("template_id", "subject", "file")
PAIR_COLUMNS = ("template1", "template2")


@dataclass(frozen=True, slots=True, eq=False)
class Templates:
    """Templates by id: the ``subjects`` of each and the ``groups`` of ``pictures`` (rows) it is made of.

    ``media`` number the medium of each picture of a group.
    """

    ids: tuple[str, ...]
    subjects: tuple[str, ...]
    pictures: tuple[str, ...]
    groups: tuple[tuple[int, ...], ...]
    media: tuple[tuple[int, ...], ...]


def read_templates(path: Path) -> Templates:
    """Read a template file; raises `ConfigError` naming the line at fault."""
    subjects: dict[str, str] = {}
    groups: dict[str, list[int]] = {}
    media: dict[str, list[int]] = {}
    numbers: dict[tuple[str, str], int] = {}
    rows: dict[str, int] = {}
    for line, (name, subject, file, medium) in _read(path, TEMPLATE_COLUMNS, optional="media"):
        inside = PurePosixPath(file)
        if not file.strip() or "\0" in file or inside.is_absolute() or ".." in inside.parts:
            raise ConfigError(f"{path}: line {line}: {file!r} does not lie in the folder of images")
        if subjects.setdefault(name, subject) != subject:
            raise ConfigError(
                f"{path}: line {line}: template {name!r} is of {subjects[name]!r} and {subject!r}"
            )
        groups.setdefault(name, []).append(rows.setdefault(file, len(rows)))
        key = (name, medium) if medium else (name, f"\0{line}")
        media.setdefault(name, []).append(numbers.setdefault(key, len(numbers)))
    if not groups:
        raise ConfigError(f"{path}: lists no templates")
    return Templates(
        ids=tuple(groups),
        subjects=tuple(subjects[name] for name in groups),
        pictures=tuple(rows),
        groups=tuple(tuple(group) for group in groups.values()),
        media=tuple(tuple(one) for one in media.values()),
    )


def read_template_pairs(path: Path, templates: Templates) -> PairList:
    """Read pairs of templates; raises `ConfigError` naming the line at fault."""
    place = {name: i for i, name in enumerate(templates.ids)}
    first, second, folds = [], [], []
    for line, (a, b, fold) in _read(path, PAIR_COLUMNS, optional="fold"):
        for name in (a, b):
            if name not in place:
                raise ConfigError(f"{path}: line {line}: no template {name!r}")
        if a == b:
            raise ConfigError(f"{path}: line {line}: compares a template with itself")
        try:
            folds.append(int(fold or "1"))
        except ValueError:
            raise ConfigError(f"{path}: line {line}: expected a whole number, got {fold!r}") from None
        first.append(place[a])
        second.append(place[b])
    if not first:
        raise ConfigError(f"{path}: lists no pairs")
    left, right = np.array(first, np.intp), np.array(second, np.intp)
    subjects = codes(list(templates.subjects))
    return PairList(
        templates.ids, left, right, subjects[left] == subjects[right], np.array(folds), subjects
    )


def capture_templates(
    templates: Templates, images: Path, analyzer: Analyzer, advance: Advance | None = None
) -> Captures:
    """One row a template. A picture that fails is left out of its template and listed; a template all of
    whose pictures fail is a failure to acquire. Raises `UsageError` without the folder.
    """
    if not images.is_dir():
        raise UsageError(f"no folder of images at {images}")
    found = capture(analyzer, [images / name for name in templates.pictures], advance)
    return replace(found, embeddings=fuse(found.embeddings, templates.groups, templates.media))


def _read(
    path: Path, columns: tuple[str, ...], optional: str | None = None
) -> Iterator[tuple[int, tuple[str, ...]]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise ConfigError(f"cannot read {path}: {reason}") from error
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    missing = [name for name in columns if name not in (reader.fieldnames or ())]
    if missing:
        raise ConfigError(f"{path}: line 1: needs the columns {','.join(columns)}; missing: {missing[0]}")
    wanted = [*columns, optional] if optional else [*columns]
    try:
        for record in reader:
            if any(record[name] is None for name in columns) or None in record:
                raise ConfigError(f"{path}: line {reader.line_num}: expected other columns")
            yield reader.line_num, tuple(record.get(name) or "" for name in wanted)
    except csv.Error as error:
        raise ConfigError(f"{path}: line {reader.line_num}: {error}") from error
