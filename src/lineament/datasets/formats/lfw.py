"""Labeled Faces in the Wild: ``First_Last/First_Last_0001.jpg``, the folder is the subject.

Layout as in the README of http://vis-www.cs.umass.edu/lfw/. Subjects are kept as their folders are written,
with underscores. An export numbers each subject's pictures, so file names change.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from lineament.datasets.formats import formats
from lineament.datasets.formats._expected import Expected
from lineament.datasets.formats._files import pictures_below, relative
from lineament.datasets.formats._labelled import Frame, LabelledPicture
from lineament.datasets.formats._layout import is_structure
from lineament.datasets.formats._naming import FolderNames, portable_path
from lineament.datasets.formats._people import is_named_after
from lineament.datasets.formats._problems import Problems
from lineament.datasets.formats.imagefolder import folders_in
from lineament.io.manifest import ManifestRow

_LOOKED_AT = 5


@dataclass(frozen=True, slots=True)
class LfwConfig:
    """LFW has no settings."""


@formats.register("lfw", LfwConfig)
class Lfw:
    """A folder a person, files named by person and number."""

    frame: Frame = "upright"
    empty: bool | None = None
    located = False
    unique_stems = True
    importable = True
    rank = 70
    expects = Expected(
        "a folder a person with photos called after it: Ann_Lee/Ann_Lee_0001.jpg",
        "Sort the photos so, or take `--format imagefolder`, where the photos may be called anything",
    )
    classes: Mapping[int, str] = {}

    def __init__(self, config: LfwConfig) -> None:
        del config

    def matches(self, source: Path) -> bool:
        """Whether the first folders hold files named after them."""
        return base_folder(source) is not None

    def read(self, source: Path, root: Path, problems: Problems) -> Iterator[LabelledPicture]:
        """One entry a picture; a name that does not fit its folder is counted and kept."""
        base = base_folder(source) or base_folder(source, named=True)
        if base is None:
            return
        for folder in folders_in(base):
            for path in pictures_below(folder):
                if not _fits(path, folder.name):
                    problems.add("name_unlike_folder", relative(path, root))
                yield LabelledPicture(relative(path, root), subject=folder.name, located=False)

    def destinations(self, rows: Sequence[ManifestRow], folders: FolderNames) -> list[str | None]:
        """``SUBJECT/SUBJECT_0001.jpg``: names that fit stay, the others get the lowest free numbers."""
        given: dict[tuple[str, str], str] = {}
        taken: set[str] = set()
        for fitting in (True, False):
            for row in rows:
                if row.subject is None or (row.subject, row.path) in given:
                    continue
                name, file = folders.of(row.subject), PurePosixPath(portable_path(row.path))
                stem, number = file.stem, 0
                if _fits(Path(file.name), name) != fitting:
                    continue
                while not fitting and (number == 0 or f"{name}/{stem}" in taken):
                    number += 1
                    stem = f"{name}_{number:04d}"
                taken.add(f"{name}/{stem}")
                given[row.subject, row.path] = f"{name}/{stem}{file.suffix}"
        return [None if row.subject is None else given[row.subject, row.path] for row in rows]

    def write(self, pictures: Sequence[LabelledPicture], folder: Path) -> None:
        """Nothing: names and folders are the labels."""


def base_folder(source: Path, *, named: bool = False) -> Path | None:
    """The folder of the people's folders: this one, its ``images``, or one called like lfw.

    Where the user ``named`` the format, somebody may be called Test.
    """
    for base in (source, source / "images", *(p for p in folders_in(source) if p.name.startswith("lfw"))):
        looked = [(folder, next(pictures_below(folder), None)) for folder in folders_in(base)[:_LOOKED_AT]]
        if looked and all(
            path is not None and _fits(path, folder.name) and (named or not is_structure(folder.name))
            for folder, path in looked
        ):
            return base
    return None


def _fits(path: Path, name: str) -> bool:
    return is_named_after(path.stem, name)
