"""What a gallery answers: of pictures searched, one or many, of a subject, and of the whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lineament.answers import Answer, Table, picture_json, rounded
from lineament.counting import quantity
from lineament.gallery.searching import outgrown, strangers_share
from lineament.records import Record, RecordKind, Where
from lineament.types import Decision, Match, ModelId, Outcome, Status, Threshold

if TYPE_CHECKING:
    from lineament.gallery.gallery import Gallery


@dataclass(frozen=True, slots=True, eq=False)
class Identified:
    """One picture of a search: its faces, and one match a face."""

    outcome: Outcome
    matches: tuple[Match, ...]

    @property
    def names(self) -> list[str]:
        """A name with its similarity, or "no match", of each face."""
        return [
            f"{match.subject} {match.candidates[0].similarity:.2f}" if match.accepted else "no match"
            for match in self.matches
        ]

    def to_json(self) -> dict[str, Any]:
        """The picture, and at each face its candidates, the decision and the threshold."""
        return picture_json(self.outcome, self.matches)

    def rows(self) -> list[Sequence[object]]:
        """One row a face, or one for a picture without, of a table with `Searched.COLUMNS`."""
        outcome, error = self.outcome, self.outcome.error
        if outcome.status is not Status.OK:
            reason = "no face" if error is None else f"{type(error).__name__}: {error}"
            return [(outcome.source, "-", reason)]
        return [(outcome.source, i, *_cells(match)) for i, match in enumerate(self.matches, 1)]


def _cells(match: Match) -> tuple[object, ...]:
    if not match.candidates:
        return (match.decision, "-", None, None)
    best, *others = match.candidates
    named = match.subject if match.subject is not None else f"- (nearest: {best.subject})"
    following = ", ".join(f"{c.subject} {c.similarity:.3f}" for c in others)
    return (match.decision, named, best.similarity, following)


class Searched(Answer):
    """What became of the pictures whose faces were searched, each added when it is done."""

    COLUMNS = ("picture", "face", "decision", "subject", "similarity", "next")

    def __init__(self, gallery: Gallery) -> None:
        self._gallery = gallery
        self._rows: list[Sequence[object]] = []
        self.pictures: Counter[Status] = Counter()
        self.faces: Counter[Decision] = Counter()
        self.threshold: Threshold | None = None

    def add(self, found: Identified) -> None:
        """One picture."""
        self.pictures[found.outcome.status] += 1
        for match in found.matches:
            self.faces[match.decision] += 1
            self.threshold = match.threshold
        self._rows += found.rows()

    def to_json(self) -> dict[str, Any]:
        """How pictures ended, how many faces matched, and what decided."""
        return {
            "pictures": {status: self.pictures[status] for status in Status},
            "faces": {decision: self.faces[decision] for decision in Decision},
            "threshold": None if self.threshold is None else self.threshold.to_json(),
        }

    def told(self) -> Iterator[str | Table]:
        """A row a face, the counts, and what the threshold that decided means for so many people."""
        yield Table(None, self.COLUMNS, self._rows)
        pictures = ", ".join(f"{self.pictures[status]} {status}" for status in Status)
        yield (
            f"{quantity(self.pictures.total(), 'picture')}: {pictures}; "
            f"{quantity(self.faces.total(), 'face')}, {self.faces[Decision.MATCH]} matched"
        )
        if self.threshold is not None:
            yield from decided_by(self.threshold, self._gallery.people)


def decided_by(threshold: Threshold, people: int) -> Iterator[str]:
    """What the threshold that decided searches means among so many people."""
    strangers, warning = strangers_share(threshold, people), outgrown(threshold, people)
    yield f"decided by threshold {threshold}"
    yield f"at which about {strangers:.1%} of strangers match one of {quantity(people, 'person')}"
    if warning is not None:
        yield f"warning: {warning}"


@dataclass(frozen=True, slots=True, eq=False)
class SubjectRecords(Answer):
    """All the gallery holds of one subject."""

    subject: str
    samples: tuple[Record, ...]
    disputes: tuple[Record, ...]

    def to_json(self) -> dict[str, Any]:
        """The subject's records without their embeddings."""
        return {
            "subject": self.subject,
            "samples": [record_json(record) for record in self.samples],
            "disputes": [record_json(record) for record in self.disputes],
        }

    def told(self) -> Iterator[Table]:
        """A row a record."""
        rows = [
            (record.kind, record.id, record.quality, record.created_at, record.source)
            for record in (*self.samples, *self.disputes)
        ]
        yield Table(self.subject, ("kind", "id", "quality", "created", "source"), rows)


@dataclass(frozen=True, slots=True)
class GalleryStatus(Answer):
    """How many are enrolled, and what decides; ``model`` and ``threshold`` are None in an empty gallery."""

    people: int
    samples: int
    model: ModelId | None = None
    threshold: Threshold | None = None

    @classmethod
    def of(cls, gallery: Gallery) -> GalleryStatus:
        """That of a gallery as it is now."""
        samples = gallery.store.count(Where(kinds=[RecordKind.SAMPLE]))
        model = gallery.store.model()
        threshold = None if model is None else gallery.threshold(model)
        return cls(gallery.people, samples, model, threshold)

    def to_json(self) -> dict[str, Any]:
        """With the share of strangers that match somebody, and a warning where it got too large."""
        record = {"people": self.people, "samples": self.samples, "model": None, "threshold": None}
        if self.threshold is None:
            return record
        return record | {
            "model": str(self.model),
            "threshold": self.threshold.to_json(),
            "strangers_matched": strangers_share(self.threshold, self.people),
            "warning": outgrown(self.threshold, self.people),
        }

    def told(self) -> Iterator[str]:
        """The same in words."""
        yield f"{quantity(self.people, 'person')}, {quantity(self.samples, 'sample')}"
        if self.threshold is not None:
            yield f"searches are decided by threshold {self.threshold}"
            share = strangers_share(self.threshold, self.people)
            yield f"at which about {share:.1%} of strangers match somebody"
            if (warning := outgrown(self.threshold, self.people)) is not None:
                yield f"warning: {warning}"


def record_json(record: Record) -> dict[str, Any]:
    """A stored record without its embedding; ``width`` and ``height`` are of its picture."""
    width, height = record.size_wh or (None, None)
    return {
        "id": record.id,
        "source": record.source,
        "picture_sha256": record.picture,
        "box": None if record.box is None else rounded(record.box),
        "width": width,
        "height": height,
        "quality": record.quality,
        "created_at": record.created_at,
    }
