"""Named implementations, found lazily: a file a name, or an entry point of another package.

``detectors.create("yunet:score=0.8")`` imports ``lineament/detectors/yunet.py``, whose class registered
itself with ``@detectors.register("yunet", YuNetConfig)``. Packages outside add theirs with an entry point
in the group ``lineament.detectors`` (and so on) that points at such a class.

A model that was added under a name (`lineament.added`) is created by that name, and the folder of a
finished training is a name too: ``detectors.create("runs/det:score=0.5")`` reads the job in
its card and hands the folder as setting ``model`` to the implementation for that job.
"""

from __future__ import annotations

import dataclasses
import difflib
import importlib
import os
import pkgutil
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, Generic, TypeVar

from lineament import added
from lineament.config import did_you_mean, from_mapping
from lineament.counting import plural
from lineament.documents import read_object
from lineament.errors import ConfigError, LineamentError, UnknownName, UsageError
from lineament.protocols import AttributeClassifier, Detector, Embedder, Landmarker

__all__ = ["Registry", "attributes", "detectors", "embedders", "landmarkers"]

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
        brought = filter(self._may_be_added, added.names())
        return sorted({*self._factories, *_modules(self.package), *self._points(), *brought})

    def settings(self, spec: str) -> frozenset[str]:
        """Names of the settings that the implementation of a spec takes; raises as `create`."""
        return self._settings_of(self._chain(spec)[0].name)

    def create(self, spec: str | os.PathLike[str], **settings: Any) -> T:
        """Build one from a spec: a name or a run folder's path, and settings after a colon.

        ``name:key=value,key=value``. A name or folder among the settings is the one to wrap, and may have
        settings itself: ``retry:haar`` is ``retry:base=haar``, ``retry:yunet:score=0.8`` sets YuNet's
        score. A setting belongs to the last name before it that has one of this kind and whose settings
        were begun by a colon: ``retry:yunet,score=0.8`` sets that of ``retry``. Keyword arguments add to
        the settings of the first. A folder called like a name is given as ``./name``. Raises `UnknownName`
        or `ConfigError`.
        """
        first, *wrapped = self._chain(os.fspath(spec))
        factory, config = self._find(first.name)
        settings |= first.settings
        if wrapped:
            settings["base"] = _written(wrapped)
        return factory(from_mapping(config, settings, where=f"{self.kind} {first.name}"))

    def changed(self, spec: str, **settings: Any) -> str:
        """The spec with these settings in place of its own, for what is named first; raises as `create`."""
        chain = self._chain(spec)
        chain[0].settings |= {name: str(value) for name, value in settings.items()}
        return _written(chain)

    def innermost(self, spec: str) -> str:
        """The name or folder that a spec's wrappers are around in the end; raises as `create`."""
        return self._chain(spec)[-1].written

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

    def _chain(self, spec: str) -> list[_Named]:
        """The one named and, in turn, those it wraps, each with its own settings."""
        first, rest = self._named(spec)
        if rest.startswith(","):
            raise ConfigError(f"{spec!r}: settings follow a colon: {first.written}:{rest[1:]}")
        chain, begun, last = [first], [first], ("", first)
        rest = rest[1:]
        while rest.strip():
            key, value = _KEY.match(rest), rest.partition(",")[0].strip()
            if key is None and last[0] and _is_number(value):
                # The next number of a list: padding=0.25,0.5.
                last[1].settings[last[0]] += f",{value}"
                rest = rest.partition(",")[2]
            elif key is None and not value:
                rest = rest.partition(",")[2]
            elif key is None or key[1] == "base":
                wrapper = self._owner("base", begun, spec)
                if wrapper is not chain[-1]:
                    raise ConfigError(f"{spec!r}: {wrapper.name} wraps one {self.kind}, not several")
                named, rest = self._named(rest if key is None else rest[key.end() :])
                chain.append(named)
                if len(chain) > _MOST_NAMES:
                    raise ConfigError(f"{spec[:60]!r}...: more than {_MOST_NAMES} names within each other")
                if rest.startswith(":"):
                    begun.append(named)
                rest, last = rest[1:], ("", first)
            else:
                text, _, rest = rest[key.end() :].partition(",")
                name = key[1].replace("-", "_")
                owner = self._owner(name, begun, spec)
                if name in owner.settings:
                    raise ConfigError(f"{spec!r}: {name} is given twice to {owner.name}")
                owner.settings[name], last = text.strip(), (name, owner)
        return chain

    def _named(self, text: str) -> tuple[_Named, str]:
        """The name or run folder that a text begins with, and the rest from its colon or comma on."""
        end = _END.search(text)
        name = text[: end.start()].strip() if end else text.strip()
        rest = text[end.start() :] if end else ""
        if self._knows(name):
            return _Named(name, name), rest
        folder = added.path_of(name)
        if folder is not None and (opener := self.trained.get(_job(folder))) is not None:
            return _Named(opener, name, {"model": str(folder)}), rest
        # A path may hold colons and commas itself, so the longest is tried first.
        ends = [found.start() for found in _END.finditer(text[:_LONGEST_PATH])]
        for stop in [len(text), *reversed(ends)]:
            path = text[:stop].strip()
            if len(path) <= _LONGEST_PATH and os.path.isdir(path):  # noqa: PTH112 - no error for odd names
                return _Named(self._opener(Path(path)), path, {"model": path}), text[stop:]
        place = _SETTING.split(text, maxsplit=1)[0].strip()
        if _PATH.search(place) or (self.trained and _is_file(place)):
            raise ConfigError(self._not_there(place))
        hint = did_you_mean(name, self.names())
        raise UnknownName(
            f"no {self.kind} named {name!r}{hint}{'' if hint.endswith('?') else self._folders()}"
        )

    def _not_there(self, place: str) -> str:
        """What to say of a path that is the folder of no training."""
        names, path = self.names(), Path(place)
        if not self.trained:
            return f"no {self.kind} named {place!r}{did_you_mean(path.name, names)}"
        known = f"{plural(self.kind)} here: {', '.join(names)}{self._folders()}"
        if _is_file(place):
            within = (path.parent / added.CARD).is_file()
            told = f"; give the folder it lies in, {path.parent}" if within else ""
            if not told and "detection" in self.trained:
                told = "; `lineament models add` makes one of a detector's file"
            return f"{place} is a file{told}; {known}"
        try:
            folders = {one.name: str(one) for one in path.parent.iterdir() if one.is_dir()}
        except (OSError, ValueError):  # a parent that is not there, or a name that no file can have
            folders = {}
        near = {**{one: one for one in names}, **folders}
        alike = difflib.get_close_matches(path.name, near, n=1)
        meant = f"; did you mean {near[alike[0]]!r}?" if alike else ""
        return f"there is no folder {place}; {known}{meant}"

    def _folders(self) -> str:
        """That folders are taken besides names."""
        return ", or the folder of a finished training" if self.trained else ""

    def _owner(self, setting: str, begun: list[_Named], spec: str) -> _Named:
        """The last of those whose settings have begun that has this one."""
        known: set[str] = set()
        for named in reversed(begun):
            own = self._settings_of(named.name)
            if setting in own:
                return named
            known |= own
        names = " or ".join(named.name for named in reversed(begun))
        if setting == "base":
            raise ConfigError(
                f"{spec!r}: {names} wraps no other {self.kind}; settings are written key=value"
            )
        raise ConfigError(f"{self.kind} {names}: unknown setting {setting!r}{did_you_mean(setting, known)}")

    def _settings_of(self, name: str) -> frozenset[str]:
        _, config = self._find(name)
        return frozenset(field.name for field in dataclasses.fields(config) if field.init)

    def _opener(self, folder: Path) -> str:
        """Which implementation opens a run folder."""
        job = _job(folder)
        if job not in self.trained:
            raise ConfigError(f"{folder}: a model for {job!r:.60}, which is no {self.kind}")
        return self.trained[job]

    def _may_be_added(self, name: str) -> bool:
        folder = added.path_of(name)
        try:
            return folder is not None and _job(folder) in self.trained
        except LineamentError:  # a broken card is told to who names the model, not to everybody
            return True

    def _knows(self, name: str) -> bool:
        return name in self._factories or name in _modules(self.package) or name in self._points()

    def _points(self) -> Mapping[str, EntryPoint]:
        return _points(self.package, tuple(sys.path))

    def _find(self, name: str) -> tuple[Callable[..., T], type]:
        if name not in self._factories:
            if name in _modules(self.package):
                importlib.import_module(f"{self.package}.{name}")
            elif name in self._points():
                self._points()[name].load()
        if name not in self._factories:
            raise UnknownName(f"no {self.kind} named {name!r}{did_you_mean(name, self.names())}")
        return self._factories[name]


