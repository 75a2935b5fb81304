"""What labels say, in few numbers: what each is called, whether it holds words or numbers, how often.

Values are told where there are few of them. Those of a label that names people or files are only counted.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from lineament.counting import quantity
from lineament.io.manifest import ManifestRow
from lineament.kinds import CLASS

_MOST_VALUES = 20
"""A label with more different words than these has no common ones worth telling."""
_TOLD = 4
_NAMING = {
    *("name", "names", "file", "filename", "image", "path", "url", "id", "uuid", "email", "mail", "phone"),
    *("person", "people", "subject", "identity", "who", "celebrity", "actor", "actress", "author", "user"),
    *(
        "username",
        "surname",
        "forename",
        "fullname",
        "firstname",
        "lastname",
        "nickname",
        "owner",
        "student",
    ),
    *("employee", "patient", "photographer", "personid", "subjectid", "identityid", "personname"),
    *("celebname", "celebrityname", "subjectname", "title", "caption", "comment", "address"),
}
_KINDS = {"class", "category", "label", "type", "kind"}


@dataclass(frozen=True, slots=True)
class LabelSummary:
    """One label: in how many ``rows``, how many ``different`` values; ``values`` only where they are told.

    ``least`` and ``greatest`` are of its numbers, where the values are not told one by one.
    """

    rows: int
    different: int
    words: bool
    numbers: bool
    values: Mapping[str, int]
    least: float | None = None
    greatest: float | None = None

    @property
    def kind(self) -> str:
        """``words``, ``numbers`` or both."""
        return " and ".join(
            name for name, there in (("words", self.words), ("numbers", self.numbers)) if there
        )

    def told(self) -> str:
        """The commonest values, or the range, in words."""
        if self.values:
            some = list(self.values.items())[:_TOLD]
            more = self.different - len(some)
            told = ", ".join(f"{value}: {count:,}" for value, count in some)
            return f"{told} and {quantity(more, 'other')}" if more else told
        different = f"{self.different:,} different"
        return different if self.words or self.least is None else f"{self.least:g} to {self.greatest:g}"

    def to_json(self) -> dict[str, Any]:
        """As an object; ``values`` are left out where they are not told."""
        found: dict[str, Any] = {"kind": self.kind, "rows": self.rows, "different": self.different}
        if self.values:
            found["values"] = dict(self.values)
        if self.least is not None:
            found |= {"least": self.least, "greatest": self.greatest}
        return found


def labels_of(rows: Iterable[ManifestRow]) -> dict[str, LabelSummary]:
    """Each label of the rows but the class of a box, by name."""
    found: dict[str, Counter[str | float]] = {}
    for row in rows:
        for name, value in row.labels.items():
            if row.box is None or name != CLASS:
                found.setdefault(name, Counter())[value] += 1
    return {name: _summary(name, values) for name, values in sorted(found.items())}


def _summary(name: str, values: Counter[str | float]) -> LabelSummary:
    numbers = [value for value in values if not isinstance(value, str)]
    words = len(numbers) < len(values)
    named = _names_somebody(name)
    few = len(values) <= (_MOST_VALUES if words else _TOLD) and not named
    span = None if few or named or not numbers else (min(numbers), max(numbers))
    return LabelSummary(
        sum(values.values()),
        len(values),
        words,
        bool(numbers),
        {_text(value): count for value, count in values.most_common()} if few else {},
        *(span or (None, None)),
    )


def _text(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:g}"


def _names_somebody(name: str) -> bool:
    words = set(re.findall(r"[a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()))
    return bool(words & _NAMING) and not words & _KINDS
