"""What else in a gallery is of the faces that are to be erased, and the receipt of an erasure.

A face can be kept under other names: as a dispute ("this face is not Ann"), as a photo enrolled by mistake.
Every record is looked at once. The same face of the same photo, and the same vector, goes with the person.
What is only similar at the threshold is probably the same person, and perhaps a twin: which of those go is
a choice (`Alike`), and the receipt lists those that stay. Other people's records that stay forget the file
names they share with what was erased, and the name in them.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import numpy as np

from lineament.answers import Answer
from lineament.config import did_you_mean
from lineament.counting import quantity
from lineament.errors import ConfigError
from lineament.gallery import fusion as fusions
from lineament.gallery.file_names import GONE, pattern
from lineament.gallery.searching import smallest_fmr
from lineament.gallery.sightings import of_one_face
from lineament.protocols import Ledger
from lineament.records import Changes, Record, RecordKind, Where
from lineament.shown import shown
from lineament.types import Threshold

ELSEWHERE = (
    "backups and copies of the gallery in other places",
    "snapshots of the file system and retired blocks of the disk",
    "answers of --json, drawings, crops, manifests and the photos themselves",
)
"""What an erasure never looks at."""


class Alike(StrEnum):
    """Which of other people's records go when they only look like the faces erased."""

    LIST = "list"
    DISPUTES = "disputes"
    ALL = "all"

    def takes(self, record: Record) -> bool:
        """Whether a record of this kind goes."""
        return self is Alike.ALL or (self is Alike.DISPUTES and record.kind is RecordKind.DISPUTE)


def choice(alike: Alike | str) -> Alike:
    """The choice of this name; raises `ConfigError` for a name that is none."""
    try:
        return Alike(alike)
    except ValueError:
        raise ConfigError(f"alike: {alike!r}{did_you_mean(str(alike), [a.value for a in Alike])}") from None


class Why(StrEnum):
    """What a record has to do with an erasure."""

    OWN = "own"
    SAME_FACE = "same_face"
    ALIKE = "alike"
    LEFT_ALONE = "left_alone"
    """Of a subject whose last sample goes."""
    FILE_NAME = "file_name"
    """Of another face, and its file name is one that goes, or holds the name."""


@dataclass(frozen=True, slots=True)
class Trace:
    """A record that an erasure met: erased, or kept, perhaps without its file name.

    ``similarity`` is that to the likest of the faces erased; ``source`` the file name of a record kept.
    """

    id: str
    subject: str
    kind: RecordKind
    why: Why
    erased: bool
    similarity: float | None = None
    source: str | None = None
    file_name_forgotten: bool = False

    @classmethod
    def of(cls, record: Record, why: Why, erased: bool, similarity: float | None = None) -> Trace:
        """That of a record, without its embedding."""
        source = None if erased else record.source
        return cls(record.id, record.subject, record.kind, why, erased, similarity, source)

    def to_json(self) -> dict[str, Any]:
        """What a receipt lists of it."""
        return {
            "id": self.id,
            "subject": self.subject,
            "kind": self.kind,
            "why": self.why,
            "similarity": None if self.similarity is None else round(self.similarity, 6),
            "outcome": "erased" if self.erased else "kept",
            "file_name_forgotten": self.file_name_forgotten,
            "source": self.source,
        }


def _met(trace: Trace) -> str:
    """Which record of whom, and why it counts."""
    if trace.why is Why.LEFT_ALONE:
        what = "no sample of whom is left"
    else:
        what = "the same face" if trace.why is Why.SAME_FACE else "looks alike"
        what += "" if trace.similarity is None else f" ({trace.similarity:.3f})"
    return f"{trace.kind} {trace.id} of {trace.subject}, {what}"


def _rarity(trace: Trace, threshold: Threshold | None) -> str:
    """How many pairs of different people are so alike, by what was measured."""
    if threshold is None or threshold.kind != "FMR" or trace.similarity is None:
        return ""
    rate = smallest_fmr(threshold, trace.similarity)
    return (
        f", as at most 1 in {quantity(round(1 / rate), 'pair')} of different people do" if rate > 0 else ""
    )


