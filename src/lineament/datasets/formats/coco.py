"""COCO JSON: ``bbox`` is x, y, width, height in pixels; five keypoints are landmarks.

An annotation without a box gets the one around its polygons or mask; one that is turned (``rotation`` of
CVAT, five numbers of Detectron2) the box around it. Ids may be numbers or text.

Format as in https://cocodataset.org/#format-data. Fields of an annotation that COCO does not know (CVAT's
``attributes`` among them) become labels and back; ``subject`` is written beside them. Written ids start at
1, because pycocotools takes an annotation id of 0 for "no match"; ids from 0 are read. ``width`` and
``height`` tell on which frame of an EXIF-rotated picture the boxes are.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from lineament.datasets.formats import formats
from lineament.datasets.formats._boxes import Boxes
from lineament.datasets.formats._coco_entries import (
    are_shares,
    by_id,
    labels_of,
    objects,
    read_annotations,
)
from lineament.datasets.formats._expected import EXPORTED, Expected
from lineament.datasets.formats._files import files_below, locate, new_text, read_json, relative
from lineament.datasets.formats._ids import ById, plain
from lineament.datasets.formats._json_kinds import json_kind
from lineament.datasets.formats._labelled import BoxConfig, LabelledFace, LabelledPicture, split_in
from lineament.datasets.formats._naming import FolderNames, portable, portable_path
from lineament.datasets.formats._problems import Problems
from lineament.errors import LabelFileError
from lineament.io.manifest import ManifestRow, Provenance
from lineament.kinds import FACE
from lineament.types import LANDMARK_NAMES

_OWN = "face boxes in upright pixels"


@formats.register("coco", BoxConfig)
class Coco(Boxes):
    """One JSON file a split."""

    rank = 20
    expects = Expected(
        "a .json with images and annotations",
        EXPORTED.format("COCO"),
    )

    def matches(self, source: Path) -> bool:
        """Whether there is a JSON file with images, annotations and categories."""
        return bool(_files(source))

    def read(self, source: Path, root: Path, problems: Problems) -> Iterator[LabelledPicture]:
        """Every image of every file."""
        files = _files(source) or _only_json(source)
        numbers: dict[int, str] = {}
        self.classes = numbers
        for file in files:
            yield from read_file(file, root, problems, classes=numbers)

    def destinations(self, rows: Sequence[ManifestRow], folders: FolderNames) -> list[str | None]:
        """Where they were: COCO names pictures by path."""
        return [portable_path(row.path) for row in rows]

    def write(self, pictures: Sequence[LabelledPicture], folder: Path) -> None:
        """``annotations/instances_SPLIT.json``, or ``coco.json`` for pictures without a split."""
        for split in sorted({p.split for p in pictures}, key=lambda s: s or ""):
            name = "coco.json" if split is None else f"annotations/instances_{portable(split)}.json"
            members = [p for p in pictures if p.split == split]
            write_file(members, folder / name, split, classes=self.classes)


def read_file(
    file: Path,
    root: Path,
    problems: Problems,
    *,
    split: str | None = None,
    classes: dict[int, str] | None = None,
) -> Iterator[LabelledPicture]:
    """The images of one file; raises `LabelFileError` when ids cannot tell which is which.

    ``classes`` receives the names of its categories by their numbers.
    """
    data = read_json(file)
    where = relative(file, root)
    info = data.get("info")
    told = info.get("split") if isinstance(info, dict) else None
    split = told if isinstance(told, str) else split or split_in(file)
    own = isinstance(info, dict) and info.get("description") == _OWN
    categories = by_id(data, "categories", where, "name") if "categories" in data else ById()
    for number, category in categories.items():
        if classes is not None and number.isdecimal():
            classes.setdefault(int(number), str(category["name"]))
    pictures = by_id(data, "images", where, "file_name", problems)
    licences: ById[str] = ById()
    for entry in objects(data, "licenses"):
        key, name = plain(entry.get("id")), entry.get("name") or entry.get("url")
        if key is not None and isinstance(name, str):
            licences.add(key, name)
    faces: dict[str, list[LabelledFace]] = {key: [] for key in pictures}
    lost: dict[str, list[str]] = {key: [] for key in pictures}
    shares = not own and are_shares(data)
    if shares:
        problems.add("boxes_as_shares", where)
    read_annotations(data, pictures, categories, faces, lost, own, problems, where)
    bases = [file.parent, file.parent / "images", root, root / "images"]
    bases += [root / p for p in (split, f"images/{split}", f"{split}2017") if split and p]
    if file.parent != root:
        bases += [file.parent.parent, file.parent.parent / "images"]
    for key, entry in pictures.items():
        name, count = str(entry["file_name"]), len(faces[key])
        path = locate(name, root, bases, problems, where, split, faces=count)
        if path is None:
            continue
        yield LabelledPicture(
            path=path,
            faces=tuple(faces[key]),
            lost=tuple(lost[key]),
            split=split,
            size_wh=_size(entry),
            subject=entry["subject"] if isinstance(entry.get("subject"), str) else None,
            labels=labels_of(entry.get("attributes")),
            provenance=_provenance(entry, licences),
            source_name=_source_name(entry),
            located="annotations" in data,
            normalised=shares,
        )


def write_file(
    pictures: Iterable[LabelledPicture],
    file: Path,
    split: str | None,
    *,
    source_names: bool = False,
    classes: Mapping[int, str] | None = None,
) -> None:
    """Write one COCO file; images and annotations are numbered from 1.

    ``classes`` keep their numbers, used or not; others come after them.
    """
    pictures = list(pictures)
    kinds: dict[str, int] = {}
    for number, kind in sorted((classes or {}).items()):
        kinds.setdefault(kind, number)
    free = max(kinds.values(), default=0) + 1
    new = sorted({face.kind for picture in pictures for face in picture.faces} - kinds.keys())
    kinds |= {kind: number for number, kind in enumerate(new or [FACE] * (not kinds), free)}
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
        "info": {"description": _OWN} | ({} if split is None else {"split": split}),
        "licenses": [{"id": i, "name": name} for i, name in enumerate(licences, 1)],
        "categories": [{"id": i, "name": kind, **extra} for kind, i in kinds.items()],
        "images": images,
        "annotations": annotations,
    }
    with new_text(file) as out:
        json.dump(document, out, allow_nan=False)


def _files(source: Path) -> list[Path]:
    if source.is_file():
        return [source] if json_kind(source) == "coco" else []
    found: list[Path] = []
    by_folder: dict[Path, list[Path]] = {}
    for file in files_below(source, [".json"]):
        by_folder.setdefault(file.parent, []).append(file)
    for files in by_folder.values():
        # A folder with thousands of JSON files holds one a picture: that is another format.
        found += [file for file in files[:20] if json_kind(file) == "coco"]
    return found


def _only_json(source: Path) -> list[Path]:
    """What is read when the user says that it is COCO, though nothing looks like it."""
    files = [source] if source.is_file() else files_below(source, [".json"])
    if len(files) > 1:
        names = ", ".join(file.name for file in files[:3])
        raise LabelFileError(
            f"{source}: none of its {len(files):,} JSON files ({names} ...) has 'images' and 'annotations'"
        )
    return files


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


def _provenance(entry: Mapping[str, Any], licences: ById[str]) -> Provenance:
    def text(key: str) -> str | None:
        value = entry.get(key)
        return value if isinstance(value, str) and value else None

    return Provenance(
        url=text("coco_url") or text("flickr_url"),
        licence=licences.get(entry.get("license")),
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
