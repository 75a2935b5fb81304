"""What a classifier is told."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from lineament.errors import ConfigError
from lineament.training.settings import LoopSettings, TransferSettings, flag

SUBJECT = "subject"


@dataclass(frozen=True, slots=True)
class ClassifierSettings(TransferSettings):
    """What to train and how, beside `TransferSettings`.

    ``label`` names the label to tell apart, ``subject`` the people; ``classes`` declares its values (those
    of the training rows when empty). ``class_weights`` balanced weighs the loss by the inverse of a class's
    share. ``mixup`` is the alpha of the Beta distribution (Zhang et al. 2018), 0 is off.
    """

    architecture: str = field(
        default="mobilenet_v2", metadata=flag("NAME", "mobilenet_v2, reference, resnet18 ...")
    )
    loop: LoopSettings = field(default_factory=lambda: LoopSettings(patience=5, stop_at=0.97))
    label: str = field(
        default=SUBJECT,
        metadata=flag("NAME", "Tell the values of a label apart, not people.", before="size"),
    )
    classes: tuple[str, ...] = ()
    class_weights: Literal["none", "balanced"] = "none"
    mixup: float = 0.0
    label_smoothing: float = 0.0

    def __post_init__(self) -> None:
        TransferSettings.__post_init__(self)
        if not 0 <= self.label_smoothing < 1 or self.mixup < 0:
            raise ConfigError("label_smoothing lies from 0 to below 1, mixup is at least 0")
        if len(set(self.classes)) != len(self.classes):
            raise ConfigError("classes: one is named twice")
