"""What every training can be told; each trainer's settings hold these under ``loop``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lineament.errors import ConfigError


@dataclass(frozen=True, slots=True)
class LoopSettings:
    """How to go through the data.

    ``learning_rate`` is scaled by ``schedule``: constant, cosine (to 0 at the last epoch) or step (times
    0.1 after each third), after ``warmup_epochs`` of linear rise. Training ends after ``epochs``, after
    ``patience`` epochs without a better monitored figure (None: never), or once the trainer's accuracy on
    the validation split reaches ``stop_at``. ``amp`` computes in bfloat16 or float16 where that is safe.
    ``workers`` are processes that load pictures, 0 loads in this one. ``threads`` limits the processor
    threads of torch. A checkpoint is written after each epoch and every ``checkpoint_minutes``.
    """

    epochs: int = 30
    batch_size: int = 32
    seed: int = 0
    optimiser: Literal["adam", "adamw", "sgd"] = "adam"
    learning_rate: float = 1e-3
    momentum: float = 0.9
    weight_decay: float = 0.0
    clip_norm: float | None = None
    schedule: Literal["constant", "cosine", "step"] = "constant"
    warmup_epochs: float = 0.0
    patience: int | None = 5
    stop_at: float | None = None
    amp: Literal["off", "bf16", "fp16"] = "off"
    device: str = "auto"
    workers: int = 0
    threads: int | None = None
    checkpoint_minutes: float = 10.0

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch_size < 1 or self.workers < 0:
            raise ConfigError("loop: epochs and batch_size are at least 1, workers at least 0")
        if self.learning_rate <= 0 or self.weight_decay < 0 or self.warmup_epochs < 0:
            raise ConfigError("loop: learning_rate is above 0, weight_decay and warmup_epochs at least 0")
        if self.patience is not None and self.patience < 1:
            raise ConfigError("loop: patience is at least 1 epoch, or none")
