"""What formats share that are read but not written: single tools' own, which read the common ones too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from lineament.datasets.formats._labelled import Frame, LabelledPicture
from lineament.datasets.formats._naming import FolderNames
from lineament.errors import UsageError
from lineament.io.manifest import ManifestRow


class ReadOnly:
    """A format of boxes that is read only; ``name`` is what the refusal to write it says."""

    name: str
    frame: Frame = "auto"
    empty: bool | None = None
    located = True
    unique_stems = False
    importable = True
    classes: Mapping[int, str] = {}

    def destinations(self, rows: Sequence[ManifestRow], folders: FolderNames) -> list[str | None]:
        """Refused: raises `UsageError`."""
        raise UsageError(f"{self.name} is read only; export as coco, yolo or voc, which its tool reads")

    def write(self, pictures: Sequence[LabelledPicture], folder: Path) -> None:
        """Refused: raises `UsageError`."""
        self.destinations((), FolderNames())
