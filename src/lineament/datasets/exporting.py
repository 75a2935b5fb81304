"""From a manifest to any label format, with a report of what that format could not hold.

The report is measured, not declared: the export is read back with the importer of the same format and
compared with the manifest field by field. An export appears whole or not at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath

from lineament.counting import quantity
from lineament.datasets.filling import copy_picture
from lineament.datasets.formats import LabelFormat, formats
from lineament.datasets.formats._files import new_folder
from lineament.datasets.formats._frames import box_to_stored, points_to_stored, upright_size
from lineament.datasets.formats._labelled import LabelledFace, LabelledPicture, kind_of
from lineament.datasets.formats._naming import FolderNames, Names
from lineament.datasets.formats._problems import Problems
from lineament.datasets.importing.rows import Seen, look, read
from lineament.errors import LabelFileError, PictureOutside
from lineament.io.manifest import Manifest, ManifestRow
from lineament.io.writing import unwritable
from lineament.protocols import Advance


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written.

    ``losses`` counts by field of the manifest: ``row`` for rows the format has no place for, else the field
    that comes back missing or changed, ``class number`` for classes that have another number, or none.
    ``problems`` are pictures that are missing or no longer the ones the manifest describes.
    """

    folder: Path
    format: str
    pictures: int
    rows: int
    losses: Problems
    problems: Problems


@dataclass(frozen=True, slots=True)
class _Placed:
    row: ManifestRow
    path: str
    face: int | None


def export_labels(
    manifest: Manifest, folder: Path, format: str, *, advance: Advance | None = None
) -> Exported:
    """Write pictures and labels to a new folder; ``format`` is a name with settings.

    Pictures are copied byte for byte, so an EXIF orientation stays; boxes are written on the upright
    picture unless the format is set to ``frame=stored``. Raises `UsageError` when the folder exists and is
    not empty, and `LabelFileError` when it cannot be written.
    """
    writer = formats.create(format)
    writer.classes = classes_of(manifest)
    problems, losses = Problems(), Problems()
    try:
        with new_folder(folder) as temporary:
            entries, placed, seen = _place(manifest, writer, temporary, problems, losses, advance)
            if not entries:
                raise LabelFileError(
                    f"none of the {quantity(len(manifest), 'row')} has a place in {format}"
                )
            writer.write(entries, temporary)
            writer.classes = {}  # now to be read
            back = read(writer, format, temporary, temporary, known=seen)
    except (OSError, UnicodeEncodeError) as error:
        raise LabelFileError(unwritable(folder, error)) from error
    rows = {row.id: row for row in back.manifest}
    for item in placed:
        key = back.keys.get((item.path, item.face), back.keys.get((item.path, None)))
        _compare(item.row, rows.get(key or ""), losses)
    before, after = classes_of(manifest), classes_of(back.manifest)
    for number, kind in before.items():
        if after.get(number) != kind:
            losses.add("class number", f"{number} {kind}")
    if manifest.steps:
        losses.add("steps", str(manifest.steps[-1].get("step", "")), count=len(manifest.steps))
    return Exported(folder, format, len(entries), len(placed), losses, problems)


def classes_of(manifest: Manifest) -> dict[int, str]:
    """Names of classes by number, as import or join found them; empty where there were no numbers."""
    for step in manifest.steps:
        told = step.get("classes")
        if step.get("step") in ("import", "join") and isinstance(told, dict):
            return {int(number): str(kind) for number, kind in told.items() if str(number).isdecimal()}
    return {}


def differences(row: ManifestRow, back: ManifestRow) -> Iterator[tuple[str, float | None]]:
    """Every field that differs, and for boxes and landmarks by how many pixels at most."""
    for name in ("id", "path", "subject", "split", "outcome", "parent", "step", "quality", "repeats"):
        if getattr(row, name) != getattr(back, name):
            yield name, None
    if row.error != back.error:
        yield "error", None
    if row.size_wh is not None and row.size_wh != back.size_wh:
        yield "size_wh", None
    if row.box != back.box:
        yield "box", _furthest(row.box, back.box)
    if row.landmarks != back.landmarks:
        before = None if row.landmarks is None else [v for point in row.landmarks for v in point]
        after = None if back.landmarks is None else [v for point in back.landmarks for v in point]
        yield "landmarks", _furthest(before, after)
    for key in sorted(row.labels.keys() | back.labels.keys()):
        if key not in row.labels:
            yield f"labels.{key} (added)", None
        elif (before_value := row.labels[key]) != back.labels.get(key) or type(before_value) is not type(
            back.labels[key]
        ):
            yield f"labels.{key}", None
    sources = asdict(row.provenance), asdict(back.provenance)
    for key, value in sources[0].items():
        if value != sources[1][key]:
            yield f"provenance.{key}", None


