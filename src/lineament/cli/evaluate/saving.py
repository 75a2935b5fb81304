"""``--save``: an evaluation kept as a record that report, compare and gate read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lineament.cli.targets import Writes
from lineament.io.own_files import EVALUATION

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from lineament.scoring.paired import Counts

SaveOption = Annotated[
    Path | None,
    typer.Option("--save", metavar="FILE", help="Keep everything for evaluate report, compare and gate."),
    Writes(EVALUATION),
]


def save(
    path: Path,
    kind: str,
    title: str,
    *,
    protocol: Mapping[str, Any],
    system: Mapping[str, Any],
    answer: Mapping[str, Any],
    clusters: Mapping[str, Counts] | None = None,
    figures: Callable[[], Mapping[str, Figure]] | None = None,
) -> None:
    """Write the record, with figures where matplotlib is installed.

    A record names no pictures: of ``failures`` it keeps how many there were by type.
    """
    from collections import Counter

    from lineament.answers import plain
    from lineament.errors import MissingExtra
    from lineament.evaluation.record import EvaluationRecord
    from lineament.plots.canvas import svg

    charts = {}
    if figures is not None:
        try:
            charts = {name: svg(figure) for name, figure in figures().items()}
        except MissingExtra:
            charts = {}
    EvaluationRecord(
        kind=kind,
        title=title,
        protocol=plain(protocol),
        system=plain(system),
        answer={**plain(answer), "failures": Counter(one["type"] for one in answer.get("failures", ()))},
        clusters=clusters or {},
        charts=charts,
    ).save(path)
