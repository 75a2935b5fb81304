"""Reading label files that may be anything, and finding the pictures they name."""

from __future__ import annotations

import os
import posixpath
import secrets
import shutil
import stat
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, NoReturn
from weakref import WeakKeyDictionary
from xml.etree import ElementTree
from xml.parsers import expat

from lineament.datasets.formats._encodings import CERTAIN, decode, readable
from lineament.datasets.formats._index import PictureIndex
from lineament.datasets.formats._layout import passed_over
from lineament.datasets.formats._problems import Problems
from lineament.documents import Malformed, json_of
from lineament.errors import LabelFileError, OutputError, UsageError
from lineament.io import left_out, sources
from lineament.io.permissions import opener
from lineament.io.walking import walk
from lineament.io.writing import make_folder, unwritable

MAX_BYTES = 2**30
_MAX_DEPTH = 64
_FIRST_IN: ContextVar[Path | None] = ContextVar(
    "the folder that pictures are looked for in first", default=None
)
_INDEXES: WeakKeyDictionary[Problems, PictureIndex] = WeakKeyDictionary()
"""One walk a reading, however many pictures do not lie where they should."""


def read_text(path: Path, *, max_bytes: int = MAX_BYTES, problems: Problems | None = None) -> str:
    """A label file as text, a byte order mark dropped; raises `LabelFileError`.

    UTF-8 or UTF-16. With ``problems`` also the encoding that an XML file declares, or cp1252, counted.
    """
    try:
        if _leads_out(path):
            raise LabelFileError(f"{path.name}: a link leads it out of the data set; it was not read")
        if not stat.S_ISREG(path.stat().st_mode):
            raise LabelFileError(f"{path.name}: not a regular file")
        with path.open("rb") as file:
            data = file.read(max_bytes + 1)
    except OSError as error:
        raise LabelFileError(f"{path.name}: cannot be read: {error.strerror}") from None
    if len(data) > max_bytes:
        raise LabelFileError(f"{path.name}: more bytes than the limit of {max_bytes:,}")
    try:
        text, encoding = decode(data)
    except UnicodeDecodeError as error:
        raise LabelFileError(f"{path.name}: not UTF-8: {error.reason} at byte {error.start}") from None
    if encoding not in CERTAIN:
        if problems is None:
            raise LabelFileError(f"{path.name}: neither UTF-8 nor UTF-16; save it as UTF-8")
        problems.add("not_utf8", f"{path.name}: read as {encoding}")
    return text.removeprefix("\ufeff")


def _leads_out(path: Path) -> bool:
    kept = _WITHIN.get()
    return kept is not None and not sources.lies_within(path, *kept.roots)


def load_json(path: Path, *, max_bytes: int = MAX_BYTES) -> Any:
    """What a JSON file holds; raises `LabelFileError`."""
    try:
        return json_of(read_text(path, max_bytes=max_bytes), max_bytes, numbers=False)
    except Malformed as error:
        raise LabelFileError(f"{path.name}: {error}") from None


def read_json(path: Path, *, max_bytes: int = MAX_BYTES) -> dict[str, Any]:
    """A JSON file that holds an object; raises `LabelFileError`."""
    values = load_json(path, max_bytes=max_bytes)
    if not isinstance(values, dict):
        raise LabelFileError(f"{path.name}: holds no JSON object")
    return values


