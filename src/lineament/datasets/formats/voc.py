"""Pascal VOC: one XML file a picture, boxes 1-based and inclusive.

The development kit of VOC2012 counts pixels from 1 and includes the last, so our continuous box is
``(xmin - 1, ymin - 1, xmax, ymax)``. labelImg and some exporters count from 0; for theirs set
``first=0``, else boxes are one pixel off at the left and top. Written boxes are whole pixels. CVAT's
``<attributes>`` hold labels. Since 2020 labelImg turns pictures by EXIF before labelling
(https://github.com/HumanSignal/labelImg/pull/650), earlier ones it did not; ``<size>`` tells them apart.
Turned rectangles (``<robndbox>`` of roLabelImg, the attribute ``rotation`` of CVAT) and polygons become the
box around them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from xml.etree import ElementTree

from lineament.datasets.formats import formats
from lineament.datasets.formats._boxes import Boxes
from lineament.datasets.formats._expected import EXPORTED, Expected
from lineament.datasets.formats._files import (
    files_below,
    new_text,
    pictures_below,
    read_text,
    read_xml,
    relative,
    sniff,
)
from lineament.datasets.formats._labelled import BoxConfig, LabelledFace, LabelledPicture, split_name
from lineament.datasets.formats._layout import split_among
from lineament.datasets.formats._naming import FolderNames, portable, portable_path
from lineament.datasets.formats._outlines import around, number, turned
from lineament.datasets.formats._partners import Partners, picture_of
from lineament.datasets.formats._problems import Problems
from lineament.errors import LabelFileError
from lineament.io.manifest import Box, ManifestRow
from lineament.kinds import FACE

_ROOT = re.compile(r"<annotation[\s>/]")
_FIELDS = ("pose", "truncated", "difficult", "occluded")


_UNWRITABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class VocConfig(BoxConfig):
    """``first``: the number of the first pixel, 1 as in VOC or 0."""

    first: int = 1


@formats.register("voc", VocConfig)
class Voc(Boxes):
    """``Annotations``, ``JPEGImages`` and ``ImageSets/Main``."""

    unique_stems = True
    rank = 22
    expects = Expected(
        ".xml files of Pascal VOC beside the pictures, or in Annotations/",
        EXPORTED.format("Pascal VOC"),
    )

    def __init__(self, config: VocConfig) -> None:
        super().__init__(config)
        self.first = config.first

    def matches(self, source: Path) -> bool:
        """Whether one of the first XML files is an annotation."""
        return any(_ROOT.search(sniff(file, 2048)) for file in _files(source, limit=20))

    def read(self, source: Path, root: Path, problems: Problems) -> Iterator[LabelledPicture]:
        """One entry an XML file; a broken one refuses its picture."""
        files = _files(source)
        folder = source if source.is_dir() else source.parent
        splits: dict[Path, dict[str, str]] = {}
        pictures, labels = Partners(folder, pictures_below(folder)), Partners(folder, files)
        for file in files:
            kit, stem = _kit(file, folder)
            if kit not in splits:
                splits[kit] = _splits(kit, problems)
            split = splits[kit].get(stem, split_among(file.parent.relative_to(folder).parts))
            try:
                picture = self._picture(file, folder, root, split, pictures, labels, problems)
            except LabelFileError as error:
                own = pictures.of(file)
                if own is None:
                    problems.add("broken_label_file", f"{relative(file, root)}: {error}")
                    continue
                picture = LabelledPicture(relative(own, root), split=split, broken=str(error))
            if picture is not None:
                yield picture

    def _picture(
        self,
        file: Path,
        folder: Path,
        root: Path,
        split: str | None,
        pictures: Partners,
        labels: Partners,
        problems: Problems,
    ) -> LabelledPicture | None:
        tree, where = read_xml(file, problems=problems), relative(file, root)
        if tree.tag != "annotation":
            problems.add("not_an_annotation", where)
            return None
        kit, stem = _kit(file, folder)
        bases = [kit / "JPEGImages" / PurePosixPath(stem).parent, kit / "JPEGImages"]
        bases += [file.parent, folder, folder / "images"]
        name = (tree.findtext("filename") or "").strip()
        path = picture_of(file, name, root, bases, pictures, labels, problems)
        faces: list[LabelledFace] = []
        lost: list[str] = []
        foreign = tree.find("source") is not None
        for place, entry in enumerate(tree.iterfind("object"), 1):
            face = _face(entry, self.first, foreign, problems, f"{where}, object {place}")
            if isinstance(face, str):
                lost.append(face)
            else:
                faces.append(face)
        if path is None:
            problems.add("face_of_missing_picture", where, count=len(faces)) if faces else None
            return None
        try:
            size = (int(tree.findtext("size/width", "0")), int(tree.findtext("size/height", "0")))
        except ValueError:
            size = (0, 0)
        split = split or split_among(PurePosixPath(path).parent.parts)
        return LabelledPicture(
            path, tuple(faces), lost=tuple(lost), split=split, size_wh=size if min(size) > 0 else None
        )

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


def _kit(file: Path, folder: Path) -> tuple[Path, str]:
    """The folder that holds ``Annotations``, as VOC2007 in VOCdevkit, and the name of the picture in it."""
    parts = file.relative_to(folder).with_suffix("").parts
    at = parts.index("Annotations") if "Annotations" in parts[:-1] else -1
    return folder.joinpath(*parts[: max(at, 0)]), "/".join(parts[at + 1 :])


def _splits(folder: Path, problems: Problems) -> dict[str, str]:
    """Name of a picture to its split; ``trainval`` is the union of two and says nothing."""
    found: dict[str, str] = {}
    for file in sorted((folder / "ImageSets" / "Main").glob("*.txt")):
        if file.stem in ("trainval", "default"):  # CVAT calls what is in no split its default
            continue
        # The lists of single classes are named CLASS_train.txt and repeat these.
        if "_" in file.stem and split_name(file.stem.rpartition("_")[2]):
            continue
        for line in (line.removesuffix("\r") for line in read_text(file).split("\n")):
            if line and found.setdefault(line, file.stem) != file.stem:
                problems.add("in_two_splits", line)
    return found


def _face(
    entry: ElementTree.Element, first: int, foreign: bool, problems: Problems, where: str
) -> LabelledFace | str:
    """The face of an object, or why it gives none."""
    labels: dict[str, str | float] = {}
    for name in _FIELDS:
        text = entry.findtext(name)
        if text is not None and text != "Unspecified":
            labels[name] = _value(text)
    for attribute in entry.iterfind("attributes/attribute"):
        labels[attribute.findtext("name", "")] = _value(attribute.findtext("value", ""))
    found = _box(entry, first)
    if found is None:
        problems.add("box_missing", f"{where}: neither bndbox, robndbox nor polygon in numbers")
        return "box_missing"
    box, kind = found
    angle = number(labels.get("rotation"))
    # Ours have no <source>. The boxes that CVAT writes for turned rectangles are those before turning.
    if foreign and kind is None and angle is not None and math.isfinite(angle) and angle % 360:
        del labels["rotation"]
        box, kind = turned(box, angle), "turned_rectangle"
    if kind is not None:
        problems.add(f"{kind}_to_box", where)
    return LabelledFace(box, entry.findtext("name") or FACE, labels=labels)


def _box(entry: ElementTree.Element, first: int) -> tuple[Box, str | None] | None:
    """The box, and what it was made from when that is no box."""
    x1, y1, x2, y2 = (number(entry.findtext(f"bndbox/{key}")) for key in ("xmin", "ymin", "xmax", "ymax"))
    if x1 is not None and y1 is not None and x2 is not None and y2 is not None:
        return (x1 - first, y1 - first, x2 - first + 1, y2 - first + 1), None
    cx, cy, w, h, angle = (
        number(entry.findtext(f"robndbox/{key}")) for key in ("cx", "cy", "w", "h", "angle")
    )
    if cx is not None and cy is not None and w is not None and h is not None:
        box = (cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2)
        if angle is not None and math.isfinite(angle):
            box = turned(box, math.degrees(angle))
        return box, "turned_rectangle"
    corners = _corners(entry)
    return None if len(corners) < 3 else (around(corners), "polygon")


def _corners(entry: ElementTree.Element) -> list[tuple[float, float]]:
    """Corners of ``<polygon>``: ``<x1><y1><x2>...``, or ``<pt>`` or ``<point>`` of ``<x><y>``."""
    outline = entry.find("polygon")
    if outline is None:
        return []
    found = [(number(outline.findtext(f"x{n}")), number(outline.findtext(f"y{n}"))) for n in range(1, 200)]
    found += [
        (number(p.findtext("x")), number(p.findtext("y"))) for p in outline if p.tag in ("pt", "point")
    ]
    return [(x, y) for x, y in found if x is not None and y is not None]


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
        for key, pixel in zip(
            ("xmin", "ymin", "xmax", "ymax"), _whole(face.box, picture, first), strict=True
        ):
            _add(box, key, pixel)
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
