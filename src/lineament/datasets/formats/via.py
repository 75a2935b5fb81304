"""VGG Image Annotator: one JSON file with the regions of every picture, a project or its export.

Format as in https://www.robots.ox.ac.uk/~vgg/software/via/docs/: ``{KEY: {filename, regions}}``, in a
project below ``_via_img_metadata``. Rectangles are faces; circles, ellipses and polygons become the box
around them. An attribute of a region called name, class, type or label is its class, others are labels.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import degrees
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
    split_in,
)
from lineament.datasets.formats._outlines import around, ellipse, numbers
from lineament.datasets.formats._problems import Problems
from lineament.errors import LabelFileError
from lineament.io.manifest import Box
from lineament.kinds import FACE

_CLASS = ("name", "class", "type", "label", "category", "object")


@formats.register("via", BoxConfig)
class Via(ReadOnly):
    """One JSON file a project."""

    name = "via"
    rank = 27
    expects = Expected(
        "a .json of the VGG Image Annotator: a project, or an export of its annotations",
        "Draw in via.html, take Annotation, Export Annotations (as json), and put that beside the pictures",
    )

    def pictures(self, file: Path, root: Path, problems: Problems) -> Iterator[LabelledPicture]:
        """Every entry of the project."""
        data, where, split = read_json(file), relative(file, root), split_in(file)
        bases = [file.parent, file.parent / "images", root, root / "images"]
        for key, entry in data.get("_via_img_metadata", data).items():
            if not isinstance(entry, dict) or not isinstance(entry.get("filename"), str):
                raise LabelFileError(f"{where}: {key!r:.60} has no filename")
            faces, lost = _faces(entry.get("regions"), problems, f"{where}: {entry['filename']}")
            path = locate(entry["filename"], root, bases, problems, where, split, faces=len(faces))
            if path is not None:
                yield LabelledPicture(path, tuple(faces), lost=tuple(lost), split=split)


def _faces(regions: Any, problems: Problems, where: str) -> tuple[list[LabelledFace], list[str]]:
    # Version 1 numbers them in a mapping.
    entries = list(regions.values()) if isinstance(regions, dict) else regions
    faces: list[LabelledFace] = []
    lost: list[str] = []
    for region in entries if isinstance(entries, list) else []:
        shape = region.get("shape_attributes") if isinstance(region, dict) else None
        kind = str(shape.get("name"))[:40] if isinstance(shape, dict) else "region"
        box = _box(kind, shape) if isinstance(shape, dict) else None
        if box is None:
            problems.add(f"not_taken: {kind}", where)
            lost.append(f"not_taken: {kind}")
            continue
        if kind != "rect":
            problems.add(f"{kind}_to_box", where)
        given = region.get("region_attributes")
        labels = (
            {str(k): label_value(v) for k, v in given.items() if v not in ("", None)}
            if isinstance(given, dict)
            else {}
        )
        key = next((k for k in labels if k.lower() in _CLASS and isinstance(labels[k], str)), None)
        kind = FACE if key is None else str(labels.pop(key)).strip()
        faces.append(LabelledFace(box, kind or FACE, labels=labels))
    return faces, lost


def _box(kind: str, shape: Mapping[str, Any]) -> Box | None:
    def values(*names: str) -> list[float] | None:
        return numbers([shape.get(name) for name in names])

    if kind == "rect":
        given = values("x", "y", "width", "height")
        return None if given is None else (given[0], given[1], given[0] + given[2], given[1] + given[3])
    if kind == "circle":
        given = values("cx", "cy", "r")
        return None if given is None else ellipse(given[0], given[1], given[2], given[2])
    if kind == "ellipse":
        given = values("cx", "cy", "rx", "ry")
        turn = numbers([shape.get("theta", 0.0)]) or [0.0]
        return None if given is None else ellipse(given[0], given[1], given[2], given[3], degrees(turn[0]))
    xs, ys = numbers(shape.get("all_points_x")), numbers(shape.get("all_points_y"))
    if kind == "polygon" and xs and ys and len(xs) == len(ys) >= 3:
        return around(zip(xs, ys, strict=True))
    return None
