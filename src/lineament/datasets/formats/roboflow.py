"""Roboflow exports: ``train``, ``valid``, ``test``, renamed pictures and two README files.

COCO has ``SPLIT/_annotations.coco.json`` beside the pictures, YOLO ``data.yaml`` and ``SPLIT/images``. Also
read: its exports for darknet, Pascal VOC, CreateML and as tables, of boxes (``SPLIT/_annotations.csv``) and
of classes without boxes (``SPLIT/_classes.csv``, see `_one_hot`).
Pictures are called ``NAME_EXT.rf.HASH.EXT``; several hashes of one NAME are augmented copies, so the name
before upload becomes the label ``source_name``. Licence and address come from ``README.dataset.txt`` or
``data.yaml``. Roboflow strips EXIF by default ("auto-orient",
https://docs.roboflow.com/datasets/dataset-versions/image-preprocessing), so stored and upright are the
same; where an export was made without it, COCO's sizes tell and YOLO is taken as upright.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Literal

from lineament.counting import quantity
from lineament.datasets.formats import LabelFormat, coco, formats
from lineament.datasets.formats._boxes import Boxes
from lineament.datasets.formats._expected import Expected
from lineament.datasets.formats._files import new_text, read_text, sniff
from lineament.datasets.formats._labelled import BoxConfig, LabelledPicture, split_name
from lineament.datasets.formats._naming import FolderNames, portable, portable_path
from lineament.datasets.formats._problems import Problems
from lineament.datasets.formats._yolo_data import load_settings
from lineament.datasets.formats.yolo import write_data
from lineament.io.manifest import ManifestRow, Provenance

_ANNOTATIONS = "_annotations.coco.json"
_RENAMED = re.compile(r"(?P<stem>.+)_(?P<suffix>[A-Za-z0-9]{2,5})\.rf\.[0-9a-zA-Z]{6,64}")
_TABLES = ("*/_annotations.csv", "*/_classes.csv", "_classes.csv")
_UNSPLIT = "unsplit"


@dataclass(frozen=True, slots=True)
class RoboflowConfig(BoxConfig):
    """``flavour``: which of the two is written."""

    flavour: Literal["coco", "yolo"] = "coco"


@formats.register("roboflow", RoboflowConfig)
class Roboflow(Boxes):
    """COCO or YOLO with Roboflow's names around it."""

    unique_stems = True
    rank = 10
    expects = Expected(
        f"{_ANNOTATIONS}, or another export of Roboflow",
        "Label in Roboflow, export a version as COCO or YOLO, and unpack it here",
    )

    def __init__(self, config: RoboflowConfig) -> None:
        super().__init__(config)
        self.flavour = config.flavour

    def matches(self, source: Path) -> bool:
        """Whether there are Roboflow's annotation files, or its READMEs beside labels of another tool."""
        return source.is_dir() and (bool(_annotations(source)) or _inner(source) is not None)

    def read(self, source: Path, root: Path, problems: Problems) -> Iterator[LabelledPicture]:
        """Every picture of every split."""
        common = _provenance(source)
        files = _annotations(source)
        if files:
            numbers: dict[int, str] = {}
            self.classes = numbers
            for file in files:
                split = split_name(file.parent.name) or file.parent.name
                for picture in coco.read_file(file, root, problems, split=split, classes=numbers):
                    yield _finished(picture, common)
            return
        inner = _inner(source, self.empty)
        if inner is None:
            return
        for picture in inner.read(source, root, problems):
            yield _finished(picture, common)
        self.classes = inner.classes

    def destinations(self, rows: Sequence[ManifestRow], folders: FolderNames) -> list[str | None]:
        """``SPLIT/NAME_EXT.rf.HASH.EXT``, below ``images`` for YOLO; sub-folders are dropped."""
        inner = "images/" if self.flavour == "yolo" else ""
        return [f"{_folder(row.split)}/{inner}{_renamed(row)}" for row in rows]

    def write(self, pictures: Sequence[LabelledPicture], folder: Path) -> None:
        """The label files of the flavour, and both READMEs."""
        splits = sorted({p.split for p in pictures}, key=lambda s: s or "")
        if self.flavour == "coco":
            for split in splits:
                members = [
                    replace(p, path=PurePosixPath(p.path).name) for p in pictures if p.split == split
                ]
                file = folder / _folder(split) / _ANNOTATIONS
                coco.write_file(members, file, split, source_names=True, classes=self.classes)
        else:
            write_data(pictures, folder, {s: f"{_folder(s)}/images" for s in splits}, classes=self.classes)
        licences = {p.provenance.licence or "" for p in pictures}
        with new_text(folder / "README.dataset.txt") as out:
            licence = licences.pop() if len(licences) == 1 else ""
            out.write(f"Exported by lineament in the layout of Roboflow\nLicense: {licence}\n")
        with new_text(folder / "README.roboflow.txt") as out:
            out.write(
                f"{quantity(len(pictures), 'picture')}, labels in {self.flavour.upper()} format, not "
                "pre-processed, "
                "not augmented.\nAn EXIF orientation of a picture is left in the file; boxes are on the "
                f"{'stored' if self.frame == 'stored' else 'upright'} picture.\n"
            )


