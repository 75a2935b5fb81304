"""``lineament evaluate``: error rates on your own pictures, with what they rest on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

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

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from lineament.cli.output import Report
    from lineament.evaluation.capture import Failure
    from lineament.scoring.intervals import Rate
    from lineament.scoring.operating_points import OperatingPoint

app = typer.Typer(help="Error rates on your own pictures.", no_args_is_help=True)

PlotsOption = Annotated[
    Path | None,
    typer.Option("--plots", metavar="DIR", help="Write figures (PNG) there; needs the extra 'plots'."),
]


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
    _check_plots(plots)
    with (
        Report(json) as report,
        Analyzer(detector, precision=precision, quality=False, workers=workers) as analyzer,
    ):
        with progress(len(listed.pictures), "pictures") as advance:
            found = evaluate(listed, images, analyzer, advance)
        report.line({**found.to_json(), "detector": detector, "precision": precision})
        _failures(report, found.captures.failures)
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
            _write(
                report,
                plots,
                {
                    "roc": roc_figure(found.roc, nonmated=len(found.nonmated)),
                    "det": det_figure(found.roc, found.everything),
                    "scores": score_figure(found.mated, found.nonmated, marks),
                },
            )
    _exit(strict, found.captures.failures)


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

    _check_plots(plots)
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
        _failures(report, found.captures.failures)
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
        report.say(f"rank-1 (closed-set, no threshold) {_rate_cell(found.rank1)}")
        rows: list[Sequence[object]] = [
            (
                f"FPIR {p.threshold.target_rate:g}",
                f"{p.threshold.value:.4f}",
                _rate_cell(p.fpir),
                _rate_cell(p.fnir),
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
                    _rate_cell(card.fpir),
                    _rate_cell(card.fnir),
                )
            )
        report.table("Open set", ("threshold for", "value", "FPIR, 95 %", "FNIR at rank 1, 95 %"), rows)
        if plots is not None:
            from lineament.plots.searches import cmc_figure, open_set_figure

            _write(
                report,
                plots,
                {
                    "open_set": open_set_figure(found.mated, found.nonmated_top),
                    "cmc": cmc_figure(found.mated, enrolled=len(found.split.enrolled)),
                },
            )
    _exit(strict, found.captures.failures)


def _check_plots(folder: Path | None) -> None:
    """Say that matplotlib is missing before the long work, not after it."""
    if folder is not None:
        from lineament.plots.canvas import canvas

        canvas("", "", "")


def _failures(report: Report, failures: Sequence[Failure]) -> None:
    for failure in failures:
        report.say(f"failure to acquire: {failure.source}: {failure.type}: {failure.message}")


def _point_row(point: OperatingPoint) -> Sequence[object]:
    from lineament.scoring.thresholds import needed

    count = f"{point.fmr.comparisons:,}"
    target = f"{point.target_rate:g}"
    if not point.supported:
        needs = f"needs {needed(point.target_rate):,} non-mated comparisons, you have {count}"
        return (target, f"{point.threshold:.4f}", needs, "", count)
    return (target, f"{point.threshold:.4f}", _rate_cell(point.fmr), _rate_cell(point.fnmr), count)


def _rate_cell(rate: Rate) -> str:
    return f"{rate.value:.3g} ({rate.interval.low:.3g} to {rate.interval.high:.3g})"


def _write(report: Report, folder: Path, figures: Mapping[str, Figure]) -> None:
    from lineament.plots.canvas import save

    for name, figure in figures.items():
        report.say(f"wrote {save(figure, folder / f'{name}.png')}")


def _exit(strict: bool, failures: Sequence[Failure]) -> None:
    if strict and any(failure.refused for failure in failures):
        raise typer.Exit(1)
