"""Tables: a picture or face a line, whatever divides the cells, with or without a header.

How a table is read, see `lineament.datasets.tables`; what its columns mean, `_columns`. A column of paths
is needed: one that is called so (path, file, image_id ...), one all of whose cells end as pictures do, or
one named by a setting. Boxes come as corners, as a corner or the middle with width and height, or all in
one cell; in pixels of the upright picture unless ``frame=stored``, or as shares of it. Every other column
becomes a label; a column all of whose told cells are numbers gives numbers. Empty cells, NA, nan, ?, - and
the like are no label, and are counted.

Several tables are read together: those of splits (``train/_annotations.csv``), and those that tell
different things of the same pictures (CelebA). Our own tables, known by the column ``lineament_id``, hold
every field of a row.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lineament.datasets import tables
from lineament.datasets.formats import _own_table, formats
from lineament.datasets.formats._columns import Columns, merged
from lineament.datasets.formats._files import locate, pictures_below, relative
from lineament.datasets.formats._labelled import CLASS, Frame, LabelledFace, LabelledPicture
from lineament.datasets.formats._layout import is_label_name, passed_over, says_nothing_of_faces
from lineament.datasets.formats._naming import FolderNames, portable_path
from lineament.datasets.formats._people import person_of
from lineament.datasets.formats._problems import Problems
from lineament.datasets.formats._regions import Shape
from lineament.datasets.tables import Line, Table
from lineament.errors import ConfigError, LabelFileError
from lineament.io.manifest import ManifestRow
from lineament.io.spreadsheets import read

_MOST_TABLES = 30
"""Of a folder; one with more holds a table a picture, which is another format."""

_ONE_HOT = "_classes.csv"
"""Roboflow's tables of classes: a column a class, 1 where it is."""

_PATTERN = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True, slots=True)
class CsvConfig:
    """``path``: the column of pictures, or a pattern of columns: ``path={person}/{file}.jpg``.

    ``subject``: the column that names the subject. ``columns``: the columns of a table without a header,
    with ``/`` between. ``box``: what the four numbers of a box are, where the header does not tell.
    """

    path: str | None = None
    subject: str | None = None
    columns: str = ""
    box: Shape | None = None
    frame: Frame = "upright"