@dataclass(frozen=True, slots=True)
class Receipt(Answer):
    """What an erasure did: every record it met, the ``files`` wiped, and what it did not look at.

    ``threshold`` decided what looks alike; None where nothing was looked for, or nothing decides.
    """

    traces: tuple[Trace, ...]
    files: tuple[str, ...]
    not_looked_at: tuple[str, ...]
    threshold: Threshold | None = None

    @property
    def records(self) -> int:
        """How many records were erased."""
        return sum(trace.erased for trace in self.traces)

    @property
    def to_decide(self) -> tuple[Trace, ...]:
        """Those kept that look alike: erase each by its id, or leave it."""
        return tuple(t for t in self.traces if t.why is Why.ALIKE and not t.erased)

    def told(self) -> Iterator[str]:
        """What went and stays under other names, and what was not looked at."""
        for trace in self.traces:
            if trace.erased and trace.why is not Why.OWN:
                yield f"erased too: {_met(trace)}"
        at = self.threshold
        if self.to_decide and at is not None:
            count = len(self.to_decide)
            what = quantity(count, "record of another person looks", "records of other people look")
            yield (
                f"{what} alike at the threshold for two faces ({at.value:.3f}, {at.kind} "
                f"{at.target_rate:g}): it is low, so that no photo of the person erased is overlooked "
                "under another name. Where few photos are enrolled, what is near it is probably of other "
                "people; look at the photos before you erase"
            )
        for trace in self.to_decide:
            yield (
                f"to decide: {_met(trace)}{_rarity(trace, at)}; erase it with "
                f"`gallery remove --id {trace.id}`, or leave it"
            )
        forgotten = sum(trace.file_name_forgotten for trace in self.traces)
        if forgotten:
            yield f"file names of {quantity(forgotten, 'other record')} forgotten"
        yield f"files wiped: {', '.join(self.files) or 'none, the gallery is in memory'}"
        yield from (f"not looked at: {what}" for what in self.not_looked_at)

    def to_json(self) -> dict[str, Any]:
        """Everything, the counts first."""
        erased = Counter(f"{trace.why}.{trace.kind}" for trace in self.traces if trace.erased)
        return {
            "records": self.records,
            "erased": dict(sorted(erased.items())),
            "to_decide": len(self.to_decide),
            "file_names_forgotten": sum(trace.file_name_forgotten for trace in self.traces),
            "traces": [trace.to_json() for trace in self.traces],
            "files": list(self.files),
            "threshold": None if self.threshold is None else self.threshold.to_json(),
            "not_looked_at": list(self.not_looked_at),
        }

    def __str__(self) -> str:
        """In one line."""
        elsewhere = sum(trace.erased and trace.why is not Why.OWN for trace in self.traces)
        parts = [
            f"{quantity(self.records, 'record')} erased" + (f", {elsewhere} of others" if elsewhere else "")
        ]
        if self.to_decide:
            parts.append(f"{len(self.to_decide)} that look alike left to decide")
        return "; ".join(parts)


@dataclass(frozen=True, slots=True)
class Erasure:
    """What goes and what is met on the way, found by reading only."""

    traces: tuple[Trace, ...]
    forgetting: tuple[Record, ...]
    """Records that stay, without the file names that go."""

    __repr__ = shown

    def changes(self, ledger: Ledger) -> Changes:
        """What is to be written, with a new template of each subject that lost a sample, or its end."""
        gone = {trace.id for trace in self.traces if trace.erased}
        remove, erase, put = sorted(gone), [], list(self.forgetting)
        for subject in sorted(_losing(self.traces)):
            samples, templates = (
                list(ledger.read(Where(kinds=[kind], subjects=[subject])))
                for kind in (RecordKind.SAMPLE, RecordKind.TEMPLATE)
            )
            if left := [sample for sample in samples if sample.id not in gone]:
                renewed = fusions.renewed(subject, left, templates)
                remove += renewed.remove
                put += renewed.put
            else:
                erase.append(subject)
        return Changes(erase=erase, remove=remove, put=put)


