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
    ``workers`` are processes that load pictures, 0 loads in this one. ``threads`` are the processor
    threads of torch, None: as many as are fastest when it begins. A checkpoint is written after each epoch
    and every ``checkpoint_minutes``.
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
        for name, least in (
            ("epochs", 1),
            ("batch_size", 1),
            ("workers", 0),
            ("threads", 1),
            ("patience", 1),
        ):
            value = getattr(self, name)
            if value is not None and value < least:
                raise ConfigError(f"loop.{name} is {value}; it is at least {least}")
        if self.learning_rate <= 0:
            raise ConfigError(f"loop.learning_rate is {self.learning_rate:g}; it is above 0")
        for name in ("weight_decay", "warmup_epochs", "momentum"):
            if getattr(self, name) < 0:
                raise ConfigError(f"loop.{name} is {getattr(self, name):g}; it is at least 0")
