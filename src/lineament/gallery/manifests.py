"""Enrolling the rows of a manifest: exact names, only what cleaning left, and each row's own face.

A row with box and landmarks tells its face, and none is looked for. One with a box takes the face found in
it, all rows of the picture together. One with neither takes the only face of its picture, or, of a crop,
the central one, for which the crop was made. Augmented copies are not enrolled: they show nothing new.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lineament.errors import NoFaceFound, SeveralFaces, SplitError, UsageError
from lineament.gallery.enrolment import Allow, EnrolOutcome
from lineament.gallery.own_faces import GivenFaces, has_own_face, own_faces
from lineament.geometry import choosing
from lineament.geometry.placing import place
from lineament.io.manifest import Manifest, ManifestRow
from lineament.types import Outcome

if TYPE_CHECKING:
    from lineament.gallery.gallery import Gallery
    from lineament.settings import FaceAnalyzer

CROPPED = "extract"
"""The step that makes crops, each about one face."""


@dataclass(frozen=True, slots=True)
class Selected:
    """The rows to enrol by picture, and how many are not, by reason.

    ``removed`` is what reviews took out of the manifest before: those rows are in it no more.
    """

    manifest: Manifest
    pictures: Mapping[str, Sequence[ManifestRow]]
    left_out: Mapping[str, int]
    removed: int = 0

    def __len__(self) -> int:
        return sum(map(len, self.pictures.values()))


def opened(manifest: Manifest | str | os.PathLike[str]) -> Manifest:
    """The manifest itself, or that of a file; raises `ManifestError`."""
    return manifest if isinstance(manifest, Manifest) else Manifest.load(Path(manifest))


def selected(manifest: Manifest, splits: Sequence[str] = ()) -> Selected:
    """The rows with a subject and a face, of some splits or all; augmented copies are left out.

    Raises `SplitError` for a split that no row is in, and `UsageError` where nothing is left.
    """
    known = sorted({row.split for row in manifest if row.split is not None})
    if unknown := [name for name in splits if name not in known]:
        raise SplitError(f"no row is in the split {unknown[0]!r}; splits: {', '.join(known) or 'none'}")
    pictures: dict[str, list[ManifestRow]] = {}
    left_out = Counter[str]()
    for row in sorted(manifest, key=lambda row: (row.path, row.id)):
        reason = _reason(row, splits)
        if reason:
            left_out[reason] += 1
        else:
            pictures.setdefault(row.path, []).append(row)
    if not pictures:
        told = ", ".join(f"{count} {reason}" for reason, count in left_out.items()) or "it has no rows"
        raise UsageError(f"{manifest.folder}: no row of the manifest can be enrolled: {told}")
    removed = sum(int(step.get("removed", 0)) for step in manifest.steps if step.get("step") == "review")
    return Selected(manifest, pictures, dict(left_out), removed)


def _reason(row: ManifestRow, splits: Sequence[str]) -> str:
    """Why a row is not enrolled; empty when it is."""
    if splits and row.split not in splits:
        return "of other splits"
    if row.outcome != "ok":
        return "without a face" if row.outcome == "no_face" else "refused before"
    if row.subject is None:
        return "without a subject"
    return "augmented copies" if row.step == "augment" else ""


def enrol(gallery: Gallery, chosen: Selected, allow: Iterable[Allow | str] = ()) -> Iterator[EnrolOutcome]:
    """Enrol the rows, one outcome each, picture by picture; each is durable before the next."""
    allow = list(allow)
    for rows, outcome, faces in _analysed(gallery.analyzer, chosen):
        for row, face in zip(rows, faces, strict=True):
            assert row.subject is not None
            if isinstance(face, NoFaceFound | SeveralFaces):
                yield EnrolOutcome(outcome.source, row.subject, outcome, error=face)
            else:
                yield from gallery.enrol_all([(row.subject, outcome)], face=face, allow=allow)


_Face = int | None | NoFaceFound | SeveralFaces
"""A face's number from 1, None for the only one, or why there is none to take."""


def _analysed(
    analyzer: FaceAnalyzer, chosen: Selected
) -> Iterator[tuple[Sequence[ManifestRow], Outcome, Sequence[_Face]]]:
    """Each picture's rows with what was seen and which face is whose: first those that tell their faces."""
    own, others = _divided(analyzer, chosen)
    folder = chosen.manifest.folder
    if own:
        known = {str(folder / path): own_faces(rows) for path, rows in own.items()}
        measuring = _measuring(analyzer, GivenFaces(known))
        for rows, outcome in zip(own.values(), measuring.analyze(list(known), digests=True), strict=True):
            yield rows, outcome, [None] if len(rows) == 1 else list(range(1, len(rows) + 1))
    files = [str(folder / path) for path in others]
    for rows, outcome in zip(others.values(), analyzer.analyze(files, digests=True), strict=True):
        yield rows, outcome, _faces(rows, outcome)


def _divided(
    analyzer: FaceAnalyzer, chosen: Selected
) -> tuple[dict[str, list[ManifestRow]], dict[str, list[ManifestRow]]]:
    """Rows that tell their own faces and the others, by picture."""
    able = getattr(analyzer, "embedder", None) is not None
    own: dict[str, list[ManifestRow]] = {}
    others: dict[str, list[ManifestRow]] = {}
    for path, rows in chosen.pictures.items():
        for row in rows:
            (own if able and has_own_face(row) else others).setdefault(path, []).append(row)
    return own, others


def _measuring(analyzer: FaceAnalyzer, given: GivenFaces) -> FaceAnalyzer:
    """The same landmarker and embedder behind faces that are known."""
    from lineament.analyzer import Analyzer

    assert isinstance(analyzer, Analyzer)
    return analyzer.behind(given, workers=analyzer.workers)


def _faces(rows: Sequence[ManifestRow], outcome: Outcome) -> list[_Face]:
    """The face of each row among those found."""
    found = outcome.faces.boxes
    if outcome.error is not None or not len(found):
        return [None] * len(rows)
    boxed = [row for row in rows if row.box is not None]
    placed = place(np.array([row.box for row in boxed], np.float32).reshape(-1, 4), found, shared=True)
    spots = {row.id: i for i, row in enumerate(boxed)}
    faces: list[_Face] = []
    for row in rows:
        if row.id not in spots:
            crop = row.step == CROPPED and len(found) > 1
            central = choosing.choose(found, outcome.size_wh or (0, 0)).number
            faces.append(central if crop else None)
            continue
        at = spots[row.id]
        if placed.face[at] < 0:
            faces.append(NoFaceFound(f"none in the row's box; {choosing.listed(found)}"))
        elif placed.tied[at]:
            faces.append(SeveralFaces(f"two fit the row's box nearly alike; {choosing.listed(found)}"))
        else:
            faces.append(int(placed.face[at]) + 1)
    return faces
