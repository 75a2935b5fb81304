"""Corrections of a gallery, each one transaction: see the methods of `Gallery` that call them."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from lineament.errors import AlreadyEnrolled, InvalidSubject, SubjectExists, UnknownSample, UnknownSubject
from lineament.gallery import erasing
from lineament.gallery import fusion as fusions
from lineament.gallery import subjects as names
from lineament.gallery.enrolment import Chosen
from lineament.gallery.erasing import Alike, Erasure, Trace, Wanted, Why
from lineament.gallery.file_names import pattern
from lineament.gallery.writing import decided
from lineament.protocols import GalleryStore
from lineament.records import Record, RecordKind
from lineament.types import Threshold


def resolve(store: GalleryStore, subject: str) -> str:
    """The name as stored: the same, or its other Unicode spelling; raises `UnknownSubject`."""
    if not isinstance(subject, str):
        raise UnknownSubject(f"a subject's name is text, not {type(subject).__name__}: {subject!r:.80}")
    found = store.find_subject(subject)
    if found is None:
        raise UnknownSubject(f"nobody is enrolled as {subject!r}{names.nearest(store, subject)}")
    return found


def remove(
    store: GalleryStore, subject: str, alike: Alike, threshold: Threshold | None
) -> tuple[Trace, ...]:
    """Erase a subject, and what is kept of the same faces under other names."""

    def decide() -> Erasure:
        name = resolve(store, subject)
        own = list(store.scan(name))
        return erasing.erasure(store, own, Wanted(own, threshold, pattern(name)), alike)

    return _erased(store, decide)


def remove_sample(
    store: GalleryStore, sample: str, alike: Alike | None, threshold: Threshold | None
) -> tuple[Trace, ...]:
    """Erase a sample or withdraw a dispute; without ``alike`` nothing goes that only looks alike.

    With its last sample a subject goes, and then disputes that look alike go, too.
    """

    def decide() -> Erasure:
        own = [r for r in store.get([sample]) if r.kind is not RecordKind.TEMPLATE]
        if not own:
            raise UnknownSample(f"no sample or dispute has the id {sample!r}")
        if own[0].kind is RecordKind.DISPUTE:
            return Erasure((Trace.of(own[0], Why.OWN, True),), ())
        subject = own[0].subject
        if len(store.of_subjects([subject], RecordKind.SAMPLE)) > 1:
            wanted = Wanted(own, threshold)
            return erasing.erasure(store, own, wanted, alike or Alike.LIST, spared=subject)
        own = list(store.scan(subject))
        return erasing.erasure(
            store, own, Wanted(own, threshold, pattern(subject)), alike or Alike.DISPUTES
        )

    return _erased(store, decide)


def rename(store: GalleryStore, subject: str, new: str) -> tuple[Trace, ...]:
    """Give a subject a name that is free; the old one goes out of the folders of file names."""
    names.require_valid(new)
    with store.transaction():
        old = resolve(store, subject)
        taken = store.find_subject(new)
        if taken not in (None, old):
            if taken == new:
                raise SubjectExists(f"{new!r} is enrolled already; merge the two if they are one person")
            raise InvalidSubject(f"{new!r} is another Unicode spelling of {taken!r}")
        store.rename_subject(old, new)
        return _without_name(store, old, new)


def merge(
    store: GalleryStore, subject: str, into: str, alike: Alike, threshold: Threshold | None
) -> tuple[Trace, ...]:
    """Make two subjects one; erases the disputes that this settles.

    Settled is what says of a face of one that it is not the other. A dispute about a face that only looks
    like one of the other's, and may be of a third person, goes or stays as ``alike`` says.
    """
    with store.transaction():
        source, target = resolve(store, subject), resolve(store, into)
        if source == target:
            raise SubjectExists(f"{source!r} cannot be merged into itself")
        faces = {name: Wanted(store.scan(name, RecordKind.SAMPLE), threshold) for name in (source, target)}
        settled = []
        for name, other in ((source, target), (target, source)):
            for record in store.of_subjects([name], RecordKind.DISPUTE):
                why, similarity = faces[other].judged(record)
                if why is None:
                    why, similarity = faces[name].judged(record)
                    why = why if why is Why.SAME_FACE else None
                if why is not None:
                    erased = why is Why.SAME_FACE or alike.takes(record)
                    settled.append(Trace.of(replace(record, subject=target), why, erased, similarity))
        store.rename_subject(source, target)
        store.remove([trace.id for trace in settled if trace.erased])
        _renew(store, target)
        return (*settled, *_without_name(store, source, target))


def dispute(store: GalleryStore, subject: str, chosen: Chosen, threshold: Threshold) -> Record:
    """Record that a face is not the subject, once; within a transaction."""
    for known in store.of_pictures(chosen.seen.pictures):
        if known.subject != subject or not chosen.seen.is_in(known, threshold):
            continue
        if known.kind is RecordKind.SAMPLE:
            raise AlreadyEnrolled(f"this face is sample {known.id} of {subject!r}; remove that sample")
        return known
    # The id is not made of the face: a later rename must not tie it to another subject's dispute.
    record = chosen.record(uuid.uuid4().hex[:24], subject, RecordKind.DISPUTE)
    store.upsert([record])
    return record


def _erased(store: GalleryStore, decide: Callable[[], Erasure]) -> tuple[Trace, ...]:
    """Carry out an erasure of the very state in which it was decided."""
    return decided(store, decide, lambda found: found.done(store, partial(_renew, store))).traces


def _without_name(store: GalleryStore, name: str, new: str) -> tuple[Trace, ...]:
    """Take a name out of the folders of file names, unless the new one holds it; within a transaction."""
    if pattern(name).search(new):
        return ()
    found = erasing.erasure(store, (), Wanted((), None, pattern(name, folders=True)), Alike.LIST)
    store.upsert(found.forgetting)
    return found.traces


def _renew(store: GalleryStore, subject: str) -> None:
    """After samples went: one template of those that are left, or nothing of the subject at all."""
    samples = store.of_subjects([subject], RecordKind.SAMPLE)
    if not samples:
        store.remove_subject(subject)
        return
    renewed = fusions.template(store, subject, samples)
    stale = [r.id for r in store.of_subjects([subject], RecordKind.TEMPLATE) if r.id != renewed.id]
    store.remove(stale)
    store.upsert([renewed])
