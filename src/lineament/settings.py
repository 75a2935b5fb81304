"""What an analyzer and a gallery are made of, as values that travel: to workers, jobs and records.

They are made by keyword, by `lineament.config.from_toml`, or by ``from_json`` of what ``to_json`` gave.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, Protocol, Self, TypeAlias, TypeVar, get_args, runtime_checkable

from lineament import pipelines
from lineament.config import did_you_mean, from_mapping, require_whole
from lineament.embedders._mirrored import SINGLE, SUMMED
from lineament.errors import ConfigError
from lineament.io import calibration_file, inputs
from lineament.io.onnx import Precision
from lineament.pipelines import OWN, Parts
from lineament.protocols import AttributeClassifier, Detector, Embedder, Landmarker
from lineament.types import Outcome, Threshold

__all__ = ["AnalyzerSettings", "GallerySettings"]

C = TypeVar("C")

Spec: TypeAlias = str | os.PathLike[str]
Fusion = Literal["mean", "best"]

MIN_QUALITY = 0.5
"""The combined quality score below which a photo is refused; docs/howto/gallery.md says why."""


@runtime_checkable
class FaceAnalyzer(Protocol):
    """What a gallery needs of `lineament.analyzer.Analyzer`."""

    def analyze(
        self, sources: Iterable[inputs.Source | Outcome] | inputs.Source | Outcome, *, digests: bool = False
    ) -> Iterator[Outcome]:
        """One outcome a source, in order; with the digest of its pixels where asked for."""
        ...


@dataclass(frozen=True, slots=True)
class AnalyzerSettings:
    """What `lineament.analyzer.Analyzer` is made of; it explains each.

    ``detector``, ``embedder``, ``attributes`` and ``landmarks`` are specs for the registry, folders of
    finished trainings, or objects; ``"pipeline"``, and a detector of None, are those of the ``pipeline``,
    the default one unless it is named. With ``flip`` the embedder sums each face and its mirror image.

    Raises `ConfigError` for a value of the wrong kind, and `UnknownName` for no pipeline.
    """

    detector: Spec | Detector | None = None
    embedder: Spec | Embedder | None = OWN
    attributes: tuple[Spec | AttributeClassifier, ...] = ()
    quality: bool = True
    workers: int | None = None
    precision: str = "balanced"
    batch_size: int = 8
    keep_images: bool = False
    flip: bool = False
    landmarks: Spec | Landmarker | None = OWN
    pipeline: str | None = None

    def __post_init__(self) -> None:
        if self.precision not in get_args(Precision):
            hint = did_you_mean(str(self.precision), get_args(Precision))
            raise ConfigError(f"precision {self.precision!r}{hint}")
        put = object.__setattr__
        for name in ("batch_size",) if self.workers is None else ("batch_size", "workers"):
            require_whole(name, getattr(self, name))
            put(self, name, int(getattr(self, name)))
        self.parts()  # raises where no pipeline is called so
        put(self, "detector", _plain(self.detector))
        put(self, "embedder", _plain(self.embedder))
        put(self, "landmarks", _plain(self.landmarks))
        put(self, "attributes", tuple(_plain(one) for one in _each(self.attributes)))

    def changed(self, **values: Any) -> Self:
        """The same settings but for these; raises `ConfigError` for an unknown one."""
        _require_known(self, values)
        return replace(self, **values)

    def to_json(self) -> dict[str, Any]:
        """Every setting as plain text, numbers and lists.

        Raises `ConfigError` where a part was given as an object: only a name can be made anew elsewhere.
        """
        parts: list[tuple[str, object]] = [
            (name, getattr(self, name)) for name in ("detector", "embedder", "landmarks")
        ]
        for name, part in [*parts, *(("attributes", one) for one in self.attributes)]:
            if part is not None and not isinstance(part, str):
                raise _no_json(name, part, "register it (lineament.registry) and give its name")
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        return {**values, "attributes": list(self.attributes)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """The settings that `to_json` gave; raises `ConfigError` for unknown keys and ill-typed values."""
        return _read(cls, values, "analyzer settings")

    def parts(self) -> Parts:
        """The pipeline's parts but for those given."""
        return pipelines.parts(self.pipeline, self.detector, self.landmarks, self.embedder)

    def specs(self) -> tuple[str, ...]:
        """The detector's and the embedder's, where they are specs: what trainings are looked for in."""
        parts = self.parts()
        given = (parts.card.detector if parts.detector is None else parts.detector, parts.embedder)
        return tuple(part for part in given if isinstance(part, str))

    def measured(self) -> dict[str, str]:
        """What an evaluation states of the system that it measured; raises as `to_json`."""
        self.to_json()
        parts = self.parts()
        detector = parts.card.detector if parts.detector is None else parts.detector
        named = parts.of is not None and parts.of.finds_by(detector)
        told = {"pipeline": parts.of.name} if named and parts.of is not None else {}
        told |= {"detector": str(detector), "embedder": str(parts.embedder), "precision": self.precision}
        told |= {} if parts.landmarks is None else {"landmarks": str(parts.landmarks)}
        return {**told, "system": SUMMED if self.flip else SINGLE}


