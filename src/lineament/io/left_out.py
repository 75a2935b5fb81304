"""What a walk through folders leaves out, and why: one list for every command.

Three kinds. Folders and files that belong to a system or a program, not to the user (thumbnails of a NAS,
recycle bins, resource forks of a Mac), are passed over. Pictures of a kind that is not read are left out by
that kind, and are what ``--strict`` minds. Everything else is no picture by its name.
"""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

from lineament.counting import quantity
from lineament.io import heif, own_files
from lineament.io.formats import HEIF_SUFFIXES, SUFFIXES, sniff

_SYSTEM = frozenset(
    # NAS: Synology, QNAP, Buffalo, and snapshots
    {
        "@eadir",
        "#recycle",
        "@recycle",
        ".@__thumb",
        "@tmp",
        "@sharebin",
        "#snapshot",
        "@snapshot",
        ".snapshot",
    }
    | {".snapshots", "trashbox", ".zfs", ".@qsync", ".streams"}
    # Windows
    | {"$recycle.bin", "recycler", "recycled", "system volume information", "thumbs.db", "ehthumbs.db"}
    | {"ehthumbs_vista.db", "desktop.ini", "found.000", "$windows.~bt"}
    # Mac
    | {"__macosx", ".ds_store", ".appledouble", ".appledb", ".appledesktop", ".trashes", ".spotlight-v100"}
    | {".fseventsd", ".temporaryitems", ".documentrevisions-v100", "network trash folder", "icon\r"}
    # Linux and Android
    | {
        "lost+found",
        ".thumbnails",
        ".thumbs",
        ".thumb",
        ".trash",
        ".xvpics",
        ".directory",
        ".nomedia",
        ".dtrash",
    }
    # programs: photo albums, notebooks, synchronisers, version control
    | {".picasaoriginals", ".picasa.ini", "picasa.ini", ".ipynb_checkpoints", "__pycache__", ".git", ".svn"}
    | {".hg", ".stfolder", ".stversions", ".dropbox.cache", ".sync", ".tmp.drivedownload", ".caches"}
)
_SYSTEM_STARTS = ("._", ".trash-", ".~lock.", "~$", ".goutputstream-")
_SYSTEM_ENDS = (".lrdata", ".lrprev", ".cocatalogdb", ".tmp.driveupload")

_UNREAD: Mapping[str, str] = {
    **dict.fromkeys(HEIF_SUFFIXES, "HEIC"),
    **dict.fromkeys(
        (".dng", ".cr2", ".cr3", ".crw", ".nef", ".nrw", ".arw", ".sr2", ".raf", ".rw2"), "camera raw"
    ),
    **dict.fromkeys((".orf", ".pef", ".srw", ".3fr", ".iiq", ".x3f", ".rwl", ".dcr", ".kdc"), "camera raw"),
    **dict.fromkeys((".jxl",), "JPEG XL"),
    **dict.fromkeys((".jp2", ".j2k", ".jpf", ".jpx", ".j2c", ".jpc"), "JPEG 2000"),
    **dict.fromkeys((".psd", ".psb"), "Photoshop"),
    **dict.fromkeys(
        (".tga", ".ico", ".icns", ".pcx", ".xcf", ".exr", ".hdr", ".pfm", ".pbm", ".pam"), "other"
    ),
    **dict.fromkeys((".svg", ".svgz", ".eps", ".ai", ".wmf", ".emf"), "drawing"),
}
_HOW = {
    "HEIC": "pip install 'lineament[heif]' reads them",
    "camera raw": "develop them to JPEG or TIFF",
    "no suffix": "give their names one, such as .jpg",
}


def is_system(name: str) -> bool:
    """Whether a file or folder of this name belongs to a system or a program, whoever shares the disk."""
    name = name.lower()
    return name in _SYSTEM or name.startswith(_SYSTEM_STARTS) or name.endswith(_SYSTEM_ENDS)


def is_picture_name(name: str) -> bool:
    """Whether a file of that name is picked in a folder; its content still decides what it is."""
    suffix = PurePath(name).suffix.lower()
    return suffix in SUFFIXES or (_UNREAD.get(suffix) == "HEIC" and heif.available())


def unread_kind(name: str) -> str | None:
    """The kind of picture that a file of this name is and that is not read here; None for all else."""
    return None if is_picture_name(name) else _UNREAD.get(PurePath(name).suffix.lower())


