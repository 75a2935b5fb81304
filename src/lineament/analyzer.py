"""Pictures to faces: decode, detect, align, embed, attributes, quality, on every core, in order.

One task is a few pictures taken through all steps by one thread: the kernels release the interpreter lock,
so threads scale, and nothing has to be handed from process to process.
"""

from __future__ import annotations

import logging
import os
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from types import TracebackType
from typing import Any, Self, TypeAlias, get_args

import numpy as np

from lineament import registry
from lineament.attributes._finding import finding
from lineament.config import did_you_mean, require_whole
from lineament.counting import quantity
from lineament.errors import ConfigError, FaceError, NoLandmarks, PictureError, UsageError
from lineament.geometry.alignment import ARCFACE_112, similarity_transform
from lineament.geometry.choosing import choose
from lineament.geometry.crops import cut
from lineament.io import catalog, forks, images, inputs
from lineament.io.first_imports import import_first
from lineament.io.onnx import Precision, cores
from lineament.io.opencv import one_thread_each
from lineament.kinds import found_by, is_face, noun
from lineament.protocols import AttributeClassifier, Detector, Embedder
from lineament.quality.score import assess
from lineament.shown import shown
from lineament.types import (
    Compared,
    Decision,
    Face,
    Faces,
    Image,
    ModelId,
    Outcome,
    Status,
    Threshold,
    UInt8,
    Verification,
)

Source: TypeAlias = "inputs.Source | Outcome"
Spec: TypeAlias = "str | os.PathLike[str]"

_log = logging.getLogger("lineament")

_PIXELS_A_STEP = 16_000_000
"""Decoded pixels a worker holds before it goes on to detect: 48 MB, so memory stays bounded."""

_BYTES_A_CHUNK = 3 * _PIXELS_A_STEP
"""What the sources of a chunk may hold in memory before their turn comes."""


@dataclass(slots=True)
class _Picture:
    """A picture on its way through the steps."""

    source: str
    held: inputs.Held | None = None
    image: Image | None = None
    size_wh: tuple[int, int] | None = None
    scale: float = 1.0
    faces: Faces = field(default_factory=Faces.none)
    crops: UInt8 | None = None
    error: PictureError | FaceError | None = None
    given: Outcome | None = None
    digest: str | None = None

    __repr__ = shown


