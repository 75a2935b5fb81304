"""What ``/v1`` takes and gives, as its OpenAPI description says it, and the JSON of the library's answers.

A file's name never goes out: the operator's may be a path, and the client knows its own pictures by number.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from lineament.answers import picture_json, plain, taken_json, verification_json
from lineament.gallery.answers import SubjectRecords
from lineament.gallery.enrolment import EnrolOutcome
from lineament.gallery.erasing import Receipt
from lineament.records import Record
from lineament.service.errors import error_json
from lineament.types import Compared, Match, Outcome, Verification


class Taken(BaseModel):
    """A JSON body: nothing in it is unknown."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Renaming(Taken):
    """The name that a subject is to have."""

    subject: str = Field(examples=["Ada Lovelace"])


class Merging(Taken):
    """The subject that another one becomes part of."""

    into: str = Field(examples=["Ada Lovelace"])


class Told(BaseModel):
    """A named error."""

    type: str = Field(examples=["NoFaceFound"])
    message: str = Field(examples=["No face was found in the picture."])


class EnvelopedError(Told):
    """A named error, and the request it ended."""

    request_id: str = Field(examples=["9f86d081884c7d65"])


class Envelope(BaseModel):
    """Every answer that is no success."""

    error: EnvelopedError


class Threshold(BaseModel):
    """A threshold with the data it was measured on."""

    value: float
    model: str
    target_rate: float
    measured_on: str
    rate: float
    interval: dict[str, float]
    comparisons: int
    subjects: int
    kind: Literal["FMR", "FPIR"]
    enrolled: int | None


class Candidate(BaseModel):
    """A subject that a face may be."""

    subject: str = Field(examples=["Ada Lovelace"])
    similarity: float = Field(examples=[0.71])
    rank: int = Field(examples=[1])


class Face(BaseModel):
    """A face; `decision` is null where no gallery was searched, `quality` where it was not asked for."""

    box: list[float] = Field(description="Left, top, right, bottom, in pixels of the upright picture.")
    score: float
    landmarks: list[list[float]] | None = Field(
        description="Right eye, left eye, nose, right and left mouth corner; right is the subject's."
    )
    quality: dict[str, float | None] | None
    attempt: dict[str, Any] | None
    candidates: list[Candidate]
    decision: Literal["match", "no_match"] | None
    threshold: Threshold | None = None
    attributes: dict[str, str | float] | None = None
    probabilities: dict[str, float] | None = None
    embedding: list[float] | None = None


class Picture(BaseModel):
    """What became of a picture, by its number in the request, from 1."""

    picture: int
    width: int | None
    height: int | None
    outcome: Literal["ok", "no_face", "refused"]
    error: Told | None
    faces: list[Face]


class Pictures(BaseModel):
    """One entry a picture, in the order of the request."""

    pictures: list[Picture]


class Embeddings(Pictures):
    """Embeddings are comparable with those of the same model only."""

    model: str


class ComparedFace(BaseModel):
    """The face that was compared: its number, from 1, of how many, and why it was taken."""

    face: int
    faces: int
    box: list[float]
    chosen: Literal["only", "centre", "largest", "asked"]


class Verified(BaseModel):
    """The answer to a comparison of two."""

    similarity: float
    decision: Literal["match", "no_match"]
    threshold: Threshold
    a: ComparedFace | None
    b: ComparedFace | None


class SubjectCount(BaseModel):
    """A subject and its number of samples."""

    subject: str
    samples: int


class Subjects(BaseModel):
    """A page of subjects; `next` is the cursor of the page that follows, null on the last."""

    subjects: list[SubjectCount]
    next: str | None


class Sample(BaseModel):
    """An enrolled face, or a disputed one."""

    id: str
    picture_sha256: str
    box: list[float] | None
    size: list[int] | None
    quality: float | None
    created_at: str
    embedding: list[float] | None = None


class Subject(BaseModel):
    """All that the gallery holds of a subject."""

    subject: str
    samples: list[Sample]
    disputes: list[Sample]


class Exported(Subject):
    """The same with embeddings, for the person whom it is about."""

    model: str | None
    exported_at: str


class Enrolled(BaseModel):
    """What became of a picture to enrol; `sample` is also told of one that was enrolled before."""

    picture: int
    enrolled: bool
    sample: str | None
    taken: ComparedFace | None
    error: Told | None


