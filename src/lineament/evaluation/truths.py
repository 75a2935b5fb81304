"""Labelled faces to measure a detector against, from any label format, with every picture accounted for.

A picture that is missing or cannot be read keeps its faces: nobody finds them, so they are missed. A
picture whose *labels* cannot be used is left out, named and counted, as nobody knows what is on it.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from lineament.datasets.formats import formats
from lineament.datasets.formats._files import pictures_below, pictures_in
from lineament.datasets.formats._labelled import LabelledPicture, kind_of
from lineament.datasets.formats._problems import Problems
from lineament.datasets.importing.guessing import detect
from lineament.datasets.importing.labels import Imported, import_labels, offer
from lineament.datasets.splitting.held_out import held_out
from lineament.errors import UsageError
from lineament.io import own_files
from lineament.io.manifest import MANIFEST_NAME, Manifest, ManifestRow
from lineament.kinds import CLASS, FACE, alike, is_face
from lineament.protocols import Advance
from lineament.scoring.matching import Mask
from lineament.types import Float64

Labels = Mapping[str, str | float]

ALL = "all"
"""In place of a split's name: every row."""

OWN_FORMAT = "manifest"

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
    ``split`` is what was read, None for all; ``other_splits`` counts the pictures left out for it.
    ``digest`` is of the labels and the pictures' bytes. ``boxes`` counts the labelled boxes by class, and
    ``other_kinds`` those left out because the detector does not look for them. ``offer`` is the format's
    spec that takes the unlabelled for pictures without anything.
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
    split: str | None = None
    other_splits: int = 0
    boxes: Mapping[str, int] = field(default_factory=dict)
    other_kinds: Mapping[str, int] = field(default_factory=dict)
    offer: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class _Read:
    """Labels as rows of a manifest whose folder is ``root``, whatever they were written as.

    ``entries`` are what the labels say of pictures that cannot be read, for which the rows have no boxes.
    """

    manifest: Manifest
    root: Path
    format: str
    problems: Mapping[str, int]
    missing_faces: int
    entries: Mapping[str, LabelledPicture]
    offer: str | None = None


def read_truths(
    images: Path | None,
    labels: Path,
    format: str | None = None,
    advance: Advance | None = None,
    *,
    split: str | None = ALL,
) -> Truths:
    """Read the labels of the pictures in a folder; the format is detected unless given.

    ``labels`` may also be a manifest, or a folder with one: ``images`` is then only needed to narrow it.
    ``split`` is the one to read, ``all`` of them, or None: test where these pictures have that split,
    else val, else all. Raises `UsageError` when nothing is there or the labels hold no boxes,
    `ManifestError` and `LabelFileError` when they cannot be read.
    """
    images, labels = None if images is None else images.absolute(), labels.absolute()
    if images is not None and not images.is_dir():
        raise UsageError(f"no folder of images at {images}")
    if not labels.exists():
        raise UsageError(f"{labels}: there is no such file or folder")
    own = _manifest_at(labels) if format in (None, OWN_FORMAT) else None
    if own is not None:
        read = _of_manifest(own)
    elif format == OWN_FORMAT:
        raise UsageError(f"{labels}: not a manifest of lineament; leave out --format {OWN_FORMAT}")
    elif images is None:
        raise UsageError(f"{labels}: say where the pictures are that these labels are of: --images DIR")
    else:
        read = _of_labels(images, labels, format, advance)
    return _told(read, images or read.root, labels, split, looked_for=images is not None)


