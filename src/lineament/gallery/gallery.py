"""The gallery: people, their enrolled photos, and the questions one asks of them.

Stores search; this class decides: names, refusals, fusion, thresholds, disputes. It keeps no state of its
own, so any number of processes may hold the same gallery.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

import numpy as np

from lineament.config import did_you_mean
from lineament.errors import (
    AlreadyEnrolled,
    ConfigError,
    FaceError,
    InvalidSubject,
    LineamentError,
    PictureError,
    PictureNotFound,
    UnknownSubject,
)
from lineament.gallery import correcting, enrolment
from lineament.gallery import fusion as fusions
from lineament.gallery import subjects as names
from lineament.gallery.disputes import Disputes
from lineament.gallery.enrolment import MIN_QUALITY, Allow, EnrolOutcome, choose, printable
from lineament.gallery.searching import VERIFY_FMR, match, measured_threshold, search_threshold
from lineament.protocols import GalleryStore
from lineament.search.exact import similarities
from lineament.stores import open_store
from lineament.types import (
    Decision,
    Embedding,
    Faces,
    Match,
    ModelId,
    Outcome,
    Record,
    RecordKind,
    Threshold,
    Verification,
)

if TYPE_CHECKING:
    from lineament.analyzer import Source


class FaceAnalyzer(Protocol):
    """What a gallery needs of `lineament.analyzer.Analyzer`."""

    def analyze(self, sources: Iterable[Source]) -> Iterator[Outcome]:
        """One outcome a source, in order."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Identified:
    """One picture of a search: its faces, and one match a face."""

    outcome: Outcome
    matches: tuple[Match, ...]


@dataclass(frozen=True, slots=True, eq=False)
class SubjectRecords:
    """All the gallery holds of one subject."""

    subject: str
    samples: tuple[Record, ...]
    disputes: tuple[Record, ...]


