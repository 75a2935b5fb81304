"""COCO JSON: ``bbox`` is x, y, width, height in pixels; five keypoints are landmarks.

Format as in https://cocodataset.org/#format-data. Fields of an annotation that COCO does not know (CVAT's
``attributes`` among them) become labels and back; ``subject`` is written beside them. Written ids start at
1, because pycocotools takes an annotation id of 0 for "no match"; ids from 0 are read. ``width`` and
``height`` tell on which frame of an EXIF-rotated picture the boxes are.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lineament.datasets.formats import formats
from lineament.datasets.formats._files import locate, new_text, read_json, relative, sniff
from lineament.datasets.formats._labelled import (
    FACE,
    Frame,
    LabelledFace,
    LabelledPicture,
    Labels,
    kinds_in,
    label_value,
    split_in,
)
from lineament.datasets.formats._naming import FolderNames, portable, portable_path
from lineament.datasets.formats._problems import Problems
from lineament.errors import LabelFileError
from lineament.io.manifest import Box, ManifestRow, Points, Provenance
from lineament.types import LANDMARK_NAMES

_KEYS = re.compile(r'"(images|annotations|categories)"\s*:')
_ANNOTATION = {"id", "image_id", "category_id", "bbox", "area", "iscrowd", "keypoints", "num_keypoints"}
_ANNOTATION |= {"subject", "attributes", "segmentation"}


@dataclass(frozen=True, slots=True)
class CocoConfig:
    """``frame``: which picture the boxes are on, when the sizes do not tell."""

    frame: Frame = "auto"


@formats.register("coco", CocoConfig)
class Coco:
    """One JSON file a split."""

    located = True
    unique_stems = False
    importable = True
    rank = 20
    classes: Mapping[int, str] = {}

    def __init__(self, config: CocoConfig) -> None:
        self.frame = config.frame

    def matches(self, source: Path) -> bool:
        """Whether there is a JSON file with images, annotations and categories."""
        return bool(_files(source))

    def read(self, source: Path, root: Path, problems: Problems) -> Iterator[LabelledPicture]:
        """Every image of every file."""
        files = _files(source)
        if not files:
            raise LabelFileError(f"{source}: holds no COCO file")
        for file in files:
            yield from read_file(file, root, problems)

    def destinations(self, rows: Sequence[ManifestRow], folders: FolderNames) -> list[str | None]:
        """Where they were: COCO names pictures by path."""
        return [portable_path(row.path) for row in rows]

    def write(self, pictures: Sequence[LabelledPicture], folder: Path) -> None:
        """``annotations/instances_SPLIT.json``, or ``coco.json`` for pictures without a split."""
        for split in sorted({p.split for p in pictures}, key=lambda s: s or ""):
            name = "coco.json" if split is None else f"annotations/instances_{portable(split)}.json"
            write_file([p for p in pictures if p.split == split], folder / name, split)


def read_file(
    file: Path, root: Path, problems: Problems, *, split: str | None = None
) -> Iterator[LabelledPicture]:
    """The images of one file; raises `LabelFileError` when ids cannot tell which is which."""
    data = read_json(file)
    where = relative(file, root)
    info = data.get("info")
    told = info.get("split") if isinstance(info, dict) else None
    split = told if isinstance(told, str) else split or split_in(file)
    categories = _by_id(data, "categories", where, lambda entry: entry.get("name"))
    pictures = _by_id(data, "images", where, lambda entry: entry.get("file_name"), problems)
    licences = {
        entry.get("id"): entry.get("name") or entry.get("url")
        for entry in _objects(data, "licenses")
        if isinstance(entry.get("id"), int | str)
    }
    faces: dict[Any, list[LabelledFace]] = {key: [] for key in pictures}
    seen: set[Any] = set()
    for annotation in _objects(data, "annotations"):
        name = f"{where}: annotation {annotation.get('id')!r}"
        key = annotation.get("image_id")
        if not isinstance(key, int | str) or key not in pictures:
            problems.add("unknown_picture", name)
            continue
        identity = annotation.get("id")
        if isinstance(identity, int | str) and identity is not None:
            if identity in seen:
                problems.add("duplicate_id", name)
            seen.add(identity)
        face = _face(annotation, categories, problems, name)
        if face is not None:
            faces[key].append(face)
    bases = [file.parent, file.parent / "images", root, root / "images"]
    bases += [root / p for p in (split, f"images/{split}", f"{split}2017") if split and p]
    if file.parent != root:
        bases += [file.parent.parent, file.parent.parent / "images"]
    for key, entry in pictures.items():
        path = locate(str(entry["file_name"]), root, bases, problems, where)
        if path is None:
            problems.add("face_of_missing_picture", where, count=len(faces[key])) if faces[key] else None
            continue
        yield LabelledPicture(
            path=path,
            faces=tuple(faces[key]),
            split=split,
            size_wh=_size(entry),
            subject=entry["subject"] if isinstance(entry.get("subject"), str) else None,
            labels=_labels(entry.get("attributes")),
            provenance=_provenance(entry, licences),
            source_name=_source_name(entry),
        )


def write_file(
    pictures: Iterable[LabelledPicture], file: Path, split: str | None, *, source_names: bool = False
) -> None:
    """Write one COCO file; images and annotations are numbered from 1."""
    pictures = list(pictures)
    kinds = {kind: number for number, kind in enumerate(kinds_in(pictures), 1)}
    licences = sorted({p.provenance.licence for p in pictures if p.provenance.licence is not None})
    pointed = any(face.landmarks is not None for p in pictures for face in p.faces)
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, picture in enumerate(pictures, 1):
        images.append(_image(picture, number, licences, source_names))
        for face in picture.faces:
            annotations.append(_annotation(face, len(annotations) + 1, number, kinds))
    extra = {"keypoints": list(LANDMARK_NAMES), "skeleton": []} if pointed else {}
    document = {
        "info": {"description": "face boxes in upright pixels"}
        | ({} if split is None else {"split": split}),
        "licenses": [{"id": i, "name": name} for i, name in enumerate(licences, 1)],
        "categories": [{"id": i, "name": kind, **extra} for kind, i in kinds.items()],
        "images": images,
        "annotations": annotations,
    }
    with new_text(file) as out:
        json.dump(document, out, allow_nan=False)


def _files(source: Path) -> list[Path]:
    if source.is_file():
        return [source] if len(set(_KEYS.findall(sniff(source)))) >= 2 else []
    found: list[Path] = []
    for folder in (source, *sorted(p for p in _folders(source) if not p.name.startswith("."))):
        names = sorted(p for p in folder.glob("*.json") if not p.name.startswith("."))
        # A folder with thousands of JSON files holds one a picture: that is another format.
        found += [p for p in names[:20] if len(set(_KEYS.findall(sniff(p)))) >= 2]
    return found


def _folders(source: Path) -> list[Path]:
    try:
        return [p for p in source.iterdir() if p.is_dir()]
    except OSError:
        return []


def _objects(data: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    values = data.get(key)
    return [v for v in values if isinstance(v, dict)] if isinstance(values, list) else []


def _by_id(
    data: Mapping[str, Any], key: str, where: str, name: Any, problems: Problems | None = None
) -> dict[Any, dict[str, Any]]:
    found: dict[Any, dict[str, Any]] = {}
    values = data.get(key)
    if not isinstance(values, list) or not all(isinstance(v, dict) for v in values):
        raise LabelFileError(f"{where}: {key!r} is not a list of objects")
    for entry in values:
        identity = entry.get("id")
        if not isinstance(identity, int | str) or not isinstance(name(entry), str):
            raise LabelFileError(f"{where}: an entry of {key!r} lacks its id or name")
        old = found.setdefault(identity, entry)
        if old is not entry:
            if name(old) != name(entry):
                raise LabelFileError(
                    f"{where}: two {key} have the id {identity!r}: {name(old)!r} and {name(entry)!r}"
                )
            if problems is not None:
                problems.add("duplicate_id", f"{where}: {key} {identity!r}")
    return found


def _face(
    annotation: Mapping[str, Any],
    categories: Mapping[Any, Mapping[str, Any]],
    problems: Problems,
    name: str,
) -> LabelledFace | None:
    box = _box(annotation.get("bbox"))
    if box is None:
        problems.add("box_missing", name)
        return None
    key = annotation.get("category_id")
    category = categories.get(key) if isinstance(key, int | str) else None
    if category is None:
        problems.add("unknown_class", name)
    labels: dict[str, str | float] = {}
    for field, value in annotation.items():
        if field not in _ANNOTATION and value is not None:
            labels[field] = label_value(value)
    if annotation.get("segmentation"):
        problems.add("not_taken: segmentation", name)
    if annotation.get("iscrowd") == 1:
        labels["iscrowd"] = 1.0
    labels.update(_labels(annotation.get("attributes")))
    subject = annotation.get("subject")
    return LabelledFace(
        box,
        kind=str(key) if category is None else str(category["name"]),
        landmarks=_landmarks(annotation.get("keypoints"), category or {}, problems, name),
        subject=subject if isinstance(subject, str) else None,
        labels=labels,
    )


def _box(values: Any) -> Box | None:
    if not isinstance(values, list) or len(values) != 4:
        return None
    if not all(isinstance(v, int | float) and not isinstance(v, bool) for v in values):
        return None
    try:
        x, y, w, h = map(float, values)
    except OverflowError:
        return None
    return (x, y, x + w, y + h)


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


def _labels(values: Any) -> Labels:
    if not isinstance(values, dict):
        return {}
    return {str(key): label_value(value) for key, value in values.items() if value is not None}


def _source_name(entry: Mapping[str, Any]) -> str | None:
    """The name before upload, as Roboflow keeps it."""
    extra = entry.get("extra")
    name = extra.get("name") if isinstance(extra, dict) else None
    return name if isinstance(name, str) else None


def _size(entry: Mapping[str, Any]) -> tuple[int, int] | None:
    size = entry.get("width"), entry.get("height")
    if all(isinstance(v, int) and v > 0 for v in size):
        return size  # type: ignore[return-value]
    return None


def _provenance(entry: Mapping[str, Any], licences: Mapping[Any, Any]) -> Provenance:
    def text(key: str) -> str | None:
        value = entry.get(key)
        return value if isinstance(value, str) and value else None

    licence = licences.get(entry["license"]) if isinstance(entry.get("license"), int | str) else None
    return Provenance(
        url=text("coco_url") or text("flickr_url"),
        licence=licence if isinstance(licence, str) else None,
        fetched_at=text("date_captured"),
    )


def _image(
    picture: LabelledPicture, number: int, licences: Sequence[str], source_names: bool
) -> dict[str, Any]:
    assert picture.size_wh is not None
    width, height = picture.size_wh
    entry: dict[str, Any] = {"id": number, "file_name": picture.path, "width": width, "height": height}
    source = picture.provenance
    if source.url:
        entry["coco_url"] = source.url
    if source.licence is not None:
        entry["license"] = licences.index(source.licence) + 1
    if source.fetched_at:
        entry["date_captured"] = source.fetched_at
    if source_names and picture.source_name is not None:
        entry["extra"] = {"name": picture.source_name}
    if picture.subject is not None:
        entry["subject"] = picture.subject
    if picture.labels:
        entry["attributes"] = dict(picture.labels)
    return entry


def _annotation(face: LabelledFace, number: int, image: int, kinds: Mapping[str, int]) -> dict[str, Any]:
    x1, y1, x2, y2 = face.box
    labels = dict(face.labels)
    crowd = labels.get("iscrowd") == 1
    if crowd:
        del labels["iscrowd"]
    entry: dict[str, Any] = {
        "id": number,
        "image_id": image,
        "category_id": kinds.get(face.kind, kinds.get(FACE, 1)),
        "bbox": [x1, y1, x2 - x1, y2 - y1],
        "area": (x2 - x1) * (y2 - y1),
        "iscrowd": int(crowd),
    }
    if face.landmarks is not None:
        entry["keypoints"] = [value for x, y in face.landmarks for value in (x, y, 2)]
        entry["num_keypoints"] = len(face.landmarks)
    if face.subject is not None:
        entry["subject"] = face.subject
    if labels:
        entry["attributes"] = labels
    return entry
