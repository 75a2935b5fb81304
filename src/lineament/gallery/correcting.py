"""Corrections of a gallery, each one transaction: see the methods of `Gallery` that call them."""

from __future__ import annotations

from lineament.errors import InvalidSubject, SubjectExists, UnknownSample, UnknownSubject
from lineament.gallery import fusion as fusions
from lineament.gallery import subjects as names
from lineament.protocols import GalleryStore
from lineament.types import RecordKind


def resolve(store: GalleryStore, subject: str) -> str:
    """The name as stored: the same, or its other Unicode spelling; raises `UnknownSubject`."""
    if next(store.scan(subject), None) is not None:
        return subject
    known = [name for name, _ in store.subjects()]
    other = names.twin(subject, known)
    if other is None:
        raise UnknownSubject(f"nobody is enrolled as {subject!r}{names.nearest(subject, known)}")
    return other


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
        if new != old and next(store.scan(new), None) is not None:
            raise SubjectExists(f"{new!r} is enrolled already; merge the two if they are one person")
        known = (name for name, _ in store.subjects() if name != old)
        if (other := names.twin(new, known)) is not None:
            raise InvalidSubject(f"{new!r} is another Unicode spelling of {other!r}")
        store.rename_subject(old, new)


def merge(store: GalleryStore, subject: str, into: str) -> int:
    """Make two subjects one; returns the number of disputes that settled."""
    with store.transaction():
        source, target = resolve(store, subject), resolve(store, into)
        if source == target:
            raise SubjectExists(f"{source!r} cannot be merged into itself")
        store.rename_subject(source, target)
        records = list(store.scan(target))
        enrolled = {r.picture for r in records if r.kind is RecordKind.SAMPLE}
        vectors = {r.vector.tobytes() for r in records if r.kind is RecordKind.SAMPLE}
        settled = [
            r.id
            for r in records
            if r.kind is RecordKind.DISPUTE and r.picture in enrolled and r.vector.tobytes() in vectors
        ]
        store.remove(settled)
        _renew(store, target)
        return len(settled)


def _renew(store: GalleryStore, subject: str) -> None:
    """After samples went: one template of those that are left, or nothing of the subject at all."""
    samples = list(store.scan(subject, RecordKind.SAMPLE))
    if not samples:
        store.remove_subject(subject)
        return
    renewed = fusions.template(store, subject, samples)
    stale = [r.id for r in store.scan(subject, RecordKind.TEMPLATE) if r.id != renewed.id]
    store.remove(stale)
    store.upsert([renewed])
