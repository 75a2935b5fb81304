"""Enrolling one photo: which face of it, whether it is good enough, and under which id.

The id is made of the picture's bytes and the face's place in it, so that enrolling a photo again, after a
crash or by mistake, adds nothing. Templates are made of enrolled photos only, never of probes.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np

from lineament.errors import (
    AlreadyEnrolled,
    ConfigError,
    DisputedFace,
    FaceError,
    FaceOfAnotherSubject,
    InvalidSubject,
    LineamentError,
    LowQuality,
    NoFaceFound,
    PictureNotFound,
    SeveralFaces,
)
from lineament.gallery import subjects as names
from lineament.gallery.disputes import Disputes
from lineament.gallery.fusion import Fusion
from lineament.gallery.searching import match
from lineament.protocols import GalleryStore
from lineament.types import Embedding, Face, Image, Outcome, Record, RecordKind, Threshold

MIN_QUALITY = 0.5
"""The combined quality score below which a photo is refused; docs/howto/gallery.md says why."""


class Allow(StrEnum):
    """Which refusals to override."""

    SEVERAL_FACES = "several-faces"
    LOW_QUALITY = "low-quality"
    OTHER_SUBJECT = "other-subject"
    DISPUTED = "disputed"


@dataclass(frozen=True, slots=True, eq=False)
class EnrolOutcome:
    """What became of one photo: the sample it became, or the named reason why it became none.

    ``face`` is the row of ``outcome.faces`` that was taken; ``overridden`` lists the refusals that were
    overridden for it.
    """

    source: str
    subject: str
    outcome: Outcome
    sample: str | None = None
    face: int | None = None
    error: LineamentError | None = None
    overridden: tuple[Allow, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Chosen:
    """The face of a photo that is to be enrolled or disputed."""

    row: int
    face: Face
    id: str
    picture: str
    overridden: tuple[Allow, ...] = ()

    @property
    def embedding(self) -> Embedding:
        """Its embedding; raises `ConfigError` when the analyzer made none."""
        if self.face.embedding is None:
            raise ConfigError("a gallery needs embeddings; use an analyzer with an embedder")
        return self.face.embedding


def choose(
    source: Any, outcome: Outcome, allow: frozenset[Allow], min_quality: float, row: int | None = None
) -> Chosen:
    """The one face of a photo; with `Allow.SEVERAL_FACES` the largest, or the ``row`` asked for.

    Raises the outcome's own error, `NoFaceFound`, `SeveralFaces` or `LowQuality`. A face whose quality
    nobody measured is not judged.
    """
    if outcome.error is not None:
        raise outcome.error
    count = len(outcome.faces)
    if not count:
        raise NoFaceFound("no face was found")
    overridden = []
    if row is not None:
        if not 0 <= row < count:
            raise FaceError(f"there is no face {row + 1}; the picture has {count}")
    elif count == 1:
        row = 0
    elif Allow.SEVERAL_FACES in allow:
        row = _largest(outcome)
        overridden.append(Allow.SEVERAL_FACES)
    else:
        raise SeveralFaces(f"{count} faces, where one is needed; {Allow.SEVERAL_FACES} takes the largest")
    face = outcome.faces[row]
    if face.quality is not None and face.quality.score < min_quality:
        if Allow.LOW_QUALITY not in allow:
            raise LowQuality(f"quality {face.quality.score:.2f} is below {min_quality:.2f}")
        overridden.append(Allow.LOW_QUALITY)
    picture = _digest(source, outcome, face)
    return Chosen(row, face, _face_id(picture, face), picture, tuple(overridden))


def objections(
    store: GalleryStore,
    subject: str,
    chosen: Chosen,
    samples: Sequence[Record],
    threshold: Threshold,
    fusion: Fusion,
) -> Iterator[tuple[FaceError | InvalidSubject, Allow | None]]:
    """What speaks against a face becoming a sample, and what overrides it, if anything does."""
    embedding = chosen.embedding
    for sample in samples:
        if sample.id == chosen.id or sample.picture == chosen.picture:
            yield AlreadyEnrolled(f"already enrolled as sample {sample.id}"), None
            return
    for taken in store.get([chosen.id]):
        yield (
            FaceOfAnotherSubject(
                f"this very face is sample {taken.id} of {taken.subject!r}; merge the two, "
                "or remove it there"
            ),
            None,
        )
        return
    if not samples and (other := _twin(store, subject)) is not None:
        yield InvalidSubject(f"{subject!r} is another Unicode spelling of {other!r}; use that"), None
        return
    own = max((s.vector @ embedding.vector for s in samples), default=-1.0)
    if Disputes(store.scan(subject, RecordKind.DISPUTE), threshold).bars(
        embedding.vector, subject, float(own)
    ):
        yield DisputedFace(f"recorded as not being {subject!r}"), Allow.DISPUTED
    [found] = match(store, embedding.vector[None], threshold, fusion, 1)
    if found.subject not in (None, subject):
        best = found.candidates[0]
        yield (
            FaceOfAnotherSubject(
                f"matches {best.subject!r} at {best.similarity:.3f}, threshold {threshold.value:.3f}"
            ),
            Allow.OTHER_SUBJECT,
        )


def _twin(store: GalleryStore, subject: str) -> str | None:
    if subject.isascii():
        return None
    return names.twin(subject, (name for name, _ in store.subjects()))


def printable(source: str) -> str:
    """A file's name as text that can be stored: bytes that are no UTF-8 are escaped."""
    return source.encode("utf-8", "backslashreplace").decode()


def _largest(outcome: Outcome) -> int:
    boxes = outcome.faces.boxes
    return int(np.argmax((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])))


def _face_id(picture: str, face: Face) -> str:
    place = ",".join(str(round(float(edge))) for edge in face.box)
    return hashlib.sha256(f"{picture}:{place}".encode()).hexdigest()[:24]


def _digest(source: Any, outcome: Outcome, face: Face) -> str:
    """SHA-256 of the picture as it was given: a file's bytes, or an array's."""
    if isinstance(source, (str, os.PathLike)):
        try:
            with Path(source).open("rb") as stream:
                return hashlib.file_digest(stream, "sha256").hexdigest()
        except OSError as error:
            raise PictureNotFound(f"gone while it was being enrolled: {error.strerror}") from error
    if isinstance(source, (bytes, bytearray, memoryview)):
        return hashlib.sha256(source).hexdigest()
    image = source if isinstance(source, Image) else outcome.image
    if image is not None:
        return hashlib.sha256(repr(image.hw).encode() + image.pixels.tobytes()).hexdigest()
    # An outcome handed on without its pixels: the embedding stands for them.
    return hashlib.sha256(b"" if face.embedding is None else face.embedding.vector.tobytes()).hexdigest()