class Analyzer:
    """Takes pictures through every step; one `Outcome` a picture, in the order given.

    ``detector``, ``embedder`` and ``attributes`` are specs for the registry (``"retry:yunet"``), folders of
    finished trainings, or objects. Without a detector, that by which the faces were cut that the
    ``attributes`` were trained on is used, and else YuNet; ``told`` says so, and warns of another one.
    ``workers`` is the number of threads, one a core by default; ``batch_size`` how many pictures a thread
    takes at once; ``precision`` the embedder's (see `lineament.io.onnx.open_session`). At most
    ``batch_size * (workers + 2)`` outcomes wait to be read, so memory stays flat over any number of
    pictures. ``keep_images`` keeps the pixels in the outcomes. Safe to share between threads; `close` ends
    its workers. It works on in a forked child, and is pickled as its settings.
    """

    def __init__(
        self,
        detector: Spec | Detector | None = None,
        embedder: Spec | Embedder | None = "sface",
        attributes: Sequence[Spec | AttributeClassifier] | Spec | AttributeClassifier = (),
        *,
        quality: bool = True,
        workers: int | None = None,
        precision: str = "balanced",
        batch_size: int = 8,
        keep_images: bool = False,
    ) -> None:
        if precision not in get_args(Precision):
            raise ConfigError(f"precision {precision!r}{did_you_mean(str(precision), get_args(Precision))}")
        require_whole("batch_size", batch_size)
        if workers is not None:
            require_whole("workers", workers)
        self._made_of = {
            "detector": detector,
            "embedder": embedder,
            "attributes": tuple(_each(attributes)),
            "quality": quality,
            "workers": workers,
            "precision": precision,
            "batch_size": batch_size,
        }
        self.workers = workers or cores()
        self.batch_size = batch_size
        self.keep_images = keep_images
        self.quality = quality
        self.embedder = _embedder(embedder, precision)
        self.attributes = tuple(registry.attributes.made(a, "predict") for a in _each(attributes))
        _require_distinct(self.attributes)
        found = finding(detector, self.attributes)
        self.told = found.told
        self.detector_spec = (
            os.fspath(found.detector) if isinstance(found.detector, str | os.PathLike) else None
        )
        self.detector = registry.detectors.made(found.detector, "detect")
        if self.embedder or self.attributes:
            _tell_of_others(found_by(self.detector), self.detector_spec)
        if (self.embedder or self.attributes or quality) and not self.detector.gives_landmarks:
            from lineament.detectors.landmarked import landmarked

            self.detector = landmarked(self.detector)
        self._pool: ThreadPoolExecutor | None = None
        self._lock = threading.Lock()
        forks.renew_in_children(self)

    def __getstate__(self) -> dict[str, Any]:
        """The settings; networks are loaded anew where it is unpickled."""
        return {**self._made_of, "keep_images": self.keep_images}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]

    def renew_after_fork(self) -> None:
        """In a forked child: worker threads of its own, at the next call."""
        self._pool = None
        self._lock = threading.Lock()

    @property
    def model(self) -> ModelId | None:
        """The model of the embeddings, None without an embedder."""
        return self.embedder.model if self.embedder is not None else None

    def analyze(self, sources: Iterable[Source] | Source, *, digests: bool = False) -> Iterator[Outcome]:
        """One outcome a source, in order, while later ones are being worked on.

        A source is a path, the bytes of a file, a file opened with ``"rb"``, an `Image`, a PIL picture, or
        an `Outcome` (of an `ImageSource`), which is handed on; one alone is taken as that one. Whatever
        cannot be used ends as a refused outcome, also what is no picture at all; an error of the program
        itself is raised with the picture's name in its notes. With ``digests`` each outcome carries the
        SHA-256 of its pixels.
        """
        given = inputs.each(sources)
        size = self.batch_size
        if isinstance(given, Sequence):
            # A short list is cut finer: with few chunks a worker would sit idle at the end.
            size = max(1, min(size, len(given) // (4 * self.workers)))
        pool, process = self._threads(), os.getpid()
        waiting: deque[Future[list[Outcome]]] = deque()
        chunks = _chunks(given, size)
        try:
            for chunk in chunks:
                waiting.append(pool.submit(self._run, chunk, digests))
                if len(waiting) > self.workers + 1:
                    yield from _answer(waiting.popleft(), process)
            while waiting:
                yield from _answer(waiting.popleft(), process)
        finally:
            for future in waiting:
                future.cancel()

    def analyze_one(self, source: Source) -> Outcome:
        """The outcome of one picture, worked on in the calling thread."""
        return self._run([_taken(source, 0)])[0]

    def verify(
        self,
        a: Source,
        b: Source,
        *,
        face_a: int | tuple[float, float] | None = None,
        face_b: int | tuple[float, float] | None = None,
        largest: bool = False,
        target_fmr: float = 1e-3,
        threshold: Threshold | None = None,
    ) -> Verification:
        """Compare one face of each of two pictures at the card's threshold for the FMR.

        ``face_a``, ``face_b`` and ``largest`` say which face, as in `lineament.geometry.choosing.choose`;
        the answer tells how many there were, which were compared and why. A ``threshold`` measured on data
        of one's own (``lineament calibrate``) takes the card's place.

        Raises the `PictureError` of a picture that cannot be read, `NoFaceFound`, `NoSuchFace`,
        `InsufficientData` when no threshold was measured at ``target_fmr``, and `UsageError` for one for
        searches (FPIR).
        """
        if self.model is None:
            raise ConfigError("verify needs an embedder")
        if threshold is None:
            threshold = catalog.card_of(self.model).threshold(target_fmr)
        if not isinstance(threshold, Threshold):
            raise ConfigError(
                f"threshold: {threshold!r:.80} is no Threshold; give one that `lineament calibrate` wrote, "
                "or a false match rate: target_fmr=0.0001"
            )
        threshold.require_for_pairs()
        threshold.model.require(self.model)
        outcomes = list(self.analyze([a, b]))
        first, second = (
            compared(outcome, face=face, largest=largest and face is None)
            for outcome, face in zip(outcomes, (face_a, face_b), strict=True)
        )
        one, other = (
            outcome.faces.face(taken.face - 1).embedding
            for outcome, taken in zip(outcomes, (first, second), strict=True)
        )
        if one is None or other is None:
            raise ConfigError("verify needs faces with embeddings; analyse them with an embedder")
        threshold.model.require(one.model)
        similarity = one.similarity(other)
        decision = Decision.MATCH if threshold.accepts(similarity) else Decision.NO_MATCH
        return Verification(similarity, decision, threshold, first, second)

    def close(self) -> None:
        """End the worker threads; a later call starts new ones."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _threads(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._pool is None:
                import_first()
                self._pool = ThreadPoolExecutor(self.workers, "lineament")
            return self._pool

    def _run(self, chunk: Sequence[_Picture], digests: bool = False) -> list[Outcome]:
        """All steps for a few pictures; crops wait for one common call of the embedder."""
        with one_thread_each():
            return self._all_steps(chunk, digests)

    def _all_steps(self, chunk: Sequence[_Picture], digests: bool) -> list[Outcome]:
        step: list[_Picture] = []
        for picture in chunk:
            _read(picture)
            if digests and picture.image is not None:
                picture.digest = picture.image.digest()
            step.append(picture)
            if sum(p.image.pixels.size // 3 for p in step if p.image is not None) >= _PIXELS_A_STEP:
                self._find_faces(step)
                step = []
        self._find_faces(step)
        self._measure(chunk)
        return [_outcome(picture, self.keep_images) for picture in chunk]

    def _find_faces(self, pictures: Sequence[_Picture]) -> None:
        """Everything that needs the pixels; they are let go afterwards unless they are to be kept."""
        todo = [p for p in pictures if p.image is not None and p.error is None]
        self._detect(todo)
        for picture in todo:
            assert picture.image is not None
            with _naming(picture.source):
                if len(picture.faces) and (self.embedder is not None or self.quality):
                    self._align(picture, picture.image)
        for classifier in self.attributes:
            self._classify(classifier, [p for p in todo if len(p.faces) and p.error is None])
        for picture in pictures:
            if not self.keep_images:
                picture.image = None

    def _detect(self, pictures: Sequence[_Picture]) -> None:
        if not pictures:
            return
        try:
            with _naming(*(p.source for p in pictures)):
                found = self.detector.detect([p.image for p in pictures if p.image is not None])
        except (PictureError, FaceError) as error:
            if len(pictures) == 1:
                pictures[0].error = error
                return
            for picture in pictures:
                self._detect([picture])
            return
        for picture, faces in zip(pictures, found, strict=True):
            picture.faces = faces

    def _classify(self, classifier: AttributeClassifier, pictures: Sequence[_Picture]) -> None:
        if not pictures:
            return
        try:
            with _naming(*(p.source for p in pictures)):
                answers = classifier.predict(
                    [p.image for p in pictures if p.image is not None], [p.faces for p in pictures]
                )
        except FaceError as error:
            if len(pictures) == 1:
                pictures[0].error = error
                return
            for picture in pictures:
                self._classify(classifier, [picture])
            return
        for picture, answer in zip(pictures, answers, strict=True):
            columns = {**picture.faces.attributes, **answer}
            picture.faces = picture.faces.with_columns(attributes=columns)

    def _align(self, picture: _Picture, image: Image) -> None:
        if picture.faces.landmarks is None:
            picture.error = NoLandmarks("the detector gave no landmarks, so the faces cannot be aligned")
            return
        size = self.embedder.crop_size if self.embedder is not None else 112
        template = np.broadcast_to(ARCFACE_112 * (size / 112), picture.faces.landmarks.shape)
        try:
            transforms = similarity_transform(picture.faces.landmarks, template)
        except ValueError:
            picture.error = NoLandmarks("all landmarks of a face coincide, so it cannot be aligned")
            return
        picture.crops = cut(image.pixels, transforms, size)

    def _measure(self, pictures: Sequence[_Picture]) -> None:
        """Embeddings of all pictures in one call, then quality."""
        found = [p for p in pictures if p.crops is not None]
        if not found:
            return
        if self.embedder is not None:
            crops = np.concatenate([p.crops for p in found if p.crops is not None])
            with _naming(*(p.source for p in found)):
                vectors = self.embedder.embed(crops)
            lengths = np.linalg.norm(vectors, axis=1)
            units = vectors / np.maximum(lengths, np.finfo(np.float32).tiny)[:, None]
            start = 0
            for picture in found:
                rows = slice(start, start := start + len(picture.faces))
                picture.faces = picture.faces.with_columns(
                    embeddings=units[rows], embedding_lengths=lengths[rows], model=self.embedder.model
                )
        if self.quality:
            for picture in found:
                assert picture.crops is not None
                picture.faces = picture.faces.with_columns(quality=assess(picture.faces, picture.crops))


def central_face(outcome: Outcome) -> Face:
    """The face that a photo is most likely of: of its large faces the one nearest the centre.

    Raises the outcome's own error, or `NoFaceFound`.
    """
    return outcome.faces.face(compared(outcome).face - 1)


def compared(
    outcome: Outcome, *, face: int | tuple[float, float] | None = None, largest: bool = False
) -> Compared:
    """Which face of a picture to compare, and why: `lineament.geometry.choosing.choose` of its faces.

    Raises as that does, with the picture's name, and the outcome's own error.
    """
    faces = outcome.faces
    try:
        if outcome.error is not None:
            raise outcome.error
        choice = choose(faces.boxes, outcome.size_wh or (0, 0), face=face, largest=largest)
    except (PictureError, FaceError) as error:
        raise type(error)(f"{outcome.source}: {error}") from error
    x1, y1, x2, y2 = (float(value) for value in faces.boxes[choice.row])
    return Compared(outcome.source, len(faces), choice.number, (x1, y1, x2, y2), choice.reason)


def _taken(source: Any, index: int) -> _Picture:
    """The source in safe keeping, or the reason why it is none."""
    if isinstance(source, Outcome):
        return _Picture(source.source, given=source)
    picture = _Picture(inputs.name_of(source) or f"<picture {index}>")
    try:
        picture.held = inputs.hold(source, images.DEFAULT_LIMITS.max_bytes)
    except PictureError as error:
        picture.error = error
    return picture


def _read(picture: _Picture) -> None:
    if picture.held is None:
        return
    try:
        image = images.load(picture.held, name=picture.source)
    except PictureError as error:
        picture.error = error
    else:
        picture.image, picture.scale = image, image.scale
        picture.size_wh = round(image.size_wh[0] * image.scale), round(image.size_wh[1] * image.scale)
    picture.held = None


def _outcome(picture: _Picture, keep_image: bool) -> Outcome:
    if picture.given is not None:
        return picture.given
    kept = picture.image if keep_image else None
    if picture.error is not None:
        return Outcome(picture.source, Status.REFUSED, picture.size_wh, error=picture.error, image=kept)
    faces = picture.faces
    if picture.scale != 1 and len(faces):
        points = faces.landmarks
        faces = faces.with_columns(
            boxes=faces.boxes * picture.scale,
            landmarks=None if points is None else points * picture.scale,
        )
    status = Status.OK if len(faces) else Status.NO_FACE
    return Outcome(picture.source, status, picture.size_wh, faces, image=kept, digest=picture.digest)


def _answer(future: Future[list[Outcome]], process: int) -> list[Outcome]:
    if os.getpid() != process:
        raise UsageError(
            "this run of analyze was begun before the process forked, and its workers did not come along; "
            "call analyze again in the child"
        )
    return future.result()


def _chunks(sources: Iterable[Source], size: int) -> Iterator[list[_Picture]]:
    """Up to ``size`` pictures at a time, each taken over while its giver still holds it open."""
    chunk: list[_Picture] = []
    held = 0
    for index, source in enumerate(sources):
        picture = _taken(source, index)
        chunk.append(picture)
        held += picture.held.nbytes if picture.held is not None else 0
        if len(chunk) == size or held >= _BYTES_A_CHUNK:
            yield chunk
            chunk, held = [], 0
    if chunk:
        yield chunk


@contextmanager
def _naming(*sources: str) -> Iterator[None]:
    """Name the pictures in whatever goes wrong with the program itself."""
    try:
        yield
    except Exception as error:
        error.add_note(f"while analysing {', '.join(sources)}")
        raise


@cache
def _tell_of_others(kinds: tuple[str, ...], spec: str | None) -> None:
    """Warn, once for each, where what a detector finds goes on as faces and is none."""
    others = [kind for kind in kinds if not is_face(kind)]
    if others:
        _log.warning(
            "%s finds %s, not faces: what it finds is taken on as if it were the face inside, by landmarks "
            "seen there or else guessed; for recognition and attributes name a detector of faces",
            spec or "the detector",
            noun(others),
        )


def _embedder(spec: Spec | Embedder | None, precision: str) -> Embedder | None:
    """The embedder at this precision, where it has the choice and its spec makes none.

    Detectors stay in float32: rounding moves landmarks by pixels, and embeddings with them.
    """
    if spec is None:
        return None
    if not isinstance(spec, str | os.PathLike):
        return registry.embedders.made(spec, "embed")
    spec = os.fspath(spec)
    if "precision" in registry.embedders.settings(spec) and "precision=" not in spec:
        return registry.embedders.create(spec, precision=precision)
    return registry.embedders.create(spec)


def _each(attributes: Any) -> Sequence[Spec | AttributeClassifier]:
    one = isinstance(attributes, str | os.PathLike) or not isinstance(attributes, Iterable)
    return [attributes] if one else list(attributes)


def _require_distinct(attributes: Sequence[AttributeClassifier]) -> None:
    """Raise `ConfigError` when two answer for one attribute: one of them would be lost unseen."""
    names = [name for classifier in attributes for name in classifier.names]
    for name in sorted(set(names)):
        if names.count(name) > 1:
            raise ConfigError(
                f"{name!r} is told by {quantity(names.count(name), 'model')}; give a trained one a prefix: "
                "FOLDER:prefix=my_"
            )
