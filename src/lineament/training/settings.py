"""What trainings can be told: the loop, and where a training starts from; each trainer's stand beside it.

Nothing here imports torch: the command line makes its flags of these classes, see `flag`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from lineament.errors import ConfigError

Method = Literal["scratch", "feature-extraction", "fine-tuning"]
BatchNorm = Literal["adapt", "keep"]
Normalise = Literal["imagenet", "unit"]
RANDOM = ("none", "random")
"""Words for random weights: the second for those who mean it, where such make no sense."""
FLAG = "flag"


@dataclass(frozen=True, slots=True)
class Flag:
    """How a field is given on the command line; see `flag`."""

    metavar: str | None
    help: str | None
    option: str | None
    before: str | None
    repeat: bool
    read: Callable[[Any], Any] | None


def flag(
    metavar: str | None = None,
    help: str | None = None,
    *,
    option: str | None = None,
    before: str | None = None,
    repeat: bool = False,
    read: Callable[[Any], Any] | None = None,
) -> Mapping[str, Flag]:
    """Metadata of a field that has a flag: ``--min-side`` of ``min_side`` unless ``option`` names it.

    It stands where the field stands, or ``before`` another flag. ``repeat``: it may be given several times.
    ``read`` makes the field's value of the text.
    """
    return {FLAG: Flag(metavar, help, option, before, repeat, read)}


def steps_of(text: str) -> list[str]:
    """Augmentation steps from ``--augment``: spaces between, or ``default``, or ``none``."""
    from lineament.datasets.augment.pipeline import DEFAULT

    return {"default": list(DEFAULT), "none": []}.get(text.strip(), text.split())


METHOD = flag("NAME", "scratch, feature-extraction or fine-tuning.")
WEIGHTS = flag("none|imagenet|FILE|RUN", "Weights to start from; a .pth or .safetensors file.")
SIZE = flag("PIXELS", "Input: 96, 224, 256, 299 ...")
AUGMENT = flag(
    "STEPS",
    "Of training pictures, with spaces between: 'flip rotate:20'. Or default, or none.",
    read=steps_of,
)


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

    epochs: int = field(default=30, metadata=flag("N", "At most."))
    batch_size: int = field(default=32, metadata=flag("N"))
    seed: int = field(default=0, metadata=flag(help="Another seed, other random numbers."))
    optimiser: Literal["adam", "adamw", "sgd"] = "adam"
    learning_rate: float = field(default=1e-3, metadata=flag("RATE", before="seed"))
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


@dataclass(frozen=True, slots=True)
class FineTuning:
    """How ``fine-tuning`` treats the backbone.

    The class layer learns at the loop's rate, the last stage at ``last_stage`` times it, the first at
    ``first_stage`` times it, the stages between at rates that fall evenly in their logarithm. The first
    ``frozen_stages`` do not learn at all, nor do their batch-norm statistics move. ``batch_norm``: adapt
    lets the statistics of the learning stages follow the new pictures, keep leaves them as they came
    (for batches below about 8); scale and shift of those layers learn either way.
    """

    last_stage: float = 1.0
    first_stage: float = 0.1
    frozen_stages: int = 0
    batch_norm: BatchNorm = "adapt"

    def __post_init__(self) -> None:
        if not 0 < self.first_stage <= self.last_stage:
            raise ConfigError("fine-tuning: 0 < first_stage <= last_stage")
        if self.frozen_stages < 0:
            raise ConfigError("fine-tuning: frozen_stages is at least 0")


def require_learned(method: Method, start: str, tuning: FineTuning | None = None) -> None:
    """Raise `ConfigError` where what stays as it is would be random weights that nobody asked for.

    ``start`` is what training begins with: ``none`` are random weights, and so are ``random``, asked for.
    """
    frozen = method == "fine-tuning" and tuning is not None and tuning.frozen_stages > 0
    if start == "none" and (method == "feature-extraction" or frozen):
        what = "frozen_stages keep" if frozen else "the method feature-extraction keeps"
        raise ConfigError(
            f"{what} weights as they are, and these would be random: they have learnt nothing. Train them "
            "with --method scratch, give learned ones with --weights FILE, or ask for it: --weights random"
        )


@dataclass(frozen=True, slots=True)
class TransferSettings:
    """A backbone with new layers on it: what classifiers and attributes have in common.

    ``weights``: auto takes ImageNet's except for the method scratch; else none, imagenet, a file or a run
    folder. ``size`` is the side of the network's input in pixels. ``augment`` are steps for training
    pictures; ``variants`` is how many of each the method feature-extraction keeps. ``feature_layer`` names
    a layer of the backbone that its features are taken from, place by place; what comes after is cut off
    (`lineament.training.architectures.middle`).
    """

    architecture: str = "mobilenet_v2"
    method: Method = field(default="fine-tuning", metadata=METHOD)
    weights: str = field(default="auto", metadata=WEIGHTS)
    size: int = field(default=96, metadata=SIZE)
    normalise: Normalise = "imagenet"
    augment: tuple[str, ...] = field(default=(), metadata=AUGMENT)
    variants: int = 8
    feature_layer: str = ""
    dropout: float = 0.2
    fine_tuning: FineTuning = field(default_factory=FineTuning)
    loop: LoopSettings = field(default_factory=LoopSettings)

    def __post_init__(self) -> None:
        from lineament.datasets.augment.pipeline import Pipeline

        if not 16 <= self.size <= 1024:
            raise ConfigError(f"size is {self.size}; it lies between 16 and 1024 pixels")
        if self.variants < 1:
            raise ConfigError(f"variants is {self.variants}; it is at least 1")
        require_learned(self.method, self.weights, self.fine_tuning)
        if self.method == "scratch" and self.weights not in ("auto", *RANDOM):
            raise ConfigError("the method scratch begins with random weights: leave weights out")
        if self.feature_layer and self.method == "scratch":
            raise ConfigError(
                "feature_layer: the middle of a network with random weights has learnt nothing"
            )
        if Pipeline(self.augment).normalise is not None:
            raise ConfigError("augment: normalise is a setting of its own")
        if not 0 <= self.dropout < 1:
            raise ConfigError("dropout lies from 0 to below 1")
