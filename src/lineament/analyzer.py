"""Pictures to faces: decode, detect, refine, align, embed, attributes, quality, on every core, in order.

One task is a few pictures taken through all steps by one thread: the kernels release the interpreter lock,
so threads scale, and nothing has to be handed from process to process.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import fields, replace
from functools import cache
from types import TracebackType
from typing import Final, Self, TypeAlias

from lineament import registry
from lineament.attributes._finding import finding
from lineament.counting import quantity
from lineament.embedders._mirrored import Mirrored
from lineament.engines.threads import Threads
from lineament.errors import ConfigError, FaceError, PictureError
from lineament.geometry.choosing import choose
from lineament.io import catalog, inputs
from lineament.io.opencv import one_thread_each
from lineament.kinds import found_by, is_face, noun
from lineament.protocols import AttributeClassifier, Detector, Embedder, Landmarker
from lineament.settings import AnalyzerSettings, Spec
from lineament.steps import Picture, Steps
from lineament.types import Compared, Decision, Face, ModelId, Outcome, Threshold, Verification

Source: TypeAlias = "inputs.Source | Outcome"

_log = logging.getLogger("lineament")


class Analyzer:
    """Takes pictures through every step; one `Outcome` a picture, in the order given.

    ``detector``, ``embedder`` and ``attributes`` are specs for the registry (``"retry:yunet"``), folders of
    finished trainings, or objects. Without a detector, that by which the faces were cut that the
    ``attributes`` were trained on is used, and else YuNet; ``told`` says so, and warns of another one.
    ``landmarks`` names a landmarker, such as ``"mesh"``, that places each face's points anew before it is
    aligned; the embeddings are then of another ``model``, ``sface+mesh``: thresholds move with the points.
    ``workers`` is the number of threads, one a core by default; ``batch_size`` how many pictures a thread
    takes at once; ``precision`` the embedder's (see `lineament.io.onnx.open_session`). At most
    ``batch_size * (workers + 2)`` outcomes wait to be read, so memory stays flat over any number of
    pictures. ``keep_images`` keeps the pixels in the outcomes; with ``flip`` the embedder sums each face
    and its mirror image. Safe to share between threads; `close` ends its workers. It works on in a forked
    child, and is pickled as its ``settings``, which never change: another analyzer is made of changed ones.
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
        flip: bool = False,
        landmarks: Spec | Landmarker | None = None,
    ) -> None:
        self.settings: Final = AnalyzerSettings(
            detector,
            embedder,
            attributes,  # type: ignore[arg-type]
            quality=quality,
            workers=workers,
            precision=precision,
            batch_size=batch_size,
            keep_images=keep_images,
            flip=flip,
            landmarks=landmarks,
        )
        self.embedder: Final = _embedder(self.settings)
        self.attributes: Final = tuple(
            registry.attributes.made(one, "predict") for one in self.settings.attributes
        )
        _require_distinct(self.attributes)
        found = finding(self.settings.detector, self.attributes)
        self.told: Final = found.told
        self.detector_spec: Final = found.detector if isinstance(found.detector, str) else None
        given = self.settings.landmarks
        self.landmarker: Final = None if given is None else registry.landmarkers.made(given, "refine")
        self.detector: Final = self._detector(found.detector)
        self._steps = Steps(
            self.detector,
            self.embedder,
            self.attributes,
            quality,
            keep_images,
            landmarker=self.landmarker,
            model=self.model,
        )
        self._engine = Threads(workers, ahead=1, name="analyze")

    def _detector(self, given: Spec | Detector) -> Detector:
        detector = registry.detectors.made(given, "detect")
        if self.embedder or self.attributes:
            _tell_of_others(found_by(detector), self.detector_spec)
        wanted = self.embedder or self.attributes or self.quality or self.landmarker
        if wanted and not detector.gives_landmarks:
            from lineament.detectors.landmarked import landmarked

            return landmarked(detector)
        return detector

    @classmethod
    def from_settings(cls, settings: AnalyzerSettings) -> Self:
        """The analyzer of these settings; those of another one are its ``settings``."""
        return cls(**{one.name: getattr(settings, one.name) for one in fields(settings)})

    def __reduce__(self) -> tuple[Callable[[AnalyzerSettings], Self], tuple[AnalyzerSettings]]:
        """The settings; networks are loaded anew where it is unpickled."""
        return type(self).from_settings, (self.settings,)

    @property
    def workers(self) -> int:
        """How many threads work on pictures."""
        return self._engine.workers

    @property
    def batch_size(self) -> int:
        """How many pictures a thread takes at once."""
        return self.settings.batch_size

    @property
    def quality(self) -> bool:
        """Whether faces are given their `Quality`."""
        return self.settings.quality

    @property
    def keep_images(self) -> bool:
        """Whether outcomes keep the pixels."""
        return self.settings.keep_images

    @property
    def model(self) -> ModelId | None:
        """The model of the embeddings, named after the landmarker too; None without an embedder."""
        if self.embedder is None or self.landmarker is None:
            return self.embedder.model if self.embedder is not None else None
        given, model = self.settings.landmarks, self.embedder.model
        points = given if isinstance(given, str) else self.landmarker.name
        return ModelId(f"{model.name}+{points}", model.sha256)

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
        pictures = (Picture.taken(source, index) for index, source in enumerate(given))
        yield from self._engine.map_batches(replace(self._steps, digests=digests), pictures, size=size)

    def analyze_one(self, source: Source) -> Outcome:
        """The outcome of one picture, worked on in the calling thread."""
        with one_thread_each():
            return self._steps([Picture.taken(source, 0)])[0]

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
        self._engine.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


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


def _embedder(settings: AnalyzerSettings) -> Embedder | None:
    """The embedder at the precision, where it has the choice and its spec makes none.

    Detectors stay in float32: rounding moves landmarks by pixels, and embeddings with them.
    """
    spec = settings.embedder
    if spec is None:
        return None
    if isinstance(spec, str) and (
        "precision" in registry.embedders.settings(spec) and "precision=" not in spec
    ):
        embedder = registry.embedders.create(spec, precision=settings.precision)
    else:
        embedder = registry.embedders.made(spec, "embed")
    return Mirrored(embedder) if settings.flip else embedder


def _require_distinct(attributes: Sequence[AttributeClassifier]) -> None:
    """Raise `ConfigError` when two answer for one attribute: one of them would be lost unseen."""
    names = [name for classifier in attributes for name in classifier.names]
    for name in sorted(set(names)):
        if names.count(name) > 1:
            raise ConfigError(
                f"{name!r} is told by {quantity(names.count(name), 'model')}; give a trained one a prefix: "
                "FOLDER:prefix=my_"
            )
