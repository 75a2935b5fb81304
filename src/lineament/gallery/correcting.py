"""Corrections of a gallery, each decided by reading and committed at once.

See the methods of `Gallery` that call them.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import replace

from lineament.errors import AlreadyEnrolled, InvalidSubject, SubjectExists, UnknownSample, UnknownSubject
from lineament.gallery import erasing
from lineament.gallery import fusion as fusions
from lineament.gallery import subjects as names
from lineament.gallery.enrolment import Chosen
from lineament.gallery.erasing import Alike, Erasure, Trace, Wanted, Why
from lineament.gallery.file_names import pattern
from lineament.gallery.writing import committed
from lineament.protocols import Ledger
from lineament.records import Changes, Record, RecordKind, Where
from lineament.types import ModelId, Threshold

_Decided = tuple[Changes, tuple[Trace, ...]]


def resolve(ledger: Ledger, subject: str) -> str:
    """The name as stored: the same, or its other Unicode spelling; raises `UnknownSubject`."""
    if not isinstance(subject, str):
        raise UnknownSubject(f"a subject's name is text, not {type(subject).__name__}: {subject!r:.80}")
    found = ledger.find_subject(subject)
    if found is None:
        raise UnknownSubject(f"nobody is enrolled as {subject!r}{names.nearest(ledger, subject)}")
    return found


def remove(ledger: Ledger, subject: str, alike: Alike, threshold: Threshold | None) -> tuple[Trace, ...]:
    """Erase a subject, and what is kept of the same faces under other names."""

    def decide() -> _Decided:
        name = resolve(ledger, subject)
        own = list(ledger.read(Where(subjects=[name])))
        found = erasing.erasure(ledger, own, Wanted(own, threshold, pattern(name)), alike)
        return found.changes(ledger), found.traces

    return committed(ledger, decide)


def remove_sample(
    ledger: Ledger, sample: str, alike: Alike | None, threshold: Threshold | None
) -> tuple[Trace, ...]:
    """Erase a sample or withdraw a dispute; without ``alike`` nothing goes that only looks alike.

    With its last sample a subject goes, and then disputes that look alike go, too.
    """

    def decide() -> _Decided:
        found = _of_sample(ledger, sample, alike, threshold)
        return found.changes(ledger), found.traces

    return committed(ledger, decide)


def _of_sample(ledger: Ledger, sample: str, alike: Alike | None, threshold: Threshold | None) -> Erasure:
    own = [r for r in ledger.read(Where(ids=[sample])) if r.kind is not RecordKind.TEMPLATE]
    if not own:
        raise UnknownSample(f"no sample or dispute has the id {sample!r}")
    if own[0].kind is RecordKind.DISPUTE:
        return Erasure((Trace.of(own[0], Why.OWN, True),), ())
    subject = own[0].subject
    if ledger.count(Where(kinds=[RecordKind.SAMPLE], subjects=[subject])) > 1:
        return erasing.erasure(ledger, own, Wanted(own, threshold), alike or Alike.LIST, spared=subject)
    own = list(ledger.read(Where(subjects=[subject])))
    return erasing.erasure(ledger, own, Wanted(own, threshold, pattern(subject)), alike or Alike.DISPUTES)


def rename(ledger: Ledger, subject: str, new: str) -> tuple[Trace, ...]:
    """Give a subject a name that is free; the old one goes out of the folders of file names."""
    names.require_valid(new)

    def decide() -> _Decided:
        old = resolve(ledger, subject)
        taken = ledger.find_subject(new)
        if taken not in (None, old):
            if taken == new:
                raise SubjectExists(f"{new!r} is enrolled already; merge the two if they are one person")
            raise InvalidSubject(f"{new!r} is another Unicode spelling of {taken!r}")
        found = erasing.without_name(ledger, old, new)
        return Changes(rename=[(old, new)], put=found.forgetting), found.traces

    return committed(ledger, decide)


def merge(
    ledger: Ledger, subject: str, into: str, alike: Alike, threshold: Threshold | None
) -> tuple[Trace, ...]:
    """Make two subjects one; erases the disputes that this settles.

    Settled is what says of a face of one that it is not the other. A dispute about a face that only looks
    like one of the other's, and may be of a third person, goes or stays as ``alike`` says.
    """

    def decide() -> _Decided:
        source, target = resolve(ledger, subject), resolve(ledger, into)
        if source == target:
            raise SubjectExists(f"{source!r} cannot be merged into itself")
        samples = _of(ledger, RecordKind.SAMPLE, source, target)
        if not samples:
            raise UnknownSubject(f"neither {source!r} nor {target!r} has a sample left")
        faces = {
            name: Wanted((s for s in samples if s.subject == name), threshold) for name in (source, target)
        }
        settled = []
        for name, other in ((source, target), (target, source)):
            for record in _of(ledger, RecordKind.DISPUTE, name):
                why, similarity = faces[other].judged(record)
                if why is None:
                    why, similarity = faces[name].judged(record)
                    why = why if why is Why.SAME_FACE else None
                if why is not None:
                    erased = why is Why.SAME_FACE or alike.takes(record)
                    settled.append(Trace.of(replace(record, subject=target), why, erased, similarity))
        gone = [trace.id for trace in settled if trace.erased]
        found = erasing.without_name(ledger, source, target, gone)
        changes = Changes(rename=[(source, target)], remove=gone, put=found.forgetting)
        templates = _of(ledger, RecordKind.TEMPLATE, source, target)
        return changes + fusions.renewed(target, samples, templates), (*settled, *found.traces)

    return committed(ledger, decide)


def _of(ledger: Ledger, kind: RecordKind, *subjects: str) -> list[Record]:
    """The records of one kind of some subjects."""
    return list(ledger.read(Where(kinds=[kind], subjects=subjects)))


def dispute(
    ledger: Ledger, subject: str, chosen: Chosen, threshold: Callable[[ModelId], Threshold]
) -> Record:
    """Record that a face is not the subject, once."""

    def decide() -> tuple[Changes, Record]:
        name = resolve(ledger, subject)
        chosen.require_model(ledger)
        decides = threshold(chosen.embedding.model)
        for known in ledger.read(Where(pictures=chosen.seen.pictures)):
            if known.subject != name or not chosen.seen.is_in(known, decides):
                continue
            if known.kind is RecordKind.SAMPLE:
                raise AlreadyEnrolled(f"this face is sample {known.id} of {name!r}; remove that sample")
            return Changes(), known
        # The id is not made of the face: a later rename must not tie it to another subject's dispute.
        record = chosen.record(uuid.uuid4().hex[:24], name, RecordKind.DISPUTE)
        return Changes(bind=chosen.bound, put=[record]), record

    return committed(ledger, decide)
