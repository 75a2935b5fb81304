"""What a multi-task network is to answer: a head an attribute, each with classes or a number.

A row without a label, or with an empty one, teaches the other heads and is left out of this one's figures.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Literal

import numpy as np

from lineament.config import did_you_mean
from lineament.counting import quantity
from lineament.datasets import tables
from lineament.errors import ConfigError, NotEnoughSamples, UndeclaredLabel
from lineament.io.manifest import ManifestRow
from lineament.io.trained import Head
from lineament.training.attributes.settings import HeadSettings
from lineament.training.classification.classes import class_name
from lineament.training.classification.settings import SUBJECT
from lineament.training.lacking import Need, lacking
from lineament.types import Float64

_FEW = 10
"""So many different whole numbers may be the codes of classes."""

MISSING = -1
"""The class number of a row without a label; of a number it is NaN."""


@dataclass(frozen=True, slots=True)
class Attribute:
    """A head that was matched to the data.

    ``kind``, ``classes``, ``label``, ``unit`` and ``weight`` as in `HeadSettings`. Numbers are learned as
    multiples of ``scale`` from ``middle``, mean and deviation of the training rows. ``class_weights`` are
    those of the loss. ``labelled`` counts the rows with a label by split; ``median`` is that of the
    training rows' numbers.
    """

    name: str
    label: str
    kind: Literal["classes", "number"]
    classes: tuple[str, ...] = ()
    edges: tuple[float, ...] = ()
    unit: str = ""
    weight: float = 1.0
    class_weights: tuple[float, ...] = ()
    middle: float = 0.0
    scale: float = 1.0
    median: float = 0.0
    share: float = 1.0
    labelled: Mapping[str, int] = field(default_factory=dict)
    single: int = 0
    unseen: Mapping[str, int] = field(default_factory=dict)

    @property
    def head(self) -> Head:
        """What the card says of it."""
        return Head(self.name, self.kind, self.classes, self.unit)

    def target(self, row: ManifestRow) -> float | int:
        """A row's class number or number; `MISSING` or NaN without a label."""
        value = _value(row, self.label, numbers=self.kind == "number" or bool(self.edges))
        if self.kind == "number":
            return float("nan") if value is None else float(value)
        if value is None:
            return MISSING
        return self.classes.index(_class(self.edges, self.classes, row, self.label))


def resolve(
    settings: Sequence[HeadSettings], splits: Mapping[str, Sequence[ManifestRow]]
) -> tuple[Attribute, ...]:
    """Match heads to the rows by split, the first of which is trained on.

    Raises `UndeclaredLabel` when a row has a class that was not declared, or a word where numbers are;
    `NotEnoughSamples` when no row of a split has the label, there are fewer than two classes, or a declared
    one has no training row; and `ConfigError` for no heads, or two of one name.
    """
    known = _known_labels(next(iter(splits.values())))
    if not settings:
        raise ConfigError(f"name the attributes to learn: --head NAME; labels of the data: {_told(known)}")
    names = [head.name for head in settings]
    if len(set(names)) != len(names):
        raise ConfigError(f"two heads have the same name; names: {', '.join(names)}")
    return tuple(_resolve(head, splits, known) for head in settings)


def _resolve(
    asked: HeadSettings, splits: Mapping[str, Sequence[ManifestRow]], known: Counter[str]
) -> Attribute:
    label = asked.label or asked.name
    first = next(iter(splits))
    if asked.of_numbers:
        _require_numbers(asked.name, label, splits)
    rows = {
        split: [r for r in found if _value(r, label, numbers=asked.of_numbers) is not None]
        for split, found in splits.items()
    }
    for split, found in rows.items():
        if not found:
            hint = did_you_mean(label, known) if label not in known else ""
            need = Need(
                f"a label {label!r}", lambda row: _value(row, label, numbers=asked.of_numbers) is not None
            )
            raise lacking(splits, split, need, hint=f"labels of the data: {_told(known)}{hint}")
    labelled = {split: len(found) for split, found in rows.items()}
    share = labelled[first] / len(splits[first])
    common: dict[str, Any] = {
        "name": asked.name,
        "label": label,
        "unit": asked.unit,
        "weight": asked.weight,
    }
    values = [_value(row, label, numbers=asked.of_numbers) for row in rows[first]]
    kind = _kind(asked, label, values)
    if kind == "number":
        numbers = np.array(values, np.float64)
        scale = float(numbers.std())
        if not scale > 0:
            raise NotEnoughSamples(f"head {asked.name}: all training rows have the same {label}")
        return Attribute(
            **common,
            kind="number",
            middle=float(numbers.mean()),
            scale=scale,
            median=float(np.median(numbers)),
            share=share,
            labelled=labelled,
        )
    classes = asked.classes or (
        bin_names(asked.edges)
        if asked.edges
        else tuple(sorted({str(class_name_of(r, label)) for r in rows[first]}))
    )
    if len(classes) < 2:
        raise NotEnoughSamples(
            f"head {asked.name}: needs 2 classes of {label!r} or more, has {len(classes)}"
        )
    counts = {split: _count(asked, classes, label, split, found) for split, found in rows.items()}
    absent = [name for name in classes if not counts[first][name]]
    if absent:
        raise NotEnoughSamples(
            f"head {asked.name}: {quantity(len(absent), 'declared class has')} no row in the split "
            f"{first!r}, such as {absent[0]!r}"
        )
    weighted = Counter[str]()
    for row in rows[first]:
        weighted[_class(asked.edges, classes, row, label)] += row.repeats
    total = weighted.total()
    return Attribute(
        **common,
        kind="classes",
        classes=classes,
        edges=asked.edges,
        class_weights=tuple(total / (len(classes) * weighted[name]) for name in classes)
        if asked.class_weights == "balanced"
        else (1.0,) * len(classes),
        share=share,
        labelled=labelled,
        single=sum(counts[first][name] == 1 for name in classes),
        unseen={split: sum(not found[name] for name in classes) for split, found in counts.items()},
    )


