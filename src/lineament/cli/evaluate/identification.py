"""``lineament evaluate identification``: 1:N error rates."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lineament.cli.evaluate.app import app
from lineament.cli.evaluate.saving import SaveOption, save
from lineament.cli.evaluate.shared import (
    FlipOption,
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
    EmbedderOption,
    JsonOption,
    LandmarksOption,
    PipelineOption,
    PrecisionOption,
    StrictOption,
    TargetFmrOption,
    ThresholdFileOption,
    WorkersOption,
)
from lineament.counting import quantity

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from lineament.cli.output import Report
    from lineament.evaluation.identification import IdentificationReport


@app.command("identification")
def identification(
    *,
    images: Annotated[
        Path, typer.Option("--images", metavar="DIR", help="A folder a person, or a manifest.")
    ],
    split: Annotated[
        str | None, typer.Option("--split", metavar="NAME", help="This split of the manifest.")
    ] = None,
    hold_back: Annotated[
        float,
        typer.Option(
            "--hold-back",
            help="People kept out of the gallery, the strangers: a share below 1, or a number from 2 on.",
        ),
    ] = 0.2,
    gallery_photos: Annotated[
        int, typer.Option("--gallery-photos", min=1, help="Photos enrolled a person.")
    ] = 1,
    seed: Annotated[int, typer.Option("--seed", help="Another seed gives another split.")] = 0,
    flip: FlipOption = False,
    near: NearOption = True,
    target_fmr: TargetFmrOption = DEFAULT_TARGET_FMR,
    threshold_file: ThresholdFileOption = None,
    pipeline: PipelineOption = None,
    detector: DetectorOption = OWN,
    landmarks: LandmarksOption = OWN,
    embedder: EmbedderOption = OWN,
    plots: PlotsOption = None,
    json: JsonOption = None,
    save_to: SaveOption = None,
    precision: PrecisionOption = DEFAULT_PRECISION,
    workers: WorkersOption = None,
    strict: StrictOption = False,
) -> None:
    """Search people in a gallery (1:N): rank-1, and FNIR at target FPIRs with strangers among the probes.

    Who is held back and which photos are enrolled follows from a hash of the seed and the names.
    """
    from lineament.analyzer import Analyzer
    from lineament.cli.output import Report, progress
    from lineament.evaluation.identification import evaluate
    from lineament.evaluation.people import open_people
    from lineament.evaluation.trained_on import require_people_unseen
    from lineament.io import calibration_file
    from lineament.settings import AnalyzerSettings

    check_plots(plots)
    known = None if threshold_file is None else calibration_file.load(threshold_file).threshold
    people = open_people(images, split)
    made_of = AnalyzerSettings(
        detector,
        embedder,
        quality=False,
        workers=workers,
        precision=precision,
        flip=flip,
        landmarks=landmarks,
        pipeline=pipeline,
    )
    compared = require_people_unseen(people, *made_of.specs())
    with Report(json) as report, Analyzer.from_settings(made_of) as analyzer:
        with progress(len(people), "pictures") as advance:
            found = evaluate(
                people,
                analyzer,
                hold_back=hold_back,
                gallery_photos=gallery_photos,
                seed=seed,
                target_fmr=target_fmr,
                threshold=known,
                advance=advance,
            )
        settings = made_of.measured()
        chosen = {"hold_back": hold_back, "gallery_photos": gallery_photos, "seed": seed}
        answer = {**found.to_json(), **people.left_out(), **chosen, **settings}
        answer["compared_with_training"] = compared
        answer |= tell_near(report, people, found.captures, workers, near)
        report.line(answer)
        say_failures(report, found.captures.failures)
        say_left_out(report, people)
        _say(report, found, settings["system"])
        if save_to is not None:
            save(
                save_to,
                "identification",
                people.title,
                protocol={"data": people.digest(), **chosen},
                system={**settings, "model": str(found.captures.model)},
                answer=answer,
                figures=lambda: _figures(found),
            )
        if plots is not None:
            write_figures(report, plots, _figures(found))
    exit_strict(strict, found.captures.failures)


def _figures(found: IdentificationReport) -> dict[str, Figure]:
    from lineament.plots.searches import cmc_figure, open_set_figure

    return {
        "open_set": open_set_figure(found.mated, found.nonmated_top),
        "cmc": cmc_figure(found.mated, enrolled=len(found.split.enrolled)),
    }


def _say(report: Report, found: IdentificationReport, system: str) -> None:
    record = found.to_json()
    report.say(
        f"{quantity(record['pictures'], 'picture')}: {quantity(record['enrolled'], 'person')} enrolled, "
        f"{record['mated_probes']:,} mated and {quantity(record['non_mated_probes'], 'non-mated probe')} "
        f"({quantity(record['non_mated_subjects'], 'person')} held back, {record['held_back_by']}); "
        f"{quantity(record['failures_to_acquire'], 'failure')} to acquire, "
        f"{quantity(record['failures_to_enrol'], 'person')} not enrolled for it; {system}"
    )
    ranks = ", ".join(f"{rank}: {rate_cell(rate)}" for rank, rate in found.closed_set.items())
    report.say(f"closed set, no threshold: share of mates within rank {ranks}")
    rows: list[Sequence[object]] = [
        (
            f"FPIR {p.threshold.target_rate:g}",
            f"{p.threshold.value:.4f}",
            rate_cell(p.fpir.rate),
            rate_cell(p.fnir.rate),
        )
        for p in found.points
    ]
    rows += [(f"FPIR {rate:g}", "", reason, "") for rate, reason in found.unsupported.items()]
    if found.at_card is not None:
        card = found.at_card
        rows.append(
            (
                f"given: {card.threshold.kind} {card.threshold.target_rate:g}",
                f"{card.threshold.value:.4f}",
                rate_cell(card.fpir.rate),
                rate_cell(card.fnir.rate),
            )
        )
    report.table("Open set", ("threshold for", "value", "FPIR, 95 %", "FNIR at rank 1, 95 %"), rows)
    report.say(record["thresholds_chosen_on"])
    if found.growth is not None:
        grown = found.growth
        report.table(
            f"FPIR by the size of the gallery at threshold {grown.threshold.value:.4f} "
            f"(FMR {grown.fmr:.3g} of {quantity(grown.comparisons, 'comparison')})",
            ("people enrolled", "FPIR measured, 95 %", "1 - (1 - FMR)^N"),
            [(f"{s.enrolled:,}", rate_cell(s.fpir), f"{s.predicted:.3g}") for s in grown.steps],
        )
