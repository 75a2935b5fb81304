"""The classes of a training: the subjects of its rows, or the values of one of their labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lineament.counting import quantity
from lineament.datasets import tables
from lineament.errors import NotEnoughSamples, UndeclaredLabel
from lineament.io.manifest import ManifestRow
from lineament.training.classification.settings import SUBJECT
from lineament.training.lacking import Need, counted, lacking

_LEAVE = ": lineament dataset balance DATA --names LIST --per-subject 0 --everywhere keeps those listed"


@dataclass(frozen=True, slots=True)
class Classes:
    """``numbers`` by class name, 0..C-1; the ``rows`` of each split that have a class.

    ``unlabelled`` counts the rows left out by split. ``single`` is the number of classes with one training
    picture, ``unseen`` of those without any in a split.
    """

    label: str
    numbers: Mapping[str, int]
    rows: Mapping[str, Sequence[ManifestRow]]
    unlabelled: Mapping[str, int]
    single: int
    unseen: Mapping[str, int]

    @property
    def names(self) -> tuple[str, ...]:
        """Class names in order of their numbers."""
        return tuple(self.numbers)

    def of(self, row: ManifestRow) -> int:
        """The class number of one of the rows."""
        return ClassTarget(self.label, self.numbers)(row, None)["class"]


@dataclass(frozen=True, slots=True)
class ClassTarget:
    """A row's class number under the name ``class``; no function, so that any process can be sent it."""

    label: str
    numbers: Mapping[str, int]

    def __call__(self, row: ManifestRow, _view: object) -> dict[str, int]:
        """The target of one of the rows that have a class."""
        name = class_name(row, self.label)
        assert name is not None, "a row without a class is in no split's rows"
        return {"class": self.numbers[name]}


def class_name(row: ManifestRow, label: str) -> str | None:
    """A row's subject, or its label of that name as text; None without one."""
    value = row.subject if label == SUBJECT else row.labels.get(label)
    if value is None:
        return None
    return tables.number_text(value) if isinstance(value, (int, float)) else value


def classes_of(
    splits: Mapping[str, Sequence[ManifestRow]], label: str = SUBJECT, declared: Sequence[str] = ()
) -> Classes:
    """The classes of rows by split, the first of which is the one trained on.

    They are ``declared``, or else those of the training rows in alphabetical order. Raises
    `UndeclaredLabel` when a row has another class, and `NotEnoughSamples` when there are fewer than two,
    when a declared class has no training row, or when no row of a split has one.
    """
    first = next(iter(splits))
    kept = {name: [r for r in rows if class_name(r, label) is not None] for name, rows in splits.items()}
    counts = {name: Counter(class_name(row, label) for row in rows) for name, rows in kept.items()}
    for split, rows in kept.items():
        if not rows:
            need = Need(f"a {label!r}", lambda row: class_name(row, label) is not None)
            raise lacking(splits, split, need, hint=f"labels there: {_labels(splits[split])}")
    names = tuple(declared) or tuple(sorted(str(name) for name in counts[first]))
    if len(names) < 2:
        raise NotEnoughSamples(
            f"a classifier needs 2 classes of {label!r} or more, the split {first!r} has {len(names)} "
            f"(classes by split: {counted({split: len(found) for split, found in counts.items()})}): add "
            "another, or split again with --exact"
        )
    for split, found in counts.items():
        other = sorted(str(name) for name in set(found) - set(names))
        if other:
            what = "declared" if declared else f"in the split {first!r}"
            rows_of_other = sum(found[name] for name in other)
            raise UndeclaredLabel(
                f"{quantity(rows_of_other, 'row')} of the split {split!r} are of "
                f"{quantity(len(other), 'class')} that are not "
                f"{what}: {', '.join(map(repr, other[:3]))}{' ...' if len(other) > 3 else ''}; split again "
                f"with --exact, or leave them out{_LEAVE if label == SUBJECT else ''}"
            )
    absent = [name for name in names if not counts[first][name]]
    if absent:
        raise NotEnoughSamples(
            f"{quantity(len(absent), 'declared class has')} no row in the split {first!r}, such as "
            f"{absent[0]!r}"
        )
    return Classes(
        label=label,
        numbers={name: number for number, name in enumerate(names)},
        rows=kept,
        unlabelled={name: len(rows) - len(kept[name]) for name, rows in splits.items()},
        single=sum(counts[first][name] == 1 for name in names),
        unseen={split: sum(not found[name] for name in names) for split, found in counts.items()},
    )


def _labels(rows: Sequence[ManifestRow]) -> str:
    known = {name for row in rows for name in row.labels}
    known |= {SUBJECT} if any(row.subject is not None for row in rows) else set()
    return ", ".join(sorted(known)) or "none"