def _kind(asked: HeadSettings, label: str, values: Sequence[Any]) -> Literal["classes", "number"]:
    """What a head learns: as declared, else by its labels where these leave no doubt."""
    if asked.kind is not None:
        return asked.kind
    if asked.classes or asked.edges:
        return "classes"
    if asked.unit:
        return "number"
    if any(isinstance(value, str) for value in values):
        return "classes"
    known = sorted(set(values))
    if len(known) <= 2 and all(float(value).is_integer() for value in known):
        return "classes"
    if len(known) <= _FEW and all(float(value).is_integer() for value in known):
        told = ", ".join(tables.number_text(value) for value in known)
        raise ConfigError(
            f"head {asked.name}: the labels {label!r} are {told}: classes or a number? Say "
            f"--head {asked.name}:kind=classes, or {asked.name}:kind=number"
        )
    return "number"


def bin_names(edges: Sequence[float]) -> tuple[str, ...]:
    """Names of the groups that edges make: ``0-17``-like for whole numbers, else with both ends."""
    whole = all(float(edge).is_integer() for edge in edges)
    between = [
        f"{low:g}-{high - 1:g}"
        if whole and high - 1 > low
        else f"{low:g}"
        if whole
        else f"{low:g} to {high:g}"
        for low, high in pairwise(edges)
    ]
    return (f"under {edges[0]:g}", *between, f"{edges[-1]:g} and over")


def bin_of(value: float, edges: Sequence[float]) -> int:
    """Which group a number is in: an edge belongs to the group above it."""
    return int(np.searchsorted(np.asarray(edges, np.float64), value, side="right"))


def targets(attributes: Sequence[Attribute], rows: Sequence[ManifestRow]) -> dict[str, Float64]:
    """Class numbers and numbers of rows by head, float64 ``(N,)``."""
    return {a.name: np.array([a.target(row) for row in rows], np.float64) for a in attributes}


def class_name_of(row: ManifestRow, label: str) -> str | None:
    """A row's label as the name of a class, None without one."""
    return None if _value(row, label) is None else class_name(row, label)


def _value(row: ManifestRow, label: str, *, numbers: bool = False) -> Any:
    """A row's label; with ``numbers`` a text that tells one as that, and words for "unknown" as None."""
    value = row.subject if label == SUBJECT else row.labels.get(label)
    if not isinstance(value, str):
        return value
    if not numbers:
        return value.strip() or None
    found = tables.number(value)
    return (
        None
        if found is None and tables.is_missing(value, number=True)
        else value
        if found is None
        else found
    )


def _class(edges: Sequence[float], classes: Sequence[str], row: ManifestRow, label: str) -> str:
    if edges:
        return classes[bin_of(float(_value(row, label, numbers=True)), edges)]
    return str(class_name_of(row, label)).strip()


def _count(
    asked: HeadSettings, classes: Sequence[str], label: str, split: str, rows: Sequence[ManifestRow]
) -> Counter[str]:
    found = Counter(_class(asked.edges, classes, row, label) for row in rows)
    other = sorted(set(found) - set(classes))
    if other:
        what = "declared" if asked.classes else "among the training rows"
        told = ", ".join(map(repr, other[:3])) + (" ..." if len(other) > 3 else "")
        raise UndeclaredLabel(
            f"head {asked.name}: {quantity(sum(found[name] for name in other), 'row')} of the split "
            f"{split!r} have a {label} that is not {what}: {told}"
        )
    return found


def _require_numbers(name: str, label: str, rows: Mapping[str, Sequence[ManifestRow]]) -> None:
    for split, found in rows.items():
        words = [(row, v) for row in found if isinstance(v := _value(row, label, numbers=True), str)]
        if words:
            row, word = words[0]
            more = f", and so {quantity(len(words) - 1, 'more row')}" if len(words) > 1 else ""
            raise UndeclaredLabel(
                f"head {name}: {label} is to be a number, and {row.path} (split {split!r}) has {word!r}"
                f"{more}; mend the labels, or leave out what declares a number: --head {name}"
            )


def _known_labels(rows: Sequence[ManifestRow]) -> Counter[str]:
    known = Counter(name for row in rows for name in row.labels)
    if subjects := sum(row.subject is not None for row in rows):
        known[SUBJECT] = subjects
    return known


def _told(known: Counter[str]) -> str:
    return ", ".join(f"{name} ({count})" for name, count in sorted(known.items())) or "none"