@dataclass(slots=True)
class LeftOut:
    """What was left out: ``pictures`` by kind, files of systems that were ``passed_over``, and ``others``.

    The others are no pictures by their names, or hidden; a hidden folder counts once. ``own`` are sheets,
    drawings and plots that this tool drew: what is put out never goes in again. ``labels`` are the problems
    of labels that were read on the way, by kind.
    """

    pictures: Counter[str] = field(default_factory=Counter)
    passed_over: int = 0
    others: int = 0
    own: int = 0
    labels: Counter[str] = field(default_factory=Counter)

    def add(self, other: LeftOut) -> None:
        """Count what another walk left out, too."""
        self.pictures += other.pictures
        self.passed_over += other.passed_over
        self.others += other.others
        self.own += other.own
        self.labels += other.labels

    def total(self) -> int:
        """All of it."""
        counted = self.pictures.total() + self.labels.total()
        return counted + self.passed_over + self.others + self.own

    def take(self, path: str, name: str) -> None:
        """Count a file or folder that a walk leaves out."""
        if is_system(name):
            count = _files_below(path)
            self.passed_over += count
            _notice(path, "", count)
        elif is_picture_name(name) and own_files.is_drawn(path):
            self.own += 1
            _notice(path, _OWN, 1)
        elif (kind := unread_kind(name) or _nameless_kind(path, name)) is not None:
            self.pictures[kind] += 1
            _notice(path, kind, 1)
        else:
            self.others += 1

    def sentences(self) -> list[str]:
        """What to tell a person, a sentence each; nothing where nothing was left out."""
        said = []
        for kind, count in sorted(self.pictures.items()):
            how = f"; {_HOW[kind]}" if kind in _HOW else ""
            said.append(f"left out: {quantity(count, 'picture')} of a kind that is not read ({kind}){how}")
        if self.passed_over:
            said.append(
                f"passed over: {quantity(self.passed_over, 'file')} of systems and programs "
                "(thumbnails, recycle bins ...)"
            )
        if self.own:
            said.append(
                f"passed over: {quantity(self.own, 'picture')} that lineament drew (contact sheets, "
                "drawings, plots)"
            )
        if self.others:
            said.append(f"left out: {quantity(self.others, 'file')} in folders, no pictures by their names")
        if self.labels:
            told = ", ".join(f"{kind} {count:,}" for kind, count in sorted(self.labels.items()))
            more = " and how to take those for empty ones" if self.labels["picture_without_labels"] else ""
            said.append(f"found in the labels: {told}; `dataset import` shows an example of each{more}")
        return said

    def to_json(self) -> dict[str, Any]:
        """The counts by name."""
        return {
            "pictures": dict(sorted(self.pictures.items())),
            "passed_over": self.passed_over,
            "others": self.others,
            "own": self.own,
            **({"labels": dict(sorted(self.labels.items()))} if self.labels else {}),
        }


_OWN = "own"
_noticed: dict[str, tuple[str, int]] | None = None
_noticed_labels: dict[str, Mapping[str, int]] = {}
_told: set[str] = set()


def others_told(*left: LeftOut) -> list[str]:
    """A line on the files that by their names are no pictures, if there were any."""
    count = sum(one.others for one in left)
    return [f"left out: {quantity(count, 'file')} in folders, no pictures by their names"] if count else []


@contextmanager
def noticing() -> Iterator[None]:
    """Let `gathered` sum up what all walks within the block leave out, each path once.

    For a command, so that none can forget to count. Others than pictures and files of systems are not
    gathered: beside labels they are the labels.
    """
    global _noticed, _noticed_labels, _told
    before = _noticed, _noticed_labels, _told
    _noticed, _noticed_labels, _told = {}, {}, set()
    try:
        yield
    finally:
        _noticed, _noticed_labels, _told = before


def gathered() -> LeftOut:
    """What the command under way has left out so far, see `noticing`."""
    return _sum((_noticed or {}).values(), _noticed_labels.values())


def untold() -> LeftOut:
    """What was `gathered` since this was last asked: so each answer of a command tells what is new."""
    found = [found for path, found in (_noticed or {}).items() if path not in _told]
    labels = [problems for path, problems in _noticed_labels.items() if f"labels of {path}" not in _told]
    _told.update(_noticed or (), (f"labels of {path}" for path in _noticed_labels))
    return _sum(found, labels)


def _sum(noticed: Iterable[tuple[str, int]], labels: Iterable[Mapping[str, int]]) -> LeftOut:
    found = LeftOut()
    for kind, count in noticed:
        if kind == _OWN:
            found.own += count
        elif kind:
            found.pictures[kind] += count
        else:
            found.passed_over += count
    for problems in labels:
        found.labels.update(problems)
    return found


def notice_labels(path: str, problems: Mapping[str, int]) -> None:
    """Let the command under way tell what was wrong with the labels at ``path``, once."""
    if _noticed is not None:
        _noticed_labels[os.path.realpath(path)] = problems


def _notice(path: str, kind: str, count: int) -> None:
    if _noticed is not None:
        _noticed[os.path.realpath(path)] = (kind, count)


def _files_below(path: str) -> int:
    if not os.path.isdir(path) or os.path.islink(path):  # noqa: PTH112, PTH114
        return 1
    return sum(len(files) for _, _, files in os.walk(path))


def _nameless_kind(path: str, name: str) -> str | None:
    """A picture whose name has no suffix at all: told by its first bytes."""
    if PurePath(name).suffix or name.startswith("."):
        return None
    try:
        with open(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb") as file:  # noqa: PTH123
            head = file.read(64) if stat.S_ISREG(os.fstat(file.fileno()).st_mode) else b""
    except OSError:
        return None
    return "no suffix" if sniff(head) is not None else None
