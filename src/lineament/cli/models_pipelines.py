"""Pipelines as ``lineament models`` shows them: parts, error rates and cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lineament.cli.output import Report
    from lineament.pipelines import PipelineCard

PIPELINE = "pipeline"
"""As a job of `models list`."""

_RATES = ("1e-3", "1e-4", "1e-5")


def pipelines_table(report: Report) -> None:
    """One row a pipeline, with the error rates and the cost of its card."""
    from lineament import pipelines

    report.table(
        "Pipelines",
        ("name", *(f"FNMR at FMR {rate}" for rate in _RATES), "cost", "from", "here", "what"),
        [
            (
                one.name + (" (default)" if one.name == pipelines.DEFAULT else ""),
                *(_percent(one.figures.get(f"all_fnmr_at_fmr_{rate}")) for rate in _RATES),
                _times(one.cost.get("total")),
                "package index" if one.from_index else "index and upstream",
                "yes" if _here(one) else "no",
                one.title,
            )
            for one in pipelines.cards().values()
        ],
    )
    report.say(
        "FNMR: share of mated comparisons that are missed; cost: multiples of SFace's time for a face"
    )


def pipeline_json(one: PipelineCard) -> dict[str, Any]:
    """A pipeline's card as JSON, with its id, and whether all its files are here."""
    from dataclasses import asdict

    from lineament import pipelines

    return {
        **asdict(one),
        "job": PIPELINE,
        "default": one.name == pipelines.DEFAULT,
        "model": str(one.model_id),
        "from_index": one.from_index,
        "here": _here(one),
        "measured": dict(one.figures),
        "thresholds": [asdict(row) for row in one.rows],
    }


def pipeline_rows(one: PipelineCard) -> list[tuple[str, object]]:
    """What is known of a pipeline, as rows of a table."""
    from lineament.io import assets

    return [
        ("name", one.name),
        ("what", one.title),
        ("detector", one.detector),
        ("landmarks", one.landmarks or "the detector's own"),
        ("embedder", one.embedder),
        ("embeddings are of", str(one.model_id)),
        *(
            (f"file of {card.name}", f"{assets.here(card) or 'not here'} ({card.licence})")
            for card in one.cards
        ),
        *((f"measured: {key}", str(value)) for key, value in one.figures.items()),
        *((f"cost: {key}", str(value)) for key, value in one.cost.items()),
        *(
            (f"threshold at {r.kind} {r.target_rate:g}", f"{r.value:.4f}, {r.measured_on}")
            for r in one.rows
        ),
        ("notes", one.notes),
    ]


def _here(one: PipelineCard) -> bool:
    from lineament.io import assets

    return all(assets.here(card) for card in one.cards)


def _percent(value: float | str | None) -> str:
    return f"{value:.2%}" if isinstance(value, float) else "not measured"


def _times(value: float | str | None) -> str:
    return f"{value:.2f}" if isinstance(value, float) else "not measured"