def read_xml(
    path: Path, *, max_bytes: int = 2**26, problems: Problems | None = None
) -> ElementTree.Element:
    """An XML file without a document type: entities, which could grow without end, are refused.

    Raises `LabelFileError`.
    """
    builder, depth = ElementTree.TreeBuilder(), 0

    def refuse(*_: object) -> NoReturn:
        raise LabelFileError(f"{path.name}: declares a document type, which no label file needs")

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > _MAX_DEPTH:
            raise LabelFileError(f"{path.name}: nested more than {_MAX_DEPTH} deep")
        builder.start(name, attributes)

    def end(name: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(name)

    # The text is UTF-8 by then, whatever encoding the file declares.
    parser = expat.ParserCreate("utf-8")
    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = builder.data
    parser.buffer_text = True
    try:
        parser.Parse(read_text(path, max_bytes=max_bytes, problems=problems).encode("utf-8"), True)
        return builder.close()
    except (expat.ExpatError, ValueError) as error:
        raise LabelFileError(f"{path.name}: not XML: {error}") from None


def sniff(path: Path, size: int = 2**16) -> str:
    """The first and last bytes of a file as text, for guessing its format; empty when unreadable."""
    try:
        if _leads_out(path) or not stat.S_ISREG(path.stat().st_mode):
            return ""
        with path.open("rb") as file:
            head = file.read(size)
            end = file.seek(0, os.SEEK_END)
            file.seek(max(end - size, len(head)))
            return readable(head + file.read(size))
    except OSError:
        return ""


def files_below(folder: Path, suffixes: Iterable[str], *, limit: int | None = None) -> list[Path]:
    """Files with one of the suffixes in a folder and its sub-folders, sorted, hidden ones left out."""
    wanted, found = tuple(suffixes), []
    for base, folders, names in walk(folder):
        folders[:] = sorted(name for name in folders if not passed_over(name))
        for name in sorted(names):
            if name.lower().endswith(wanted) and not passed_over(name):
                found.append(Path(base) / name)
                if limit is not None and len(found) >= limit:
                    return found
    return sorted(found)


def pictures_below(folder: Path) -> Iterator[Path]:
    """Every file with a picture's suffix, sorted within its folder, what systems put there left out."""
    kept = _WITHIN.get()
    listing = sources.expand([folder], () if kept is None else kept.roots)
    for name in listing:
        path = Path(name)
        if left_out.is_picture_name(name) and not any(map(passed_over, path.relative_to(folder).parts)):
            yield path
    if kept is not None:
        kept.outside.update(listing.outside)


@dataclass(slots=True)
class _Within:
    """Where a reading stays, and the links to folders elsewhere that it did not follow."""

    roots: tuple[Path, ...]
    outside: set[str] = field(default_factory=set)


_WITHIN: ContextVar[_Within | None] = ContextVar("where a reading stays", default=None)


@contextmanager
def reading_within(*roots: Path) -> Iterator[None]:
    """Keep every walk and every label file of the block below these folders; a file may be one, too."""
    token = _WITHIN.set(_Within(roots))
    try:
        yield
    finally:
        _WITHIN.reset(token)


def folders_outside() -> set[str]:
    """The links to folders elsewhere that the walks of this block did not follow."""
    kept = _WITHIN.get()
    return set() if kept is None else kept.outside


def relative(path: Path, root: Path) -> str:
    """A path below ``root`` as the manifest writes it."""
    return path.relative_to(root).as_posix()


@contextmanager
def pictures_in(folder: Path) -> Iterator[None]:
    """Look for named pictures in this folder, below the root, before any that the format knows."""
    token = _FIRST_IN.set(folder)
    try:
        yield
    finally:
        _FIRST_IN.reset(token)


def pictures_folder(source: Path) -> Path:
    """Where the pictures of these labels are: the folder of `pictures_in`, else the labels' own."""
    return _FIRST_IN.get() or (source if source.is_dir() else source.parent)


def locate(
    name: str,
    root: Path,
    bases: Iterable[Path],
    problems: Problems,
    where: str,
    split: str | None = None,
    *,
    faces: int = 0,
) -> str | None:
    """The picture a label file names, relative to ``root``: the first of ``bases`` that has it.

    A name that differs only in Unicode form (as archives made on a Mac do) is found and counted, and so is
    the only picture that a name which leads elsewhere can mean, of the label file's ``split`` where that
    is known (`PictureIndex`). A name that leaves ``root``, or that nothing fits, is counted, and so are its
    ``faces``, and the answer is None.
    """
    name = name.replace("\\", "/")
    bases = list(bases)
    inner = exactly(name, root, bases, problems)
    if inner is not None:
        return inner
    found = _index(root, problems).find(name, split)
    if found is not None:
        problems.add(found.kind, f"{where}: {name} is {found.path}")
        return found.path
    inside = any(_inner(name, root, base) for base in bases)
    problems.add("missing_picture" if inside else "picture_outside", f"{where}: {name}")
    if faces:
        problems.add("face_of_missing_picture", f"{where}: {name}", count=faces)
    return None


def exactly(name: str, root: Path, bases: Iterable[Path], problems: Problems) -> str | None:
    """The same where the name leads to it from one of ``bases``; else None, and nothing is counted."""
    name = name.replace("\\", "/")
    start, named = os.fspath(root), _FIRST_IN.get()
    bases = [*bases] if named is None else [named, *bases]
    for form in (name, unicodedata.normalize("NFC", name), unicodedata.normalize("NFD", name)):
        for base in bases:
            inner = _inner(form, root, base)
            if inner and os.path.exists(f"{start}/{inner}"):  # noqa: PTH110  Path.exists() raises for long names
                if form != name:
                    problems.add("other_unicode_form", inner)
                return inner
    return None


def _inner(name: str, root: Path, base: Path) -> str | None:
    """Where a name leads from ``base``, relative to ``root``; None when it leads out."""
    inner = posixpath.normpath(posixpath.join(relative(base, root), name))
    if not name or "\0" in name or inner.startswith(("../", "/")) or inner in ("..", "."):
        return None
    return inner


def _index(root: Path, problems: Problems) -> PictureIndex:
    index = _INDEXES.get(problems)
    if index is None:
        folder = _FIRST_IN.get() or root
        index = PictureIndex(relative(path, root) for path in pictures_below(folder))
        _INDEXES[problems] = index
    return index


def doubted(root: Path, problems: Problems) -> frozenset[str]:
    """Pictures below ``root`` that a name may mean which `locate` found no picture for."""
    index = _INDEXES.get(problems)
    return frozenset(() if index is None else index.doubted)


@contextmanager
def new_text(path: Path) -> Iterator[IO[str]]:
    """A text file that must not exist yet, so that labels never take the place of a picture."""
    make_folder(path.parent)
    with open(path, "x", encoding="utf-8", newline="\n", opener=opener) as file:
        yield file


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """A folder filled beside ``folder`` that becomes it when the block ends well, else leaves no trace.

    Raises `UsageError` when ``folder`` exists and is not empty, `OutputError` where the disk refuses.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder}: exists already; a new or empty folder is needed")
    folder = folder.absolute()
    temporary = folder.with_name(f".{secrets.token_hex(8)}")
    try:
        make_folder(temporary)
        yield temporary
        if folder.exists():
            temporary.chmod(stat.S_IMODE(folder.stat().st_mode))
            folder.rmdir()
        temporary.replace(folder)
    except OSError as error:
        raise OutputError(unwritable(folder, error)) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