def _compare(row: ManifestRow, back: ManifestRow | None, losses: Problems) -> None:
    if back is None:
        losses.add("row", row.path)
        return
    for name, distance in differences(row, back):
        losses.add(name, row.path, worst_px=distance)


def _furthest(a: Iterable[float] | None, b: Iterable[float] | None) -> float | None:
    if a is None or b is None:
        return None
    return max(abs(x - y) for x, y in zip(a, b, strict=True))


def _place(
    manifest: Manifest,
    writer: LabelFormat,
    folder: Path,
    problems: Problems,
    losses: Problems,
    advance: Advance | None,
) -> tuple[list[LabelledPicture], list[_Placed], dict[str, Seen]]:
    """Copy every picture that has a place, and describe it in the frame the format wants."""
    names = Names(unique_stems=writer.unique_stems)
    groups: dict[tuple[str, str], list[ManifestRow]] = {}
    first_wanted: dict[tuple[str, str], str] = {}
    ordered = sorted(manifest, key=lambda row: (row.path, row.id))
    usable = [row for row in ordered if row.outcome != "refused"]
    for row in ordered:
        if row.outcome == "refused":
            losses.add("row", row.path)
    for row, wanted in zip(usable, writer.destinations(usable, FolderNames()), strict=True):
        if wanted is None:
            losses.add("row", row.path)
        else:
            # One group a picture where faces are located; else also one a subject, which has its folder.
            key = (row.path, "" if writer.located else wanted)
            groups.setdefault(key, []).append(row)
            first_wanted.setdefault(key, wanted)
    entries: list[LabelledPicture] = []
    placed: list[_Placed] = []
    seen: dict[str, Seen] = {}
    for key, rows in groups.items():
        first = rows[0]
        path = names.take(first_wanted[key])
        found = _copy(manifest, folder / path, first, problems)
        if found is None:
            for row in rows:
                losses.add("row", row.path)
            continue
        entry, items = _described(rows, path, found, writer, losses)
        entries.append(entry)
        placed += items
        seen[path] = found
        if advance is not None:
            advance(len(rows))
    return sorted(entries, key=lambda entry: entry.path), placed, seen


def _described(
    rows: list[ManifestRow], path: str, seen: Seen, writer: LabelFormat, losses: Problems
) -> tuple[LabelledPicture, list[_Placed]]:
    assert seen.stored_wh is not None
    first, stored = rows[0], writer.frame == "stored"
    upright = upright_size(seen.stored_wh, seen.orientation)
    boxed = [row for row in rows if row.box is not None and writer.located]
    kept = boxed or rows[:1]
    for row in rows:
        if row not in kept:
            losses.add("row", row.path)
    faces = []
    for row in boxed:
        assert row.box is not None
        kind, labels = kind_of(row.labels)
        box, points = row.box, row.landmarks
        if stored and seen.orientation != 1:
            box = box_to_stored(box, upright, seen.orientation)
            points = None if points is None else points_to_stored(points, upright, seen.orientation)
        faces.append(LabelledFace(box, kind, points, row.subject, labels))
    entry = LabelledPicture(
        path,
        tuple(faces),
        split=first.split,
        size_wh=seen.stored_wh if stored else upright,
        subject=None if boxed else first.subject,
        labels={} if boxed else first.labels,
        provenance=first.provenance,
        located=writer.located,
        source_name=str(first.labels.get("source_name", PurePosixPath(first.path).name)),
        rows=tuple(kept),
    )
    return entry, [_Placed(row, path, number if boxed else None) for number, row in enumerate(kept)]


def _copy(manifest: Manifest, target: Path, row: ManifestRow, problems: Problems) -> Seen | None:
    """Copy the picture; None, and counted, when it is not the one the manifest describes."""
    try:
        source = manifest.file_inside(row)
    except PictureOutside:
        problems.add("picture_outside", row.path)
        return None
    seen = look(source)
    if not seen.sha256:
        problems.add("missing_picture", row.path)
        return None
    if seen.error is not None:
        problems.add("refused_picture", row.path)
        return None
    if row.sha256 and seen.sha256 != row.sha256:
        problems.add("picture_changed", row.path)
        return None
    copy_picture(source, target)
    return seen