@dataclass(frozen=True, slots=True)
class GallerySettings:
    """What `lineament.gallery.gallery.Gallery` is made of; it explains each.

    ``store`` is a URL or a path, None for the user's own gallery, or a store; ``analyzer`` may also be an
    object that turns pictures into faces. ``threshold_file`` is what `lineament calibrate` wrote: it is
    read at once, into ``threshold``, so that the settings can travel without it.

    Raises `ConfigError` for a value of the wrong kind or out of range, and for a file that is none.
    """

    store: object = None
    analyzer: AnalyzerSettings | FaceAnalyzer = field(default_factory=AnalyzerSettings)
    threshold: Threshold | None = None
    threshold_file: Path | None = None
    target_fmr: float | None = None
    fusion: Fusion = "mean"
    min_quality: float = MIN_QUALITY
    create: bool = True

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "store", _url(self.store))
        if self.threshold_file is not None:
            if self.threshold is not None:
                raise ConfigError("give a threshold or a threshold_file, not both")
            put(self, "threshold", calibration_file.load(Path(self.threshold_file)).threshold)
            put(self, "threshold_file", None)
        _require_threshold(self.threshold, self.target_fmr)
        if self.fusion not in get_args(Fusion):
            hint = did_you_mean(str(self.fusion), get_args(Fusion))
            raise ConfigError(f"no fusion named {self.fusion!r}{hint}")
        _require_number("min_quality", self.min_quality, "from 0 to 1", lambda x: 0 <= x <= 1)
        put(self, "min_quality", float(self.min_quality))
        put(self, "target_fmr", None if self.target_fmr is None else float(self.target_fmr))

    def changed(self, **values: Any) -> Self:
        """The same settings but for these; raises `ConfigError` for an unknown one."""
        _require_known(self, values)
        return replace(self, **values)

    def to_json(self) -> dict[str, Any]:
        """Every setting as plain text, numbers, lists and tables, the threshold with its provenance.

        Raises `ConfigError` where the store, the analyzer or a part of it was given as an object.
        """
        if self.store is not None and not isinstance(self.store, str):
            raise _no_json("store", self.store, "give its URL")
        if not isinstance(self.analyzer, AnalyzerSettings):
            raise _no_json("analyzer", self.analyzer, "give AnalyzerSettings")
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        threshold = None if self.threshold is None else asdict(self.threshold)
        return {**values, "analyzer": self.analyzer.to_json(), "threshold": threshold}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """The settings that `to_json` gave; raises `ConfigError` for unknown keys and ill-typed values."""
        settings = _read(cls, values, "gallery settings")
        if not isinstance(settings.store, str | None):
            raise ConfigError(f"gallery settings: store: expected a URL, got {settings.store!r:.80}")
        return settings


def _read(cls: type[C], values: object, where: str) -> C:
    if not isinstance(values, Mapping):
        raise ConfigError(f"{where}: expected a table, got {values!r:.80}")
    return from_mapping(cls, values, where=where)


def _require_known(settings: AnalyzerSettings | GallerySettings, values: Iterable[str]) -> None:
    known = [one.name for one in fields(settings)]
    for name in values:
        if name not in known:
            raise ConfigError(f"unknown setting {name!r}{did_you_mean(name, known)}")


def _plain(part: Any) -> Any:
    """A path as text; everything else as it is."""
    return os.fsdecode(part) if isinstance(part, os.PathLike) else part


def _url(store: object) -> object:
    """A path as the URL of the SQLite file of exactly that name; everything else as it is."""
    if not isinstance(store, os.PathLike):
        return store
    path = os.fsdecode(store)
    return f"sqlite:./{path}" if path.startswith("~") else f"sqlite:{path}"


def _each(parts: Any) -> Iterable[Any]:
    one = isinstance(parts, str | os.PathLike) or not isinstance(parts, Iterable)
    return [parts] if one else parts


def _no_json(name: str, part: object, instead: str) -> ConfigError:
    return ConfigError(
        f"{name}: {part!r:.80} was given as an object, which cannot be written down; {instead}"
    )


def _require_threshold(threshold: object, target_fmr: object) -> None:
    if threshold is not None and not isinstance(threshold, Threshold):
        raise ConfigError(
            f"threshold: {threshold!r:.80} is no Threshold, and a number without the model and the data it "
            "was measured on decides nothing; give one that `lineament calibrate` wrote "
            "(lineament.io.calibration_file.load), or a false match rate: Gallery(..., target_fmr=0.0001)"
        )
    if target_fmr is not None:
        _require_number("target_fmr", target_fmr, "above 0 and below 1", lambda x: 0 < x < 1)
        if threshold is not None:
            raise ConfigError("give a threshold or a target_fmr, not both: each decides by itself")


def _require_number(name: str, value: Any, wanted: str, holds: Callable[[float], bool]) -> None:
    try:
        number = math.nan if isinstance(value, (bool, str, bytes)) else float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not holds(number):  # no comparison holds for NaN
        raise ConfigError(f"{name}: expected a number {wanted}, got {value!r:.80}")
