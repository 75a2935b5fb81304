"""One picture looked at for cleaning: the faces found in it, and those that its rows tell.

A row that tells its face, with box and landmarks, is judged by that very face, whatever is found anew.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lineament.analyzer import Analyzer
from lineament.datasets.belonging.choosing import Spot, central, in_boxes
from lineament.datasets.belonging.sightings import Sighting
from lineament.datasets.cleaning.same_picture import perceptual_hashes
from lineament.gallery.own_faces import UNKNOWN_SCORE, GivenFaces, has_own_face, own_faces
from lineament.io.manifest import ManifestRow
from lineament.types import Float32


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """One row: what was seen in its picture, the one face that is judged, its hashes.

    ``spot`` is where the detector found that face again, if it did. A picture that could not be read has
    none of all this.
    """

    row: ManifestRow
    sighting: Sighting
    face: Sighting | None
    spot: Spot | None
    pixels: str = ""
    hashes: tuple[int, int] = (0, 0)
    bytes: int = 0

    @property
    def faces(self) -> Float32:
        """Embeddings of the faces that may be the subject's."""
        if self.row.box is None:
            return self.sighting.embeddings
        return self.sighting.embeddings[:0] if self.face is None else self.face.embeddings

    @property
    def tied(self) -> bool:
        """Whether two faces may be meant, so that nothing is sure."""
        by_own = has_own_face(self.row)
        return self.row.labels.get("chosen_by") == "tied" or (
            not by_own and self.spot is not None and self.spot.tied
        )


class Looking:
    """Finds the faces of a picture, and measures those that its rows tell, with one embedder."""

    def __init__(self, analyzer: Analyzer, folder: Path) -> None:
        self.analyzer, self.folder = analyzer, folder
        self._given = GivenFaces()
        self._own = analyzer.behind(self._given)

    def look(self, rows: Sequence[ManifestRow]) -> dict[str, Any]:
        """What the journal keeps of a picture; ``rows`` are all that speak of it."""
        file = self.folder / rows[0].path
        outcome = self.analyzer.analyze_one(file)
        seen = Sighting.of(outcome)
        record = seen.to_json()
        if outcome.image is None or outcome.error is not None:
            return record
        pixels = outcome.image.pixels
        shape = f"{pixels.shape[1]}x{pixels.shape[0]}:".encode()
        record["pixels"] = hashlib.sha256(shape + pixels.tobytes()).hexdigest()
        record["bytes"] = file.stat().st_size
        record["hashes"] = [f"{value:016x}" for value in perceptual_hashes(pixels)]
        if told := _told(rows):
            spots = in_boxes(rows, seen)
            scores = [
                float(seen.scores[spots[row.id].face]) if row.id in spots else UNKNOWN_SCORE for row in told
            ]
            source = outcome.image.source
            self._given.known[source] = own_faces(told, np.array(scores, np.float32))
            record["own"] = Sighting.of(self._own.analyze_one(outcome.image)).to_json()
            del self._given.known[source]
            record["told"] = _marks(told)
        return record


def _told(rows: Sequence[ManifestRow]) -> list[ManifestRow]:
    """The rows of a picture that tell their own faces, in one order."""
    return sorted(filter(has_own_face, rows), key=lambda row: row.id)


def _marks(rows: Iterable[ManifestRow]) -> list[Any]:
    """What a record of own faces depends on."""
    return [[row.id, list(row.box or ())] for row in rows]


def key_of(row: ManifestRow) -> str:
    """What a journal knows a picture by."""
    return f"{row.sha256}:{row.path}"


def is_done(record: Mapping[str, Any] | None, rows: Sequence[ManifestRow]) -> bool:
    """Whether a journal's record is of these rows' own faces."""
    if record is None:
        return False
    return "pixels" not in record or record.get("told", []) == _marks(_told(rows))


def seen_rows(rows: Sequence[ManifestRow], record: Mapping[str, Any]) -> list[Seen]:
    """Every row of one picture."""
    sighting = Sighting.from_json(record)
    spots = in_boxes(rows, sighting)
    own: dict[str, Sighting] = {}
    if "own" in record:
        measured = Sighting.from_json(record["own"])
        own = {row.id: measured.only(i) for i, row in enumerate(_told(rows)) if i < len(measured)}
    plain, mirrored = (int(value, 16) for value in record.get("hashes", ("0", "0")))
    found = []
    for row in rows:
        spot = spots.get(row.id)
        if row.box is None and len(sighting):
            spot = Spot(central(sighting), tied=False)
        face = own.get(row.id) or (None if spot is None else sighting.only(spot.face))
        found.append(
            Seen(
                row,
                sighting,
                face,
                spot,
                record.get("pixels", ""),
                (plain, mirrored),
                record.get("bytes", 0),
            )
        )
    return found
