"""Label formats, one file each: reading gives `LabelledPicture`s, writing takes them.

A format only knows its own files. Finding pictures, EXIF, checking boxes and counting what is wrong is done
once, in `lineament.datasets.importing.labels` and `lineament.datasets.exporting`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from lineament.datasets.formats._expected import Expected
from lineament.datasets.formats._labelled import Frame, LabelledPicture
from lineament.datasets.formats._naming import FolderNames
from lineament.datasets.formats._problems import Problems
from lineament.io.manifest import ManifestRow
from lineament.registry import Registry

__all__ = ["FolderNames", "Frame", "LabelFormat", "LabelledPicture", "Problems", "formats"]


class LabelFormat(Protocol):
    """A way of storing labels on disk.

    ``frame`` is the picture that boxes are measured on: ``upright``, as ``stored`` (EXIF not applied), or
    ``auto``, which goes by the size the label file states. ``classes`` are the names of classes by their
    numbers, where the format has numbers: known after reading, and given before writing, so that numbers
    survive (`_labelled.numbered`). ``empty`` is the user's word on pictures that no label names: true, they
    hold no face; None leaves it to the format. ``located`` tells whether it stores boxes: then
    a picture without any holds no face. ``unique_stems`` tells that pictures which differ only in their
    suffix would share a label file. ``importable`` is false for what is only written, and read back to
    check. ``rank`` orders formats where several fit a folder: the lowest wins. ``expects`` is what it looks
    for, for who has nothing of the kind yet.
    """

    frame: Frame
    empty: bool | None
    located: bool
    unique_stems: bool
    importable: bool
    rank: int
    expects: Expected
    classes: Mapping[int, str]

    def matches(self, source: Path) -> bool:
        """Whether this folder or file looks like the format; reads little and raises nothing."""
        ...

    def read(self, source: Path, root: Path, problems: Problems) -> Iterable[LabelledPicture]:
        """Every labelled picture below ``root``; raises `LabelFileError` when nothing can be read."""
        ...

    def destinations(self, rows: Sequence[ManifestRow], folders: FolderNames) -> list[str | None]:
        """Where each row's picture goes, relative; None where the format has no place for it."""
        ...

    def write(self, pictures: Sequence[LabelledPicture], folder: Path) -> None:
        """Write the label files; the pictures lie below ``folder`` already."""
        ...


formats: Registry[LabelFormat] = Registry("label format", "lineament.datasets.formats")