class Gallery:
    """Enrol people, verify and identify faces, correct and erase.

    ``store`` is a URL or a store; ``analyzer`` is made at the first picture unless given. The threshold is
    ``threshold``, or the one measured for ``target_fmr`` in the model's card, or, with neither, the card's
    at FMR 0.001 for 1:1 and at a rate that follows the number of people for searches
    (`lineament.gallery.searching.search_threshold`). With ``create`` false a gallery that does not exist is
    a `StoreError`.
    """

    def __init__(
        self,
        store: str | GalleryStore | None = None,
        analyzer: FaceAnalyzer | None = None,
        *,
        threshold: Threshold | None = None,
        target_fmr: float | None = None,
        fusion: fusions.Fusion = "mean",
        min_quality: float = MIN_QUALITY,
        create: bool = True,
    ) -> None:
        fusions.require_fusion(fusion)
        self.store = open_store(store, create=create) if store is None or isinstance(store, str) else store
        self.fusion = fusion
        self.min_quality = min_quality
        self.target_fmr = target_fmr
        self._threshold = threshold
        self._analyzer = analyzer

    @property
    def analyzer(self) -> FaceAnalyzer:
        """What turns pictures into faces."""
        if self._analyzer is None:
            from lineament.analyzer import Analyzer

            self._analyzer = Analyzer()
        return self._analyzer

    def threshold(self, model: ModelId) -> Threshold:
        """The threshold that decides searches and enrolments for embeddings of ``model``.

        Raises `InsufficientData` when none was measured at the target rate, `ModelMismatch` when it was
        measured with other weights.
        """
        if self._threshold is not None:
            self._threshold.model.require(model)
            return self._threshold
        people = self.store.count(RecordKind.TEMPLATE)
        return search_threshold(model, people) if self.target_fmr is None else self._measured(model)

    def _measured(self, model: ModelId) -> Threshold:
        if self._threshold is not None:
            self._threshold.model.require(model)
            return self._threshold
        return measured_threshold(model, VERIFY_FMR if self.target_fmr is None else self.target_fmr)

    # Enrolling

    def enrol(
        self, subject: str, sources: Iterable[Source], *, allow: Iterable[Allow | str] = ()
    ) -> list[EnrolOutcome]:
        """Enrol photos of one subject; one outcome a photo, each durable before the next is begun.

        Raises `InvalidSubject`; everything else that can be wrong with a photo is in its outcome.
        """
        names.require_valid(subject)
        return list(self.enrol_all([(subject, source) for source in sources], allow=allow))

    def enrol_folder(
        self, folder: str | Path, *, allow: Iterable[Allow | str] = ()
    ) -> Iterator[EnrolOutcome]:
        """Enrol a folder a person: each sub-folder's name, exactly as on disk, is the subject.

        Pictures that lie in no person's folder, and folders without pictures, have a refused outcome.
        Raises `UsageError` when ``folder`` is none.
        """
        from lineament.io import sources

        found = sources.people(folder)
        for path in found.loose:
            yield _refused(path, "", InvalidSubject("lies in no person's folder"))
        for subject, files in found:
            if not files:
                path = str(Path(folder) / subject)
                yield _refused(path, subject, PictureNotFound("no picture in this person's folder"))
        yield from self.enrol_all(
            ((subject, file) for subject, files in found for file in files), allow=allow
        )

    def enrol_all(
        self, photos: Iterable[tuple[str, Source]], *, allow: Iterable[Allow | str] = ()
    ) -> Iterator[EnrolOutcome]:
        """Enrol photos with their subjects, in order; a name that is not valid refuses its photos."""
        allowed = frozenset(_allow(name) for name in allow)
        rows: list[tuple[str, Source, InvalidSubject | None]] = []
        for subject, source in photos:
            try:
                names.require_valid(subject)
                rows.append((subject, source, None))
            except InvalidSubject as error:
                rows.append((subject, source, error))
        outcomes = iter(self.analyzer.analyze([source for _, source, error in rows if error is None]))
        for subject, source, invalid in rows:
            if invalid is not None:
                yield _refused(str(source), subject, invalid)
                continue
            outcome = next(outcomes)
            try:
                yield self._enrol(subject, source, outcome, allowed)
            except (PictureError, FaceError, InvalidSubject) as refusal:
                yield EnrolOutcome(outcome.source, subject, outcome, error=refusal)

    def _enrol(
        self, subject: str, source: Source, outcome: Outcome, allow: frozenset[Allow]
    ) -> EnrolOutcome:
        chosen = choose(source, outcome, allow, self.min_quality)
        embedding = chosen.embedding
        self.store.bind_model(embedding.model, len(embedding.vector))
        with self.store.transaction():
            samples = list(self.store.scan(subject, RecordKind.SAMPLE))
            found = enrolment.objections(
                self.store,
                subject=subject,
                chosen=chosen,
                samples=samples,
                threshold=self.threshold(embedding.model),
                fusion=self.fusion,
            )
            objections = list(found)
            stop = next((error for error, override in objections if override not in allow), None)
            if stop is None:
                sample = Record(
                    id=chosen.id,
                    subject=subject,
                    vector=embedding.vector,
                    source=printable(outcome.source),
                    picture=chosen.picture,
                    quality=None if chosen.face.quality is None else chosen.face.quality.score,
                    created_at=fusions.now(),
                )
                self.store.upsert([sample, fusions.template(self.store, subject, [*samples, sample])])
        if stop is not None:
            raise stop
        overridden = chosen.overridden + tuple(override for _, override in objections if override)
        return EnrolOutcome(outcome.source, subject, outcome, chosen.id, chosen.row, overridden=overridden)

    # Asking

    def identify(self, sources: Iterable[Source], k: int = 5) -> Iterator[Identified]:
        """Search every face of every picture; a picture that cannot be read is in its outcome."""
        for outcome in self.analyzer.analyze(sources):
            yield Identified(outcome, self.identify_faces(outcome.faces, k))

    def identify_faces(self, faces: Faces, k: int = 5) -> tuple[Match, ...]:
        """One `Match` a face: the k most similar subjects, and whether the first passes the threshold.

        Raises `ModelMismatch` when the gallery holds another model's embeddings.
        """
        if not len(faces):
            return ()
        if faces.embeddings is None or faces.model is None:
            raise ConfigError("faces to identify need embeddings; use an analyzer with an embedder")
        bound = self.store.model()
        if bound is not None:
            bound.require(faces.model)
        return tuple(match(self.store, faces.embeddings, self.threshold(faces.model), self.fusion, k))

    def verify(self, probe: Source, subject: str) -> Verification:
        """Compare the face nearest the picture's centre with one subject.

        Raises the outcome's own error, `NoFaceFound`, `UnknownSubject`, or `UsageError` for a gallery whose
        threshold is one for searches (FPIR).
        """
        from lineament.analyzer import central_face

        if self._threshold is not None:
            self._threshold.require_for_pairs()
        name = self.resolve(subject)
        [outcome] = self.analyzer.analyze([probe])
        embedding = central_face(outcome).embedding
        if embedding is None:
            raise ConfigError("a face to verify needs an embedding; use an analyzer with an embedder")
        return self.verify_embedding(embedding, name)

    def verify_embedding(self, embedding: Embedding, subject: str) -> Verification:
        """Compare an embedding with one subject; a disputed face is no match however similar it is.

        Raises as `verify`.
        """
        name = self.resolve(subject)
        bound = self.store.model()
        assert bound is not None
        bound.require(embedding.model)
        threshold = self._measured(embedding.model)
        threshold.require_for_pairs()
        records = list(self.store.scan(name, fusions.KIND[self.fusion]))
        disputes = Disputes(self.store.scan(name, RecordKind.DISPUTE), threshold)
        if not records:  # erased a moment ago
            raise UnknownSubject(f"nobody is enrolled as {name!r}")
        vectors = np.stack([record.vector for record in records])
        similarity = float(similarities(vectors, embedding.vector).max())
        accepted = threshold.accepts(similarity) and not disputes.bars(embedding.vector, name, similarity)
        return Verification(similarity, Decision.MATCH if accepted else Decision.NO_MATCH, threshold)

    def subjects(self) -> list[tuple[str, int]]:
        """Each subject with its number of samples, ordered by name."""
        return self.store.subjects()

    def show(self, subject: str) -> SubjectRecords:
        """All samples and disputes of one subject; raises `UnknownSubject`."""
        name = self.resolve(subject)
        records = list(self.store.scan(name))
        return SubjectRecords(
            name,
            tuple(r for r in records if r.kind is RecordKind.SAMPLE),
            tuple(r for r in records if r.kind is RecordKind.DISPUTE),
        )

    def resolve(self, subject: str) -> str:
        """The name as stored: the same, or its other Unicode spelling; raises `UnknownSubject`."""
        return correcting.resolve(self.store, subject)

    # Correcting and erasing: each one transaction

    def remove(self, subject: str) -> int:
        """Erase a subject: name, samples, template, disputes. Returns the number of records.

        No readable copy is left in the gallery; backups made before are the caller's to erase.
        """
        with self.store.transaction():
            return self.store.remove_subject(self.resolve(subject))

    def remove_sample(self, sample: str) -> None:
        """Erase one sample, or withdraw one dispute, by id; with its last sample a subject is erased.

        Raises `UnknownSample`.
        """
        correcting.remove_sample(self.store, sample)

    def rename(self, subject: str, new: str) -> None:
        """Give a subject another name; samples, template and disputes go along.

        Raises `UnknownSubject`, `InvalidSubject`, or `SubjectExists` (see `merge`).
        """
        correcting.rename(self.store, subject, new)

    def merge(self, subject: str, *, into: str) -> int:
        """Make two subjects one, under the second's name. Returns how many disputes that settled.

        A dispute of one about a face that is a sample of the other says that they are two persons; the
        merge says they are one, so the dispute is dropped. All others stay.
        """
        return correcting.merge(self.store, subject, into)

    def dispute(self, source: Source, subject: str, *, face: int | None = None) -> Record:
        """Record that a face is not the subject; ``face`` is its row where the picture has several.

        Searches leave the subject out for this face and for those nearer to it than to the subject (see
        `lineament.gallery.disputes`). Disputing twice leaves one record. Raises `SeveralFaces`,
        `NoFaceFound`, a `PictureError`, `UnknownSubject`, or `AlreadyEnrolled` when the face is one of the
        subject's own samples, which is to be removed instead.
        """
        [outcome] = self.analyzer.analyze([source])
        chosen = choose(source, outcome, frozenset(), 0.0, face)
        embedding = chosen.embedding
        with self.store.transaction():
            name = self.resolve(subject)
            self.store.bind_model(embedding.model, len(embedding.vector))
            if any(r.subject == name for r in self.store.get([chosen.id])):
                raise AlreadyEnrolled(f"this face is sample {chosen.id} of {name!r}; remove that sample")
            for known in self.store.scan(name, RecordKind.DISPUTE):
                if known.picture == chosen.picture and np.array_equal(known.vector, embedding.vector):
                    return known
            record = Record(
                # Not made of the face: a later rename must not tie it to another subject's dispute.
                id=uuid.uuid4().hex[:24],
                subject=name,
                vector=embedding.vector,
                kind=RecordKind.DISPUTE,
                source=printable(outcome.source),
                picture=chosen.picture,
                created_at=fusions.now(),
            )
            self.store.upsert([record])
        return record

    def backup(self, path: str | Path) -> None:
        """Write a consistent copy, a ``sqlite:`` gallery, while others go on; never replaces a file."""
        self.store.backup(Path(path))

    def close(self) -> None:
        """Release the store."""
        self.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _refused(source: str, subject: str, error: LineamentError) -> EnrolOutcome:
    return EnrolOutcome(source, subject, Outcome.refused(source, error), error=error)


def _allow(name: Allow | str) -> Allow:
    try:
        return Allow(name)
    except ValueError:
        raise ConfigError(f"allow: {name!r}{did_you_mean(str(name), list(Allow))}") from None
