"""What a localizer and a detector are told."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from lineament.config import did_you_mean
from lineament.errors import ConfigError, UnknownName
from lineament.training.settings import (
    METHOD,
    WEIGHTS,
    FineTuning,
    LoopSettings,
    Method,
    Normalise,
    flag,
    require_learned,
)

YOLO = ("yolov8n", "yolov8s", "yolov8m", "yolov8l", "yolov8x")
TORCHVISION = "torchvision:"


@dataclass(frozen=True, slots=True)
class LocalizerLoop(LoopSettings):
    """The loop's settings with a localizer's defaults."""

    epochs: int = field(default=40, metadata=flag("N", "40."))
    batch_size: int = field(default=8, metadata=flag("N", "8."))
    learning_rate: float = field(default=1e-4, metadata=flag("RATE", before="seed"))
    patience: int | None = None


@dataclass(frozen=True, slots=True)
class LocalizerSettings:
    """``architecture`` is any of ``lineament.training.architectures``; ``size`` the side of its input.

    ``method``: fine-tuning, feature-extraction or scratch. ``weights``: auto takes ImageNet's except for
    the method scratch; else none, imagenet, a file, or a run folder. ``width`` is that of the layer before
    both answers. The box's loss counts ``box_weight`` times. ``augment`` are steps as of ``lineament
    dataset augment``.
    """

    architecture: str = field(default="vgg16", metadata=flag("NAME", "vgg16, mobilenet_v2, reference ..."))
    method: Method = field(default="fine-tuning", metadata=METHOD)
    weights: str = field(default="auto", metadata=WEIGHTS)
    size: int = field(default=128, metadata=flag("PIXELS", "Side of the square seen; 128."))
    normalise: Normalise = "imagenet"
    width: int = 256
    dropout: float = 0.2
    box_weight: float = 5.0
    augment: tuple[str, ...] = ("flip", "zoom:high=30", "exposure:16")
    fine_tuning: FineTuning = field(default_factory=FineTuning)
    loop: LocalizerLoop = field(default_factory=LocalizerLoop)

    def __post_init__(self) -> None:
        require_learned(self.method, self.weights, self.fine_tuning)
        if self.size < 32 or self.width < 1 or not 0 <= self.dropout < 1 or self.box_weight <= 0:
            raise ConfigError(
                "localizer: size is at least 32, width at least 1, dropout in [0, 1), box_weight above 0"
            )

    @property
    def starting_weights(self) -> str:
        """The weights that ``auto`` means."""
        if self.weights != "auto":
            return self.weights
        return "none" if self.method == "scratch" else "imagenet"


@dataclass(frozen=True, slots=True)
class DetectorLoop(LoopSettings):
    """The loop's settings with a detector's defaults."""

    epochs: int = field(default=50, metadata=flag("N", "50."))
    batch_size: int = field(default=16, metadata=flag("N"))
    optimiser: Literal["adam", "adamw", "sgd"] = "adamw"
    weight_decay: float = 5e-4
    clip_norm: float | None = 10.0
    schedule: Literal["constant", "cosine", "step"] = "cosine"
    warmup_epochs: float = 1.0
    patience: int | None = None


@dataclass(frozen=True, slots=True)
class DetectorSettings:
    """``model``: yolov8n, s, m, l, x, or ``torchvision:`` and one of ``torchvision.NAMES``.

    ``size`` is the side of the square a picture is letterboxed to, a multiple of 32. ``weights``: none,
    imagenet (backbones of torchvision), a file, or an earlier run folder. ``classes`` are taken from the
    labels unless declared; ``one_class`` takes all boxes as one. Boxes whose shorter side is below
    ``min_side`` pixels of the picture are neither learnt nor counted. ``nms`` is the IoU above which the
    worse of two boxes goes. ``augment`` are steps as of ``lineament dataset augment``. ``average_weights``
    judges and exports a running average of the weights (`lineament.training.averaging`).
    """

    model: str = field(
        default="yolov8n",
        metadata=flag("NAME", "yolov8n, s, m, l, x (AGPL), or torchvision:ssdlite_mobilenet_v2 ..."),
    )
    weights: str = field(default="none", metadata=WEIGHTS)
    size: int = field(default=640, metadata=flag("PIXELS", "Side of the square seen; 640."))
    classes: tuple[str, ...] = ()
    one_class: bool = field(default=False, metadata=flag(help="Take boxes of every class as one."))
    min_side: float = field(default=0.0, metadata=flag("PIXELS", "Leave out boxes with a shorter side."))
    nms: float = 0.5
    augment: tuple[str, ...] = ("flip", "zoom:high=50,visible=0", "exposure:16", "gamma")
    average_weights: bool = True
    loop: DetectorLoop = field(default_factory=DetectorLoop)

    def __post_init__(self) -> None:
        if self.size < 64 or self.size % 32:
            raise ConfigError(f"detector: size is {self.size}; it is a multiple of 32, at least 64")
        if not 0 < self.nms <= 1 or self.min_side < 0:
            raise ConfigError("detector: nms lies between 0 and 1, min_side is at least 0")
        if self.one_class and len(self.classes) > 1:
            raise ConfigError("detector: one_class and several classes exclude each other")
        from lineament.training.detection import torchvision

        known = (*YOLO, *(TORCHVISION + name for name in torchvision.NAMES))
        if self.model not in known:
            raise UnknownName(f"no detector named {self.model!r}{did_you_mean(self.model, known)}")

    @property
    def is_agpl(self) -> bool:
        """Whether the network comes from Ultralytics."""
        return self.model in YOLO