def _inner(source: Path, empty: bool | None = None) -> LabelFormat | None:
    """The reader of what an export for another tool holds, None when the folder is not Roboflow's."""
    file = source / "data.yaml"
    named = any((source / name).is_file() for name in ("README.roboflow.txt", "README.dataset.txt"))
    if not (
        named
        or (file.is_file() and "roboflow:" in sniff(file))
        or any(any(source.glob(place)) for place in _TABLES)
    ):
        return None
    readers = (formats.create(name, empty=empty) for name in ("yolo", "voc", "createml", "csv"))
    return next((reader for reader in readers if reader.matches(source)), None)


def _annotations(source: Path) -> list[Path]:
    if not source.is_dir():
        return []
    return sorted(source.glob(f"*/{_ANNOTATIONS}")) or sorted(source.glob(_ANNOTATIONS))


def _folder(split: str | None) -> str:
    if split is None:
        return _UNSPLIT
    return "valid" if split == "val" else portable(split)


def _renamed(row: ManifestRow) -> str:
    file = PurePosixPath(portable_path(row.path))
    suffix = file.suffix.removeprefix(".")
    if _RENAMED.fullmatch(file.stem):
        return file.name
    return f"{file.stem}_{suffix}.rf.{row.sha256[:32]}.{suffix}"


def _finished(picture: LabelledPicture, common: Provenance) -> LabelledPicture:
    name, own = picture.source_name, picture.provenance
    if name is None and (match := _RENAMED.fullmatch(PurePosixPath(picture.path).stem)):
        name = f"{match['stem']}.{match['suffix']}"
    return replace(
        picture,
        split=None if picture.split == _UNSPLIT else picture.split,
        source_name=name,
        provenance=replace(own, licence=own.licence or common.licence, page=own.page or common.page),
    )


def _provenance(source: Path) -> Provenance:
    """Licence and page of the whole export, where it states them."""
    licence = page = None
    readme, data = source / "README.dataset.txt", source / "data.yaml"
    if readme.is_file():
        text = read_text(readme, max_bytes=2**20)
        licence = next(filter(None, map(_stated_licence, text.split("\n"))), None)
        page = next(filter(None, map(_page_of_roboflow, text.split())), None)
    if data.is_file():
        told = load_settings(data).get("roboflow")
        if isinstance(told, dict):
            licence = licence or _text(told.get("license"))
            page = page or _text(told.get("url"))
    return Provenance(licence=licence or None, page=page or None)


# Searched word by word: an expression that may end anywhere costs the square of a text without an end.


def _stated_licence(line: str) -> str | None:
    key, _, value = line.partition(":")
    return value.strip() if key == "License" else None


def _page_of_roboflow(word: str) -> str | None:
    _, scheme, rest = word.partition("https://")
    return scheme + rest if "roboflow" in rest[1:] else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
