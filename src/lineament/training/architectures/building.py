"""Architectures by name. A family is a module with ``names()`` and ``build(name)``, named here once."""

from __future__ import annotations

from typing import Protocol

from lineament.config import did_you_mean
from lineament.errors import UnknownName
from lineament.training.architectures import iresnet, mobilefacenet, reference, torchvision_models
from lineament.training.architectures.backbone import Backbone


class Family(Protocol):
    """What a module of architectures has."""

    def names(self) -> tuple[str, ...]:
        """The names it builds."""
        ...

    def build(self, name: str) -> Backbone:
        """One of them, untrained."""
        ...


_FAMILIES: tuple[Family, ...] = (reference, mobilefacenet, iresnet, torchvision_models)


def build(name: str) -> Backbone:
    """An untrained network by name: ``reference``, one for faces, or any classifier of torchvision.

    Raises `UnknownName`. Pretrained weights come from `lineament.training.architectures.weights`.
    """
    for family in _FAMILIES:
        if name in family.names():
            return family.build(name)
    raise UnknownName(f"no architecture named {name!r}{did_you_mean(name, names())}")


def names() -> list[str]:
    """Every architecture that can be built."""
    return sorted(name for family in _FAMILIES for name in family.names())
