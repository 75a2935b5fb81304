"""Evaluations as one HTML page that needs nothing else: tables, figures, protocol, models, environment."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lineament.errors import UnknownName
from lineament.evaluation.compare import ComparedFigure
from lineament.evaluation.record import EvaluationRecord, flat
from lineament.io import catalog, pages

_WARNINGS = ("thresholds_chosen_on", "note", "warning")


def render(
    records: Sequence[EvaluationRecord],
    compared: Sequence[ComparedFigure] = (),
    *,
    title: str = "Evaluation",
) -> str:
    """The page of some records; ``compared`` are differences to show first."""
    values = {"title": title, "records": list(map(_section, records)), "compared": list(compared)}
    return pages.page("lineament.evaluation", "page.html.j2", values)


def _section(record: EvaluationRecord) -> dict[str, Any]:
    answer = record.answer
    return {
        "title": record.title,
        "kind": record.kind,
        "warnings": sorted(set(_texts(answer, _WARNINGS))),
        "figures": list(record.figures.values()),
        "unsupported": dict(_unsupported(answer)),
        "counts": dict(_counts(answer)),
        "spreads": {
            name: one for name, one in answer.items() if isinstance(one, Mapping) and "worst" in one
        },
        "failures": answer.get("failures", {}),
        "protocol": _stated(record.protocol),
        "system": _stated(record.system),
        "cards": list(_cards(record)),
        "environment": _stated(record.environment),
        "charts": {
            name: "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()
            for name, svg in record.charts.items()
        },
    }


def _counts(answer: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    """Whole numbers of the answer, those of each group, and of tables that hold nothing else."""
    for name, value in answer.items():
        if _is_count(value):
            yield name, value
        elif name == "groups" and isinstance(value, Mapping):
            yield from (
                (f"{name}.{key}", one) for key, one in flat(value).items() if _is_own_count(key, one)
            )
        elif isinstance(value, Mapping) and name != "failures" and all(map(_is_count, value.values())):
            yield from ((f"{name}.{key}", one) for key, one in value.items())


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_own_count(path: str, value: Any) -> bool:
    """A count of a group, and not the n of one of its rates."""
    return _is_count(value) and not path.endswith(".n")


def _cards(record: EvaluationRecord) -> Iterator[dict[str, Any]]:
    """Cards of the catalogue's models that the system names."""
    known = {str(value).partition(":")[0].partition("@")[0] for value in record.system.values()}
    for name in sorted(known):
        try:
            card = catalog.card(name)
        except UnknownName:
            continue
        yield {
            "name": card.name,
            "title": card.title,
            "licence": card.licence,
            "commercial": card.commercial_use,
            "origin": card.origin,
            "sha256": card.sha256,
            "notes": card.notes,
        }


def _texts(value: Any, names: Sequence[str]) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if key in names and isinstance(inner, str):
                yield inner
            else:
                yield from _texts(inner, names)


def _unsupported(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every ``unsupported`` table in an answer: figures the data cannot carry, and why."""
    if not isinstance(value, Mapping):
        return
    for key, inner in value.items():
        name = f"{path}.{key}" if path else str(key)
        if key == "unsupported" and isinstance(inner, Mapping):
            for figure, reason in inner.items():
                yield (f"{path}.{figure}" if path else str(figure)), str(reason)
        else:
            yield from _unsupported(inner, name)


def _stated(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in flat(values).items() if value is not None}
