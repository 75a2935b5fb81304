"""Named implementations, found lazily: a file a name, or an entry point of another package.

``detectors.create("yunet:score=0.8")`` imports ``lineament/detectors/yunet.py``, whose class registered
itself with ``@detectors.register("yunet", YuNetConfig)``. Packages outside add theirs with an entry point
in the group ``lineament.detectors`` (and so on) that points at such a class.

The folder of a finished training is a name too: ``detectors.create("runs/det:score=0.5")`` reads the job in
its card and hands the folder as setting ``model`` to the implementation for that job.
"""

from __future__ import annotations

import dataclasses
import importlib
import json
import os
import pkgutil
from collections.abc import Callable, Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Generic, TypeVar

from lineament.config import did_you_mean, from_mapping
from lineament.errors import ConfigError, UnknownName, UsageError
from lineament.protocols import AttributeClassifier, Detector, Embedder

__all__ = ["Registry", "attributes", "detectors", "embedders"]

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])


class Registry(Generic[T]):
    """Factories of one kind by name; a factory takes one frozen config.

    ``trained`` says which name opens a run folder, by the job in its card.
    """

    def __init__(self, kind: str, package: str, trained: Mapping[str, str] | None = None) -> None:
        self.kind = kind
        self.package = package
        self.trained = dict(trained or {})
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
        _, config = self._find(self._parts(spec)[0])
        return frozenset(field.name for field in dataclasses.fields(config) if field.init)

    def create(self, spec: str | os.PathLike[str], **settings: Any) -> T:
        """Build one from ``name``, ``name:base``, ``name:key=value,key=value``, or a run folder's path.

        A value without a key sets ``base``: ``retry:haar`` is ``retry:base=haar``. Keyword arguments
        add to the settings. A folder called like a name is given as ``./name``. Raises `UnknownName` or
        `ConfigError`.
        """
        name, tail, folder = self._parts(os.fspath(spec))
        if folder is not None:
            settings["model"] = folder
        factory, config = self._find(name)
        for part in filter(None, tail.split(",")):
            key, equals, value = part.partition("=")
            settings[key if equals else "base"] = value if equals else key
        return factory(from_mapping(config, settings, where=f"{self.kind} {name}"))

    def made(self, given: Any, method: str) -> T:
        """What a caller gave for a part: a name or run folder to `create`, or the object itself.

        Raises `UsageError` for an object that has no ``method``.
        """
        if isinstance(given, str | os.PathLike):
            return self.create(given)
        if isinstance(given, type) or not callable(getattr(given, method, None)):
            what = f"the class {given.__name__}" if isinstance(given, type) else f"{given!r}"
            raise UsageError(
                f"{self.kind}: give a name such as {self.names()[0]!r}, the folder of a finished training "
                f"or an object with {method}(), not {what}"
            )
        made: T = given
        return made

    def _parts(self, spec: str) -> tuple[str, str, str | None]:
        """Name, text of the settings, and the run folder if the spec names one."""
        name, _, tail = spec.partition(":")
        # A path may hold colons itself, so the whole spec is tried first.
        for path, rest in ((spec, ""), (spec.rpartition(":")[0], spec.rpartition(":")[2])):
            if path and Path(path).is_dir() and name not in self.names():
                return self._opener(Path(path)), rest, path
        return name, tail, None

    def _opener(self, folder: Path) -> str:
        """Which implementation opens a run folder."""
        card = folder / "card.json"
        try:
            values = json.loads(card.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise ConfigError(f"{folder}: no card.json; is it the folder of a finished training?") from None
        except (OSError, ValueError) as error:
            raise ConfigError(f"{card}: {error}") from error
        job = values.get("job") if isinstance(values, dict) else None
        if not isinstance(job, str) or job not in self.trained:
            raise ConfigError(f"{folder}: a model for {job}, which is no {self.kind}")
        return self.trained[job]

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


detectors: Registry[Detector] = Registry(
    "detector", "lineament.detectors", {"detection": "yolo", "localizer": "localizer"}
)
embedders: Registry[Embedder] = Registry("embedder", "lineament.embedders", {"embedding": "trained"})
attributes: Registry[AttributeClassifier] = Registry(
    "attribute classifier", "lineament.attributes", {"classifier": "trained", "attributes": "trained"}
)
