"""What labels say as rows of a manifest: pictures found, boxes checked and turned upright, faults counted.

What is decided here for every format alike:

- Boxes and landmarks of the manifest are on the upright picture. Whether the labels are too is told by the
  size they state, where it tells (orientations 5 to 8 of a picture that is not square), else by the
  format's setting ``frame``; ``auto`` then means upright and is counted.
- A box that reaches over the edge stays as it is (``box_over_edge``): clipping would lose where the face
  goes on. A box outside the picture, without area, or with NaN or infinity is left out and counted.
- A picture that had labels of which none could be used, or whose label file is broken, is refused: it must
  not pass for a picture without faces.
- A face that is given twice, and a picture that is reached twice (two lists, two ids, a link), is one.
- A picture that cannot be read stays as a row with its error; one that is missing is counted.
- Nothing outside the data set's folder is read: a picture that a link leads out is refused, unread, and a
  folder likewise not walked, unless the user says to follow links.
- Only headers are read here. Damage in the pixels shows in the steps that decode.
"""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

from lineament.counting import quantity
from lineament.datasets.filling import Filled
from lineament.datasets.formats import LabelFormat
from lineament.datasets.formats._files import folders_outside, relative
from lineament.datasets.formats._frames import box_to_upright, points_to_upright, upright_size
from lineament.datasets.formats._labelled import LabelledFace, LabelledPicture, Labels, repeated
from lineament.datasets.formats._layout import label_files
from lineament.datasets.formats._problems import Problems
from lineament.datasets.importing.nothing_labelled import nothing_labelled
from lineament.datasets.importing.unlabelled import unnamed
from lineament.errors import PictureError
from lineament.io import images
from lineament.io.digests import sha256_of
from lineament.io.manifest import Manifest, ManifestRow, outside, row_id
from lineament.io.sources import lies_within
from lineament.kinds import CLASS, FACE, noun
from lineament.protocols import Advance


@dataclass(frozen=True, slots=True)
class Seen:
    """What the header of a picture's file says: ``stored_wh`` before the orientation is applied."""

    sha256: str
    stored_wh: tuple[int, int] | None = None
    orientation: int = 1
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Imported:
    """A manifest made from labels, what it was made from, and what was wrong with it.

    ``keys`` are the rows' ids by picture and number of the face in its label file; None is the picture.
    ``assumed`` counts the pictures without a face of which no label says so: see `unlabelled`.
    ``filled`` tells of the folder with copies, where one was made, ``tables`` which tables were read.
    """

    manifest: Manifest
    format: str
    problems: Problems
    keys: Mapping[tuple[str, int | None], str] = field(default_factory=dict)
    assumed: int = 0
    filled: Filled | None = None
    tables: tuple[str, ...] = ()


def read(
    reader: LabelFormat,
    name: str,
    source: Path,
    root: Path,
    *,
    known: Mapping[str, Seen] | None = None,
    follow_links: bool = False,
    advance: Advance | None = None,
) -> Imported:
    """Read with a format that was created already; ``known`` spares looking at pictures again."""
    problems = Problems()
    entries = _merged(reader.read(source, root, problems), root, problems)
    if not entries:
        raise nothing_labelled(reader, name, source, problems)
    located = any(entry.located for entry in entries.values())
    others = unnamed(reader, source, root, frozenset(entries), problems, boxes=located)
    rows: list[ManifestRow] = []
    keys: dict[tuple[str, int | None], str] = {}
    assumed = 0
    for entry in chain(entries.values(), others):
        seen = (known or {}).get(entry.path)
        if seen is None and not follow_links and not lies_within(root / entry.path, root):
            problems.add("picture_outside", entry.path)
            error = outside(entry.path, root)
            seen = Seen("", error=f"{type(error).__name__}: {error}")
        if seen is None:
            seen = look(root / entry.path)
        for face, row in _rows(entry, seen, reader, name, problems):
            rows.append(row)
            keys[entry.path, face] = row.id
            assumed += entry.assumed and row.outcome == "no_face"
        if advance is not None:
            advance(1)
    if not reader.located and source.is_dir():
        for file in label_files(source):
            problems.add("label_file_not_read", relative(file, root))
    for folder in sorted(folders_outside()):
        problems.add("folder_outside", relative(Path(folder), root))
    step: dict[str, Any] = {"step": "import", "format": name, "problems": problems.counts()}
    if follow_links:
        step["follow_links"] = True
    if reader.classes:
        step["classes"] = {str(number): kind for number, kind in sorted(reader.classes.items())}
    return Imported(
        Manifest(tuple(rows), (step,), root),
        name,
        problems,
        keys,
        assumed,
        tables=tuple(getattr(reader, "tables", ())),
    )