@formats.register("csv", CsvConfig)
class Csv:
    """Tables beside the pictures, or in the folders of the splits."""

    located = True
    unique_stems = False
    importable = True
    rank = 60
    classes: Mapping[int, str] = {}

    def __init__(self, config: CsvConfig) -> None:
        self.frame, self.config = config.frame, config
        self.columns = tuple(filter(None, config.columns.split("/")))

    def matches(self, source: Path) -> bool:
        """Whether the folder has a table with a column of paths, or the file is one."""
        return any(True for _ in self._files(source))

    def read(self, source: Path, root: Path, problems: Problems) -> Iterator[LabelledPicture]:
        """One entry a picture, all that its tables say of it taken together."""
        files = [source] if source.is_file() else list(self._files(source))
        if not files:
            raise LabelFileError(self._no_table(source))
        grouped: dict[str, list[tuple[Columns | Table, Line]]] = {}
        for file in files:
            if source.is_dir() and _is_answer_sheet(file):
                problems.add("not_taken: a sample of answers", relative(file, root))
                continue
            table = tables.read_table(file, relative(file, root), columns=self.columns)
            means = table if table.own else self._columns(table, root)
            if isinstance(means, Columns):
                if _is_of_originals(file, root):
                    problems.add("not_taken: boxes of pictures that are not here", table.name)
                    continue
                means.tell(problems)
                table = means.table
            bases = [file.parent, file.parent / "images", root]
            for line in table.lines:
                path = locate(self._name(line, means), root, bases, problems, table.where(line))
                if path is not None and (root / path).is_file():
                    grouped.setdefault(path, []).append((means, line))
            if not grouped and table.lines and isinstance(means, Columns) and file == files[-1]:
                raise LabelFileError(_none_there(means, self._name(table.lines[0], means)))
        for other in self._others(source, files):
            problems.add("table_not_read", relative(other, root))
        for path, members in grouped.items():
            first = members[0][0]
            if isinstance(first, Table):
                yield _own_table.picture(path, [line for _, line in members], first, problems)
            else:
                yield _picture(path, [m for m in members if isinstance(m[0], Columns)], problems)  # type: ignore[misc]

    def destinations(self, rows: Sequence[ManifestRow], folders: FolderNames) -> list[str | None]:
        """Where they were."""
        return [portable_path(row.path) for row in rows]

    def write(self, pictures: Sequence[LabelledPicture], folder: Path) -> None:
        """``labels.csv`` with every field of the rows."""
        _own_table.write(pictures, folder / "labels.csv")

    def _files(self, source: Path) -> Iterator[Path]:
        """The tables of a folder and of the folders in it that have a column of pictures."""
        for file in _tables_in(source):
            table = tables.sniffed(file, self.columns)
            document = source.is_dir() and (not is_label_name(file.name) or says_nothing_of_faces(file))
            if table is None or not table.lines or document:
                continue
            wide = len(table.header) > 1 or file.suffix.lower() != ".txt"
            root = source if source.is_dir() else source.parent
            if wide and (table.own or (self.config.path or _pictures(table, root)) is not None):
                yield file

    def _others(self, source: Path, files: Sequence[Path]) -> list[Path]:
        return [f for f in _tables_in(source) if f not in files and f.suffix.lower() != ".txt"]

    def _columns(self, table: Table, root: Path) -> Columns:
        path = self.config.path
        if path is None:
            path = _pictures(table, root)
        elif "{" not in path:
            path = _named(table, path)
        if path is None:
            raise LabelFileError(_no_pictures(table))
        if table.name.endswith(_ONE_HOT):
            table = _one_hot(table, path)
        for column in _PATTERN.findall(path):
            _named(table, column)
        subject = self.config.subject and _named(table, self.config.subject)
        return Columns(table, path, subject=subject, shape=self.config.box)

    def _name(self, line: Line, means: Columns | Table) -> str:
        """What a line calls its picture."""
        if isinstance(means, Table):
            return read(line["path"])
        if "{" not in means.path:
            return line[means.path]
        return _PATTERN.sub(lambda found: line[_named(means.table, found[1])], means.path)

    def _no_table(self, source: Path) -> str:
        for file in _tables_in(source):
            table = tables.read_table(file, columns=self.columns)
            return _no_pictures(table)
        return f"{source}: holds no table ({', '.join(tables.SUFFIXES)}); name the file"


def _tables_in(source: Path) -> list[Path]:
    if source.is_file():
        return [source] if source.suffix.lower() in tables.SUFFIXES else []
    found: list[Path] = []
    try:
        folders = [source, *sorted(p for p in source.iterdir() if p.is_dir() and not passed_over(p.name))]
        for folder in folders:
            files = [p for p in folder.iterdir() if p.suffix.lower() in tables.SUFFIXES and p.is_file()]
            found += sorted(p for p in files if p.name[0] != ".") if len(files) <= _MOST_TABLES else []
    except OSError:
        return []
    return found


def _pictures(table: Table, root: Path) -> str | None:
    """The column of pictures: by name or suffixes, else the only one whose cells are names of pictures."""
    found = tables.path_column(table)
    if found is not None or not table.lines:
        return found
    stems = {path.stem for path in pictures_below(root)}
    like = [c for c in table.header if all(line[c] in stems for line in table.lines)]
    return like[0] if len(like) == 1 else None


def _named(table: Table, name: str) -> str:
    """The column of that name; raises `LabelFileError` with those there are."""
    if name in table.header:
        return name
    found = tables.first(table.header, (tables.key(name),))
    if found is None:
        raise LabelFileError(f"{table.name}: no column {name!r}; columns: {', '.join(table.header)}")
    return found


def _no_pictures(table: Table) -> str:
    told = ", ".join(table.header[:12]) + (" ..." if len(table.header) > 12 else "")
    more = "; it holds pixels, not pictures, which are not read" if "pixels" in table.header else ""
    return (
        f"{table.name}: no column of paths; columns: {told}{more}; say which it is with "
        "--format csv:path=COLUMN, or how columns make one: --format csv:path={folder}/{name}.jpg"
    )


