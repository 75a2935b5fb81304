"""Datumaro: ``annotations/SUBSET.json`` and ``images/SUBSET``, as its library and CVAT write it.

Format as in https://openvinotoolkit.github.io/datumaro/latest/docs/data-formats/formats/datumaro.html:
items with ``bbox`` (x, y, width, height), ``polygon``, ``mask`` and others; classes number a list.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from lineament.datasets.formats import formats
from lineament.datasets.formats._boxes import ReadOnly
from lineament.datasets.formats._expected import Expected
from lineament.datasets.formats._files import locate, read_json, relative
from lineament.datasets.formats._labelled import (
    BoxConfig,
    LabelledFace,
    LabelledPicture,
    label_value,
    split_name,
)
from lineament.datasets.formats._outlines import around, around_segmentation, numbers, pairs, turned
from lineament.datasets.formats._problems import Problems
from lineament.errors import LabelFileError
from lineament.io.manifest import Box
from lineament.kinds import FACE


@formats.register("datumaro", BoxConfig)
class Datumaro(ReadOnly):
    """One JSON file a subset."""

    name = "datumaro"
    rank = 30
    expects = Expected(
        "annotations/SUBSET.json with categories and items, beside images/SUBSET",
        "Label in CVAT, export Datumaro with the pictures, and unpack it here",
    )

    def pictures(self, file: Path, root: Path, problems: Problems) -> Iterator[LabelledPicture]:
        """Every item of the subset."""
        data, where = read_json(file), relative(file, root)
        given = data["categories"].get("label") if isinstance(data["categories"], dict) else None
        entries = given.get("labels") if isinstance(given, dict) else None
        names = [str(e.get("name")) if isinstance(e, dict) else "" for e in entries or []]
        above = file.parent.parent if file.parent != root else root
        bases = [above / "images" / file.stem, above / "images", above, file.parent, root]
        for place, item in enumerate(data["items"]):
            if not isinstance(item, dict) or not isinstance(item.get("id"), str):
                raise LabelFileError(f"{where}: item {place} has no id")
            image = item.get("image") or item.get("media") or {}
            name = image.get("path") if isinstance(image, dict) else None
            faces, lost = _faces(item.get("annotations"), names, problems, f"{where}: {item['id']}")
            name = name if isinstance(name, str) and name else item["id"]
            path = locate(name, root, bases, problems, where, faces=len(faces))
            if path is None:
                continue
            size = numbers(image.get("size")) if isinstance(image, dict) else None
            yield LabelledPicture(
                path,
                tuple(faces),
                lost=tuple(lost),
                split=split_name(file.stem),
                size_wh=(int(size[1]), int(size[0]))
                if size and len(size) == 2 and 0 < min(size) < 2**31
                else None,
            )


def _faces(
    entries: Any, names: Sequence[str], problems: Problems, where: str
) -> tuple[list[LabelledFace], list[str]]:
    faces: list[LabelledFace] = []
    lost: list[str] = []
    for entry in entries if isinstance(entries, list) else []:
        kind = str(entry.get("type"))[:40] if isinstance(entry, dict) else "annotation"
        if kind in ("label", "caption"):
            problems.add(f"not_taken: {kind}", where)
            continue
        attributes = entry.get("attributes") if isinstance(entry, dict) else None
        labels = (
            {str(k): label_value(v) for k, v in attributes.items()} if isinstance(attributes, dict) else {}
        )
        found = _box(kind, entry, labels) if isinstance(entry, dict) else None
        if found is None:
            problems.add(f"not_taken: {kind}", where)
            lost.append(f"not_taken: {kind}")
            continue
        box, made_from = found
        if made_from is not None:
            problems.add(f"{made_from}_to_box", where)
        number = entry.get("label_id")
        known = isinstance(number, int) and 0 <= number < len(names)
        if not known:
            problems.add("unknown_class", where)
        name = names[number] if known else FACE if number is None else str(number)[:40]
        faces.append(LabelledFace(box, name or FACE, labels=labels))
    return faces, lost


def _box(
    kind: str, entry: Mapping[str, Any], labels: dict[str, str | float]
) -> tuple[Box, str | None] | None:
    """The box, and what it was made from when that is no box."""
    if kind == "bbox":
        values = numbers(entry.get("bbox"))
        if values is None or len(values) != 4:
            return None
        x, y, w, h = values
        angle = labels.pop("rotation", 0.0)
        if isinstance(angle, float) and angle % 360:
            return turned((x, y, x + w, y + h), angle), "turned_rectangle"
        return (x, y, x + w, y + h), None
    if kind == "polygon":
        flat = numbers(entry.get("points"))
        return (around(pairs(flat)), "polygon") if flat and len(flat) >= 6 and not len(flat) % 2 else None
    if kind == "mask":
        return around_segmentation(entry.get("rle"))
    return None