@lru_cache(maxsize=64)
def _points(group: str, _path: tuple[str, ...]) -> Mapping[str, EntryPoint]:
    # Reads the metadata of every installed package, which takes a tenth of a second.
    return {point.name: point for point in entry_points(group=group)}


@lru_cache(maxsize=64)
def _modules(package: str) -> frozenset[str]:
    path = importlib.import_module(package).__path__
    return frozenset(m.name for m in pkgutil.iter_modules(path) if not m.name.startswith("_"))


@dataclasses.dataclass(slots=True, eq=False)
class _Named:
    """One name or run folder of a spec, as ``written``, and its own settings as text."""

    name: str
    written: str
    settings: dict[str, str] = dataclasses.field(default_factory=dict)


_KEY = re.compile(r"\s*([A-Za-z_][\w-]*)\s*=")
_END = re.compile(r"[:,]")
_SETTING = re.compile(r"[:,]\s*[A-Za-z_][\w-]*\s*=")
_PATH = re.compile(r"[/\\]")
_LONGEST_PATH = 4096
_MOST_NAMES = 16


def _written(chain: Sequence[_Named]) -> str:
    """A spec of the first that wraps the others."""
    first, *wrapped = chain
    # What is written as a folder or an added model's name says by that which model it is.
    known = "" if first.written == first.name else "model"
    parts = [f"{key}={value}" for key, value in first.settings.items() if key != known]
    if wrapped:
        parts.append(_written(wrapped))
    return f"{first.written}:{','.join(parts)}" if parts else first.written


def _job(folder: Path) -> str:
    """What the card in a run folder says the model is for; raises `ConfigError`."""
    card = folder / added.CARD
    if not card.exists():
        raise ConfigError(added.without_card(folder))
    return str(read_object(card).get("job"))


def _is_file(name: str) -> bool:
    return len(name) <= _LONGEST_PATH and os.path.isfile(name)  # noqa: PTH113 - no error for odd names


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


detectors: Registry[Detector] = Registry(
    "detector", "lineament.detectors", {"detection": "yolo", "localizer": "localizer"}
)
landmarkers: Registry[Landmarker] = Registry("landmarker", "lineament.landmarkers")
embedders: Registry[Embedder] = Registry("embedder", "lineament.embedders", {"embedding": "trained"})
attributes: Registry[AttributeClassifier] = Registry(
    "attribute classifier", "lineament.attributes", {"classifier": "trained", "attributes": "trained"}
)
