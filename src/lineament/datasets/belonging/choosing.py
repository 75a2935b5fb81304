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

from lineament.datasets.belonging.consensus import Agreement, consensus
from lineament.datasets.belonging.sightings import Sighting
from lineament.geometry.boxes import nearest_to
from lineament.geometry.placing import place
from lineament.io.manifest import ManifestRow
from lineament.types import Float32


@dataclass(frozen=True, slots=True)
class Choice:
    """A row's face, as its number in the sighting, and what picked it.

    ``tied`` is a face in the row's box beside another that fits it nearly as well.
    """

    row: ManifestRow
    face: int
    by: Literal["only", "every", "box", "tied", "label", "consensus", "center"]


@dataclass(frozen=True, slots=True)
class Spot:
    """The face found in a row's box, and whether another one fits nearly as well."""

    face: int
    tied: bool


def decided(
    rows: Sequence[ManifestRow],
    seen: Sighting,
    *,
    every: bool,
    among: Sequence[ManifestRow] | None = None,
) -> list[Choice] | None:
    """The choices that need no other photo; None when one does. Empty when no face fits.

    ``among`` are all rows of the photo, where ``rows`` are some: a face found is in one box only.
    """
    if not len(seen):
        return []
    if any(row.box is not None for row in rows):
        found = boxed(rows, seen, among)
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
    among: Sequence[Sequence[ManifestRow]] | None = None,
) -> list[list[Choice]]:
    """The choices for all photos of one subject, in their order.

    ``rows`` are those of each photo that name the subject, ``among`` all of each photo. Without ``same``
    there is no subject, and photos have nothing to agree on.
    """
    every_row = rows if among is None else among
    clear = [decided(r, s, every=every, among=a) for r, s, a in zip(rows, seen, every_row, strict=True)]
    agreed = None
    if same is not None and any(found is None for found in clear):
        faces = [_candidates(found, s) for found, s in zip(clear, seen, strict=True)]
        agreed = consensus(faces, same)
    answers = []
    for mine, sighting, found, others in zip(rows, seen, clear, every_row, strict=True):
        if found is not None:
            answers.append(found)
            continue
        face, by = central(sighting), "center"
        if agreed is not None and same is not None:
            similar = sighting.embeddings @ agreed.template
            if similar.max() >= same.template:
                face, by = int(similar.argmax()), "consensus"
        placed = boxed(mine, sighting, others)
        free = [r for r in mine if r.box is None]
        answers.append(placed + [Choice(r, face, by) for r in free])  # type: ignore[arg-type]
    return answers


def _candidates(found: list[Choice] | None, seen: Sighting) -> Float32:
    if found is None:
        return seen.embeddings[seen.detected]
    return seen.embeddings[sorted({choice.face for choice in found} & set(seen.detected.tolist()))]


def boxed(
    rows: Sequence[ManifestRow], seen: Sighting, among: Sequence[ManifestRow] | None = None
) -> list[Choice]:
    """The faces of the rows with a box: those detected in them, else the boxes as the labels give them."""
    spots = in_boxes(rows if among is None else among, seen)
    labelled = sorted(set(range(len(seen))) - set(seen.detected.tolist()))
    choices = []
    for row in rows:
        if row.id in spots:
            spot = spots[row.id]
            choices.append(Choice(row, spot.face, "tied" if spot.tied else "box"))
        elif row.box is not None:
            own = np.array(row.box, np.float32)
            same = [face for face in labelled if np.array_equal(seen.boxes[face], own)]
            choices += [Choice(row, face, "label") for face in same[:1]]
    return choices


def in_boxes(rows: Sequence[ManifestRow], seen: Sighting) -> dict[str, Spot]:
    """The faces found in the boxes of a photo's rows, by row id; rows without one are left out.

    All rows together, as `lineament.geometry.placing` says.
    """
    boxed_rows = [row for row in rows if row.box is not None]
    if not boxed_rows or not len(seen.detected):
        return {}
    given = np.array([row.box for row in boxed_rows], np.float32)
    placed = place(given, seen.boxes[seen.detected], shared=True)
    return {
        row.id: Spot(int(seen.detected[face]), bool(tied))
        for row, face, tied in zip(boxed_rows, placed.face, placed.tied, strict=True)
        if face >= 0
    }


def central(seen: Sighting) -> int:
    """The face found nearest the picture's centre; there must be one."""
    w, h = seen.size_wh or (0, 0)
    return int(seen.detected[nearest_to(seen.boxes[seen.detected], (w / 2, h / 2))])
