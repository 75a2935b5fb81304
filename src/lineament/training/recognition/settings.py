"""What an embedder is told, and the class centres it is trained with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from lineament.errors import ConfigError
from lineament.training.settings import WEIGHTS, FineTuning, LoopSettings, flag, require_learned


@dataclass(frozen=True, slots=True)
class CentreSettings:
    """``share`` of all centres a step, ``learning_rate`` (follows the loop's schedule), ``momentum``."""

    share: float = field(
        default=1.0,
        metadata=flag(help="Share of all class centres a step, for very many people: 0.1."),
    )
    learning_rate: float = 0.1
    momentum: float = 0.9

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise ConfigError("centres: share lies above 0 and at most at 1")
        if self.learning_rate <= 0 or not 0 <= self.momentum < 1:
            raise ConfigError("centres: learning_rate is above 0, momentum from 0 to below 1")


@dataclass(frozen=True, slots=True)
class EmbedderSettings:
    """What to train and how.

    ``weights``: none, imagenet, a file or a run folder. ``loss``: see
    `lineament.training.recognition.losses`; ``margin`` None takes the paper's. ``scale`` multiplies
    cosines before the softmax. ``sampler`` balanced makes batches of ``photos_each`` photos a subject;
    shuffled takes every photo once an epoch. ``at_least`` leaves out training subjects with fewer
    photos. ``backbone_rate`` scales the learning rate of all but the new layers; the first
    ``frozen_stages`` of the backbone do not learn at all. ``fmr`` is the false match rate at which FNMR
    on the split val picks the best epoch; None takes the lowest that val supports. ``aligned`` vouches
    for crops without a step ``extract`` that they are aligned to the ArcFace template.
    """

    architecture: str = field(
        default="mobilefacenet",
        metadata=flag("NAME", "mobilefacenet, iresnet18, -50, -100, mobilenet_v2 ..."),
    )
    weights: str = field(default="none", metadata=WEIGHTS)
    dimension: int = field(default=128, metadata=flag("N", "Length of the embedding."))
    size: int = 112
    loss: Literal["softmax", "arcface", "cosface", "adaface", "triplet"] = field(
        default="arcface",
        metadata=flag("NAME", "softmax, arcface, cosface, adaface or triplet.", before="weights"),
    )
    margin: float | None = None
    scale: float = 64.0
    centres: CentreSettings = field(default_factory=CentreSettings)
    sampler: Literal["balanced", "shuffled"] = "balanced"
    photos_each: int = 4
    at_least: int = 2
    backbone_rate: float = 1.0
    frozen_stages: int = 0
    dropout: float = 0.0
    augment: tuple[str, ...] = ("flip", "exposure:16", "contrast")
    fmr: float | None = field(
        default=None,
        metadata=flag(
            help="The false match rate at which FNMR on val picks the best epoch; default: the lowest "
            "that val supports.",
            before="centres_share",
        ),
    )
    aligned: bool = False
    loop: LoopSettings = field(default_factory=LoopSettings)

    def __post_init__(self) -> None:
        from lineament.datasets.augment.pipeline import Pipeline

        if not 32 <= self.size <= 448 or not 2 <= self.dimension <= 4096:
            raise ConfigError("size lies between 32 and 448 pixels, dimension between 2 and 4096")
        if not 0 <= self.dropout < 1 or self.backbone_rate < 0 or self.scale <= 0 or self.at_least < 1:
            raise ConfigError(
                "dropout lies from 0 to below 1, backbone_rate from 0, scale above 0, at_least from 1"
            )
        if self.frozen_stages < 0:
            raise ConfigError("frozen_stages is at least 0")
        require_learned("fine-tuning", self.weights, FineTuning(frozen_stages=self.frozen_stages))
        if self.photos_each < 1 or (self.margin is not None and self.margin < 0):
            raise ConfigError("photos_each is at least 1, margin at least 0")
        if self.loss == "triplet" and (
            self.sampler != "balanced" or self.photos_each < 2 or self.at_least < 2
        ):
            raise ConfigError(
                "triplets need two photos of a subject in a batch: sampler balanced, photos_each and "
                "at_least 2 or more"
            )
        if self.loop.batch_size < 2 * (self.photos_each if self.sampler == "balanced" else 1):
            raise ConfigError(
                f"loop.batch_size is {self.loop.batch_size}; a batch holds two subjects or more: at least "
                f"twice photos_each, {2 * self.photos_each}"
            )
        if self.fmr is not None and not 0 < self.fmr < 1:
            raise ConfigError("fmr lies between 0 and 1")
        if self.loop.stop_at is not None:
            raise ConfigError("loop.stop_at is an accuracy; an embedder is judged by FNMR: leave it out")
        if Pipeline(self.augment).normalise is not None:
            raise ConfigError("augment: the network's input is normalised anyway, leave normalise out")
