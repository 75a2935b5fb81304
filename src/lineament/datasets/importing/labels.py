"""From any label format to a manifest, in the data set's own folder or in a new one with copies."""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from lineament.datasets.archives import is_archive, unpack
from lineament.datasets.filling import fill, require_import
from lineament.datasets.formats import formats
from lineament.datasets.formats._files import reading_within
from lineament.datasets.formats._labelled import kind_of
from lineament.datasets.importing.guessing import detect, places_in
from lineament.datasets.importing.label_summary import labels_of
from lineament.datasets.importing.nothing_labelled import nothing_known
from lineament.datasets.importing.rows import Imported, read
from lineament.datasets.importing.unlabelled import OPTION, WITHOUT_LABELS
from lineament.errors import LineamentError, UsageError
from lineament.io.manifest import MANIFEST_NAME, Manifest, ManifestRow
from lineament.kinds import is_face
from lineament.protocols import Advance

__all__ = [
    "Advance",
    "Imported",
    "boxes_of",
    "counts_of",
    "import_dataset",
    "import_labels",
    "offer",
    "summary",
]


def import_labels(
    source: Path,
    format: str | None = None,
    *,
    root: Path | None = None,
    follow_links: bool = False,
    advance: Advance | None = None,
) -> Imported:
    """The manifest of a labelled folder or label file, with its folder (or ``root``) as the manifest's.

    ``format`` is a name with settings (``imagefolder:label=emotion``), or None to detect it. Links out of
    the root are followed with ``follow_links`` only. Nothing is written. Raises `UsageError` when no format
    fits and `LabelFileError` when its files are unusable.
    """
    source = Path(source)
    if not source.exists():
        raise UsageError(f"{source}: there is nothing")
    if root is None:
        root = source if source.is_dir() else source.parent
    with nullcontext() if follow_links else reading_within(root, source):
        return _import(source, format, root, follow_links, advance)


def _import(
    source: Path, format: str | None, root: Path, follow_links: bool, advance: Advance | None
) -> Imported:
    place = source
    if format is None:
        found = detect(source)
        if found is None:
            raise nothing_known(source)
        format, place = found
    else:
        chosen = formats.create(format)
        if not chosen.importable:
            raise UsageError(f"{format} is written only; what is in it is read by the library of that name")
        place = next((place for place in places_in(source) if chosen.matches(place)), source)
    reader = formats.create(format)
    return read(reader, format, place, root, follow_links=follow_links, advance=advance)


def import_dataset(
    source: Path,
    format: str | None = None,
    *,
    out: Path | None = None,
    replace: bool = False,
    follow_links: bool = False,
    advance: Advance | None = None,
) -> tuple[Path, Imported]:
    """Import and save a manifest; returns its path.

    Without ``out`` it is saved in the folder itself. With ``out``, a new folder, an archive is unpacked
    there, or the pictures of a folder are copied there byte for byte, but for those that are refused:
    their rows stay and say why. ``replace`` writes over the manifest of an earlier import, and fills its
    folder again as `filling` does. Raises as `import_labels`, `archives.unpack` and `filling.fill` do.
    """
    if is_archive(source):
        if out is None:
            raise UsageError(f"{source}: an archive needs --out, a new folder to unpack it in")
        if not replace or not out.exists():
            return _from_archive(source, format, out, advance)
        with tempfile.TemporaryDirectory(prefix=".", dir=out.absolute().parent) as folder:
            unpacked = Path(folder) / "unpacked"
            _, found = _from_archive(source, format, unpacked, advance)
            return _filled(found, out, replace)
    found = import_labels(source, format, follow_links=follow_links, advance=advance)
    if out is not None:
        return _filled(found, out, replace)
    path = found.manifest.folder / MANIFEST_NAME
    if path.exists():
        if not replace:
            raise UsageError(f"{path}: exists already; --replace writes over it")
        require_import(path)
    found.manifest.save(path)
    return path, found


def boxes_of(rows: Iterable[ManifestRow]) -> dict[str, int]:
    """How many boxes there are of each class."""
    return dict(sorted(Counter(kind_of(row.labels)[0] for row in rows if row.box is not None).items()))


def copies_of(manifest: Manifest) -> dict[str, Path]:
    """The pictures to copy beside a manifest: all but refused ones, which nobody looked at."""
    rows = {row.path: row for row in manifest if row.outcome != "refused"}
    return {path: manifest.file_inside(row) for path, row in rows.items()}


def _filled(found: Imported, out: Path, replace: bool) -> tuple[Path, Imported]:
    filled = fill(out, found.manifest, copies_of(found.manifest), replace=replace)
    moved = dataclasses.replace(found.manifest, folder=out)
    return out / MANIFEST_NAME, dataclasses.replace(found, manifest=moved, filled=filled)


def _from_archive(
    archive: Path, format: str | None, out: Path, advance: Advance | None
) -> tuple[Path, Imported]:
    unpacked = unpack(archive, out)
    try:
        found = import_labels(out, format, advance=advance)
        for kind, tally in unpacked.problems:
            for place in tally.examples[:1]:
                found.problems.add(kind, place, count=tally.count)
        step = {**found.manifest.steps[0], "problems": found.problems.counts()}
        found = dataclasses.replace(found, manifest=dataclasses.replace(found.manifest, steps=(step,)))
        found.manifest.save(out / MANIFEST_NAME)
    except LineamentError:
        shutil.rmtree(out)
        raise
    return out / MANIFEST_NAME, found


def offer(found: Imported) -> str | None:
    """The format's spec that takes the pictures without labels, which were left out, for empty ones."""
    located = any(row.box is not None or row.outcome == "no_face" for row in found.manifest)
    if not located or not found.problems[WITHOUT_LABELS]:
        return None
    return formats.changed(found.format, **{OPTION: "true"})


def summary(found: Imported) -> dict[str, Any]:
    """Counts of an import: those of its rows, its format, and how many pictures hold no face unsaid."""
    return {"format": found.format, **counts_of(found.manifest.rows), "no_face_assumed": found.assumed}


def counts_of(rows: Sequence[ManifestRow]) -> dict[str, Any]:
    """Counts of rows: pictures, boxes by class, those of faces, labels, subjects, splits, outcomes.

    ``without_boxes`` are the rows that speak of a picture as a whole; ``labels`` tells of each label.
    """
    boxes = boxes_of(rows)
    placed = {(row.path, row.split) for row in rows if row.split is not None}
    return {
        "pictures": len({row.path for row in rows}),
        "rows": len(rows),
        "faces": sum(count for kind, count in boxes.items() if is_face(kind)),
        "boxes": boxes,
        "without_boxes": sum(row.box is None and row.outcome == "ok" for row in rows),
        "labels": {name: one.to_json() for name, one in labels_of(rows).items()},
        "subjects": len({row.subject for row in rows} - {None}),
        "splits": dict(sorted(Counter(row.split for row in rows if row.split is not None).items())),
        "pictures_by_split": dict(sorted(Counter(split for _, split in placed).items())),
        "no_face": sum(row.outcome == "no_face" for row in rows),
        "refused": sum(row.outcome == "refused" for row in rows),
    }