def _told(read: _Read, images: Path, labels: Path, split: str | None, *, looked_for: bool) -> Truths:
    rows: dict[str, list[ManifestRow]] = {}
    for row in read.manifest:
        rows.setdefault(row.path, []).append(row)
    inside = {path: its for path, its in sorted(rows.items()) if images in (read.root / path).parents}
    split = _split_of(inside, split)
    chosen = {path: its for path, its in inside.items() if split in (None, its[0].split)}
    if not chosen and inside:
        there = sorted({str(its[0].split) for its in inside.values() if its[0].split})
        raise UsageError(
            f"{labels}: no picture is in the split {split!r}; "
            + (f"there are {', '.join(there)}" if there else "it is not split; leave out --split")
        )
    pictures, unusable, missing_faces = [], {}, read.missing_faces
    for path, its in chosen.items():
        error = next((row.error or "refused" for row in its if row.outcome == "refused"), None)
        boxed = any(row.box is not None for row in its)
        if error is not None and error.startswith("LabelFileError"):
            unusable[path] = error
        elif error is not None and path in read.entries:
            pictures.append(_unreadable(path, read.entries[path], error))
        elif error is not None and not boxed and read.format == OWN_FORMAT:
            unusable[path] = f"{error}; and the manifest does not say what is on it"
        elif any(row.box is None and row.outcome == "ok" for row in its):
            unusable[path] = "a face whose box is not known"
        elif read.format == OWN_FORMAT and not (read.root / path).is_file():
            missing_faces += sum(row.box is not None for row in its)
        else:
            pictures.append(_picture(path, its, error))
    if not any(len(one.boxes) for one in pictures):
        raise UsageError(f"{labels}: read as {read.format}, it holds no box in {images}")
    return Truths(
        folder=read.root,
        pictures=tuple(pictures),
        missing_faces=missing_faces,
        unusable=unusable,
        elsewhere=len(rows) - len(inside),
        unlabelled=_unlabelled(images, read.root, rows) if looked_for else 0,
        problems=read.problems,
        format=read.format,
        digest=read.manifest.digest(),
        split=split,
        other_splits=len(inside) - len(chosen),
        boxes=_by_kind(pictures),
        offer=read.offer,
    )


def looked_for(truths: Truths, kinds: Sequence[str]) -> Truths:
    """The truths of the classes that a detector looks for, where there are any of those; else all.

    A detector of faces misses nothing where it does not find a labelled head.
    """
    wanted = {kind for kind in truths.boxes if is_face(kind)} if any(map(is_face, kinds)) else set()
    wanted |= alike(truths.boxes, kinds)
    if not wanted or wanted == set(truths.boxes):
        return truths
    pictures = tuple(_of_kinds(one, wanted) for one in truths.pictures)
    left = {kind: count for kind, count in truths.boxes.items() if kind not in wanted}
    return replace(truths, pictures=pictures, boxes=_by_kind(pictures), other_kinds=left)


def _of_kinds(one: TruePicture, kinds: Collection[str]) -> TruePicture:
    kept = np.array([kind_of(labels)[0] in kinds for labels in one.labels], bool)
    labels = tuple(labels for labels, keep in zip(one.labels, kept, strict=True) if keep)
    return replace(
        one, boxes=one.boxes[kept], ignored=one.ignored[kept], crowd=one.crowd[kept], labels=labels
    )


def _by_kind(pictures: Iterable[TruePicture]) -> dict[str, int]:
    counts = Counter(kind_of(labels)[0] for one in pictures for labels in one.labels)
    return dict(sorted(counts.items()))


def _split_of(rows: Mapping[str, list[ManifestRow]], split: str | None) -> str | None:
    """The split to read, None for all."""
    if split == ALL:
        return None
    if split is not None:
        return split
    return held_out(row for its in rows.values() for row in its)


def _unlabelled(images: Path, root: Path, rows: Mapping[str, list[ManifestRow]]) -> int:
    return sum(path.relative_to(root).as_posix() not in rows for path in pictures_below(images))


def _manifest_at(labels: Path) -> Manifest | None:
    """The manifest there, None where other labels are."""
    path = labels / MANIFEST_NAME if labels.is_dir() else labels
    return Manifest.load(path) if path.is_file() and own_files.MANIFEST.known(path) else None


def _of_manifest(manifest: Manifest) -> _Read:
    return _Read(manifest, manifest.folder.absolute(), OWN_FORMAT, {}, 0, {})


def _of_labels(images: Path, labels: Path, format: str | None, advance: Advance | None) -> _Read:
    root = Path(os.path.commonpath([images, labels if labels.is_dir() else labels.parent]))
    with pictures_in(images):
        found = import_labels(labels, format, root=root, advance=advance)
        entries = _entries(found, labels, root)
    problems = found.problems.counts()
    missing = _missing_faces(found)
    return _Read(found.manifest, root, found.format, problems, missing, entries, offer(found))


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


def _picture(path: str, rows: list[ManifestRow], error: str | None) -> TruePicture:
    faces = [row for row in rows if row.box is not None]
    return _true_picture(path, [row.box for row in faces if row.box], [row.labels for row in faces], error)


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
            labels.append({**face.labels, **({} if face.kind == FACE else {CLASS: face.kind})})
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
