"""Entries and annotations of COCO: ids of either type, boxes, and what stands where a box should be."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from lineament.counting import quantity
from lineament.datasets.formats._ids import ById, plain
from lineament.datasets.formats._labelled import LabelledFace, Labels, label_value
from lineament.datasets.formats._outlines import around_segmentation, numbers, turned
from lineament.datasets.formats._problems import Problems
from lineament.errors import LabelFileError
from lineament.io.manifest import Box, Points
from lineament.types import LANDMARK_NAMES

_ANNOTATION = {"id", "image_id", "category_id", "bbox", "area", "iscrowd", "keypoints", "num_keypoints"}
_ANNOTATION |= {"subject", "attributes", "segmentation"}
STRANGERS = "annotations here are of pictures that the file does not name; one may be of this picture"


def objects(data: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    values = data.get(key)
    return [v for v in values if isinstance(v, dict)] if isinstance(values, list) else []


def by_id(
    data: Mapping[str, Any], key: str, where: str, name: str, problems: Problems | None = None
) -> ById[dict[str, Any]]:
    found: ById[dict[str, Any]] = ById()
    values = data.get(key)
    if not isinstance(values, list) or not all(isinstance(v, dict) for v in values):
        raise LabelFileError(f"{where}: {key!r} is not a list of objects")
    for number, entry in enumerate(values):
        identity = plain(entry.get("id"))
        if identity is None or not isinstance(entry.get(name), str):
            lacking = f"id: {entry.get('id')!r}, {name}: {entry.get(name)!r}"[:200]
            raise LabelFileError(f"{where}: entry {number} of {key!r} lacks its id or {name} ({lacking})")
        old = found.add(identity, entry)
        if old is not entry:
            if old[name] != entry[name]:
                raise LabelFileError(
                    f"{where}: two {key} have the id {identity}: {old[name]!r} and {entry[name]!r}"
                )
            if problems is not None:
                problems.add("duplicate_id", f"{where}: {key} {identity}")
    return found


def read_annotations(
    data: Mapping[str, Any],
    pictures: ById[dict[str, Any]],
    categories: ById[dict[str, Any]],
    faces: Mapping[str, list[LabelledFace]],
    lost: Mapping[str, list[str]],
    own: bool,
    problems: Problems,
    where: str,
) -> None:
    """Put every annotation to its picture, as a face or as the reason why it is none."""
    annotations, strangers = objects(data, "annotations"), 0
    seen: set[str] = set()
    for annotation in annotations:
        name = f"{where}: annotation {annotation.get('id')!r}"
        key = pictures.key(annotation.get("image_id"))
        if key is None or key not in faces:
            strangers += 1
            problems.add("unknown_picture", name)
            continue
        identity = plain(annotation.get("id"))
        if identity is not None:
            if identity in seen:
                problems.add("duplicate_id", name)
            seen.add(identity)
        face = _face(annotation, categories, own, problems, name)
        if isinstance(face, str):
            lost[key].append(face)
        else:
            faces[key].append(face)
    if annotations and strangers == len(annotations):
        raise LabelFileError(
            f"{where}: none of its {quantity(strangers, 'annotation')} is of a picture in it: image_id "
            f"{annotations[0].get('image_id')!r} is no id of 'images'"
        )
    for key in faces if strangers else ():
        if not faces[key] and not lost[key]:
            lost[key].append(STRANGERS)


def are_shares(data: Mapping[str, Any]) -> bool:
    """Whether every box is in shares of its picture, as Azure writes them: none reaches beyond 1."""
    boxes = [numbers(annotation.get("bbox")) for annotation in objects(data, "annotations")]
    told = [v for box in boxes if box is not None and len(box) == 4 for v in box]
    return bool(told) and all(0 <= v <= 1 for v in told) and any(v % 1 for v in told)


def _face(
    annotation: Mapping[str, Any],
    categories: ById[dict[str, Any]],
    own: bool,
    problems: Problems,
    name: str,
) -> LabelledFace | str:
    """The face of an annotation, or why it gives none."""
    attributes = dict(labels_of(annotation.get("attributes")))
    box = _box(annotation, attributes, own, problems, name)
    if box is None:
        reason = "box_missing" if not annotation.get("keypoints") else "not_taken: keypoints without a box"
        problems.add(reason, name)
        return reason
    key = annotation.get("category_id")
    category = categories.get(key)
    if category is None:
        problems.add("unknown_class", name)
    labels: dict[str, str | float] = {}
    for field, value in annotation.items():
        if field not in _ANNOTATION and value is not None:
            labels[field] = label_value(value)
    if annotation.get("iscrowd") == 1:
        labels["iscrowd"] = 1.0
    labels.update(attributes)
    subject = annotation.get("subject")
    return LabelledFace(
        box,
        kind=str(plain(key)) if category is None else str(category["name"]),
        landmarks=_landmarks(annotation.get("keypoints"), category or {}, problems, name),
        subject=subject if isinstance(subject, str) else None,
        labels=labels,
    )


def _box(
    annotation: Mapping[str, Any],
    attributes: dict[str, str | float],
    own: bool,
    problems: Problems,
    name: str,
) -> Box | None:
    """The box as given, or the one around what is given instead, counted."""
    values = numbers(annotation.get("bbox"))
    outline = annotation.get("segmentation")
    angle = attributes.get("rotation")
    if values is not None and len(values) == 5:
        cx, cy, w, h, degrees = values
        problems.add("turned_rectangle_to_box", name)
        return _turned((cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2), degrees)
    if values is not None and len(values) == 8:
        outline = [values]
    if values is not None and len(values) == 4 and (values[2:] != [0.0, 0.0] or not outline):
        x, y, w, h = values
        box = (x, y, x + w, y + h)
        if outline:
            problems.add("not_taken: segmentation", name)
        elif not own and isinstance(angle, float) and angle % 360 and math.isfinite(angle):
            # The boxes that CVAT writes for turned rectangles are those before turning.
            del attributes["rotation"]
            problems.add("turned_rectangle_to_box", name)
            return _turned(box, angle)
        return box
    found = around_segmentation(outline)
    if found is None:
        return None
    problems.add(f"{found[1]}_to_box", name)
    return found[0]


def _turned(box: Box, degrees: float) -> Box:
    return turned(box, degrees) if math.isfinite(degrees) else (math.nan,) * 4


def _landmarks(values: Any, category: Mapping[str, Any], problems: Problems, name: str) -> Points | None:
    """Five keypoints in our order: by their names where these are ours, else as they stand."""
    if not isinstance(values, list) or not any(values):
        return None
    if len(values) != 15 or not all(isinstance(v, int | float) for v in values):
        problems.add("not_taken: keypoints that are not five", name)
        return None
    triples = [values[i : i + 3] for i in range(0, 15, 3)]
    if not all(visible for _, _, visible in triples):
        problems.add("not_taken: incomplete landmarks", name)
        return None
    names = category.get("keypoints")
    if isinstance(names, list) and set(map(str, names)) == set(LANDMARK_NAMES):
        triples = [triples[names.index(wanted)] for wanted in LANDMARK_NAMES]
    elif names:
        problems.add("landmark_order_assumed", name)
    return tuple((float(x), float(y)) for x, y, _ in triples)


def labels_of(values: Any) -> Labels:
    if not isinstance(values, dict):
        return {}
    return {str(key): label_value(value) for key, value in values.items() if value is not None}
