"""Detectors trained here: a run folder's network whose answer has the shape of YOLOv8's.

That answer is ``(N, 4 + classes, anchors)``: centre x, centre y, width and height in pixels of the square
input, then a probability for each class; five landmarks may follow, as x, y or x, y, visibility, in the
order of WIDER FACE, which is ours. Neither Ultralytics nor torch is needed. A picture is seen once, whole,
at the size the network was trained for: small faces of large pictures need a larger one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lineament.counting import quantity
from lineament.errors import CardMismatch, ConfigError
from lineament.geometry.boxes import clip, nms
from lineament.geometry.letterbox import Placement, letterbox
from lineament.io.inputs import pictures
from lineament.io.trained import TrainedModel, open_trained
from lineament.kinds import CLASS, tells_class
from lineament.registry import detectors
from lineament.types import AttributeScores, Faces, Float32, Image, UInt8

DEFAULT_SCORE = 0.25
SCORE = "score"
"""Where a card's figures hold the score of the highest F1 on the validation split."""

_KEYPOINTS = {0: 0, 10: 2, 15: 3}


@dataclass(frozen=True, slots=True)
class YoloConfig:
    """``model`` is the run folder. ``score`` is the least kept: by default the one the card states, which
    gave the highest F1 on the validation split, else 0.25. ``nms`` is the IoU above which the worse of two
    boxes goes, of one class or, with ``across_classes``, of any. ``top_k`` candidates are considered.
    ``batch`` pictures run together; 1 is fastest on a CPU.
    """

    model: str = ""
    score: float | None = None
    nms: float = 0.5
    across_classes: bool = False
    top_k: int = 1000
    batch: int = 1

    def __post_init__(self) -> None:
        if self.score is not None and not 0 < self.score < 1:
            raise ConfigError("yolo: score lies between 0 and 1")
        if not 0 < self.nms <= 1 or self.top_k < 1 or self.batch < 1:
            raise ConfigError("yolo: nms lies between 0 and 1; top_k and batch are at least 1")


@detectors.register("yolo", YoloConfig)
class Yolo:
    """Finds what its network was trained for. Safe to call from several threads.

    Of a network with several classes, or one that is not of faces (`lineament.kinds`), each finding has the
    attribute ``class``, with the classes' probabilities, which need not add up to 1.
    """

    def __init__(self, config: YoloConfig | None = None, *, trained: TrainedModel | None = None) -> None:
        self.config = config or YoloConfig()
        if trained is None:
            if not self.config.model:
                raise ConfigError("yolo: name a run folder: yolo:model=FOLDER")
            trained = open_trained(Path(self.config.model), "detection")
        self._trained, card = trained, trained.card
        heads = [head for head in card.heads if head.kind == "yolo"]
        if len(heads) != 1 or card.input.size is None or not heads[0].classes:
            raise CardMismatch(f"{card.name}: its card describes no answer of YOLOv8's shape")
        self._head, self.size = heads[0].name, card.input.size
        self.classes = heads[0].classes
        stated = card.measured.get(SCORE, DEFAULT_SCORE)
        self.score = self.config.score if self.config.score is not None else float(stated)
        answer = self._answers(np.zeros((1, self.size, self.size, 3), np.uint8))
        extra = answer.shape[1] - 4 - len(self.classes) if answer.ndim == 3 else -1
        if extra not in _KEYPOINTS:
            raise CardMismatch(
                f"{card.name}: answers {answer.shape}, which does not fit "
                f"{quantity(len(self.classes), 'class')}"
            )
        self.gives_landmarks = extra > 0

    def detect(self, images: Sequence[Image]) -> list[Faces]:
        """Faces of each picture, best first; boxes end at the picture's edges."""
        images = pictures(images)
        found: list[Faces] = []
        for start in range(0, len(images), self.config.batch):
            part = images[start : start + self.config.batch]
            squares = [letterbox(image.pixels, self.size) for image in part]
            answers = self._answers(np.stack([square for square, _ in squares]))
            for image, (_, placement), answer in zip(part, squares, answers, strict=True):
                found.append(self._faces(answer, placement, image.size_wh))
        return found

    def _answers(self, squares: UInt8) -> Float32:
        return self._trained.run(squares)[self._head]

    def _faces(self, answer: Float32, placement: Placement, size_wh: tuple[int, int]) -> Faces:
        return decode(
            answer,
            self.classes,
            placement,
            size_wh,
            score=self.score,
            nms_iou=self.config.nms,
            top_k=self.config.top_k,
            across_classes=self.config.across_classes,
        )


def decode(
    answer: Float32,
    classes: Sequence[str],
    placement: Placement,
    size_wh: tuple[int, int],
    *,
    score: float,
    nms_iou: float,
    top_k: int,
    across_classes: bool = False,
) -> Faces:
    """Faces in the picture's pixels from one answer ``(4 + classes + keypoints, anchors)``.

    An anchor stands for its likeliest class.
    """
    count = len(classes)
    per_point = _KEYPOINTS[len(answer) - 4 - count]
    probabilities = answer[4 : 4 + count].T
    kind, best = probabilities.argmax(axis=1), probabilities.max(axis=1)
    rows = np.flatnonzero((best >= score) & np.isfinite(answer).all(axis=0))
    rows = rows[np.argsort(-best[rows], kind="stable")[:top_k]]
    center, half = answer[:2, rows].T, answer[2:4, rows].T / 2
    boxes = clip(placement.to_picture(np.concatenate([center - half, center + half], axis=1)), size_wh)
    whole = (boxes[:, 2:] - boxes[:, :2] > 1e-3).all(axis=1)
    boxes, rows = boxes[whole], rows[whole]
    scores = np.clip(best[rows], 0, 1)
    # Boxes of different classes are moved apart, so that one pass suppresses within each class.
    apart = 0.0 if across_classes else 2.0 * max(size_wh)
    kept = nms((boxes + (kind[rows] * apart)[:, None]).astype(np.float32), scores, nms_iou)
    boxes, rows, scores = boxes[kept], rows[kept], scores[kept]
    points = None
    if per_point:
        values = answer[4 + count :, rows].T.reshape(-1, 5, per_point)[..., :2]
        points = placement.to_picture(values)
    attributes = {}
    if tells_class(classes):
        names = tuple(classes[k] for k in kind[rows])
        attributes[CLASS] = AttributeScores(CLASS, names, tuple(classes), probabilities[rows])
    return Faces(boxes=boxes, scores=scores, landmarks=points, attributes=attributes)