def _none_there(means: Columns, name: str) -> str:
    line = means.table.lines[0]
    return (
        f"{means.table.where(line)}: {name!r} is not there, nor is any other picture of the table; "
        f"columns: {', '.join(means.table.header[:12])}; say how they make a path below the folder: "
        "--format csv:path={folder}/{name}.jpg"
    )


def _is_answer_sheet(file: Path) -> bool:
    """Whether the table shows how to hand in answers: its labels are made up."""
    name = tables.key(file.stem)
    return "submission" in name or name in ("sampleanswers", "answersample")


def _is_of_originals(file: Path, root: Path) -> bool:
    """Whether boxes belong to other pictures: CelebA's, beside its aligned ones that were cut by them."""
    aligned = any(p.is_dir() and "align" in p.name for p in (*root.iterdir(), *file.parent.iterdir()))
    return aligned and file.stem.startswith("list_bbox_celeba")


def _one_hot(table: Table, path: str) -> Table:
    """A table of one column a class as one of classes; as it is where a picture has several, or none."""
    names = [column for column in table.header if column != path]
    found = [[n for n in names if line[n] in ("1", "1.0")] for line in table.lines]
    if len(names) < 2 or any(len(classes) != 1 for classes in found):
        return table
    lines = [
        Line(line.number, {path: line[path], CLASS: classes[0]})
        for line, classes in zip(table.lines, found, strict=True)
    ]
    return replace(table, header=(path, CLASS), lines=tuple(lines))


def _picture(path: str, members: Sequence[tuple[Columns, Line]], problems: Problems) -> LabelledPicture:
    """All lines of one picture: those of boxes are its faces, the others speak of every face."""
    boxed = [(means, line) for means, line in members if means.boxes is not None]
    plain = [(means, line) for means, line in members if means.boxes is None]
    splits = list(dict.fromkeys(s for m, line in members if (s := m.split_of(line)) is not None))
    if len(splits) > 1:
        problems.add("in_two_splits", path)
    subjects = list(dict.fromkeys(s for m, line in plain if (s := m.subject_of(line)) is not None))
    if all(means.subject is None for means, _ in members) and (person := person_of(path)) is not None:
        subjects = [person]
    labels, contradicted = merged([means.labels_of(line) for means, line in plain])
    split, wheres = next(iter(splits), None), [means.table.where(line) for means, line in members]
    if contradicted is not None or len(subjects) > 1:
        what = "subjects" if contradicted is None else f"labels {contradicted!r}"
        return LabelledPicture(
            path, split=split, broken=f"{' and '.join(wheres[:2])}: two different {what}"
        )
    if len(plain) > len({id(means) for means, _ in plain}):
        problems.add("line_twice", path, count=len(plain) - len({id(means) for means, _ in plain}))
    faces: list[LabelledFace] = []
    for means, line in boxed:
        try:
            found = means.faces_of(line, problems)
        except ValueError as error:
            return LabelledPicture(path, split=split, broken=f"{means.table.where(line)}: {error}")
        if not found and len(boxed) > 1:
            problems.add("line_without_box", means.table.where(line))
        faces += [
            replace(
                face, labels={**labels, **face.labels}, subject=face.subject or next(iter(subjects), None)
            )
            for face in found
        ]
    if boxed and not faces:
        means, line = boxed[0]
        labels = {**labels, **means.labels_of(line)}
        subjects = subjects or [s for s in [means.subject_of(line)] if s is not None]
    shares = {means.shares for means, _ in boxed}
    if len(shares) > 1:
        raise ConfigError(f"{path}: boxes in pixels and as shares; import the tables one by one")
    return LabelledPicture(
        path,
        tuple(faces),
        split=split,
        size_wh=boxed[0][0].size_of(boxed[0][1]) if boxed else None,
        subject=next(iter(subjects), None),
        labels=labels,
        normalised=shares == {True},
        located=bool(boxed),
    )
