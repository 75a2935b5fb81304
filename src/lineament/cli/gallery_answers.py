"""What the gallery commands say of each photo and record: table rows, JSON and drawings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lineament.counting import quantity

if TYPE_CHECKING:
    from lineament.gallery.answers import Identified
    from lineament.gallery.gallery import Gallery
    from lineament.records import Record
    from lineament.types import Compared, Image, Match, Threshold, UInt8


def taken_json(taken: Compared) -> dict[str, Any]:
    """The face taken: its number of how many, its box, and why it."""
    return {
        "face": taken.face,
        "faces": taken.faces,
        "box": [round(edge, 3) for edge in taken.box],
        "chosen": taken.chosen,
    }


def face_asked(face: str | None, largest: bool) -> int | tuple[float, float] | None:
    """What ``--face`` asks for; raises `ConfigError` for what names no face, or with ``--largest``."""
    from lineament.errors import ConfigError
    from lineament.geometry.choosing import parse_face

    if face is not None and largest:
        raise ConfigError("--face and --largest each say which face; give one of them")
    return None if face is None else parse_face(face)


def record_json(record: Record) -> dict[str, Any]:
    """A stored record without its embedding."""
    return {
        "id": record.id,
        "source": record.source,
        "picture_sha256": record.picture,
        "box": None if record.box is None else [round(float(edge), 3) for edge in record.box],
        "size": record.size_wh,
        "quality": record.quality,
        "created_at": record.created_at,
    }


def status(opened: Gallery) -> tuple[dict[str, Any], list[str]]:
    """The JSON line and the lines for people of what decides in a gallery, and whether it still serves."""
    from lineament.gallery.searching import outgrown, strangers_share
    from lineament.records import RecordKind, Where

    people, samples = opened.people, opened.store.count(Where(kinds=[RecordKind.SAMPLE]))
    record: dict[str, Any] = {"people": people, "samples": samples, "model": None, "threshold": None}
    lines = [f"{quantity(people, 'person')}, {quantity(samples, 'sample')}"]
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


def decided_by(threshold: Threshold | None, people: int) -> list[str]:
    """What to tell of the threshold of searches among so many people; nothing where none decided."""
    from lineament.gallery.searching import outgrown, strangers_share

    if threshold is None:
        return []
    strangers, warning = strangers_share(threshold, people), outgrown(threshold, people)
    return [
        f"decided by threshold {threshold}",
        f"at which about {strangers:.1%} of strangers match one of {quantity(people, 'person')}",
        *([] if warning is None else [f"warning: {warning}"]),
    ]


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


def labels_of(found: Identified) -> tuple[str, ...]:
    """What is written at each face: a name with its similarity, "no match", or the face's number.

    The number, from 1, stands for a name that no font of this system draws rightly.
    """
    from lineament.plots.lettering import legible

    return legible(named(found))


def named(found: Identified) -> list[str]:
    """A name with its similarity, or "no match", of each face."""
    return [
        f"{match.subject} {match.candidates[0].similarity:.2f}" if match.subject is not None else "no match"
        for match in found.matches
    ]


def drawing(found: Identified, labels: Sequence[str], scores: bool, image: Image) -> UInt8:
    """The picture with a label at each face, and the detection's score where that is wanted."""
    from lineament.cli.drawing import with_scores
    from lineament.plots.annotate import MATCH, NO_MATCH, annotate

    colours = [MATCH if match.subject is not None else NO_MATCH for match in found.matches]
    return annotate(image, found.outcome.faces, with_scores(labels, found.outcome, scores), colours)


def identified_json(found: Identified, labels: Sequence[str] = ()) -> dict[str, Any]:
    """The JSON line of a picture searched; each face drawn has the ``label`` that is written at it."""
    from lineament.answers import picture_json

    record = picture_json(found.outcome, found.matches)
    for face, label in zip(record["faces"], labels, strict=False):
        face["label"] = label
    return record


def numbered(labels: Sequence[str]) -> int:
    """How many of the labels are numbers in place of names."""
    return sum(label == str(i) for i, label in enumerate(labels, 1))


def numbered_note(count: int) -> str:
    """What to tell of them."""
    return (
        f"{quantity(count, 'name')} cannot be written with the fonts of this system: such a face "
        "bears its number in the table (column face; label in JSON)"
    )