class Enrolment(BaseModel):
    """One entry a picture, in the order of the request."""

    subject: str
    pictures: list[Enrolled]


class Trace(BaseModel):
    """A record that an erasure met."""

    id: str
    subject: str
    kind: Literal["sample", "template", "dispute"]
    why: str
    similarity: float | None
    outcome: Literal["erased", "kept"]
    file_name_forgotten: bool


class ErasureReceipt(BaseModel):
    """What a change erased, what looks alike and is left to decide, and what was not looked at."""

    records: int
    erased: dict[str, int]
    to_decide: int
    file_names_forgotten: int
    traces: list[Trace]
    threshold: Threshold | None
    not_looked_at: list[str]


class Status(BaseModel):
    """How many people there are, and what decides about them."""

    people: int
    samples: int
    model: str | None
    threshold: Threshold | None
    strangers_matched: float | None = None
    warning: str | None = None


class Thresholds(BaseModel):
    """The thresholds that decide, and all that were measured for the model."""

    model: str
    searches: Threshold | None
    comparisons: Threshold | None
    measured: list[Threshold]


class Model(BaseModel):
    """A model in use, with its licence."""

    name: str
    job: str
    title: str
    sha256: str
    licence: str
    commercial_use: bool


class Models(BaseModel):
    """The models in use."""

    models: list[Model]


def pictures_answer(
    outcomes: Sequence[Outcome],
    matches: Sequence[Sequence[Match] | None] | None = None,
    *,
    embeddings: bool = False,
) -> dict[str, Any]:
    """`Pictures` of outcomes, with the matches of their faces where a gallery was searched."""
    searched = matches or [None] * len(outcomes)
    return {
        "pictures": [
            _picture(number, outcome, found, embeddings)
            for number, (outcome, found) in enumerate(zip(outcomes, searched, strict=True), 1)
        ]
    }


def _picture(
    number: int, outcome: Outcome, matches: Sequence[Match] | None, embeddings: bool
) -> dict[str, Any]:
    record: dict[str, Any] = plain(picture_json(outcome, matches))
    record.pop("source")
    record["error"] = error_json(outcome.error)
    if embeddings and outcome.faces.embeddings is not None:
        for face, vector in zip(record["faces"], outcome.faces.embeddings, strict=True):
            face["embedding"] = [float(value) for value in vector]
    return {"picture": number, **record}


def verified_answer(answer: Verification) -> dict[str, Any]:
    """`Verified` of a comparison."""
    return {**plain(verification_json(answer)), "a": _taken(answer.a), "b": _taken(answer.b)}


def _taken(taken: Compared | None) -> dict[str, Any] | None:
    if taken is None:
        return None
    values: dict[str, Any] = plain(taken_json(taken))
    values.pop("source")
    return values


def enrolment_answer(
    subject: str, outcomes: Sequence[EnrolOutcome], known: Sequence[str | None]
) -> dict[str, Any]:
    """`Enrolment` of outcomes; ``known`` are the samples that refused pictures became before."""
    return {
        "subject": subject,
        "pictures": [
            {
                "picture": number,
                "enrolled": one.sample is not None,
                "sample": one.sample or before,
                "taken": _taken(one.taken),
                "error": error_json(one.error),
            }
            for number, (one, before) in enumerate(zip(outcomes, known, strict=True), 1)
        ],
    }


def subject_answer(found: SubjectRecords, *, embeddings: bool = False) -> dict[str, Any]:
    """`Subject` of its records."""
    return {
        "subject": found.subject,
        "samples": [sample_answer(one, embeddings=embeddings) for one in found.samples],
        "disputes": [sample_answer(one, embeddings=embeddings) for one in found.disputes],
    }


def sample_answer(record: Record, *, embeddings: bool = False) -> dict[str, Any]:
    """`Sample` of a record."""
    told = {
        "id": record.id,
        "picture_sha256": record.picture,
        "box": None if record.box is None else [round(float(edge), 3) for edge in record.box],
        "size": None if record.size_wh is None else list(record.size_wh),
        "quality": record.quality,
        "created_at": record.created_at,
    }
    return {**told, "embedding": [float(one) for one in record.vector]} if embeddings else told


def receipt_answer(receipt: Receipt) -> dict[str, Any]:
    """`ErasureReceipt` of a receipt."""
    values: dict[str, Any] = plain(receipt.to_json())
    values.pop("files")
    for trace in values["traces"]:
        trace.pop("source")
    return values
