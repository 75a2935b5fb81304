"""``lineament evaluate identification``: 1:N error rates."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from lineament.cli.evaluate.app import app
from lineament.cli.evaluate.shared import (
    PlotsOption,
    check_plots,
    exit_strict,
    rate_cell,
    say_failures,
    write_figures,
)
from lineament.cli.options import (
    DEFAULT_PRECISION,
    DEFAULT_TARGET_FMR,
    DetectorOption,
    JsonOption,
    PrecisionOption,
    StrictOption,
    TargetFmrOption,
    WorkersOption,
)


@app.command("identification")
def identification(
    *,
    images: Annotated[Path, typer.Option("--images", metavar="DIR", help="A folder a person.")],
    hold_back: Annotated[
        float, typer.Option("--hold-back", help="Share of people kept out of the gallery: the strangers.")
    ] = 0.2,
    gallery_photos: Annotated[
        int, typer.Option("--gallery-photos", min=1, help="Photos enrolled a person.")
    ] = 1,
    seed: Annotated[int, typer.Option("--seed", help="Another seed gives another split.")] = 0,
    target_fmr: TargetFmrOption = DEFAULT_TARGET_FMR,
    detector: DetectorOption = "yunet",
    plots: PlotsOption = None,
    json: JsonOption = None,
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

    check_plots(plots)
    with (
        Report(json) as report,
        Analyzer(detector, precision=precision, quality=False, workers=workers) as analyzer,
    ):
        with progress(None, "pictures") as advance:
            found = evaluate(
                images,
                analyzer,
                hold_back=hold_back,
                gallery_photos=gallery_photos,
                seed=seed,
                target_fmr=target_fmr,
                advance=advance,
            )
        settings = {"hold_back": hold_back, "gallery_photos": gallery_photos, "seed": seed}
        record = found.to_json()
        report.line({**record, **settings, "detector": detector, "precision": precision})
        say_failures(report, found.captures.failures)
        report.say(
            f"{record['pictures']:,} pictures: {record['enrolled']:,} people enrolled, "
            f"{record['mated_probes']:,} mated and {record['non_mated_probes']:,} non-mated probes "
            f"({record['non_mated_subjects']:,} people held back); {record['failures_to_acquire']} "
            f"failures to acquire, {record['failures_to_enrol']} people not enrolled for it"
        )
        report.say(
            f"left out: {found.split.empty} people without pictures, {found.split.loose} pictures outside "
            f"any person's folder, {found.split.skipped} files that are no pictures by their names"
        )
        report.say(f"rank-1 (closed-set, no threshold) {rate_cell(found.rank1.rate)}")
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
                    f"the model's own, FMR {card.threshold.target_rate:g}",
                    f"{card.threshold.value:.4f}",
                    rate_cell(card.fpir.rate),
                    rate_cell(card.fnir.rate),
                )
            )
        report.table("Open set", ("threshold for", "value", "FPIR, 95 %", "FNIR at rank 1, 95 %"), rows)
        if plots is not None:
            from lineament.plots.searches import cmc_figure, open_set_figure

            write_figures(
                report,
                plots,
                {
                    "open_set": open_set_figure(found.mated, found.nonmated_top),
                    "cmc": cmc_figure(found.mated, enrolled=len(found.split.enrolled)),
                },
            )
    exit_strict(strict, found.captures.failures)
