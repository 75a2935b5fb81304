"""What a sweep is told: the grid of its trainings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from lineament.errors import ConfigError
from lineament.training.settings import flag


@dataclass(frozen=True, slots=True)
class SweepSettings:
    """The grid.

    ``architectures`` are names, each trained by every method, or ``NAME:METHOD`` for one method only.
    ``augmentations`` are none, default, or steps with ``+`` between: ``rotate:20+noise``; the word ``unit``
    among them scales pixels to 0..1 instead of normalising by ImageNet's mean and deviation. ``weights``
    are those brought along, see `brought.weights_for`; networks without begin as ``classifier`` says, from
    ImageNet's by default. ``classifier`` holds settings of every cell (see `ClassifierSettings`),
    ``by_method`` those that one method adds.
    """

    architectures: tuple[str, ...] = field(
        default=("reference:scratch", "mobilenet_v2"),
        metadata=flag("A,B", "NAME, or NAME:METHOD for one method only."),
    )
    methods: tuple[str, ...] = field(
        default=("feature-extraction", "fine-tuning"),
        metadata=flag("M,N", "scratch, feature-extraction, fine-tuning."),
    )
    augmentations: tuple[str, ...] = field(
        default=("none", "rotate:20"),
        metadata=flag(
            "X,Y",
            "none, default, or steps: rotate:20,crop+noise. The word unit changes normalise: pixels "
            "divided to 0..1, not by ImageNet's mean and deviation.",
        ),
    )
    seeds: tuple[int, ...] = field(default=(0, 1, 2), metadata=flag("0,1,2"))
    weights: tuple[str, ...] = field(
        default=(),
        metadata=flag(
            "NETWORK=FILE|DIR",
            "Weights brought along: one file a network (repeat), or a folder of them.",
            repeat=True,
        ),
    )
    baseline: Literal["sface", "none"] = field(
        default="sface", metadata=flag("sface|none", "A linear classifier on its embeddings.")
    )
    classifier: Mapping[str, Any] = field(default_factory=dict)
    by_method: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("architectures", "methods", "augmentations", "seeds"):
            given = getattr(self, name)
            if not given or len(set(given)) != len(given):
                raise ConfigError(f"sweep: {name} are one or more, each named once")
        for name in ("classifier", "by_method"):
            if not isinstance(getattr(self, name), Mapping):
                raise ConfigError(f"sweep: {name} is a table")
