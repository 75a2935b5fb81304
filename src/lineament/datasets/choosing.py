"""Which face of a photo is its subject's.

The only one; the one in the box that the row gives, or, where the detector found none there, that box
itself; otherwise the one that agrees with the subject's other
photos. Where these agree on nobody, or nobody in the photo agrees with them, it is the face nearest the
photo's centre, and the row says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from lineament.datasets.consensus import Agreement, consensus
from lineament.datasets.sightings import Sighting
from lineament.geometry.boxes import iou, nearest_to
from lineament.io.manifest import ManifestRow
from lineament.types import Float32

LEAST_IOU = 0.3
"""Overlap from which a face is the one in a given box: boxes of people and detectors differ in what they
take for the face's edge."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A row's face, as its number in the sighting, and what picked it."""

    row: ManifestRow
    face: int
    by: Literal["only", "every", "box", "label", "consensus", "center"]


def decided(rows: Sequence[ManifestRow], seen: Sighting, *, every: bool) -> list[Choice] | None:
    """The choices that need no other photo; None when one does. Empty when no face fits."""
    if not len(seen):
        return []
    if any(row.box is not None for row in rows):
        found = [choice for row in rows if (choice := boxed(row, seen)) is not None]
        free = [row for row in rows if row.box is None]
        rest = decided(free, seen, every=every) if free else []
        return None if rest is None else found + rest
    faces = seen.detected.tolist()
    if len(faces) <= 1:
        return [Choice(row, face, "only") for row in rows for face in faces]
    if every:
        return [Choice(rows[0], face, "every") for face in faces]
    return None


def choose(
    rows: Sequence[Sequence[ManifestRow]],
    seen: Sequence[Sighting],
    same: Agreement | None,
    *,
    every: bool,
) -> list[list[Choice]]:
    """The choices for all photos of one subject, in their order.

    ``rows`` are those of each photo that name the subject. Without ``same`` there is no subject, and photos
    have nothing to agree on.
    """
    clear = [decided(r, s, every=every) for r, s in zip(rows, seen, strict=True)]
    agreed = None
    if same is not None and any(found is None for found in clear):
        faces = [_candidates(found, s) for found, s in zip(clear, seen, strict=True)]
        agreed = consensus(faces, same)
    answers = []
    for mine, sighting, found in zip(rows, seen, clear, strict=True):
        if found is not None:
            answers.append(found)
            continue
        face, by = central(sighting), "center"
        if agreed is not None and same is not None:
            similar = sighting.embeddings @ agreed.template
            if similar.max() >= same.template:
                face, by = int(similar.argmax()), "consensus"
        placed = [choice for r in mine if (choice := boxed(r, sighting)) is not None]
        free = [r for r in mine if r.box is None]
        answers.append(placed + [Choice(r, face, by) for r in free])  # type: ignore[arg-type]
    return answers


def _candidates(found: list[Choice] | None, seen: Sighting) -> Float32:
    if found is None:
        return seen.embeddings[seen.detected]
    return seen.embeddings[sorted({choice.face for choice in found} & set(seen.detected.tolist()))]


def boxed(row: ManifestRow, seen: Sighting) -> Choice | None:
    """The face of a row with a box: the detected one in it, else the box as the label gives it."""
    face = in_box(row, seen)
    if face is not None or row.box is None:
        return None if face is None else Choice(row, face, "box")
    for given in sorted(set(range(len(seen))) - set(seen.detected.tolist())):
        if np.array_equal(seen.boxes[given], np.array(row.box, np.float32)):
            return Choice(row, given, "label")
    return None


def in_box(row: ManifestRow, seen: Sighting) -> int | None:
    """The face found in the row's box; None when it gives none or no face overlaps it enough."""
    faces = seen.detected
    if row.box is None or not len(faces):
        return None
    overlap = iou(np.array([row.box], np.float32), seen.boxes[faces])[0]
    return int(faces[overlap.argmax()]) if overlap.max() >= LEAST_IOU else None


def central(seen: Sighting) -> int:
    """The face found nearest the picture's centre; there must be one."""
    w, h = seen.size_wh or (0, 0)
    return int(seen.detected[nearest_to(seen.boxes[seen.detected], (w / 2, h / 2))])