def look(path: Path) -> Seen:
    """Hash and header of a picture; a refusal is kept as text, not raised."""
    try:
        header = images.probe(path)
        return Seen(sha256_of(path), header.size_wh, header.orientation)
    except PictureError as error:
        digest = sha256_of(path) if path.is_file() and os.access(path, os.R_OK) else ""
        return Seen(digest, error=f"{type(error).__name__}: {error}")


def _merged(
    pictures: Iterable[LabelledPicture], root: Path, problems: Problems
) -> dict[str, LabelledPicture]:
    """One entry a picture; faces that several entries give for the same one are taken together.

    Links to one file are one picture where faces are located; elsewhere each says something of its own.
    """
    entries: dict[str, LabelledPicture] = {}
    first: dict[object, str] = {}
    for entry in pictures:
        path = first.setdefault(_file_of(root / entry.path) if entry.located else entry.path, entry.path)
        old = entries.get(path)
        if old is None:
            entries[path] = entry
            continue
        problems.add("picture_twice", entry.path)
        if (old.split, old.size_wh) != (entry.split, entry.size_wh):
            problems.add("picture_twice_in_different_ways", entry.path)
        entries[path] = dataclasses.replace(
            old,
            faces=old.faces + entry.faces,
            kept=old.kept + entry.kept,
            lost=old.lost + entry.lost,
            broken=old.broken or entry.broken,
        )
    return entries


