"""Corrections of a gallery, each one transaction: see the methods of `Gallery` that call them."""

from __future__ import annotations

import uuid

from lineament.errors import AlreadyEnrolled, InvalidSubject, SubjectExists, UnknownSample, UnknownSubject
from lineament.gallery import fusion as fusions
from lineament.gallery import subjects as names
from lineament.gallery.enrolment import Chosen
from lineament.gallery.sightings import of_one_face
from lineament.protocols import GalleryStore
from lineament.types import Record, RecordKind, Threshold


def resolve(store: GalleryStore, subject: str) -> str:
    """The name as stored: the same, or its other Unicode spelling; raises `UnknownSubject`."""
    if not isinstance(subject, str):
        raise UnknownSubject(f"a subject's name is text, not {type(subject).__name__}: {subject!r:.80}")
    found = store.find_subject(subject)
    if found is None:
        raise UnknownSubject(f"nobody is enrolled as {subject!r}{names.nearest(store, subject)}")
    return found


def remove(store: GalleryStore, subject: str) -> int:
    """Erase a subject, and the disputes of others that were made of the very same faces."""
    with store.transaction():
        name = resolve(store, subject)
        samples = store.of_subjects([name], RecordKind.SAMPLE)
        pictures = sorted({sample.picture for sample in samples})
        elsewhere = [
            record.id
            for record in store.of_pictures(pictures)
            if record.kind is RecordKind.DISPUTE
            and record.subject != name
            and any(of_one_face(record, sample) for sample in samples)
        ]
        return store.remove_subject(name) + store.remove(elsewhere)


def remove_sample(store: GalleryStore, sample: str) -> None:
    """Erase a sample or withdraw a dispute."""
    with store.transaction():
        found = [r for r in store.get([sample]) if r.kind is not RecordKind.TEMPLATE]
        if not found:
            raise UnknownSample(f"no sample or dispute has the id {sample!r}")
        store.remove([sample])
        _renew(store, found[0].subject)


def rename(store: GalleryStore, subject: str, new: str) -> None:
    """Give a subject a name that is free."""
    names.require_valid(new)
    with store.transaction():
        old = resolve(store, subject)
        taken = store.find_subject(new)
        if taken not in (None, old):
            if taken == new:
                raise SubjectExists(f"{new!r} is enrolled already; merge the two if they are one person")
            raise InvalidSubject(f"{new!r} is another Unicode spelling of {taken!r}")
        store.rename_subject(old, new)


def merge(store: GalleryStore, subject: str, into: str) -> int:
    """Make two subjects one; returns the number of disputes that settled."""
    with store.transaction():
        source, target = resolve(store, subject), resolve(store, into)
        if source == target:
            raise SubjectExists(f"{source!r} cannot be merged into itself")
        store.rename_subject(source, target)
        samples = store.of_subjects([target], RecordKind.SAMPLE)
        settled = [
            dispute.id
            for dispute in store.of_subjects([target], RecordKind.DISPUTE)
            if any(of_one_face(dispute, sample) for sample in samples)
        ]
        store.remove(settled)
        _renew(store, target)
        return len(settled)


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
