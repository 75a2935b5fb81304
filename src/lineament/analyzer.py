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

from lineament import pipelines, registry
from lineament.attributes._finding import finding
from lineament.counting import quantity
from lineament.embedders._mirrored import Mirrored, mirrored
from lineament.engines.threads import Threads
from lineament.errors import ConfigError, FaceError, PictureError
from lineament.geometry.choosing import choose
from lineament.io import inputs
from lineament.io.opencv import one_thread_each
from lineament.kinds import found_by, is_face, noun
from lineament.pipelines import OWN, unnamed
from lineament.protocols import AttributeClassifier, Detector, Embedder, Landmarker
from lineament.settings import AnalyzerSettings, Spec
from lineament.steps import Picture, Steps
from lineament.types import Compared, Decision, Face, ModelId, Outcome, Threshold, Verification

Source: TypeAlias = "inputs.Source | Outcome"

_log = logging.getLogger("lineament")


class Analyzer:
    """Takes pictures through every step; one `Outcome` a picture, in the order given.

    ``pipeline`` names detector, points and embedder as one system, with an id and thresholds of its own
    (`lineament.pipelines`); parts given take the place of its own. ``detector``, ``embedder`` and
    ``attributes`` are specs for the registry (``"retry:yunet"``), folders of finished trainings, or
    objects. Without a detector, that by which the faces were cut that the ``attributes`` were trained on is
    used, and else the pipeline's; ``told`` says so, and warns of another one. ``landmarks`` names a
    landmarker, such as ``"mesh"``, that places each face's points anew before it is aligned, or takes those
    of the detector (None); unless it is given, the pipeline's goes with the pipeline's embedder, and faces
    keep no ``dense`` points. With other points or another embedder than a pipeline's the embeddings are of
    another ``model``, named after both (``sface+mean:mesh``): thresholds move with the points. The detector
    may be any.
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
        embedder: Spec | Embedder | None = OWN,
        attributes: Sequence[Spec | AttributeClassifier] | Spec | AttributeClassifier = (),
        *,
        quality: bool = True,
        workers: int | None = None,
        precision: str = "balanced",
        batch_size: int = 8,
        keep_images: bool = False,
        flip: bool = False,
        landmarks: Spec | Landmarker | None = OWN,
        pipeline: str | None = None,
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
            pipeline=pipeline,
        )
        parts = self.settings.parts()
        plain = _embedder(parts.embedder, precision)
        self.embedder: Final = Mirrored(plain) if flip and plain is not None else plain
        self.attributes: Final = tuple(
            registry.attributes.made(one, "predict") for one in self.settings.attributes
        )
        _require_distinct(self.attributes)
        found = finding(parts.detector, self.attributes, parts.card.detector)
        self.detector_spec: Final = found.detector if isinstance(found.detector, str) else None
        points = parts.landmarks
        self.landmarker: Final = None if points is None else registry.landmarkers.made(points, "refine")
        self.detector: Final = self._detector(found.detector)
        own = parts.of
        model, told = None, list(found.told)
        if plain is not None:
            name = points if isinstance(points, str) else getattr(points, "name", None)
            model = unnamed(plain.model, name) if own is None else own.model_id
            if pipeline is not None and own is not parts.card:
                told.append(f"not the pipeline {pipeline}, a part is another: embeddings are of {model}")
            elif pipeline is not None and not parts.card.finds_by(found.detector):
                told.append(
                    f"not the detector of the pipeline {pipeline}: its thresholds were measured with "
                    f"{parts.card.detector}"
                )
        self.told: Final = tuple(told)
        self._steps = Steps(
            self.detector,
            self.embedder,
            self.attributes,
            quality,
            keep_images,
            landmarker=self.landmarker,
            # A mesh of every face is much to keep and to write down for whoever did not ask for it.
            dense=self.settings.landmarks != OWN,
            model=mirrored(model) if flip and model is not None else model,
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
        """The model of the embeddings: the pipeline's id, or that of parts; None without embedder."""
        return self._steps.model

    def behind(self, detector: Detector, *, workers: int | None = None) -> Analyzer:
        """The same points and embedder for faces that ``detector`` tells, such as those of a manifest.

        The embeddings are of the same model, to be compared with those of this analyzer.
        """
        made = Analyzer(detector, self.embedder, workers=workers, landmarks=self.landmarker)
        made._steps = replace(made._steps, model=self.model, dense=self._steps.dense)
        return made

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
            threshold = pipelines.measured(self.model).threshold(target_fmr)
        if not isinstance(threshold, Threshold):
            raise ConfigError(
                f"threshold: {threshold!r:.80} is no Threshold; give one that `lineament calibrate` wrote, "
                "or a false match rate: target_fmr=0.0001"
            )
        threshold.require_for_pairs()
        pipelines.require_threshold(threshold, self.model)
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


def _embedder(spec: Spec | Embedder | None, precision: str) -> Embedder | None:
    """The embedder at the precision, where it has the choice and its spec makes none.

    Detectors stay in float32: rounding moves landmarks by pixels, and embeddings with them.
    """
    if spec is None:
        return None
    if isinstance(spec, str) and (
        "precision" in registry.embedders.settings(spec) and "precision=" not in spec
    ):
        return registry.embedders.create(spec, precision=precision)
    return registry.embedders.made(spec, "embed")


def _require_distinct(attributes: Sequence[AttributeClassifier]) -> None:
    """Raise `ConfigError` when two answer for one attribute: one of them would be lost unseen."""
    names = [name for classifier in attributes for name in classifier.names]
    for name in sorted(set(names)):
        if names.count(name) > 1:
            raise ConfigError(
                f"{name!r} is told by {quantity(names.count(name), 'model')}; give a trained one a prefix: "
                "FOLDER:prefix=my_"
            )
