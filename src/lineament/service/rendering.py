"""The library's answers as the JSON that `lineament.service.schemas` describes.

A file's name never goes out: the operator's may be a path, and the client knows its own pictures by number.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lineament.answers import picture_json, plain, taken_json, verification_json
from lineament.gallery.answers import SubjectRecords, record_json
from lineament.gallery.enrolment import EnrolOutcome
from lineament.gallery.erasing import Receipt
from lineament.records import Record
from lineament.service.errors import error_json
from lineament.types import Compared, Match, Outcome, Verification


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
    told: dict[str, Any] = plain(record_json(record))
    told.pop("source")
    return {**told, "embedding": [float(one) for one in record.vector]} if embeddings else told


def receipt_answer(receipt: Receipt) -> dict[str, Any]:
    """`ErasureReceipt` of a receipt."""
    values: dict[str, Any] = plain(receipt.to_json())
    values.pop("files")
    for trace in values["traces"]:
        trace.pop("source")
    return values
