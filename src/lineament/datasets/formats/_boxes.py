"""What formats of boxes have in common, and those of single tools, which are read but not written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from lineament.datasets.formats._expected import Expected
from lineament.datasets.formats._files import files_below
from lineament.datasets.formats._json_kinds import json_kind
from lineament.datasets.formats._labelled import BoxConfig, Frame, LabelledPicture
from lineament.datasets.formats._naming import FolderNames
from lineament.datasets.formats._problems import Problems
from lineament.errors import UsageError
from lineament.io.manifest import ManifestRow


class Boxes:
    """A format of boxes: what its settings say, and what most of them have."""

    located = True
    unique_stems = False
    importable = True
    rank: int
    expects: Expected

    def __init__(self, config: BoxConfig) -> None:
        self.frame: Frame = config.frame
        self.empty = config.empty
        self.classes: Mapping[int, str] = {}


class ReadOnly(Boxes):
    """What a tool writes that reads the common formats itself.

    ``name`` is what the refusal to write it says. Files are JSON of the kind that has this name.
    """

    name: str

    def files(self, source: Path) -> list[Path]:
        """The label files that a folder holds, or the one that ``source`` is."""
        files = [source] if source.is_file() else files_below(source, [".json"], limit=50)
        return [file for file in files if json_kind(file) == self.name]

    def matches(self, source: Path) -> bool:
        """Whether there is such a file."""
        return bool(self.files(source))

    def read(self, source: Path, root: Path, problems: Problems) -> Iterator[LabelledPicture]:
        """Every picture of every file."""
        for file in self.files(source):
            yield from self.pictures(file, root, problems)

    def pictures(self, file: Path, root: Path, problems: Problems) -> Iterator[LabelledPicture]:
        """Every picture of a file."""
        raise NotImplementedError

    def destinations(self, rows: Sequence[ManifestRow], folders: FolderNames) -> list[str | None]:
        """Refused: raises `UsageError`."""
        raise UsageError(f"{self.name} is read only; export as coco, yolo or voc, which its tool reads")

    def write(self, pictures: Sequence[LabelledPicture], folder: Path) -> None:
        """Refused: raises `UsageError`."""
        self.destinations((), FolderNames())
