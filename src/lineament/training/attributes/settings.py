"""What a network of attributes is told: its heads, and the rest as of any transfer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from lineament.config import from_mapping
from lineament.errors import ConfigError
from lineament.training.settings import AUGMENT, SIZE, TransferSettings, flag


@dataclass(frozen=True, slots=True)
class HeadSettings:
    """One attribute.

    ``label`` is the rows' label it learns from (its name unless given; ``subject`` is the row's subject).
    ``kind`` None: what is declared decides, a unit or edges make a number, ``classes`` classes; else words
    are classes, two whole numbers are classes as well, fractions or more than ten numbers are a number, and
    between the two it must be said. ``classes`` declares the classes; without, they are those of the
    training rows. ``edges`` make classes of numbers: (18, 60) gives under 18, 18 to below 60,
    and 60 and over. ``weight`` multiplies its loss. ``class_weights`` balanced weighs the loss by the
    inverse of a class's share.
    """

    name: str
    label: str | None = None
    kind: Literal["classes", "number"] | None = None
    classes: tuple[str, ...] = ()
    edges: tuple[float, ...] = ()
    unit: str = ""
    weight: float = 1.0
    class_weights: Literal["none", "balanced"] = "none"

    def __post_init__(self) -> None:
        from lineament.io.trained import INPUT_NAME

        if not self.name or self.name == INPUT_NAME:
            raise ConfigError(f"head {self.name!r}: needs another name")
        if self.weight <= 0:
            raise ConfigError(f"head {self.name}: weight is above 0")
        if list(self.edges) != sorted(set(self.edges)):
            told = "/".join(f"{edge:g}" for edge in self.edges)
            raise ConfigError(f"head {self.name}: edges are {told}; each is above the one before")
        if len(set(self.classes)) != len(self.classes):
            raise ConfigError(f"head {self.name}: a class is named twice")
        if self.unit and (self.kind == "classes" or self.classes or self.edges):
            raise ConfigError(f"head {self.name}: classes have no unit; leave out unit={self.unit}")
        if self.kind == "number" and (self.classes or self.edges):
            raise ConfigError(f"head {self.name}: a number has neither classes nor edges")
        if self.classes and self.edges:
            raise ConfigError(f"head {self.name}: give classes or edges, not both")

    @property
    def of_numbers(self) -> bool:
        """Whether it is declared that its labels are numbers."""
        return self.kind == "number" or bool(self.unit or self.edges)


def parse(spec: str) -> HeadSettings:
    """A head from text: ``gender``, ``age:unit=years``, ``age_group:label=age,edges=18/30/60``."""
    name, _, tail = spec.partition(":")
    values: dict[str, Any] = {"name": name.strip()}
    lists = {f.name for f in fields(HeadSettings) if str(f.type).startswith("tuple")}
    for part in filter(None, tail.split(",")):
        key, equals, value = part.partition("=")
        if not equals:
            raise ConfigError(f"head {spec!r}: expected key=value after the name")
        key = key.strip()
        values[key] = value.split("/") if key in lists else value
    return from_mapping(HeadSettings, values, where=f"head {name}")


def _parsed(specs: Sequence[str]) -> list[HeadSettings]:
    return [parse(spec) for spec in specs]


@dataclass(frozen=True, slots=True)
class AttributesSettings(TransferSettings):
    """What to train, and on what, beside `TransferSettings`.

    ``heads`` are the attributes. ``labels`` is a table with labels for the rows, see
    `lineament.training.labels`.
    """

    architecture: str = field(
        default="resnet50", metadata=flag("NAME", "resnet50, mobilenet_v2, reference ...")
    )
    size: int = field(default=224, metadata=SIZE)
    augment: tuple[str, ...] = field(default=("flip",), metadata=AUGMENT)
    variants: int = 4
    heads: tuple[HeadSettings, ...] = field(
        default=(),
        metadata=flag(
            "NAME[:SETTINGS]",
            "An attribute; repeat: gender, age:unit=years, group:label=age,edges=18/30/60.",
            option="--head",
            before="config",
            repeat=True,
            read=_parsed,
        ),
    )
    labels: Path | None = field(
        default=None,
        metadata=flag("FILE", "A table: pictures, and a column an attribute.", before="config"),
    )
