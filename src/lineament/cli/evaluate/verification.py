"""``lineament evaluate verification``: 1:1 error rates."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
    DetectorOption,
    JsonOption,
    PrecisionOption,
    StrictOption,
    WorkersOption,
)

if TYPE_CHECKING:
    from lineament.scoring.operating_points import OperatingPoint


@app.command("verification")
def verification(
    *,
    pairs: Annotated[
        Path,
        typer.Option("--pairs", metavar="FILE", help="LFW's pairs.txt, or CSV: fold,image1,image2,same."),
    ],
    images: Annotated[Path, typer.Option("--images", metavar="DIR", help="The folder the pairs refer to.")],
    detector: DetectorOption = "yunet",
    plots: PlotsOption = None,
    json: JsonOption = None,
    precision: PrecisionOption = DEFAULT_PRECISION,
    workers: WorkersOption = None,
    strict: StrictOption = False,
) -> None:
    """Compare listed pairs (1:1): accuracy over folds, ROC, EER, FNMR at target FMRs.

    The face nearest the picture's centre is the subject. A picture without one is a failure to acquire,
    and an error.
    """
    from lineament.analyzer import Analyzer
    from lineament.cli.output import Report, progress
    from lineament.evaluation.pairs import read_pairs
    from lineament.evaluation.verification import evaluate

    listed = read_pairs(pairs)
    check_plots(plots)
    with (
        Report(json) as report,
        Analyzer(detector, precision=precision, quality=False, workers=workers) as analyzer,
    ):
        with progress(len(listed.pictures), "pictures") as advance:
            found = evaluate(listed, images, analyzer, advance)
        report.line({**found.to_json(), "detector": detector, "precision": precision})
        say_failures(report, found.captures.failures)
        report.say(
            f"{len(listed):,} pairs ({len(found.mated):,} mated, {len(found.nonmated):,} non-mated) of "
            f"{len(listed.pictures):,} pictures; {len(found.captures.failures)} failures to acquire in "
            f"{found.pairs_with_failures} pairs"
        )
        if found.accuracy is None:
            report.say("accuracy: needs 2 folds or more, because the threshold comes from the other folds")
        else:
            report.say(
                f"accuracy {found.accuracy.mean:.4f}, standard error {found.accuracy.standard_error:.4f} "
                f"({len(found.accuracy.folds)} folds, threshold from the others)"
            )
        report.say(f"AUC {found.auc:.5f}, EER {found.eer:.4f}")
        columns = ("FMR <=", "threshold", "FMR seen, 95 %", "FNMR, 95 %", "non-mated")
        report.table("The listed pairs", columns, map(_point_row, found.listed))
        if found.everything:
            report.table(
                "All comparisons between these pictures", columns, map(_point_row, found.everything)
            )
        if plots is not None:
            from lineament.plots.det import det_figure
            from lineament.plots.roc import roc_figure
            from lineament.plots.scores import score_figure

            marks = {f"FMR {p.target_rate:g}": p.threshold for p in found.everything or found.listed}
            write_figures(
                report,
                plots,
                {
                    "roc": roc_figure(found.roc, nonmated=len(found.nonmated)),
                    "det": det_figure(found.roc, found.everything),
                    "scores": score_figure(found.mated, found.nonmated, marks),
                },
            )
    exit_strict(strict, found.captures.failures)


def _point_row(point: OperatingPoint) -> Sequence[object]:
    from lineament.scoring.thresholds import needed

    count = f"{point.fmr.comparisons:,}"
    target = f"{point.target_rate:g}"
    if not point.supported:
        needs = f"needs {needed(point.target_rate):,} non-mated comparisons, you have {count}"
        return (target, f"{point.threshold:.4f}", needs, "", count)
    return (target, f"{point.threshold:.4f}", rate_cell(point.fmr.rate), rate_cell(point.fnmr.rate), count)
