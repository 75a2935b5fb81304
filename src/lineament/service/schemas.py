"""What ``/v1`` takes and gives, as its OpenAPI description says it."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

_THRESHOLD = {
    "value": 0.3624,
    "model": "sface@fb143eea0783",
    "target_rate": 0.001,
    "measured_on": "LFW folds 1-3, all cross-subject comparisons, yunet + sface, exact",
    "rate": 0.00099987,
    "interval": {"low": 0.000868, "high": 0.00115, "level": 0.95},
    "comparisons": 7111927,
    "subjects": 1680,
    "kind": "FMR",
    "enrolled": None,
}
_TAKEN = {"face": 1, "faces": 1, "box": [373.632, 94.251, 605.29, 415.639], "chosen": "only"}
_FACE = {
    "box": _TAKEN["box"],
    "score": 0.945239,
    "landmarks": [[443.1, 207.4], [550.5, 209.7], [500.7, 270.9], [445.1, 317.2], [544.4, 318.7]],
    "quality": None,
    "attempt": None,
    "candidates": [{"subject": "Ada Lovelace", "similarity": 0.71, "rank": 1}],
    "decision": "match",
    "threshold": _THRESHOLD,
}
_PICTURE = {"picture": 1, "width": 910, "height": 1137, "outcome": "ok", "error": None, "faces": [_FACE]}


def _shown(example: dict[str, Any]) -> ConfigDict:
    """The configuration of a model that shows an example."""
    return ConfigDict(json_schema_extra={"example": example})


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

    model_config = _shown({"pictures": [_PICTURE]})
    pictures: list[Picture]


class Embeddings(Pictures):
    """Embeddings are comparable with those of the same model only."""

    model_config = _shown({"model": "sface@fb143eea0783", "pictures": []})
    model: str


class ComparedFace(BaseModel):
    """The face that was compared: its number, from 1, of how many, and why it was taken."""

    face: int
    faces: int
    box: list[float]
    chosen: Literal["only", "centre", "largest", "asked"]


class Verified(BaseModel):
    """The answer to a comparison of two."""

    model_config = _shown(
        {"similarity": 0.79, "decision": "match", "threshold": _THRESHOLD, "a": _TAKEN, "b": _TAKEN}
    )
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

    model_config = _shown({"subjects": [{"subject": "Ada Lovelace", "samples": 3}], "next": None})
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

    model_config = _shown(
        {
            "subject": "Ada Lovelace",
            "pictures": [
                {
                    "picture": 1,
                    "enrolled": True,
                    "sample": "75872db94691ee70042ca6ee",
                    "taken": _TAKEN,
                    "error": None,
                }
            ],
        }
    )
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
