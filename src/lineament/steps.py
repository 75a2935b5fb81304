"""A batch of pictures through every step: decode, detect, refine, align, embed, attributes, quality."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Self, TypeVar

import numpy as np

from lineament.errors import FaceError, NoLandmarks, PictureError
from lineament.geometry.crops import cut_aligned
from lineament.io import images, inputs
from lineament.protocols import AttributeClassifier, Detector, Embedder, Landmarker
from lineament.quality.score import assess
from lineament.shown import shown
from lineament.types import Faces, Image, ModelId, Outcome, Status, UInt8

T = TypeVar("T")

_PIXELS_A_STEP = 16_000_000
"""Decoded pixels a worker holds before it goes on to detect: 48 MB, so memory stays bounded."""


@dataclass(slots=True)
class Picture:
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

    @classmethod
    def taken(cls, source: Any, index: int) -> Self:
        """The source in safe keeping, or the reason why it is none."""
        if isinstance(source, Outcome):
            return cls(source.source, given=source)
        picture = cls(inputs.name_of(source) or f"<picture {index}>")
        try:
            picture.held = inputs.hold(source, images.DEFAULT_LIMITS.max_bytes)
        except PictureError as error:
            picture.error = error
        return picture

    @property
    def nbytes(self) -> int:
        """What the source holds in memory before its turn comes."""
        return 0 if self.held is None else self.held.nbytes


@dataclass(frozen=True, slots=True, eq=False)
class Steps:
    """The stage of an engine that takes a batch of pictures through all steps.

    Crops wait for one common call of the embedder. An error of the program itself is raised with the names
    of the pictures in its notes.
    """

    detector: Detector
    embedder: Embedder | None
    attributes: tuple[AttributeClassifier, ...]
    quality: bool
    keep_images: bool
    digests: bool = False
    landmarker: Landmarker | None = None
    dense: bool = True
    model: ModelId | None = None

    def __call__(self, batch: Sequence[Picture]) -> list[Outcome]:
        """One outcome a picture."""
        step: list[Picture] = []
        for picture in batch:
            _read(picture)
            if self.digests and picture.image is not None:
                picture.digest = picture.image.digest()
            step.append(picture)
            if sum(p.image.pixels.size // 3 for p in step if p.image is not None) >= _PIXELS_A_STEP:
                self._find_faces(step)
                step = []
        self._find_faces(step)
        self._measure(batch)
        return [_outcome(picture, self.keep_images) for picture in batch]

    def _find_faces(self, pictures: Sequence[Picture]) -> None:
        """Everything that needs the pixels; they are let go afterwards unless they are to be kept."""
        todo = [p for p in pictures if p.image is not None and p.error is None]
        self._detect(todo)
        if self.landmarker is not None:
            self._refine(self.landmarker, [p for p in todo if len(p.faces) and p.error is None])
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

    def _detect(self, pictures: Sequence[Picture]) -> None:
        for picture, faces in _answered(pictures, lambda images, _: self.detector.detect(images)):
            picture.faces = faces

    def _refine(self, landmarker: Landmarker, pictures: Sequence[Picture]) -> None:
        """Better landmarks before anything looks at them."""
        for picture, faces in _answered(pictures, landmarker.refine):
            picture.faces = faces if self.dense else faces.with_columns(dense=None)

    def _classify(self, classifier: AttributeClassifier, pictures: Sequence[Picture]) -> None:
        for picture, answer in _answered(pictures, classifier.predict):
            columns = {**picture.faces.attributes, **answer}
            picture.faces = picture.faces.with_columns(attributes=columns)

    def _align(self, picture: Picture, image: Image) -> None:
        if picture.faces.landmarks is None:
            picture.error = NoLandmarks("the detector gave no landmarks, so the faces cannot be aligned")
            return
        size = self.embedder.crop_size if self.embedder is not None else 112
        try:
            picture.crops = cut_aligned(image.pixels, picture.faces.landmarks, size)
        except ValueError:
            picture.error = NoLandmarks("all landmarks of a face coincide, so it cannot be aligned")

    def _measure(self, pictures: Sequence[Picture]) -> None:
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
                    embeddings=units[rows],
                    embedding_lengths=lengths[rows],
                    model=self.model or self.embedder.model,
                )
        if self.quality:
            whose = None if self.embedder is None else self.embedder.model.name
            for picture in found:
                assert picture.crops is not None
                quality = assess(picture.faces, picture.crops, whose)
                picture.faces = picture.faces.with_columns(quality=quality)


def _answered(
    pictures: Sequence[Picture], call: Callable[[list[Image], list[Faces]], Sequence[T]]
) -> Iterator[tuple[Picture, T]]:
    """Each picture with its answer of one call for all; after a named error with that of a call of its own.

    One that is refused alone takes the error, and has no answer.
    """
    if not pictures:
        return
    try:
        with _naming(*(p.source for p in pictures)):
            answers = call([p.image for p in pictures if p.image is not None], [p.faces for p in pictures])
    except (PictureError, FaceError) as error:
        if len(pictures) == 1:
            pictures[0].error = error
            return
        for picture in pictures:
            yield from _answered([picture], call)
        return
    yield from zip(pictures, answers, strict=True)


def _read(picture: Picture) -> None:
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


def _outcome(picture: Picture, keep_image: bool) -> Outcome:
    if picture.given is not None:
        return picture.given
    kept = picture.image if keep_image else None
    if picture.error is not None:
        return Outcome(picture.source, Status.REFUSED, picture.size_wh, error=picture.error, image=kept)
    faces = picture.faces
    if picture.scale != 1 and len(faces):
        faces = faces.scaled(picture.scale)
    status = Status.OK if len(faces) else Status.NO_FACE
    return Outcome(picture.source, status, picture.size_wh, faces, image=kept, digest=picture.digest)


@contextmanager
def _naming(*sources: str) -> Iterator[None]:
    """Name the pictures in whatever goes wrong with the program itself."""
    try:
        yield
    except Exception as error:
        error.add_note(f"while analysing {', '.join(sources)}")
        raise
