"""LabelMe: one JSON file beside each picture, named after it.

Rectangles are faces; polygons and circles become the box around them. Points named ``right_eye``,
``left_eye``, ``nose``, ``right_mouth`` and ``left_mouth`` that share a rectangle's ``group_id`` are its
landmarks. LabelMe keeps fields it does not know, so ``attributes`` and ``subject`` of a shape and ``split``
of the file hold what it has no place for. Since 2019 LabelMe turns pictures by EXIF before labelling
(https://github.com/wkentaro/labelme/pull/305); the stated size tells of older files.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from lineament.datasets.formats import formats
from lineament.datasets.formats._files import files_below, locate, new_text, read_json, relative, sniff
from lineament.datasets.formats._labelled import (
    FACE,
    Frame,
    LabelledFace,
    LabelledPicture,
    label_value,
    split_name,
)
from lineament.datasets.formats._naming import FolderNames, portable_path
from lineament.datasets.formats._problems import Problems
from lineament.errors import LabelFileError
from lineament.io.formats import SUFFIXES
from lineament.io.manifest import Box, ManifestRow, Points
from lineament.types import LANDMARK_NAMES

_MAX_BYTES = 2**28  # a file may carry its whole picture as text
_SHAPE = {"label", "points", "group_id", "shape_type", "flags", "description", "attributes", "subject"}


@dataclass(frozen=True, slots=True)
class LabelMeConfig:
    """``frame``: which picture the shapes are on, when the sizes do not tell."""

    frame: Frame = "auto"


@formats.register("labelme", LabelMeConfig)
class LabelMe:
    """A JSON file a picture."""

    located = True
    unique_stems = True
    importable = True
    rank = 23
    classes: Mapping[int, str] = {}

    def __init__(self, config: LabelMeConfig) -> None:
        self.frame = config.frame

    def matches(self, source: Path) -> bool:
        """Whether one of the first JSON files has shapes and a picture."""
        return any(_looks_right(file) for file in _files(source, limit=5))

    def read(self, source: Path, root: Path, problems: Problems) -> Iterator[LabelledPicture]:
        """One entry a file; a broken one refuses its picture."""
        files = _files(source)
        if not files:
            raise LabelFileError(f"{source}: holds no JSON file")
        for file in files:
            where = relative(file, root)
            try:
                picture = _picture(file, root, problems)
            except LabelFileError as error:
                path = _beside(file, root)
                if path is None:
                    problems.add("broken_label_file", f"{where}: {error}")
                    continue
                picture = LabelledPicture(path, broken=str(error))
            if picture is not None:
                yield picture

    def destinations(self, rows: Sequence[ManifestRow], folders: FolderNames) -> list[str | None]:
        """Where they were: the label files lie beside them."""
        return [portable_path(row.path) for row in rows]

    def write(self, pictures: Sequence[LabelledPicture], folder: Path) -> None:
        """``NAME.json`` beside each picture, without the picture in it."""
        for picture in pictures:
            with new_text((folder / picture.path).with_suffix(".json")) as out:
                json.dump(_document(picture), out, allow_nan=False, ensure_ascii=False, indent=1)


def _files(source: Path, *, limit: int | None = None) -> list[Path]:
    if source.is_file():
        return [source] if source.suffix.lower() == ".json" else []
    return files_below(source, [".json"], limit=limit)


def _looks_right(file: Path) -> bool:
    text = sniff(file)
    return '"shapes"' in text and '"imagePath"' in text


def _beside(file: Path, root: Path) -> str | None:
    for candidate in sorted(file.parent.iterdir()):
        if candidate.stem == file.stem and candidate.suffix.lower() in SUFFIXES:
            return relative(candidate, root)
    return None


def _picture(file: Path, root: Path, problems: Problems) -> LabelledPicture | None:
    data, where = read_json(file, max_bytes=_MAX_BYTES), relative(file, root)
    shapes = data.get("shapes")
    if not isinstance(shapes, list):
        if _looks_right(file):
            raise LabelFileError(f"{where}: 'shapes' is not a list")
        problems.add("not_an_annotation", where)
        return None
    name = data.get("imagePath")
    path = locate(name, root, [file.parent], problems, where) if isinstance(name, str) else None
    if path is None:
        path = _beside(file, root)
        if path is not None:
            problems.add("picture_found_beside", where)
    if path is None:
        kind = "picture_only_inside_json" if data.get("imageData") else "face_of_missing_picture"
        problems.add(kind, where)
        return None
    if any(data.get("flags") or {}):
        problems.add("not_taken: flags", where)
    size = data.get("imageWidth"), data.get("imageHeight")
    split = data.get("split")
    return LabelledPicture(
        path,
        tuple(_faces(shapes, problems, where)),
        split=split if isinstance(split, str) else split_name(file.parent.name),
        size_wh=size if all(isinstance(v, int) and v > 0 for v in size) else None,  # type: ignore[arg-type]
        subject=data["subject"] if isinstance(data.get("subject"), str) else None,
        labels=_labels(data.get("attributes")),
    )


def _faces(shapes: Sequence[Any], problems: Problems, where: str) -> Iterator[LabelledFace]:
    points: dict[Any, dict[str, tuple[float, float]]] = {}
    boxes: list[tuple[Mapping[str, Any], Box]] = []
    for number, shape in enumerate(shapes, 1):
        name = f"{where}, shape {number}"
        corners = _corners(shape)
        if corners is None:
            raise LabelFileError(f"{name}: no list of points")
        kind = shape.get("shape_type") or "polygon"
        if kind == "point" and len(corners) == 1 and shape.get("label") in LANDMARK_NAMES:
            points.setdefault(shape.get("group_id"), {})[shape["label"]] = corners[0]
            continue
        box = _around(kind, corners)
        if box is None:
            problems.add(f"not_taken: {kind}", name)
            continue
        if kind != "rectangle":
            problems.add(f"{kind}_to_box", name)
        boxes.append((shape, box))
    used: set[Any] = set()
    for shape, box in boxes:
        group = shape.get("group_id")
        landmarks: Points | None = None
        if group is not None and group in points and group not in used:
            used.add(group)
            if len(points[group]) == len(LANDMARK_NAMES):
                landmarks = tuple(points[group][name] for name in LANDMARK_NAMES)
            else:
                problems.add("not_taken: incomplete landmarks", where)
        elif group is not None:
            problems.add("not_taken: group_id", where)
        yield _face(shape, box, landmarks)
    if stray := len(points.keys() - used):
        problems.add("not_taken: landmarks without a box", where, count=stray)


def _face(shape: Mapping[str, Any], box: Box, landmarks: Points | None) -> LabelledFace:
    labels = {key: label_value(v) for key, v in shape.items() if key not in _SHAPE and v is not None}
    flags = shape.get("flags")
    for name, value in flags.items() if isinstance(flags, dict) else ():
        labels[str(name)] = label_value(value)
    if isinstance(shape.get("description"), str) and shape["description"]:
        labels["description"] = shape["description"]
    labels.update(_labels(shape.get("attributes")))
    subject = shape.get("subject")
    return LabelledFace(
        box,
        str(shape.get("label") or FACE),
        landmarks,
        subject if isinstance(subject, str) else None,
        labels,
    )


def _labels(values: Any) -> dict[str, str | float]:
    if not isinstance(values, dict):
        return {}
    return {str(key): label_value(value) for key, value in values.items() if value is not None}


def _corners(shape: Any) -> list[tuple[float, float]] | None:
    points = shape.get("points") if isinstance(shape, dict) else None
    if (
        not isinstance(points, list)
        or not points
        or not isinstance(shape.get("group_id"), int | str | None)
    ):
        return None
    try:
        return [(float(x), float(y)) for x, y in points]
    except (TypeError, ValueError, OverflowError):
        return None


def _around(kind: str, corners: Sequence[tuple[float, float]]) -> Box | None:
    xs, ys = [x for x, _ in corners], [y for _, y in corners]
    if not all(map(math.isfinite, [*xs, *ys])):
        return (math.nan,) * 4
    if kind == "circle" and len(corners) == 2:
        radius = math.dist(*corners)
        return (xs[0] - radius, ys[0] - radius, xs[0] + radius, ys[0] + radius)
    if (kind == "rectangle" and len(corners) in (2, 4)) or (kind == "polygon" and len(corners) >= 3):
        return (min(xs), min(ys), max(xs), max(ys))
    return None


def _document(picture: LabelledPicture) -> dict[str, Any]:
    assert picture.size_wh is not None
    shapes: list[dict[str, Any]] = []
    for number, face in enumerate(picture.faces, 1):
        group = number if face.landmarks is not None else None
        x1, y1, x2, y2 = face.box
        shape = _shape(face.kind, [[x1, y1], [x2, y2]], "rectangle", group)
        if face.labels:
            shape["attributes"] = dict(face.labels)
        if face.subject is not None:
            shape["subject"] = face.subject
        shapes.append(shape)
        for name, point in zip(LANDMARK_NAMES, face.landmarks or (), strict=False):
            shapes.append(_shape(name, [list(point)], "point", group))
    document: dict[str, Any] = {
        "version": "5.5.0",
        "flags": {},
        "shapes": shapes,
        "imagePath": PurePosixPath(picture.path).name,
        "imageData": None,
        "imageHeight": picture.size_wh[1],
        "imageWidth": picture.size_wh[0],
    }
    if picture.split is not None:
        document["split"] = picture.split
    if picture.subject is not None:
        document["subject"] = picture.subject
    if picture.labels:
        document["attributes"] = dict(picture.labels)
    return document


def _shape(label: str, points: list[list[float]], kind: str, group: int | None) -> dict[str, Any]:
    return {
        "label": label,
        "points": points,
        "group_id": group,
        "description": "",
        "shape_type": kind,
        "flags": {},
    }