class Wanted:
    """The faces that go, as every record is compared with them; ``name`` goes out of file names."""

    def __init__(
        self,
        records: Iterable[Record],
        threshold: Threshold | None,
        name: re.Pattern[str] | None = None,
    ) -> None:
        faces = [record for record in records if record.kind is not RecordKind.DISPUTE]
        self._vectors = np.stack([face.vector for face in faces]) if faces else None
        self._threshold = threshold
        self._of_photo: dict[str, list[Record]] = defaultdict(list)
        for face in faces:
            if face.picture:
                self._of_photo[face.picture].append(face)
        # A photo that came from no file says so between angles.
        self._sources = {face.source for face in faces if face.source and not face.source.startswith("<")}
        self._name = name

    def judged(self, record: Record) -> tuple[Why | None, float | None]:
        """What a record is to these faces, and its similarity to the likest of them."""
        if self._vectors is None:
            return None, None
        similarities = self._vectors @ record.vector
        similarity = float(similarities.max())
        alike = self._threshold is not None and self._threshold.accepts(similarity)
        if np.array_equal(self._vectors[similarities.argmax()], record.vector):
            return Why.SAME_FACE, similarity
        of_photo = self._of_photo.get(record.picture, ())
        # Two faces of one photo that look alike are one, which two detectors cut differently.
        if any(of_one_face(record, face) for face in of_photo) or (of_photo and alike):
            return Why.SAME_FACE, similarity
        return (Why.ALIKE if alike else None), similarity

    def forgotten(self, record: Record) -> str:
        """The file name that a record which stays may keep: all of it, some of it, or nothing."""
        if record.source in self._sources or record.picture in self._of_photo:
            return ""
        # A name that is part of another one, as Ann of Ann Berg, is that other person's.
        if self._name is None or self._name.search(record.subject):
            return record.source
        return self._name.sub(GONE, record.source)


def erasure(
    ledger: Ledger,
    own: Sequence[Record],
    wanted: Wanted,
    alike: Alike,
    spared: str | None = None,
) -> Erasure:
    """What the erasure of some records takes along, and what it leaves.

    Records of the subject ``spared`` that only look alike are no news: they are of that very person.
    """
    traces = {record.id: Trace.of(record, Why.OWN, True) for record in own}
    forgetting = {}
    for record in _faces(ledger):
        if record.id in traces:
            continue
        why, similarity = wanted.judged(record)
        if why is Why.SAME_FACE or (why is Why.ALIKE and record.subject != spared):
            erased = why is Why.SAME_FACE or alike.takes(record)
            traces[record.id] = Trace.of(record, why, erased, similarity)
        if (source := wanted.forgotten(record)) != record.source:
            forgetting[record.id] = replace(record, source=source)
    for subject in sorted(_losing(traces.values())):
        records = list(ledger.read(Where(subjects=[subject])))
        if all(_goes(r, traces) for r in records if r.kind is RecordKind.SAMPLE):
            left = [record for record in records if not _goes(record, traces)]
            traces |= {record.id: Trace.of(record, Why.LEFT_ALONE, True) for record in left}
    forgetting = {id_: record for id_, record in forgetting.items() if not _goes(record, traces)}
    for id_, record in forgetting.items():
        trace = traces.get(id_) or Trace.of(record, Why.FILE_NAME, False)
        traces[id_] = replace(trace, source=record.source, file_name_forgotten=True)
    return Erasure(tuple(traces.values()), tuple(forgetting.values()))


def receipt(
    ledger: Ledger, traces: tuple[Trace, ...], threshold: Threshold | None, unknown: Sequence[str] = ()
) -> Receipt:
    """What to tell of an erasure that is done; ``unknown`` is what could not be looked at this time."""
    beside = [f"{path}: a gallery of its own, or what is left of one" for path in ledger.copies()]
    return Receipt(traces, tuple(map(str, ledger.files())), (*unknown, *beside, *ELSEWHERE), threshold)


def without_name(ledger: Ledger, name: str, new: str, gone: Collection[str] = ()) -> Erasure:
    """What else forgets the name of a subject that becomes ``new``: the folders of file names.

    Looked at is all but what is ``gone``, as it is once it is renamed. A name that is part of the new one
    stays.
    """
    if pattern(name).search(new):
        return Erasure((), ())
    folders = Wanted((), None, pattern(name, folders=True))
    traces, forgetting = [], []
    for kept in _faces(ledger):
        record = replace(kept, subject=new) if kept.subject == name else kept
        if record.id not in gone and (source := folders.forgotten(record)) != record.source:
            forgetting.append(replace(record, source=source))
            trace = Trace.of(forgetting[-1], Why.FILE_NAME, False)
            traces.append(replace(trace, file_name_forgotten=True))
    return Erasure(tuple(traces), tuple(forgetting))


def _faces(ledger: Ledger) -> Iterator[Record]:
    """Samples, then disputes. Templates are made of samples, and are made anew."""
    for kind in (RecordKind.SAMPLE, RecordKind.DISPUTE):
        yield from ledger.read(Where(kinds=[kind]))


def _losing(traces: Collection[Trace]) -> set[str]:
    """The subjects that lose a sample."""
    return {trace.subject for trace in traces if trace.erased and trace.kind is RecordKind.SAMPLE}


def _goes(record: Record, traces: Mapping[str, Trace]) -> bool:
    return record.id in traces and traces[record.id].erased
