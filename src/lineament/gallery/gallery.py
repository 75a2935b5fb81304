"""The gallery: people, their enrolled photos, and the questions one asks of them.

Stores search; this class decides: names, refusals, fusion, thresholds, disputes. It keeps no state of its
own, so any number of processes may hold the same gallery.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from lineament.config import require_whole
from lineament.errors import (
    ConfigError,
    InsufficientData,
    UsageError,
)
from lineament.gallery import correcting, erasing, opening, pipeline
from lineament.gallery import photos as enrolling
from lineament.gallery import subjects as names
from lineament.gallery.answers import Identified, SubjectRecords
from lineament.gallery.enrolment import Allow, EnrolOutcome, choose
from lineament.gallery.erasing import Alike, Receipt, Trace
from lineament.gallery.searching import VERIFY_FMR, compare, match, measured_threshold, search_threshold
from lineament.gallery.sightings import Sighting, sighting
from lineament.io import inputs
from lineament.pipelines import require_threshold
from lineament.protocols import Ledger
from lineament.records import Record, RecordKind, SubjectCount, Where
from lineament.settings import MIN_QUALITY, AnalyzerSettings, FaceAnalyzer, Fusion, GallerySettings
from lineament.stores import between_engines
from lineament.stores.gallery_store import GalleryStore
from lineament.types import Embedding, Faces, Match, ModelId, Threshold, Verification

if TYPE_CHECKING:
    from lineament.analyzer import Analyzer, Source
    from lineament.io.manifest import Manifest

Asked = int | tuple[float, float] | None
"""A face of a photo: its number from 1, or a point in it, x, y in pixels."""


class Gallery:
    """Enrol people, verify and identify faces, correct and erase.

    ``store`` is a URL, a path, a store, or a ledger, to which an exact index is made; ``analyzer`` is made
    at the first picture unless given, and then ended by `close`. Where its settings name no pipeline it is
    of the one that the gallery belongs to, so that a gallery made before goes on as it was. The threshold
    is ``threshold``, or the one measured for ``target_fmr`` and the model, or, with neither, that at FMR
    0.001 for 1:1 and at a rate that follows the number of people for searches
    (`lineament.gallery.searching.search_threshold`). With ``create`` false a gallery that does not exist is
    a `StoreError`. A gallery that can only be read is searched; changing it is a `StoreError`.

    Raises `ConfigError` for a setting of the wrong kind, before anything is opened.
    """

    def __init__(
        self,
        store: str | os.PathLike[str] | GalleryStore | Ledger | None = None,
        analyzer: FaceAnalyzer | AnalyzerSettings | None = None,
        *,
        threshold: Threshold | None = None,
        target_fmr: float | None = None,
        fusion: Fusion = "mean",
        min_quality: float = MIN_QUALITY,
        create: bool = True,
    ) -> None:
        opening.require_analyzer(analyzer)
        self.settings: Final = GallerySettings(
            store,
            opening.settings_of(analyzer),
            threshold=threshold,
            target_fmr=target_fmr,
            fusion=fusion,
            min_quality=min_quality,
            create=create,
        )
        self._store: GalleryStore | None = opening.opened(store, create)
        self._given = None if isinstance(analyzer, AnalyzerSettings) else analyzer
        self._made: Analyzer | None = None

    @classmethod
    def from_settings(cls, settings: GallerySettings) -> Self:
        """The gallery of these settings; those of another one are its ``settings``."""
        return cls(
            settings.store,  # type: ignore[arg-type]
            settings.analyzer,
            threshold=settings.threshold,
            target_fmr=settings.target_fmr,
            fusion=settings.fusion,
            min_quality=settings.min_quality,
            create=settings.create,
        )

    def __getstate__(self) -> dict[str, Any]:
        """The settings and the place of the gallery; an analyzer of its own is made anew where needed."""
        return {**self.__dict__, "_made": None}

    @property
    def store(self) -> GalleryStore:
        """Where people are kept; raises `UsageError` once the gallery is closed."""
        if self._store is None:
            raise UsageError("this gallery is closed; open it again")
        return self._store

    @property
    def analyzer(self) -> FaceAnalyzer:
        """What turns pictures into faces; raises `UsageError` once the gallery is closed."""
        _ = self.store
        if self._given is not None:
            return self._given
        if self._made is None:
            from lineament.analyzer import Analyzer

            assert isinstance(self.settings.analyzer, AnalyzerSettings)
            held = self.store.model()
            self._made = Analyzer.from_settings(pipeline.following(self.settings.analyzer, held))
        return self._made

    @property
    def fusion(self) -> Fusion:
        """How several samples of one subject answer one probe."""
        return self.settings.fusion

    @property
    def min_quality(self) -> float:
        """The quality below which a photo is refused."""
        return self.settings.min_quality

    @property
    def target_fmr(self) -> float | None:
        """The false match rate whose threshold decides, where one was asked for."""
        return self.settings.target_fmr

    @property
    def people(self) -> int:
        """How many people are enrolled."""
        return self.store.count(Where(kinds=[RecordKind.TEMPLATE]))

    def threshold(self, model: ModelId) -> Threshold:
        """The threshold that decides searches and enrolments for embeddings of ``model``.

        Raises `InsufficientData` when none was measured at the target rate, `ModelMismatch` when it was
        measured with other weights.
        """
        if self.settings.threshold is not None:
            require_threshold(self.settings.threshold, model)
            return self.settings.threshold
        if self.target_fmr is not None:
            return self._measured(model)
        return search_threshold(model, self.people)

    def _measured(self, model: ModelId) -> Threshold:
        if self.settings.threshold is not None:
            require_threshold(self.settings.threshold, model)
            return self.settings.threshold
        return measured_threshold(model, VERIFY_FMR if self.target_fmr is None else self.target_fmr)

    # Enrolling

    def enrol(
        self,
        subject: str,
        sources: Iterable[Source] | Source,
        *,
        face: Asked = None,
        largest: bool = False,
        allow: Iterable[Allow | str] = (),
    ) -> list[EnrolOutcome]:
        """Enrol photos of one subject; one outcome a photo, each durable before the next is begun.

        Of a photo with several faces ``face`` takes one by its number, from 1, or by a point in it;
        ``largest`` the largest. Raises `InvalidSubject`, or `ConfigError` for a ``face`` that is neither;
        everything else that can be wrong with a photo is in its outcome.
        """
        names.require_valid(subject)
        photos = [(subject, source) for source in inputs.each(sources)]
        return list(self.enrol_all(photos, face=face, largest=largest, allow=allow))

    def enrol_folder(
        self, folder: str | Path, *, largest: bool = False, allow: Iterable[Allow | str] = ()
    ) -> Iterator[EnrolOutcome]:
        """Enrol a folder a person: each sub-folder's name, exactly as on disk, is the subject.

        Pictures that lie in no person's folder, and folders without pictures, have a refused outcome.
        Raises `UsageError` when ``folder`` is none.
        """
        return enrolling.of_folder(self, folder, largest, allow)

    def enrol_manifest(
        self,
        manifest: Manifest | str | os.PathLike[str],
        *,
        splits: Iterable[str] = (),
        allow: Iterable[Allow | str] = (),
    ) -> Iterator[EnrolOutcome]:
        """Enrol the rows of a manifest (or its file) under their subjects, each by its own face.

        See `lineament.gallery.manifests` for which rows and which face; ``splits`` takes those of some
        splits only. Raises `ManifestError`, `SplitError` or `UsageError` before anything is enrolled.
        """
        from lineament.gallery import manifests

        chosen = manifests.selected(manifests.opened(manifest), tuple(splits))
        yield from manifests.enrol(self, chosen, allow)

    def enrol_all(
        self,
        photos: Iterable[tuple[str, Source]] | tuple[str, Source],
        *,
        face: Asked = None,
        largest: bool = False,
        allow: Iterable[Allow | str] = (),
    ) -> Iterator[EnrolOutcome]:
        """Enrol photos with their subjects, in order; a name that is not valid refuses its photos.

        See `enrol` for ``face`` and ``largest``.
        """
        return enrolling.one_by_one(self, photos, face, largest, allow)

    # Asking

    def identify(self, sources: Iterable[Source] | Source, k: int = 5) -> Iterator[Identified]:
        """Search every face of every picture; a picture that cannot be read is in its outcome."""
        require_whole("k", k)
        # Only a disputed face has to be known again, and the digest of a large photo takes a while.
        digests = self.store.count(Where(kinds=[RecordKind.DISPUTE])) > 0
        for outcome in self.analyzer.analyze(sources, digests=digests):
            seen = None
            if outcome.digest is not None and outcome.faces.embeddings is not None:
                seen = [sighting(None, outcome, row) for row in range(len(outcome.faces))]
            yield Identified(outcome, self._identify(outcome.faces, k, seen))

    def identify_faces(self, faces: Faces, k: int = 5) -> tuple[Match, ...]:
        """One `Match` a face: the k most similar subjects, and whether the first passes the threshold.

        Raises `ModelMismatch` when the gallery holds another model's embeddings.
        """
        require_whole("k", k)
        if not isinstance(faces, Faces):
            raise ConfigError(
                f"expected the Faces of an outcome, got {type(faces).__name__}: give outcome.faces, "
                "or faces[:1] for one of them"
            )
        return self._identify(faces, k, None)

    def _identify(self, faces: Faces, k: int, seen: list[Sighting] | None) -> tuple[Match, ...]:
        if not len(faces):
            return ()
        if faces.embeddings is None or faces.model is None:
            raise ConfigError("faces to identify need embeddings; use an analyzer with an embedder")
        with self.store.snapshot():
            bound = self.store.model()
            if bound is not None:
                pipeline.require(bound, faces.model)
            threshold = self.threshold(faces.model)
            return tuple(match(self.store, faces.embeddings, threshold, self.fusion, k, seen))

    def verify(
        self, probe: Source, subject: str, *, face: Asked = None, largest: bool = False
    ) -> Verification:
        """Compare one face of a picture with one subject; ``a`` of the answer says which and why.

        Without ``face`` or ``largest`` (see `enrol`) it is the one the picture is most likely of
        (`lineament.geometry.choosing.choose`). Raises the outcome's own error, `NoFaceFound`, `NoSuchFace`,
        `UnknownSubject`, or `UsageError` for a gallery whose threshold is one for searches (FPIR).
        """
        from lineament.analyzer import compared

        if self.settings.threshold is not None:
            self.settings.threshold.require_for_pairs()
        name = self.resolve(subject)
        [outcome] = self.analyzer.analyze([probe], digests=True)
        taken = compared(outcome, face=face, largest=largest)
        embedding = outcome.faces.face(taken.face - 1).embedding
        if embedding is None:
            raise ConfigError("a face to verify needs an embedding; use an analyzer with an embedder")
        answer = self._verify(embedding, name, sighting(probe, outcome, taken.face - 1))
        return replace(answer, a=taken)

    def verify_embedding(self, embedding: Embedding, subject: str) -> Verification:
        """Compare an embedding with one subject; a disputed face is no match however similar it is.

        Raises as `verify`.
        """
        if not isinstance(embedding, Embedding):
            raise ConfigError(
                f"expected an Embedding, got {type(embedding).__name__}: give outcome.faces[0].embedding"
            )
        return self._verify(embedding, subject, None)

    def _verify(self, embedding: Embedding, subject: str, seen: Sighting | None) -> Verification:
        with self.store.snapshot():
            name = self.resolve(subject)
            bound = self.store.model()
            assert bound is not None
            pipeline.require(bound, embedding.model)
            threshold = self._measured(embedding.model)
            threshold.require_for_pairs()
            return compare(self.store, embedding.vector, name, threshold, self.fusion, seen)

    def subjects(self) -> list[SubjectCount]:
        """Each subject with its number of samples, ordered by name."""
        return self.store.subjects()

    def show(self, subject: str) -> SubjectRecords:
        """All samples and disputes of one subject; raises `UnknownSubject`."""
        with self.store.snapshot():
            name = self.resolve(subject)
            records = list(self.store.read(Where(subjects=[name])))
        return SubjectRecords(
            name,
            tuple(r for r in records if r.kind is RecordKind.SAMPLE),
            tuple(r for r in records if r.kind is RecordKind.DISPUTE),
        )

    def resolve(self, subject: str) -> str:
        """The name as stored: the same, or its other Unicode spelling; raises `UnknownSubject`."""
        return correcting.resolve(self.store, subject)

    # Correcting and erasing: each one commit

    def remove(self, subject: str, *, alike: Alike | str = Alike.DISPUTES) -> Receipt:
        """Erase a subject: name, samples, template, disputes, and what others hold of the same faces.

        Records under other names are looked at, all of them. The same face of the same photo goes, whatever
        it is kept as. What only looks alike at the threshold (that of 1:1 comparisons unless one was given)
        goes by ``alike``: ``disputes`` (a statement about a face, not a person's photo), ``all`` or
        ``list``, nothing; the receipt lists what stays. Other people's records that stay forget the file
        names that went, and the name in them. No readable copy is left in the gallery's files; backups made
        before are the caller's to erase.
        """
        return self._receipt(
            lambda wanted, threshold: correcting.remove(self.store, subject, wanted, threshold), alike
        )

    def remove_sample(self, sample: str, *, alike: Alike | str | None = None) -> Receipt:
        """Erase one sample, or withdraw one dispute, by id; with its last sample a subject is erased.

        A sample goes with what others hold of the same face of the same photo; what only looks alike is
        listed unless ``alike`` says otherwise (see `remove`). Raises `UnknownSample`.
        """
        return self._receipt(
            lambda wanted, threshold: correcting.remove_sample(
                self.store, sample, None if alike is None else wanted, threshold
            ),
            alike or Alike.LIST,
        )

    def rename(self, subject: str, new: str) -> Receipt:
        """Give a subject another name; samples, template and disputes go along.

        Where a folder bears the old name, the file names that records keep lose it. Raises
        `UnknownSubject`, `InvalidSubject`, or `SubjectExists` (see `merge`).
        """
        return self._receipt(lambda *_: correcting.rename(self.store, subject, new))

    def merge(self, subject: str, *, into: str, alike: Alike | str = Alike.LIST) -> Receipt:
        """Make two subjects one, under the second's name. The receipt tells which disputes that settled.

        A dispute of one about a face that is a sample of the other says that they are two persons; the
        merge says they are one, so the dispute is erased. One about a face that only looks like a sample of
        the other may be of a third person, and is listed unless ``alike`` says otherwise. All others stay.
        File names lose the first name as by `rename`.
        """
        return self._receipt(
            lambda wanted, threshold: correcting.merge(self.store, subject, into, wanted, threshold), alike
        )

    def _receipt(
        self,
        erase: Callable[[Alike, Threshold | None], tuple[Trace, ...]],
        alike: Alike | str | None = None,
    ) -> Receipt:
        """Erase, and say what was done and what was not looked at."""
        wanted = Alike.LIST if alike is None else erasing.choice(alike)
        threshold, unknown = self._likeness() if alike is not None else (None, ())
        return erasing.receipt(self.store, erase(wanted, threshold), threshold, unknown)

    def _likeness(self) -> tuple[Threshold | None, tuple[str, ...]]:
        """What decides which faces look alike; where nothing does, what cannot be looked at."""
        model = self.store.model()
        try:
            return None if model is None else self._measured(model), ()
        except InsufficientData as error:
            return None, (f"faces under other names that only look alike: {error}",)

    def dispute(self, source: Source, subject: str, *, face: Asked = None, largest: bool = False) -> Record:
        """Record that a face is not the subject; see `enrol` for ``face`` and ``largest``.

        Searches leave the subject out for this face and for those nearer to it than to the subject (see
        `lineament.gallery.disputes`). Disputing twice leaves one record. Raises `SeveralFaces`,
        `NoFaceFound`, `NoSuchFace`, a `PictureError`, `UnknownSubject`, or `AlreadyEnrolled` when the face
        is one of the subject's own samples, which is to be removed instead.
        """
        [outcome] = self.analyzer.analyze([source], digests=True)
        chosen = choose(source, outcome, face=face, largest=largest)
        return correcting.dispute(self.store, subject, chosen, self.threshold)

    def backup(self, to: str | os.PathLike[str]) -> None:
        """Write a consistent copy while others go on: all records, to a new gallery of any engine.

        A file, which is a ``sqlite:`` gallery then and appears whole or not at all, or the URL of a gallery
        that holds nothing yet. Raises `StoreError` where something is there already.
        """
        between_engines.backup(self.store, to)

    def close(self) -> None:
        """Release the store, and end the analyzer that this gallery made; asked again, do nothing."""
        store, self._store = self._store, None
        made, self._made = self._made, None
        if store is not None:
            store.close()
        if made is not None:
            made.close()

    def __enter__(self) -> Self:
        _ = self.store
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
