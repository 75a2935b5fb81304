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
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from lineament.datasets import tables
from lineament.datasets.formats import _one_hot, _own_table, formats
from lineament.datasets.formats._boxes import Boxes
from lineament.datasets.formats._columns import Columns, merged
from lineament.datasets.formats._expected import Expected
from lineament.datasets.formats._files import locate, pictures_below, relative
from lineament.datasets.formats._labelled import BoxConfig, Frame, LabelledFace, LabelledPicture
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

_PATTERN = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True, slots=True)
class CsvConfig(BoxConfig):
    """``path``: the column of pictures, or a pattern of columns: ``path={person}/{file}.jpg``.

    ``subject``: the column that names the subject. ``columns``: the columns of a table without a header,
    with ``/`` between. ``box``: what the four numbers of a box are, where the header does not tell.
    ``one_hot``: what columns of 0 and 1 are, one class or labels each; auto as `_one_hot` tells.
    """

    path: str | None = None
    subject: str | None = None
    columns: str = ""
    box: Shape | None = None
    one_hot: Literal["auto", "class", "labels"] = "auto"
    frame: Frame = "upright"


@formats.register("csv", CsvConfig)
class Csv(Boxes):
    """Tables beside the pictures, or in the folders of the splits."""

    rank = 60
    expects = Expected(
        f"a table ({', '.join(tables.SUFFIXES)}) with a column of pictures, here or in a folder here",
        "Write one, a line a picture with its labels in columns, or name the file in place of the folder",
    )
    tables: tuple[str, ...] = ()
    """Names of the tables that were read."""

    def __init__(self, config: CsvConfig) -> None:
        super().__init__(config)
        self.config = config
        self.columns = tuple(filter(None, config.columns.split("/")))

    def matches(self, source: Path) -> bool:
        """Whether the folder has a table with a column of paths, or the file is one."""
        return any(True for _ in self._files(source))

    def read(self, source: Path, root: Path, problems: Problems) -> Iterator[LabelledPicture]:
        """One entry a picture, all that its tables say of it taken together."""
        files = [source] if source.is_file() else list(self._files(source))
        if not files:
            self._refuse_tables(source)
        grouped: dict[str, list[tuple[Columns | Table, Line]]] = {}
        found = [(file, table) for file in files if (table := self._table(file, source, root, problems))]
        self.tables = tuple(table.name for _, table in found)
        one_class = self._are_one_class([table for _, table in found], root)
        for file, given in found:
            table = given
            means = table if table.own else self._columns(table, root, one_class)
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
            if not grouped and table.lines and isinstance(means, Columns) and file == found[-1][0]:
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

    def _table(self, file: Path, source: Path, root: Path, problems: Problems) -> Table | None:
        if source.is_dir() and _is_answer_sheet(file):
            problems.add("not_taken: a sample of answers", relative(file, root))
            return None
        return tables.read_table(file, relative(file, root), columns=self.columns)

    def _are_one_class(self, found: Sequence[Table], root: Path) -> bool:
        """Whether columns of 0 and 1 are one class together, in all tables alike."""
        if self.config.one_hot != "auto":
            return self.config.one_hot == "class"
        hot = [table for table in found if _one_hot.is_named_so(table)]
        return bool(hot) and all(_one_hot.is_exclusive(t, self._path(t, root)) for t in hot)

    def _path(self, table: Table, root: Path) -> str:
        """The column of pictures, or the pattern that makes their names; raises `LabelFileError`."""
        path = self.config.path
        if path is None:
            path = _pictures(table, root)
        elif "{" not in path:
            path = _named(table, path)
        if path is None:
            raise LabelFileError(_no_pictures(table))
        return path

    def _columns(self, table: Table, root: Path, one_class: bool) -> Columns:
        path = self._path(table, root)
        if _one_hot.is_named_so(table) or self.config.one_hot != "auto":
            table = _one_hot.as_class(table, path) if one_class else _one_hot.as_labels(table, path)
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

    def _refuse_tables(self, source: Path) -> None:
        """Raise `LabelFileError` for the first table here, which names no picture."""
        for file in _tables_in(source):
            raise LabelFileError(_no_pictures(tables.read_table(file, columns=self.columns)))


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
