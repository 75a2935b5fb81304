"""Models trained here that say something of a face: who it is, or its attributes.

They answer under the names of their heads; that of a classifier of people is ``subject``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from lineament.config import several
from lineament.errors import CardMismatch, ConfigError, NoLandmarks, UnknownName
from lineament.geometry.crop_style import CropStyle
from lineament.io import rejection
from lineament.io.inputs import found_in, pictures
from lineament.io.onnx import Precision
from lineament.io.trained import open_trained
from lineament.registry import attributes
from lineament.types import AttributeScores, Faces, Float32, Image, UInt8

NOBODY = "nobody known"
"""The answer for a face that no class is probable enough for."""

_BATCH = 32


@dataclass(frozen=True, slots=True)
class TrainedConfig:
    """``model`` is the folder of a finished training.

    ``prefix`` stands before the names of its answers, so that two models for one attribute can be used side
    by side. A face whose likeliest class is less probable than ``reject_below`` is answered by `NOBODY`;
    `MEASURED` takes the value that the run folder holds (`lineament.io.rejection`).
    """

    model: Path
    prefix: str = ""
    precision: Precision = "exact"
    reject_below: float | Literal["measured"] = 0.0

    def __post_init__(self) -> None:
        if self.reject_below != rejection.MEASURED and not 0 <= float(self.reject_below) <= 1:
            raise ConfigError("reject_below is a probability from 0 to 1, or measured")


@attributes.register("trained", TrainedConfig)
class Trained:
    """Answers of one trained network. Safe to call from several threads.

    The face is cut as its card says the training pictures were. A card that says nothing of it was trained
    on whole pictures: then an upright square about the box is cut. Raises as
    `lineament.io.trained.open_trained` does.
    """

    def __init__(self, config: TrainedConfig) -> None:
        self._model = open_trained(config.model, "classifier", "attributes", precision=config.precision)
        self.card = card = self._model.card
        if card.input.size is None:
            raise CardMismatch(f"{config.model}: its card does not say how large its pictures are")
        for head in card.heads:
            if head.kind not in ("classes", "number"):
                raise ConfigError(
                    f"{config.model}: output {head.name} is of kind {head.kind}, no attribute"
                )
        asked = config.reject_below
        self.rejection = rejection.load(config.model, card) if asked == rejection.MEASURED else None
        self.reject_below = self.rejection.below if self.rejection else float(asked)
        self._size = card.input.size
        self._style = card.crop or CropStyle(self._size)
        self.names = tuple(config.prefix + head.name for head in card.heads)

    def predict(self, images: Sequence[Image], faces: Sequence[Faces]) -> list[dict[str, AttributeScores]]:
        """The likeliest class or the number of each face, a column a head; raises `NoLandmarks`."""
        images, faces = pictures(images), found_in(faces)
        crops = [self.crop(i, f, n) for i, f in zip(images, faces, strict=True) for n in range(len(f))]
        outputs: dict[str, list[Float32]] = {head.name: [] for head in self.card.heads}
        for start in range(0, len(crops), _BATCH):
            answer = self.run(np.stack(crops[start : start + _BATCH]))
            for head in self.card.heads:
                outputs[head.name].append(answer[head.name])
        ends = np.cumsum([len(f) for f in faces])
        return [self._scores(outputs, slice(end - len(f), end)) for end, f in zip(ends, faces, strict=True)]

    def run(self, crops: UInt8) -> dict[str, Float32]:
        """Crops ``(N, S, S, 3)`` -> the network's outputs by head."""
        return self._model.run(crops)

    def crop(self, image: Image, faces: Faces, number: int) -> UInt8:
        """One face as the network takes it, uint8 ``(S, S, 3)``; raises `NoLandmarks`."""
        style = self._style
        if style.align and faces.landmarks is None:
            raise NoLandmarks(f"{self.card.name} needs landmarks: use a detector that gives them")
        points = np.zeros((5, 2), np.float32) if faces.landmarks is None else faces.landmarks[number]
        turned = 0.0 if faces.attempts is None else faces.attempts[number].rotation_deg
        try:
            transform = style.transform(faces.boxes[number], points, turned)
        except ValueError as error:
            raise NoLandmarks("all landmarks of a face coincide, so it cannot be aligned") from error
        return _resized(style.cut(image.pixels, transform), self._size)

    def _scores(self, outputs: dict[str, list[Float32]], rows: slice) -> dict[str, AttributeScores]:
        found = {}
        for name, head in zip(self.names, self.card.heads, strict=True):
            values = np.concatenate(outputs[head.name])[rows] if outputs[head.name] else None
            count = rows.stop - rows.start
            if head.kind == "number":
                numbers = [] if values is None else values.reshape(count).tolist()
                found[name] = AttributeScores(name, tuple(numbers), (), np.zeros((count, 0), np.float32))
                continue
            p = np.zeros((count, len(head.classes)), np.float32) if values is None else softmax(values)
            best = tuple(
                head.classes[row.argmax()] if row.max() >= self.reject_below else NOBODY for row in p
            )
            found[name] = AttributeScores(name, best, head.classes, p)
        return found


def open_classifiers(folders: Sequence[str], reject_below: str | None = None) -> list[Trained]:
    """Classifiers of people from their run folders, or ``FOLDER:prefix=my_``.

    ``reject_below`` is for all of them, see `TrainedConfig`. Raises `ConfigError` for anything else, saying
    what it is and how that is asked for.
    """
    return [_classifier(spec, reject_below) for spec in several(folders)]


def _classifier(spec: str, reject_below: str | None) -> Trained:
    name = spec.partition(":")[0]
    if name in attributes.names() and name != "trained":
        raise ConfigError(
            f"classifier {spec!r}: that is an attribute, give it as --attributes {spec}; "
            "a classifier is the folder of a finished `lineament train classifier`"
        )
    try:
        # By the registry, so that settings after the folder mean the same everywhere.
        more = {} if reject_below is None else {"reject_below": reject_below}
        opened = attributes.create(attributes.changed(spec, **more))
    except UnknownName:
        raise ConfigError(
            f"classifier {spec!r}: no such folder; give that of a finished `lineament train classifier`"
        ) from None
    assert isinstance(opened, Trained)
    if opened.card.job != "classifier":
        raise ConfigError(
            f"classifier {spec!r}: a model for {opened.card.job}, not for classifier; "
            f"give it as --{opened.card.job} {spec}"
        )
    return opened


def softmax(logits: Float32) -> Float32:
    """Probabilities ``(N, C)`` from logits ``(N, C)``."""
    raised = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True), np.float32)


def _resized(crop: UInt8, size: int) -> UInt8:
    """The crop as the training saw it: smaller by area averaging, larger by linear interpolation."""
    if len(crop) == size:
        return crop
    import cv2

    how = cv2.INTER_AREA if len(crop) > size else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(crop, (size, size), interpolation=how), np.uint8)
