"""Named implementations, found lazily: a file a name, or an entry point of another package.

``detectors.create("yunet:score=0.8")`` imports ``lineament/detectors/yunet.py``, whose class registered
itself with ``@detectors.register("yunet", YuNetConfig)``. Packages outside add theirs with an entry point
in the group ``lineament.detectors`` (and so on) that points at such a class.
"""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Any, Generic, TypeVar

from lineament.config import did_you_mean, from_mapping
from lineament.errors import ConfigError, UnknownName
from lineament.protocols import AttributeClassifier, Detector, Embedder

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])


class Registry(Generic[T]):
    """Factories of one kind by name; a factory takes one frozen config."""

    def __init__(self, kind: str, package: str) -> None:
        self.kind = kind
        self.package = package
        self._factories: dict[str, tuple[Callable[..., T], type]] = {}

    def register(self, name: str, config: type) -> Callable[[F], F]:
        """Decorate a class whose only argument is an instance of the dataclass ``config``."""

        def decorate(factory: F) -> F:
            if name in self._factories and self._factories[name][0] is not factory:
                raise ConfigError(f"{self.kind} {name!r} is registered twice")
            self._factories[name] = (factory, config)
            return factory

        return decorate

    def names(self) -> list[str]:
        """Every name that can be created, without importing the implementations."""
        found = set(self._factories)
        found |= {point.name for point in entry_points(group=self.package)}
        return sorted(found | self._own())

    def settings(self, spec: str) -> frozenset[str]:
        """Names of the settings that the implementation of a spec takes; raises `UnknownName`."""
        _, config = self._find(spec.partition(":")[0])
        return frozenset(field.name for field in dataclasses.fields(config) if field.init)

    def create(self, spec: str, **settings: Any) -> T:
        """Build one from ``name``, ``name:base`` or ``name:key=value,key=value``.

        A value without a key sets ``base``: ``retry:haar`` is ``retry:base=haar``. Keyword arguments
        add to the settings. Raises `UnknownName` or `ConfigError`.
        """
        name, _, tail = spec.partition(":")
        factory, config = self._find(name)
        for part in filter(None, tail.split(",")):
            key, equals, value = part.partition("=")
            settings[key if equals else "base"] = value if equals else key
        return factory(from_mapping(config, settings, where=f"{self.kind} {name}"))

    def _own(self) -> set[str]:
        path = importlib.import_module(self.package).__path__
        return {m.name for m in pkgutil.iter_modules(path) if not m.name.startswith("_")}

    def _find(self, name: str) -> tuple[Callable[..., T], type]:
        if name not in self._factories:
            if name in self._own():
                importlib.import_module(f"{self.package}.{name}")
            else:
                for point in entry_points(group=self.package, name=name):
                    point.load()
        if name not in self._factories:
            raise UnknownName(f"no {self.kind} named {name!r}{did_you_mean(name, self.names())}")
        return self._factories[name]


detectors: Registry[Detector] = Registry("detector", "lineament.detectors")
embedders: Registry[Embedder] = Registry("embedder", "lineament.embedders")
attributes: Registry[AttributeClassifier] = Registry("attribute classifier", "lineament.attributes")
