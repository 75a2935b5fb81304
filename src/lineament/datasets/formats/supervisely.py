"""Supervisely: ``DATASET/img/NAME`` and ``DATASET/ann/NAME.json``, one JSON file a picture.

Format as in https://docs.supervisely.com/data-organization/00_ann_format_navi. Rectangles are faces;
polygons and bitmaps become the box around them; points and lines give none. Tags are labels.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lineament.datasets.formats import formats
from lineament.datasets.formats._boxes import ReadOnly
from lineament.datasets.formats._expected import Expected
from lineament.datasets.formats._files import files_below, pictures_below, read_json, relative
from lineament.datasets.formats._json_kinds import json_kind
from lineament.datasets.formats._labelled import BoxConfig, LabelledFace, LabelledPicture, label_value
from lineament.datasets.formats._layout import split_among
from lineament.datasets.formats._outlines import around, numbers
from lineament.datasets.formats._partners import Partners
from lineament.datasets.formats._problems import Problems
from lineament.errors import LabelFileError
from lineament.io.manifest import Box
from lineament.kinds import FACE


@formats.register("supervisely", BoxConfig)
class Supervisely(ReadOnly):
    """A JSON file a picture."""

    name = "supervisely"
    rank = 29
    expects = Expected(
        "DATASET/ann/PICTURE.json for each DATASET/img/PICTURE",
        "Label in Supervisely, export its JSON with the pictures, and unpack it here",
    )

    def matches(self, source: Path) -> bool:
        """Whether one of the first JSON files has objects and a size."""
        return any(json_kind(file) == "supervisely" for file in _files(source, limit=20))

    def read(self, source: Path, root: Path, problems: Problems) -> Iterator[LabelledPicture]:
        """One entry a file; a broken one refuses its picture."""
        folder = source if source.is_dir() else source.parent
        pictures = Partners(folder, pictures_below(folder))
        for file in _files(source):
            where, beside = relative(file, root), file.parent.parent / "img" / file.stem
            picture = beside if beside.is_file() else pictures.of(file)
            try:
                data = read_json(file)
                if not isinstance(data.get("objects"), list):
                    continue  # meta.json of the project
                faces, lost = _faces(data, problems, where)
                broken = None
            except LabelFileError as error:
                data, faces, lost, broken = {}, [], [], str(error)
            if picture is None:
                problems.add("missing_picture", where)
                problems.add("face_of_missing_picture", where, count=len(faces)) if faces else None
                continue
            yield LabelledPicture(
                relative(picture, root),
                tuple(faces),
                lost=tuple(lost),
                broken=broken,
                split=split_among(file.parent.relative_to(folder).parts),
                size_wh=_size(data.get("size")),
                labels=_tags(data),
            )


def _files(source: Path, *, limit: int | None = None) -> list[Path]:
    if source.is_file():
        return [source] if source.suffix.lower() == ".json" else []
    return files_below(source, [".json"], limit=limit)


def _size(value: Any) -> tuple[int, int] | None:
    size = numbers([value.get("width"), value.get("height")]) if isinstance(value, dict) else None
    return (int(size[0]), int(size[1])) if size and 0 < min(size) < 2**31 and max(size) < 2**31 else None


def _faces(data: Mapping[str, Any], problems: Problems, where: str) -> tuple[list[LabelledFace], list[str]]:
    faces: list[LabelledFace] = []
    lost: list[str] = []
    for entry in data["objects"]:
        kind = str(entry.get("geometryType", "rectangle"))[:40] if isinstance(entry, dict) else "object"
        box = _box(kind, entry) if isinstance(entry, dict) else None
        if box is None:
            problems.add(f"not_taken: {kind}", where)
            lost.append(f"not_taken: {kind}")
            continue
        if kind != "rectangle":
            problems.add(f"{kind}_to_box", where)
        name = entry.get("classTitle")
        faces.append(
            LabelledFace(box, name if isinstance(name, str) and name else FACE, labels=_tags(entry))
        )
    return faces, lost


def _tags(entry: Mapping[str, Any]) -> dict[str, str | float]:
    tags = entry.get("tags")
    found: dict[str, str | float] = {}
    for tag in tags if isinstance(tags, list) else []:
        if isinstance(tag, dict) and isinstance(tag.get("name"), str):
            found[tag["name"]] = 1.0 if tag.get("value") is None else label_value(tag["value"])
    return found


def _box(kind: str, entry: Mapping[str, Any]) -> Box | None:
    outline = entry.get("points")
    corners = outline.get("exterior") if isinstance(outline, dict) else None
    points = [numbers(p) for p in corners] if isinstance(corners, list) else []
    if kind in ("rectangle", "polygon") and len(points) >= (2 if kind == "rectangle" else 3):
        plain = [(p[0], p[1]) for p in points if p is not None and len(p) == 2]
        return around(plain) if len(plain) == len(points) else None
    return _around_bitmap(entry.get("bitmap")) if kind == "bitmap" else None


def _around_bitmap(bitmap: Any) -> Box | None:
    """The box of a mask: a packed PNG whose upper left corner is at ``origin``."""
    from PIL import Image as pillow
    from PIL import UnidentifiedImageError

    origin = numbers(bitmap.get("origin")) if isinstance(bitmap, dict) else None
    if origin is None or len(origin) != 2 or not isinstance(bitmap.get("data"), str):
        return None
    try:
        opened = zlib.decompressobj()
        png = opened.decompress(base64.b64decode(bitmap["data"]), 2**26)
        import io

        with pillow.open(io.BytesIO(png), formats=("PNG",)) as image:
            if image.width * image.height > 2**27:
                return None
            rows, columns = np.nonzero(np.asarray(image.convert("LA"))[..., :].max(axis=2))
    except (binascii.Error, zlib.error, UnidentifiedImageError, OSError, ValueError, SyntaxError):
        return None
    if not len(rows):
        return None
    x, y = origin
    return (
        x + float(columns.min()),
        y + float(rows.min()),
        x + float(columns.max()) + 1,
        y + float(rows.max()) + 1,
    )
