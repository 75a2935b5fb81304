"""Enrolling one photo: which face of it, whether it is good enough, and what speaks against it.

A face of a photo belongs to one person, whichever detector found it (`lineament.gallery.sightings`), so
that enrolling a photo again, after a crash or by mistake, adds nothing. Templates are made of enrolled
photos only, never of probes.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from lineament.answers import error_json, picture_json, taken_json
from lineament.errors import (
    AlreadyEnrolled,
    ConfigError,
    DisputedFace,
    FaceError,
    FaceOfAnotherSubject,
    InvalidSubject,
    LineamentError,
    LowQuality,
    SeveralFaces,
)
from lineament.gallery import fusion as fusions
from lineament.gallery.disputes import Disputes
from lineament.gallery.searching import match
from lineament.gallery.sightings import Sighting, sighting
from lineament.gallery.writing import committed
from lineament.geometry import choosing
from lineament.io.own_files import CROP
from lineament.protocols import Ledger
from lineament.records import Bound, Changes, Record, RecordKind, Where
from lineament.settings import Fusion
from lineament.shown import shown
from lineament.stores.gallery_store import GalleryStore
from lineament.types import Compared, Embedding, Face, ModelId, Outcome, Status, Threshold


class Allow(StrEnum):
    """Which refusals to override."""

    SEVERAL_FACES = "several-faces"
    LOW_QUALITY = "low-quality"
    OTHER_SUBJECT = "other-subject"
    DISPUTED = "disputed"


@dataclass(frozen=True, slots=True, eq=False)
class EnrolOutcome:
    """What became of one photo: the sample it became, or the named reason why it became none.

    ``taken`` is the face that was taken, of how many, and why; None where none could be. ``overridden``
    lists the refusals that were overridden for it.
    """

    source: str
    subject: str
    outcome: Outcome
    sample: str | None = None
    taken: Compared | None = None
    error: LineamentError | None = None
    overridden: tuple[Allow, ...] = ()

    @property
    def verdict(self) -> str:
        """In one word what became of it."""
        if self.error is None:
            return "enrolled"
        return "already enrolled" if isinstance(self.error, AlreadyEnrolled) else "refused"

    def row(self) -> tuple[str, ...]:
        """Picture, subject, verdict, which face of several, and the reason or what was overridden."""
        taken, reason = self.taken, ""
        if self.error is not None:
            reason = f"{type(self.error).__name__}: {self.error}"
        elif self.overridden:
            reason = "overridden: " + ", ".join(self.overridden)
        several = taken is not None and taken.faces > 1
        face = f"{taken.face} of {taken.faces} ({taken.chosen})" if taken is not None and several else ""
        return self.source, self.subject, self.verdict, face, reason

    def to_json(self) -> dict[str, Any]:
        """The picture with all its faces, the sample, and the face that was taken."""
        record = picture_json(self.outcome)
        if self.error is not None:
            no_face = self.outcome.status is Status.NO_FACE
            record["outcome"] = Status.NO_FACE if no_face else Status.REFUSED
            record["error"] = error_json(self.error)
        return {
            **record,
            "subject": self.subject,
            "sample": self.sample,
            "face": None if self.taken is None else self.taken.face,
            "taken": taken_json(self.taken),
            "overridden": list(self.overridden),
        }

    @property
    def face(self) -> int | None:
        """The row of ``outcome.faces`` that was taken."""
        return None if self.taken is None else self.taken.face - 1


@dataclass(frozen=True, slots=True, eq=False)
class Chosen:
    """The face of a photo that is to be enrolled or disputed."""

    taken: Compared
    face: Face
    embedding: Embedding
    seen: Sighting
    size_wh: tuple[int, int] | None
    overridden: tuple[Allow, ...] = ()

    __repr__ = shown

    @property
    def id(self) -> str:
        """The id of the sample that it becomes: the same whenever the photo is enrolled the same way."""
        place = ",".join(str(round(float(edge))) for edge in self.face.box)
        return hashlib.sha256(f"{self.seen.picture}:{place}".encode()).hexdigest()[:24]

    @property
    def bound(self) -> Bound:
        """The model of the embedding and its dimension."""
        return Bound(self.embedding.model, len(self.embedding.vector))

    def require_model(self, ledger: Ledger) -> None:
        """Raise `ModelMismatch` where a ledger holds another model's embeddings."""
        held = ledger.bound()
        if held is not None:
            held.require(self.bound)

    def record(self, id_: str, subject: str, kind: RecordKind) -> Record:
        """The face as a record of a subject, made now."""
        return Record(
            id=id_,
            subject=subject,
            vector=self.embedding.vector,
            kind=kind,
            source=printable(self.taken.source),
            picture=self.seen.picture,
            quality=None if self.face.quality is None else self.face.quality.score,
            created_at=fusions.now(),
            box=self.face.box,
            size_wh=self.size_wh,
        )


