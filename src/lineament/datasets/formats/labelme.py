"""LabelMe: one JSON file beside each picture, named after it.

Rectangles are faces; polygons, masks, circles and turned rectangles (X-AnyLabeling) become the box around
them; what has no area (points, lines) refuses a picture that has nothing else. Points named ``right_eye``,
``left_eye``, ``nose``, ``right_mouth`` and ``left_mouth`` that share a rectangle's ``group_id`` are its
landmarks. LabelMe keeps fields it does not know, so ``attributes`` and ``subject`` of a shape and ``split``
of the file hold what it has no place for. Since 2019 LabelMe turns pictures by EXIF before labelling
(https://github.com/wkentaro/labelme/pull/305); the stated size tells of older files.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from lineament.datasets.formats import formats
from lineament.datasets.formats._boxes import Boxes
from lineament.datasets.formats._expected import Expected
from lineament.datasets.formats._files import (
    files_below,
    new_text,
    pictures_below,
    read_json,
    relative,
    sniff,
)
from lineament.datasets.formats._json_kinds import json_kind
from lineament.datasets.formats._labelled import BoxConfig, LabelledFace, LabelledPicture, label_value
from lineament.datasets.formats._layout import split_among
from lineament.datasets.formats._naming import FolderNames, portable_path
from lineament.datasets.formats._outlines import around
from lineament.datasets.formats._partners import Partners, picture_of
from lineament.datasets.formats._problems import Problems
from lineament.errors import LabelFileError
from lineament.io.manifest import Box, ManifestRow, Points
from lineament.kinds import FACE
from lineament.types import LANDMARK_NAMES

_MAX_BYTES = 2**28  # a file may carry its whole picture as text
_LINES = ("point", "points", "line", "linestrip", "ai_points")
_SHAPE = {"mask", "direction", "kie_linking", "label", "points", "group_id", "shape_type"}
_SHAPE |= {"flags", "description", "attributes", "subject"}


@formats.register("labelme", BoxConfig)
class LabelMe(Boxes):
    """A JSON file a picture."""

    unique_stems = True
    rank = 23
    expects = Expected(
        "a .json beside each picture, as LabelMe writes it",
        "Draw first: `pip install labelme`, `labelme DIR`; it writes one beside each picture with a shape",
    )

    def matches(self, source: Path) -> bool:
        """Whether one of the first JSON files has shapes and a picture."""
        files = _files(source, limit=20)
        return any(_looks_right(file) for file in files)

    def read(self, source: Path, root: Path, problems: Problems) -> Iterator[LabelledPicture]:
        """One entry a file; a broken one refuses its picture."""
        files = _files(source)
        folder = source if source.is_dir() else source.parent
        pictures, labels = Partners(folder, pictures_below(folder)), Partners(folder, files)
        for file in files:
            where = relative(file, root)
            try:
                picture = _picture(file, root, pictures, labels, problems)
            except LabelFileError as error:
                beside = pictures.of(file)
                if beside is None:
                    problems.add("broken_label_file", f"{where}: {error}")
                    continue
                picture = LabelledPicture(relative(beside, root), broken=str(error))
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
    return json_kind(file) == "labelme" or ('"shapes"' in text and '"imagePath"' in text)


def _picture(
    file: Path, root: Path, pictures: Partners, labels: Partners, problems: Problems
) -> LabelledPicture | None:
    data, where = read_json(file, max_bytes=_MAX_BYTES), relative(file, root)
    shapes = data.get("shapes")
    if not isinstance(shapes, list):
        if _looks_right(file):
            raise LabelFileError(f"{where}: 'shapes' is not a list")
        problems.add("not_an_annotation", where)
        return None
    name = data.get("imagePath")
    path = picture_of(
        file, name if isinstance(name, str) else "", root, [file.parent], pictures, labels, problems
    )
    if path is None:
        kind = "picture_only_inside_json" if data.get("imageData") else "face_of_missing_picture"
        problems.add(kind, where)
        return None
    if any(data.get("flags") or {}):
        problems.add("not_taken: flags", where)
    size = data.get("imageWidth"), data.get("imageHeight")
    split = data.get("split")
    faces, lost = _faces(shapes, problems, where)
    return LabelledPicture(
        path,
        tuple(faces),
        lost=tuple(lost),
        split=split if isinstance(split, str) else split_among(file.parent.relative_to(root).parts),
        size_wh=size if all(isinstance(v, int) and v > 0 for v in size) else None,  # type: ignore[arg-type]
        subject=data["subject"] if isinstance(data.get("subject"), str) else None,
        labels=_labels(data.get("attributes")),
    )


def _faces(shapes: Sequence[Any], problems: Problems, where: str) -> tuple[list[LabelledFace], list[str]]:
    """Faces, and why other shapes give none."""
    points: dict[Any, dict[str, tuple[float, float]]] = {}
    boxes: list[tuple[Mapping[str, Any], Box]] = []
    lost: list[str] = []
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
            lost.append(f"not_taken: {kind}")
            continue
        if kind != "rectangle":
            problems.add(f"{kind}_to_box", name)
        boxes.append((shape, box))
    used: set[Any] = set()
    faces = []
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
        faces.append(_face(shape, box, landmarks))
    if stray := len(points.keys() - used):
        problems.add("not_taken: landmarks without a box", where, count=stray)
        lost += ["not_taken: landmarks without a box"] * stray
    return faces, lost


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
    """The box around a shape of the kinds of LabelMe and X-AnyLabeling that have an area."""
    if kind == "circle" and len(corners) == 2:
        x, y = corners[0]
        radius = math.dist(*corners)
        return around([(x - radius, y - radius), (x + radius, y + radius)])
    if kind in _LINES or len(corners) < 2 or (kind == "polygon" and len(corners) < 3):
        return None
    return around(corners)


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
