"""``lineament evaluate quality``: which quality number knows what will fail."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lineament.cli.evaluate.app import app
from lineament.cli.evaluate.saving import SaveOption, save
from lineament.cli.evaluate.shared import (
    NearOption,
    PlotsOption,
    check_plots,
    exit_strict,
    rate_cell,
    say_failures,
    say_left_out,
    tell_near,
    write_figures,
)
from lineament.cli.options import (
    DEFAULT_PRECISION,
    DEFAULT_TARGET_FMR,
    OWN,
    DetectorOption,
    JsonOption,
    LandmarksOption,
    PipelineOption,
    PrecisionOption,
    StrictOption,
    TargetFmrOption,
    WorkersOption,
)
from lineament.counting import quantity

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from lineament.evaluation.quality import QualityReport


@app.command("quality")
def quality(
    *,
    images: Annotated[
        Path, typer.Option("--images", metavar="DIR", help="A folder a person, or a manifest.")
    ],
    split: Annotated[str | None, typer.Option("--split", help="Of a manifest.")] = None,
    target_fmr: TargetFmrOption = DEFAULT_TARGET_FMR,
    pairs: Annotated[int, typer.Option("--pairs", min=1, help="Mated pairs a person, at most.")] = 10,
    seed: Annotated[int, typer.Option("--seed", help="Another seed draws other pairs.")] = 0,
    near: NearOption = True,
    pipeline: PipelineOption = None,
    detector: DetectorOption = OWN,
    landmarks: LandmarksOption = OWN,
    plots: PlotsOption = None,
    json: JsonOption = None,
    save_to: SaveOption = None,
    precision: PrecisionOption = DEFAULT_PRECISION,
    workers: WorkersOption = None,
    strict: StrictOption = False,
) -> None:
    """Error versus discard: FNMR of what remains when the worst pictures by each number are left out."""
    from lineament.analyzer import Analyzer
    from lineament.cli.output import Report, progress
    from lineament.evaluation.people import open_people
    from lineament.evaluation.quality import UP_TO, evaluate
    from lineament.evaluation.trained_on import require_people_unseen
    from lineament.settings import AnalyzerSettings

    check_plots(plots)
    people = open_people(images, split)
    made_of = AnalyzerSettings(
        detector, precision=precision, workers=workers, landmarks=landmarks, pipeline=pipeline
    )
    compared = require_people_unseen(people, *made_of.specs())
    settings = made_of.measured()
    with (
        Report(json) as report,
        Analyzer.from_settings(made_of) as analyzer,
    ):
        with progress(len(people), "pictures") as advance:
            found = evaluate(
                people, analyzer, target_fmr=target_fmr, pairs_a_subject=pairs, seed=seed, advance=advance
            )
        answer = {**found.to_json(), **settings, "seed": seed}
        answer["compared_with_training"] = compared
        answer |= tell_near(report, people, found.captures, analyzer.workers, near, compared=found.compared)
        report.line(answer)
        say_failures(report, found.failures)
        say_left_out(report, people)
        report.say(
            f"{quantity(found.comparisons, 'mated comparison')} of {quantity(found.subjects, 'person')} "
            f"(at most {pairs} each), {quantity(found.errors, 'error')}; "
            f"{quantity(len(found.failures), 'failure')} to acquire among "
            f"{quantity(found.pictures, 'picture')}"
        )
        report.say(
            f"threshold {found.point.threshold:.4f} for FMR {target_fmr:g}, from the non-mated comparisons "
            f"of these very pictures: FMR seen {rate_cell(found.point.fmr.rate)}"
        )
        if not found.point.supported:
            report.say("too few non-mated comparisons for that FMR: the threshold is a guess")
        first = next(iter(found.measures.values()))
        columns = [*(f"{p.asked:.0%} discarded" for p in first.points), f"mean to {UP_TO:.0%}"]
        rows: list[Sequence[object]] = [
            (name.replace("_", " "), *(rate_cell(p.rate) for p in one.points), f"{one.mean:.3g}")
            for name, one in found.measures.items()
        ]
        report.table("FNMR of what remains, 95 %", ("quality", *columns), rows)
        if save_to is not None:
            save(
                save_to,
                "quality",
                people.title,
                protocol={"data": people.digest(), "target_fmr": target_fmr, "pairs": pairs, "seed": seed},
                system={**settings, "model": str(found.model)},
                answer=answer,
                clusters=found.clusters,
                figures=lambda: _figures(found),
            )
        if plots is not None:
            write_figures(report, plots, _figures(found))
    exit_strict(strict, found.failures)


def _figures(found: QualityReport) -> dict[str, Figure]:
    from lineament.plots.discard import discard_figure

    curves = {name: one.curve for name, one in found.measures.items()}
    return {"error_versus_discard": discard_figure(curves)}
