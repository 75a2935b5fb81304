"""CVAT's own XML, "CVAT for images 1.1": one ``annotations.xml`` with an ``<image>`` a picture.

Format as in https://docs.cvat.ai/docs/dataset_management/formats/format-cvat/. Boxes are continuous pixels
of the upright picture; polygons, ellipses, masks and turned boxes become the box around them; a skeleton of
five landmarks by our names goes to the box that holds it. The attributes are labels. "CVAT for video" holds
tracks over frames and is refused. CVAT's other exports (COCO, YOLO, Pascal VOC ...) are read as those.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

from lineament.datasets.formats import formats
from lineament.datasets.formats._boxes import ReadOnly
from lineament.datasets.formats._expected import Expected
from lineament.datasets.formats._files import files_below, locate, read_xml, relative, sniff
from lineament.datasets.formats._labelled import BoxConfig, LabelledFace, LabelledPicture, split_name
from lineament.datasets.formats._outlines import around, ellipse, number, numbers, pairs, turned
from lineament.datasets.formats._problems import Problems
from lineament.errors import LabelFileError
from lineament.io.manifest import Box

_ROOT = re.compile(r"<annotations[\s>]")


@formats.register("cvat", BoxConfig)
class Cvat(ReadOnly):
    """One XML file a task."""

    name = "cvat"
    rank = 26
    expects = Expected(
        "an .xml with <annotations>, the export 'CVAT for images 1.1'",
        "Label in CVAT, export that with the pictures, and unpack it here",
    )

    def files(self, source: Path) -> list[Path]:
        """XML files, those with the root ``<annotations>`` where there are any."""
        every = _files(source)
        return [file for file in every if _looks_right(file)] or every

    def matches(self, source: Path) -> bool:
        """Whether one of the first has that root."""
        return any(map(_looks_right, _files(source)[:20]))

    def pictures(self, file: Path, root: Path, problems: Problems) -> Iterator[LabelledPicture]:
        """Every image of the task."""
        tree, where = read_xml(file, max_bytes=2**30, problems=problems), relative(file, root)
        if tree.find("track") is not None and tree.find("image") is None:
            raise LabelFileError(
                f"{where}: CVAT for video holds tracks; export it as CVAT for images, or COCO"
            )
        if tree.tag != "annotations":
            raise LabelFileError(f"{where}: <{tree.tag}> is not CVAT's <annotations>")
        bases = [file.parent / "images", file.parent, root, root / "images"]
        for image in tree.iterfind("image"):
            name, subset = image.get("name", ""), image.get("subset", "")
            faces: list[LabelledFace] = []
            lost: list[str] = []
            for entry in image:
                kept = _face(entry, problems, f"{where}: {name}")
                if isinstance(kept, str):
                    lost.append(kept)
                elif kept is not None:
                    faces.append(kept)
            inside = [base / subset for base in bases] if re.fullmatch(r"[\w -]+", subset) else []
            path = locate(name, root, [*inside, *bases], problems, where, faces=len(faces))
            if path is None:
                continue
            width, height = number(image.get("width")) or 0, number(image.get("height")) or 0
            yield LabelledPicture(
                path,
                tuple(faces),
                lost=tuple(lost),
                split=split_name(subset),
                size_wh=(int(width), int(height)) if min(width, height) > 0 else None,
            )


def _files(source: Path) -> list[Path]:
    if source.is_file():
        return [source] if source.suffix.lower() == ".xml" else []
    return files_below(source, [".xml"])


def _looks_right(file: Path) -> bool:
    return _ROOT.search(sniff(file, 2048)) is not None


def _face(entry: ElementTree.Element, problems: Problems, where: str) -> LabelledFace | str | None:
    """A face, why a shape gives none, or None for what is no shape."""
    if entry.tag == "tag":
        problems.add("not_taken: tag", where)
        return None
    box, kind = _box(entry)
    if box is None:
        problems.add(f"not_taken: {entry.tag}", where)
        return f"not_taken: {entry.tag}"
    if kind is not None:
        problems.add(f"{kind}_to_box", where)
    labels: dict[str, str | float] = {}
    if entry.get("occluded") == "1":
        labels["occluded"] = 1.0
    for attribute in entry.iterfind("attribute"):
        text = (attribute.text or "").strip()
        value = number(text)
        labels[attribute.get("name", "")] = text if value is None or math.isnan(value) else value
    return LabelledFace(box, entry.get("label") or "face", labels=labels)


def _box(entry: ElementTree.Element) -> tuple[Box | None, str | None]:
    """The box, and what it was made from when that is no box."""

    def values(*names: str) -> list[float] | None:
        return numbers([entry.get(name) for name in names])

    angle = number(entry.get("rotation")) or 0.0
    if entry.tag == "box":
        corners = values("xtl", "ytl", "xbr", "ybr")
        if corners is None:
            return None, None
        box = (corners[0], corners[1], corners[2], corners[3])
        return (turned(box, angle), "turned_rectangle") if 0 < abs(angle) % 360 < 360 else (box, None)
    if entry.tag == "polygon":
        flat = numbers(re.split(r"[;,]", entry.get("points", "")))
        return (
            (around(pairs(flat)), "polygon")
            if flat and len(flat) >= 6 and not len(flat) % 2
            else (None, None)
        )
    if entry.tag == "ellipse":
        shape = values("cx", "cy", "rx", "ry")
        return (
            (ellipse(shape[0], shape[1], shape[2], shape[3], angle), "ellipse") if shape else (None, None)
        )
    if entry.tag == "mask":
        given = values("left", "top", "width", "height")
        if given is not None:
            left, top, width, height = given
            return (left, top, left + width, top + height), "mask"
    return None, None
