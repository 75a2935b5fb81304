"""``--save``: an evaluation kept as a record that report, compare and gate read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from lineament.scoring.paired import Counts

SaveOption = Annotated[
    Path | None,
    typer.Option("--save", metavar="FILE", help="Keep everything for evaluate report, compare and gate."),
]


def save(
    path: Path | None,
    kind: str,
    title: str,
    *,
    protocol: Mapping[str, Any],
    system: Mapping[str, Any],
    answer: Mapping[str, Any],
    clusters: Mapping[str, Counts] | None = None,
    figures: Callable[[], Mapping[str, Figure]] | None = None,
) -> None:
    """Write the record where ``--save`` asks for it; with figures where matplotlib is installed."""
    if path is None:
        return
    from lineament.cli.output import plain
    from lineament.errors import MissingExtra
    from lineament.evaluation.record import Record
    from lineament.plots.canvas import svg

    charts = {}
    if figures is not None:
        try:
            charts = {name: svg(figure) for name, figure in figures().items()}
        except MissingExtra:
            charts = {}
    Record(
        kind=kind,
        title=title,
        protocol=plain(protocol),
        system=plain(system),
        answer=plain(answer),
        clusters=clusters or {},
        charts=charts,
    ).save(path)
