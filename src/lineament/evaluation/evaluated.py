"""One evaluation, whole: what was found, of which system, on which data and by which rules."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from lineament.answers import Answer, Table, plain
from lineament.errors import MissingExtra
from lineament.evaluation.capture import Captures
from lineament.evaluation.near_copies import NearCopies, RepeatedPictures, Rows
from lineament.evaluation.record import EvaluationRecord
from lineament.scoring.paired import Counts
from lineament.shown import shown

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class PeopleReport(Answer, Protocol):
    """What a protocol on pictures of people found; most need not say the last four."""

    __slots__ = ()

    captures: Captures

    def clusters(self) -> Mapping[str, Counts]:
        """By figure, each person's errors and comparisons, under digests of the names."""
        return {}

    def rows_compared(self) -> tuple[Rows, Rows] | None:
        """The rows of ``captures`` whose mated comparisons were made; None for all there are."""
        return None

    def rules(self) -> Mapping[str, Any]:
        """What of the protocol the findings tell."""
        return {}

    def system(self) -> Mapping[str, Any]:
        """What of the system they tell."""
        return {}


@dataclass(frozen=True, slots=True, eq=False)
class Evaluated(Answer):
    """What was ``found``, told between what comes ``before`` (warnings, failures, what was left out) and
    ``after``.

    ``settings`` join the findings in JSON. ``protocol`` with the digest of the ``data`` is all that must be
    equal for two records to be compared; the digest is asked for when one is made. ``recorded`` stands in a
    record for what names pictures or people; None leaves it out. ``refused`` counts the pictures that could
    not be read.
    """

    kind: str
    title: str
    found: Answer
    protocol: Mapping[str, Any]
    system: Mapping[str, Any]
    settings: Mapping[str, Any] = field(default_factory=dict)
    data: Callable[[], str] | None = None
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    refused: int = 0
    clusters: Mapping[str, Counts] = field(default_factory=dict)
    recorded: Mapping[str, Any] = field(default_factory=dict)

    __repr__ = shown

    def to_json(self) -> dict[str, Any]:
        """The findings and how they were made."""
        return {**self.found.to_json(), **self.settings}

    def told(self) -> Iterator[str | Table]:
        """The findings, between what comes before and after."""
        yield from self.before
        yield from self.found.told()
        yield from self.after

    def figures(self) -> Mapping[str, Figure]:
        """Those of the findings."""
        return self.found.figures()

    def record(self) -> EvaluationRecord:
        """What `EvaluationRecord.save` keeps: with figures where matplotlib is installed, without names.

        Of the failures it holds how many there were of each type.
        """
        from lineament.plots.canvas import svg

        try:
            charts = {name: svg(figure) for name, figure in self.figures().items()}
        except MissingExtra:
            charts = {}
        told = {**self.to_json(), **self.recorded}
        answer = {name: value for name, value in told.items() if (name, None) not in self.recorded.items()}
        answer["failures"] = Counter(one["type"] for one in told.get("failures", ()))
        data = {} if self.data is None else {"data": self.data()}
        return EvaluationRecord(
            kind=self.kind,
            title=self.title,
            protocol=plain({**data, **self.protocol}),
            system=plain(self.system),
            answer=plain(answer),
            clusters=self.clusters,
            charts=charts,
        )


def copies_json(found: NearCopies | RepeatedPictures | None) -> dict[str, Any]:
    """The part of an answer that tells of copies of one picture; null where nobody looked for them."""
    return {"near_copies": None if found is None else found.to_json()}


def warnings(found: NearCopies | RepeatedPictures | None) -> list[str]:
    """What copies of one picture do to the figures, if there are any."""
    warning = None if found is None else found.warning()
    return [] if warning is None else [warning]
