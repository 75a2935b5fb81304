"""What ``/v1`` takes and gives, as its OpenAPI description says it."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


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
    width: int | None
    height: int | None
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
