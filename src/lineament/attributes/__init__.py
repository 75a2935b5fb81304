"""Attribute classifiers, one file each; create them with `lineament.registry.attributes`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lineament.lazily import lazily

if TYPE_CHECKING:
    from lineament.attributes.age import Age, AgeConfig
    from lineament.attributes.gender import Gender, GenderConfig
    from lineament.attributes.trained import Trained, TrainedConfig, open_classifiers

__all__ = [
    "Age",
    "AgeConfig",
    "Gender",
    "GenderConfig",
    "Trained",
    "TrainedConfig",
    "open_classifiers",
]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "lineament.attributes.age": ("Age", "AgeConfig"),
        "lineament.attributes.gender": ("Gender", "GenderConfig"),
        "lineament.attributes.trained": ("Trained", "TrainedConfig", "open_classifiers"),
    },
)
