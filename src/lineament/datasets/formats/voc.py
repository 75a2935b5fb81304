"""Pascal VOC: one XML file a picture, boxes 1-based and inclusive.

The development kit of VOC2012 counts pixels from 1 and includes the last, so our continuous box is
``(xmin - 1, ymin - 1, xmax, ymax)``. labelImg and some exporters count from 0; for theirs set
``first=0``, else boxes are one pixel off at the left and top. Written boxes are whole pixels. CVAT's
``<attributes>`` hold labels. Since 2020 labelImg turns pictures by EXIF before labelling
(https://github.com/HumanSignal/labelImg/pull/650), earlier ones it did not; ``<size>`` tells them apart.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from xml.etree import ElementTree

from lineament.datasets.formats import formats
from lineament.datasets.formats._files import (
    files_below,
    locate,
    new_text,
    read_text,
    read_xml,
    relative,
    sniff,
)
from lineament.datasets.formats._labelled import (
    FACE,
    Frame,
    LabelledFace,
    LabelledPicture,
    split_name,
)
from lineament.datasets.formats._naming import FolderNames, portable, portable_path
from lineament.datasets.formats._problems import Problems
from lineament.errors import LabelFileError
from lineament.io.formats import SUFFIXES
from lineament.io.manifest import Box, ManifestRow

_FIELDS = ("pose", "truncated", "difficult", "occluded")


_UNWRITABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class VocConfig:
    """``first``: the number of the first pixel, 1 as in VOC or 0. ``frame``: as in `LabelFormat`."""

    first: int = 1
    frame: Frame = "auto"


@formats.register("voc", VocConfig)
class Voc:
    """``Annotations``, ``JPEGImages`` and ``ImageSets/Main``."""

    located = True
    unique_stems = True
    importable = True
    rank = 22
    classes: Mapping[int, str] = {}

    def __init__(self, config: VocConfig) -> None:
        self.first, self.frame = config.first, config.frame

    def matches(self, source: Path) -> bool:
        """Whether one of the first XML files is an annotation."""
        return any("<annotation" in sniff(file, 2048) for file in _files(source, limit=5))

    def read(self, source: Path, root: Path, problems: Problems) -> Iterator[LabelledPicture]:
        """One entry an XML file; a broken one refuses its picture."""
        files = _files(source)
        if not files:
            raise LabelFileError(f"{source}: holds no XML file")
        folder = source if source.is_dir() else source.parent
        splits = _splits(folder, problems)
        for file in files:
            stem = _stem(file, folder)
            split = splits.get(stem, split_name(file.parent.name))
            try:
                picture = self._picture(file, folder, root, split, problems)
            except LabelFileError as error:
                path = _beside(file, folder, root)
                if path is None:
                    problems.add("broken_label_file", f"{relative(file, root)}: {error}")
                    continue
                picture = LabelledPicture(path, split=split, broken=str(error))
            if picture is not None:
                yield picture

    def _picture(
        self, file: Path, folder: Path, root: Path, split: str | None, problems: Problems
    ) -> LabelledPicture | None:
        tree, where = read_xml(file), relative(file, root)
        if tree.tag != "annotation":
            problems.add("not_an_annotation", where)
            return None
        path = None
        name = tree.findtext("filename")
        if name:
            bases = [folder / "JPEGImages", file.parent, folder, folder / "images"]
            bases.insert(0, folder / "JPEGImages" / PurePosixPath(_stem(file, folder)).parent)
            path = locate(name, root, bases, problems, where)
        else:
            path = _beside(file, folder, root)
            problems.add("missing_picture", where) if path is None else None
        faces = [_face(entry, self.first, where) for entry in tree.iterfind("object")]
        if path is None:
            problems.add("face_of_missing_picture", where, count=len(faces)) if faces else None
            return None
        try:
            size = (int(tree.findtext("size/width", "0")), int(tree.findtext("size/height", "0")))
        except ValueError:
            size = (0, 0)
        return LabelledPicture(path, tuple(faces), split=split, size_wh=size if min(size) > 0 else None)

    def destinations(self, rows: Sequence[ManifestRow], folders: FolderNames) -> list[str | None]:
        """``JPEGImages/PATH``."""
        return [f"JPEGImages/{portable_path(row.path)}" for row in rows]

    def write(self, pictures: Sequence[LabelledPicture], folder: Path) -> None:
        """An annotation a picture, and a list of names a split."""
        members: dict[str, list[str]] = {}
        for picture in pictures:
            inner = PurePosixPath(picture.path).relative_to("JPEGImages")
            with new_text(folder / "Annotations" / inner.with_suffix(".xml")) as out:
                out.write(_document(picture, inner.as_posix(), self.first))
            if picture.split is not None:
                members.setdefault(portable(picture.split), []).append(inner.with_suffix("").as_posix())
        for split, stems in sorted(members.items()):
            with new_text(folder / "ImageSets" / "Main" / f"{split}.txt") as out:
                out.writelines(f"{stem}\n" for stem in stems)


def _files(source: Path, *, limit: int | None = None) -> list[Path]:
    if source.is_file():
        return [source] if source.suffix.lower() == ".xml" else []
    return files_below(source, [".xml"], limit=limit)


def _stem(file: Path, folder: Path) -> str:
    parts = file.relative_to(folder).with_suffix("").parts
    return "/".join(parts[1:] if parts[0] == "Annotations" else parts)


def _splits(folder: Path, problems: Problems) -> dict[str, str]:
    """Name of a picture to its split; ``trainval`` is the union of two and says nothing."""
    found: dict[str, str] = {}
    for file in sorted((folder / "ImageSets" / "Main").glob("*.txt")):
        if file.stem == "trainval":
            continue
        # The lists of single classes are named CLASS_train.txt and repeat these.
        if "_" in file.stem and split_name(file.stem.rpartition("_")[2]):
            continue
        for line in read_text(file).split("\n"):
            if line and found.setdefault(line, file.stem) != file.stem:
                problems.add("in_two_splits", line)
    return found


def _beside(file: Path, folder: Path, root: Path) -> str | None:
    """The picture of the XML file's own name."""
    stem = _stem(file, folder)
    for base in (folder / "JPEGImages" / stem, folder / "images" / stem, file.with_suffix("")):
        for candidate in sorted(base.parent.glob("*")) if base.parent.is_dir() else []:
            if candidate.stem == base.name and candidate.suffix.lower() in SUFFIXES:
                return relative(candidate, root)
    return None


