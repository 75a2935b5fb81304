"""What the gallery commands say of each photo and record: table rows, JSON and drawings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lineament.gallery.enrolment import EnrolOutcome
    from lineament.gallery.gallery import Gallery, Identified, SubjectRecords
    from lineament.types import Image, Match, Record, UInt8

VERDICTS = ("enrolled", "already enrolled", "refused")


def verdict(done: EnrolOutcome) -> str:
    """In one word what became of a photo."""
    from lineament.errors import AlreadyEnrolled

    if done.error is None:
        return "enrolled"
    return "already enrolled" if isinstance(done.error, AlreadyEnrolled) else "refused"


def enrol_row(done: EnrolOutcome) -> Sequence[object]:
    """Picture, subject, verdict and reason."""
    return done.source, done.subject, verdict(done), reason(done)


def reason(done: EnrolOutcome) -> str:
    """Why it was refused, or what was overridden for it."""
    if done.error is not None:
        return f"{type(done.error).__name__}: {done.error}"
    return "overridden: " + ", ".join(done.overridden) if done.overridden else ""


def enrol_json(done: EnrolOutcome) -> dict[str, Any]:
    """The JSON line of one photo enrolled or refused."""
    from lineament.cli.output import error_json, picture_json
    from lineament.types import Status

    record = picture_json(done.outcome)
    if done.error is not None:
        record["outcome"] = Status.NO_FACE if done.outcome.status is Status.NO_FACE else Status.REFUSED
        record["error"] = error_json(done.error)
    return {
        **record,
        "subject": done.subject,
        "sample": done.sample,
        "face": None if done.face is None else done.face + 1,
        "overridden": list(done.overridden),
    }


def subject_json(found: SubjectRecords) -> dict[str, Any]:
    """The JSON line of one subject."""
    return {
        "subject": found.subject,
        "samples": [record_json(record) for record in found.samples],
        "disputes": [record_json(record) for record in found.disputes],
    }


def record_json(record: Record) -> dict[str, Any]:
    """A stored record without its embedding."""
    return {
        "id": record.id,
        "source": record.source,
        "picture_sha256": record.picture,
        "quality": record.quality,
        "created_at": record.created_at,
    }


def status(opened: Gallery) -> tuple[dict[str, Any], list[str]]:
    """The JSON line and the lines for people of what decides in a gallery, and whether it still serves."""
    from lineament.gallery.searching import outgrown, strangers_share

    counts = opened.subjects()
    people, samples = len(counts), sum(count for _, count in counts)
    record: dict[str, Any] = {"people": people, "samples": samples, "model": None, "threshold": None}
    lines = [f"{people} people, {samples} samples"]
    model = opened.store.model()
    if model is None:
        return record, lines
    threshold = opened.threshold(model)
    strangers, warning = strangers_share(threshold, people), outgrown(threshold, people)
    record |= {"model": str(model), "threshold": threshold.to_json()}
    record |= {"strangers_matched": strangers, "warning": warning}
    lines.append(f"searches are decided by threshold {threshold}")
    lines.append(f"at which about {strangers:.1%} of strangers match somebody")
    return record, lines if warning is None else [*lines, f"warning: {warning}"]


def identify_rows(found: Identified) -> list[Sequence[object]]:
    """One row a face, or one for a picture without."""
    from lineament.types import Status

    outcome = found.outcome
    if outcome.status is not Status.OK:
        reason = "no face" if outcome.error is None else f"{type(outcome.error).__name__}: {outcome.error}"
        return [(outcome.source, "-", reason)]
    return [(outcome.source, i, *_match_cells(match)) for i, match in enumerate(found.matches, 1)]


def _match_cells(match: Match) -> tuple[object, ...]:
    candidates = match.candidates
    if not candidates:
        return (match.decision, "-", None, None)
    best, others = candidates[0], candidates[1:]
    named = match.subject if match.subject is not None else f"- (nearest: {best.subject})"
    following = ", ".join(f"{c.subject} {c.similarity:.3f}" for c in others)
    return (match.decision, named, best.similarity, following)


def drawing(found: Identified, image: Image) -> UInt8:
    """The picture with each face's name or "no match" on it."""
    from lineament.plots.annotate import MATCH, NO_MATCH, annotate

    labels = [
        f"{match.subject} {match.candidates[0].similarity:.2f}" if match.subject is not None else "no match"
        for match in found.matches
    ]
    colours = [MATCH if match.subject is not None else NO_MATCH for match in found.matches]
    return annotate(image, found.outcome.faces, labels, colours)
