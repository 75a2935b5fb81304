"""Labelled faces to measure a detector against, from any label format, with every picture accounted for.

A picture that is missing or cannot be read keeps its faces: nobody finds them, so they are missed. A
picture whose *labels* cannot be used is left out, named and counted, as nobody knows what is on it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lineament.datasets.formats import formats
from lineament.datasets.formats._files import pictures_below, pictures_in
from lineament.datasets.formats._labelled import LabelledPicture
from lineament.datasets.formats._problems import Problems
from lineament.datasets.guessing import detect
from lineament.datasets.importing import Advance, Imported, import_labels
from lineament.errors import UsageError
from lineament.io.manifest import ManifestRow
from lineament.scoring.matching import Mask
from lineament.types import Float64

Labels = Mapping[str, str | float]

_IGNORE = ("ignore", "ignored", "difficult", "invalid")
"""Labels by which data sets mark faces that are neither to be found nor wrong to find (VOC, WIDER FACE)."""


@dataclass(frozen=True, slots=True, eq=False)
class TruePicture:
    """One labelled picture: ``boxes`` float64 ``(T, 4)`` xyxy on the upright picture, flags ``(T,)``.

    ``labels`` are of each face. ``error`` tells why the picture cannot be searched: its faces are missed.
    """

    path: str
    boxes: Float64
    ignored: Mask
    crowd: Mask
    labels: tuple[Labels, ...]
    error: str | None = None

    @property
    def short_sides(self) -> Float64:
        """The shorter side of each box in pixels, ``(T,)``."""
        return np.asarray((self.boxes[:, 2:] - self.boxes[:, :2]).min(axis=1, initial=np.inf), np.float64)


@dataclass(frozen=True, slots=True)
class Truths:
    """Labelled pictures below ``folder``, in the order of their paths, and what is not among them.

    ``missing_faces`` are faces of pictures that are not there at all; their sizes are not known.
    ``unusable`` maps pictures left out to what is wrong with their labels, ``elsewhere`` counts labelled
    pictures outside the folder asked for, ``unlabelled`` pictures in it that the labels do not name.
    ``digest`` is of the labels and the pictures' bytes.
    """

    folder: Path
    pictures: tuple[TruePicture, ...]
    missing_faces: int
    unusable: Mapping[str, str]
    elsewhere: int
    unlabelled: int
    problems: Mapping[str, int]
    format: str
    digest: str


def read_truths(
    images: Path, labels: Path, format: str | None = None, advance: Advance | None = None
) -> Truths:
    """Read the labels of the pictures in a folder; the format is detected unless given.

    Raises `UsageError` when nothing is there or the labels hold no boxes, `LabelFileError` when they cannot
    be read.
    """
    images, labels = images.absolute(), labels.absolute()
    if not images.is_dir():
        raise UsageError(f"no folder of images at {images}")
    if not labels.exists():
        raise UsageError(f"{labels}: there is nothing")
    root = Path(os.path.commonpath([images, labels if labels.is_dir() else labels.parent]))
    with pictures_in(images):
        found = import_labels(labels, format, root=root, advance=advance)
        entries = _entries(found, labels, root)
    rows: dict[str, list[ManifestRow]] = {}
    for row in found.manifest:
        rows.setdefault(row.path, []).append(row)
    pictures, unusable, elsewhere = [], {}, 0
    for path, its_rows in sorted(rows.items()):
        if images not in (root / path).parents:
            elsewhere += 1
        elif its_rows[0].outcome == "refused":
            reason = its_rows[0].error or "refused"
            if reason.startswith("LabelFileError"):
                unusable[path] = reason
            else:
                pictures.append(_unreadable(path, entries.get(path), reason))
        else:
            pictures.append(_picture(path, its_rows))
    if not any(len(one.boxes) for one in pictures):
        raise UsageError(f"{labels}: read as {found.format}, it holds no box of a face in {images}")
    return Truths(
        folder=root,
        pictures=tuple(pictures),
        missing_faces=_missing_faces(found),
        unusable=unusable,
        elsewhere=elsewhere,
        unlabelled=sum(p.relative_to(root).as_posix() not in rows for p in pictures_below(images)),
        problems=found.problems.counts(),
        format=found.format,
        digest=found.manifest.digest(),
    )


def _entries(found: Imported, labels: Path, root: Path) -> dict[str, LabelledPicture]:
    """What the labels say of pictures that cannot be read: the manifest has no boxes of those."""
    if not any(row.outcome == "refused" for row in found.manifest):
        return {}
    seen = detect(labels)
    place = seen[1] if seen is not None and seen[0] == found.format else labels
    reader = formats.create(found.format)
    return {entry.path: entry for entry in reader.read(place, root, Problems())}


def _missing_faces(found: Imported) -> int:
    # In a table each line is a face; the other formats count the faces of a missing picture themselves.
    table = found.format.partition(":")[0] == "csv"
    return found.problems["missing_picture" if table else "face_of_missing_picture"]


def _picture(path: str, rows: list[ManifestRow]) -> TruePicture:
    faces = [row for row in rows if row.box is not None]
    return _true_picture(path, [row.box for row in faces if row.box], [row.labels for row in faces])


def _unreadable(path: str, entry: LabelledPicture | None, error: str) -> TruePicture:
    boxes: list[tuple[float, ...]] = []
    labels: list[Labels] = []
    for face in entry.faces if entry is not None else ():
        box = np.asarray(face.box, np.float64)
        # Shares of a picture nobody can open have no size in pixels; such a face counts whatever its size.
        if entry is not None and entry.normalised:
            box = box * np.tile(entry.size_wh or (1e4, 1e4), 2)
        told_before = any(b == tuple(box.tolist()) for b in boxes)
        if np.isfinite(box).all() and (box[2:] > box[:2]).all() and not told_before:
            boxes.append(tuple(box.tolist()))
            labels.append(face.labels)
    return _true_picture(path, boxes, labels, error)


def _true_picture(
    path: str, boxes: list[tuple[float, ...]], labels: list[Labels], error: str | None = None
) -> TruePicture:
    return TruePicture(
        path=path,
        boxes=np.array(boxes, np.float64).reshape(-1, 4),
        ignored=np.array([any(_is_set(one.get(name)) for name in _IGNORE) for one in labels], bool),
        crowd=np.array([_is_set(one.get("iscrowd")) for one in labels], bool),
        labels=tuple(labels),
        error=error,
    )


def _is_set(value: str | float | None) -> bool:
    if isinstance(value, str):
        return value.strip().lower() in ("1", "true", "yes")
    return bool(value)