def _face(entry: ElementTree.Element, first: int, where: str) -> LabelledFace:
    labels: dict[str, str | float] = {}
    for name in _FIELDS:
        text = entry.findtext(name)
        if text is not None and text != "Unspecified":
            labels[name] = _value(text)
    for attribute in entry.iterfind("attributes/attribute"):
        labels[attribute.findtext("name", "")] = _value(attribute.findtext("value", ""))
    return LabelledFace(_box(entry, first, where), entry.findtext("name") or FACE, labels=labels)


def _box(entry: ElementTree.Element, first: int, where: str) -> Box:
    try:
        x1, y1, x2, y2 = (
            float(entry.findtext(f"bndbox/{key}", "")) for key in ("xmin", "ymin", "xmax", "ymax")
        )
    except ValueError:
        raise LabelFileError(f"{where}: an object without a box in numbers") from None
    return (x1 - first, y1 - first, x2 - first + 1, y2 - first + 1)


def _value(text: str) -> str | float:
    try:
        number = float(text)
    except ValueError:
        return text
    return number if math.isfinite(number) and _text(number) == text else text


def _document(picture: LabelledPicture, name: str, first: int) -> str:
    assert picture.size_wh is not None
    tree = ElementTree.Element("annotation")
    _add(tree, "folder", "JPEGImages")
    _add(tree, "filename", name)
    size = ElementTree.SubElement(tree, "size")
    for key, value in zip(("width", "height", "depth"), (*picture.size_wh, 3), strict=True):
        _add(size, key, value)
    _add(tree, "segmented", 0)
    for face in picture.faces:
        entry = ElementTree.SubElement(tree, "object")
        _add(entry, "name", face.kind)
        labels = dict(face.labels)
        for key in _FIELDS:
            if key in labels:
                _add(entry, key, _text(labels.pop(key)))
        box = ElementTree.SubElement(entry, "bndbox")
        for key, number in zip(
            ("xmin", "ymin", "xmax", "ymax"), _whole(face.box, picture, first), strict=True
        ):
            _add(box, key, number)
        if labels:
            attributes = ElementTree.SubElement(entry, "attributes")
            for key, label in sorted(labels.items()):
                attribute = ElementTree.SubElement(attributes, "attribute")
                _add(attribute, "name", key)
                _add(attribute, "value", _text(label))
    ElementTree.indent(tree)
    return ElementTree.tostring(tree, encoding="unicode") + "\n"


def _whole(box: Box, picture: LabelledPicture, first: int) -> list[int]:
    """Clipped to the picture, rounded to whole pixels, at least one of them each way."""
    assert picture.size_wh is not None
    low = [min(max(round(v), 0), size - 1) for v, size in zip(box[:2], picture.size_wh, strict=True)]
    high = [
        min(max(round(v), start + 1), size)
        for v, start, size in zip(box[2:], low, picture.size_wh, strict=True)
    ]
    return [v + first for v in low] + [v + first - 1 for v in high]


def _text(value: str | float) -> str:
    if isinstance(value, str):
        return value
    return str(int(value)) if value == int(value) and abs(value) < 2**53 else repr(value)


def _add(parent: ElementTree.Element, tag: str, value: object) -> None:
    # XML 1.0 has no way to write other control characters; what they were is in the loss report.
    text = "".join(
        c if c in "\t\n\r" or (c >= " " and not "\ud800" <= c <= "\udfff") else "\ufffd" for c in str(value)
    )
    ElementTree.SubElement(parent, tag).text = text.replace("\ufffe", "\ufffd").replace("\uffff", "\ufffd")