def choose(
    source: Any,
    outcome: Outcome,
    *,
    face: int | tuple[float, float] | None = None,
    largest: bool = False,
    allow: frozenset[Allow] = frozenset(),
    min_quality: float = 0.0,
) -> Chosen:
    """The one face of a photo, the ``largest``, or the ``face`` asked for by number or point.

    Raises the outcome's own error, `NoFaceFound`, `NoSuchFace`, `SeveralFaces`, `LowQuality`, or
    `ConfigError` for faces without embeddings. A face whose quality nobody measured is not judged.
    """
    if outcome.error is not None:
        raise outcome.error
    boxes = outcome.faces.boxes
    # A crop of ours was made for its central face, whoever else looks into it.
    crop = isinstance(source, (str, os.PathLike)) and len(boxes) > 1 and _is_crop(Path(source))
    overriding = Allow.SEVERAL_FACES in allow and face is None and not largest
    if len(boxes) > 1 and face is None and not largest and not overriding and not crop:
        raise SeveralFaces(
            f"{choosing.listed(boxes)}, where one is needed; say which with --face N or --face X,Y, or "
            "take the largest with --largest"
        )
    choice = choosing.choose(boxes, outcome.size_wh or (0, 0), face=face, largest=largest or overriding)
    overridden = [Allow.SEVERAL_FACES] if overriding and len(boxes) > 1 else []
    chosen = outcome.faces[choice.row]
    if chosen.quality is not None and chosen.quality.score < min_quality:
        if Allow.LOW_QUALITY not in allow:
            raise LowQuality(f"quality {chosen.quality.score:.2f} is below {min_quality:.2f}")
        overridden.append(Allow.LOW_QUALITY)
    if chosen.embedding is None:
        raise ConfigError("a gallery needs embeddings; use an analyzer with an embedder")
    seen = sighting(source, outcome, choice.row)
    x1, y1, x2, y2 = (float(value) for value in chosen.box)
    taken = Compared(outcome.source, len(boxes), choice.number, (x1, y1, x2, y2), choice.reason)
    return Chosen(taken, chosen, chosen.embedding, seen, outcome.size_wh, tuple(overridden))


def _is_crop(path: Path) -> bool:
    try:
        return CROP.known(path)
    except OSError:
        return False


def enrol(
    store: GalleryStore,
    subject: str,
    chosen: Chosen,
    allow: frozenset[Allow],
    threshold: Callable[[ModelId], Threshold],
    fusion: Fusion,
) -> tuple[Allow, ...]:
    """Write a face as a sample, with the template it is part of; returns the refusals overridden for it.

    Raises the first objection that is not overridden (see `objections`), or `ModelMismatch`.
    """

    def decide() -> tuple[Changes, tuple[Allow, ...]]:
        chosen.require_model(store)
        samples, templates = (
            list(store.read(Where(kinds=[kind], subjects=[subject])))
            for kind in (RecordKind.SAMPLE, RecordKind.TEMPLATE)
        )
        overridden = []
        decides = threshold(chosen.embedding.model)
        for error, override in objections(store, subject, chosen, samples, decides, fusion):
            if override is None or override not in allow:
                raise error
            overridden.append(override)
        sample = chosen.record(chosen.id, subject, RecordKind.SAMPLE)
        renewed = fusions.renewed(subject, [*samples, sample], templates)
        return Changes(bind=chosen.bound, put=[sample]) + renewed, tuple(overridden)

    return chosen.overridden + committed(store, decide)


def objections(
    store: GalleryStore,
    subject: str,
    chosen: Chosen,
    samples: Sequence[Record],
    threshold: Threshold,
    fusion: Fusion,
) -> Iterator[tuple[FaceError | InvalidSubject, Allow | None]]:
    """What speaks against a face becoming a sample, and what overrides it, if anything does."""
    vector = chosen.embedding.vector
    of_face = [
        record
        for record in store.read(Where(kinds=[RecordKind.SAMPLE], pictures=chosen.seen.pictures))
        if chosen.seen.is_in(record, threshold)
    ]
    for taken in sorted(of_face, key=lambda record: record.subject != subject):
        if taken.subject == subject:
            yield AlreadyEnrolled(f"already enrolled as sample {taken.id}"), None
        else:
            yield (
                FaceOfAnotherSubject(
                    f"this very face is sample {taken.id} of {taken.subject!r}; merge the two, "
                    "or remove it there",
                    subject=taken.subject,
                    sample=taken.id,
                ),
                None,
            )
        return
    if not samples and (other := store.find_subject(subject)) not in (None, subject):
        yield InvalidSubject(f"{subject!r} is another Unicode spelling of {other!r}; use that"), None
        return
    own = max((float(s.vector @ vector) for s in samples), default=-1.0)
    disputes = Disputes.of(store, [subject], threshold)
    if disputes.bars(vector, subject, own, chosen.seen):
        yield DisputedFace(f"recorded as not being {subject!r}"), Allow.DISPUTED
    [found] = match(store, vector[None], threshold, fusion, 1, [chosen.seen])
    if found.subject not in (None, subject):
        best = found.candidates[0]
        yield (
            FaceOfAnotherSubject(
                f"matches {best.subject!r} at {best.similarity:.3f}, threshold {threshold.value:.3f}",
                subject=best.subject,
            ),
            Allow.OTHER_SUBJECT,
        )


def printable(source: str) -> str:
    """A file's name as text that can be stored: bytes that are no UTF-8 are escaped."""
    return source.encode("utf-8", "backslashreplace").decode()