def _file_of(path: Path) -> object:
    """What is the same for all links to one file."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return path
    return (status.st_dev, status.st_ino) if status.st_ino else path


def _rows(
    entry: LabelledPicture, seen: Seen, reader: LabelFormat, name: str, problems: Problems
) -> list[tuple[int | None, ManifestRow]]:
    size = upright_size(seen.stored_wh, seen.orientation) if seen.stored_wh else None
    base = ManifestRow(
        row_id(seen.sha256, entry.path),
        entry.path,
        seen.sha256,
        size_wh=size,
        subject=entry.subject,
        split=entry.split,
        labels=_with_source(entry, entry.labels),
        step="import",
        provenance=entry.provenance,
    )
    if seen.error is not None:
        problems.add("refused_picture", entry.path)
        return [(None, dataclasses.replace(base, outcome="refused", error=seen.error))]
    if entry.broken is not None:
        problems.add("broken_labels", entry.path)
        return [
            (None, dataclasses.replace(base, outcome="refused", error=f"LabelFileError: {entry.broken}"))
        ]
    assert seen.stored_wh is not None and size is not None
    stored = _on_stored(entry, seen, reader, problems)
    frame_wh = seen.stored_wh if stored else size
    kept = [_kept(fields, seen, entry.path, problems) for fields in entry.kept]
    faces = [_placed(face, entry, frame_wh, seen.orientation if stored else 1) for face in entry.faces]
    # Rows that a format keeps whole are as many as they were.
    twice = set() if kept else repeated(faces)
    lost = list(entry.lost)
    rows: list[tuple[int | None, ManifestRow]] = []
    for number, face in enumerate(faces):
        trouble = _trouble(face, size)
        where = f"{entry.path}, {noun([face.kind], 1)} {number + 1}"
        if trouble is not None:
            problems.add(trouble, where)
        if trouble not in (None, "box_over_edge"):
            lost.append(trouble)
        elif number in twice:
            problems.add("face_twice", where)
        else:
            row = _face_row(base, entry, face, number)
            rows.append((number, dataclasses.replace(row, **kept[number]) if kept else row))
    if rows:
        return rows
    if lost:
        problems.add("no_usable_box", entry.path)
        reasons = ", ".join(sorted(set(lost)))
        error = f"LabelFileError: none of its {quantity(len(lost), 'box')} or shapes can be used: {reasons}"
        return [(None, dataclasses.replace(base, outcome="refused", error=error))]
    row = dataclasses.replace(base, outcome="no_face") if entry.located else base
    return [(None, dataclasses.replace(row, **kept[0]) if kept else row)]


def _kept(fields: Mapping[str, Any], seen: Seen, path: str, problems: Problems) -> dict[str, Any]:
    """Fields that the format holds as they are; a hash only serves to tell that the picture changed."""
    if fields.get("sha256", seen.sha256) != seen.sha256:
        problems.add("picture_changed", path)
    return {key: value for key, value in fields.items() if key != "sha256"}


def _face_row(base: ManifestRow, entry: LabelledPicture, face: LabelledFace, number: int) -> ManifestRow:
    labels = _with_source(entry, face.labels)
    if face.kind != FACE:
        labels[CLASS] = face.kind
    return dataclasses.replace(
        base,
        id=row_id(base.sha256, base.path, number),
        subject=face.subject if face.subject is not None else base.subject,
        box=face.box,
        landmarks=face.landmarks,
        labels=labels,
    )


def _with_source(entry: LabelledPicture, labels: Labels) -> dict[str, str | float]:
    """Labels with the name before upload, by which augmented copies of one photo can be kept together."""
    return dict(labels) | ({} if entry.source_name is None else {"source_name": entry.source_name})


def _on_stored(entry: LabelledPicture, seen: Seen, reader: LabelFormat, problems: Problems) -> bool:
    """Whether the entry's coordinates are on the picture as stored."""
    claimed, stored_wh, orientation = entry.size_wh, seen.stored_wh, seen.orientation
    assert stored_wh is not None
    upright_wh = upright_size(stored_wh, orientation)
    if claimed is not None and claimed not in (stored_wh, upright_wh):
        problems.add("labelled_at_another_size", entry.path)
    if orientation == 1:
        return False
    if reader.frame != "auto":
        return reader.frame == "stored"
    if stored_wh != upright_wh and claimed == stored_wh:
        problems.add("labelled_unrotated", entry.path)
        return True
    if entry.faces and not (stored_wh != upright_wh and claimed == upright_wh):
        problems.add("rotation_taken_as_applied", entry.path)
    return False


def _placed(
    face: LabelledFace, entry: LabelledPicture, frame_wh: tuple[int, int], orientation: int
) -> LabelledFace:
    box, points = face.box, face.landmarks
    width, height = frame_wh
    if entry.normalised:
        box = (box[0] * width, box[1] * height, box[2] * width, box[3] * height)
        points = None if points is None else tuple((x * width, y * height) for x, y in points)
    if orientation != 1:
        box = box_to_upright(box, frame_wh, orientation)
        points = None if points is None else points_to_upright(points, frame_wh, orientation)
    return dataclasses.replace(face, box=box, landmarks=points)


def _trouble(face: LabelledFace, size_wh: tuple[int, int]) -> str | None:
    x1, y1, x2, y2 = face.box
    if not all(map(math.isfinite, face.box)):
        return "box_not_finite"
    if face.landmarks is not None and not all(math.isfinite(v) for point in face.landmarks for v in point):
        return "landmarks_not_finite"
    if x2 <= x1 or y2 <= y1:
        return "box_without_area"
    if x2 <= 0 or y2 <= 0 or x1 >= size_wh[0] or y1 >= size_wh[1]:
        return "box_outside"
    # Writing a box as shares of the size and back moves it by far less than this.
    slack = 1e-6
    if x1 < -slack or y1 < -slack or x2 > size_wh[0] + slack or y2 > size_wh[1] + slack:
        return "box_over_edge"
    return None
