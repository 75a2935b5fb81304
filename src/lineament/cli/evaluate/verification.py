"""``lineament evaluate verification``: 1:1 error rates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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

    from lineament.analyzer import Analyzer
    from lineament.cli.output import Report
    from lineament.evaluation.all_comparisons import AllComparisonsReport
    from lineament.evaluation.capture import Failure
    from lineament.evaluation.pairs import PairList
    from lineament.evaluation.people import LabelledPictures
    from lineament.evaluation.templates import Templates
    from lineament.evaluation.verification import VerificationReport
    from lineament.scoring.operating_points import OperatingPoint
    from lineament.types import Threshold

COLUMNS = ("FMR <=", "threshold", "FMR seen, 95 %", "FNMR, 95 %", "non-mated")


@app.command("verification")
def verification(
    *,
    pairs: Annotated[
        Path | None,
        typer.Option(
            "--pairs",
            metavar="FILE",
            help="LFW's pairs.txt, or CSV: fold,image1,image2,same; with --templates: template1,template2.",
        ),
    ] = None,
    images: Annotated[
        Path | None, typer.Option("--images", metavar="DIR", help="The folder the pairs refer to.")
    ] = None,
    everything: Annotated[
        Path | None,
        typer.Option(
            "--all", metavar="DIR", help="Compare all with all: a folder a person, or a manifest."
        ),
    ] = None,
    templates: Annotated[
        Path | None,
        typer.Option(
            "--templates",
            metavar="FILE",
            help="IJB-style CSV: template_id,subject,file[,media]; --pairs names them.",
        ),
    ] = None,
    split: Annotated[
        str | None, typer.Option("--split", metavar="NAME", help="With --all: this split of the manifest.")
    ] = None,
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
    """Compare listed pairs or all pictures (1:1): FNMR at target FMRs, EER, ROC, accuracy over folds.

    The face nearest the picture's centre is the subject. A picture without one is a failure to acquire,
    and an error.
    """
    from lineament.analyzer import Analyzer
    from lineament.cli.output import Report
    from lineament.errors import UsageError
    from lineament.evaluation import templates as ijb
    from lineament.evaluation.pairs import folders_of, read_pairs
    from lineament.evaluation.people import open_people
    from lineament.evaluation.trained_on import require_people_unseen, require_pictures_unseen
    from lineament.io import calibration_file
    from lineament.settings import AnalyzerSettings

    if (everything is None) == (pairs is None):
        raise UsageError("give either --pairs FILE with --images DIR, or --all DIR")
    if everything is None and (images is None or split is not None or threshold_file is not None):
        raise UsageError("--pairs needs --images DIR; --split and --threshold-file go with --all")
    if everything is not None and (images is not None or templates is not None):
        raise UsageError("--all takes its own folder; --images and --templates go with --pairs")
    check_plots(plots)
    known = None if threshold_file is None else calibration_file.load(threshold_file).threshold
    if known is not None and known.kind != "FMR":
        raise UsageError(f"{threshold_file}: a threshold for searches (FPIR); 1:1 needs one for an FMR")
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
    if everything is not None:
        people = open_people(everything, split)
        compared = require_people_unseen(people, *made_of.specs())
        with Report(json) as report, Analyzer.from_settings(made_of) as analyzer:
            failures = _all(report, people, compared, analyzer, known, target_fmr, plots, save_to, near)
    else:
        assert pairs is not None and images is not None
        if templates is None:
            members, listed = None, read_pairs(pairs)
        else:
            members = ijb.read_templates(templates)
            listed = ijb.read_template_pairs(pairs, members)
        names, whose = (
            (listed.pictures, folders_of(listed))
            if members is None
            else (members.pictures, members.subjects)
        )
        compared = require_pictures_unseen((images / name for name in names), made_of.specs(), whose)
        files = {"pairs": pairs, "templates": templates}
        with Report(json) as report, Analyzer.from_settings(made_of) as analyzer:
            failures = _listed(
                report, listed, members, files, images, compared, analyzer, plots, save_to, near
            )
    exit_strict(strict, failures)


def _listed(
    report: Report,
    listed: PairList,
    members: Templates | None,
    files: Mapping[str, Path | None],
    images: Path,
    compared: dict[str, int],
    analyzer: Analyzer,
    plots: Path | None,
    save_to: Path | None,
    near: bool,
) -> Sequence[Failure]:
    from lineament.cli.output import progress
    from lineament.evaluation import templates as ijb
    from lineament.evaluation import verification as protocol
    from lineament.evaluation.near_copies import Whose
    from lineament.io.digests import sha256_of

    if members is None:
        with progress(len(listed.pictures), "pictures") as advance:
            found = protocol.evaluate(listed, images, analyzer, advance)
        what = quantity(len(listed.pictures), "picture")
    else:
        protocol.require_both_kinds(listed)
        with progress(len(members.pictures), "pictures") as advance:
            found = protocol.score(listed, ijb.capture_templates(members, images, analyzer, advance))
        what = f"{quantity(len(members.ids), 'template')} of {quantity(len(members.pictures), 'picture')}"
    settings = analyzer.settings.measured()
    answer = {**found.to_json(), "templates": members is not None, **settings}
    answer["compared_with_training"] = compared
    if members is None:
        mated = listed.first[listed.same], listed.second[listed.same]
        whose = Whose([images / name for name in listed.pictures], listed.subjects.tolist())
        answer |= tell_near(report, whose, found.captures, analyzer.workers, near, compared=mated)
    report.line(answer)
    say_failures(report, found.captures.failures)
    report.say(
        f"{quantity(len(listed), 'pair')} ({len(found.mated):,} mated, {len(found.nonmated):,} non-mated) "
        f"of {what}; {quantity(len(found.captures.failures), 'failure')} to acquire in "
        f"{quantity(found.pairs_with_failures, 'pair')}"
    )
    if found.accuracy is None or found.accuracy_rate is None:
        report.say("accuracy: needs 2 folds or more, because the threshold comes from the other folds")
    else:
        report.say(
            f"accuracy {found.accuracy.mean:.4f} ({found.accuracy_rate.low:.4f} to "
            f"{found.accuracy_rate.high:.4f}), standard error {found.accuracy.standard_error:.4f} "
            f"({quantity(len(found.accuracy.folds), 'fold')}, threshold from the others)"
        )
    report.say(f"AUC {found.auc:.5f}, EER {rate_cell(found.eer)}; {settings['system']}")
    report.table("The listed pairs", COLUMNS, map(_point_row, found.listed))
    carried = [point for point in found.everything if point.supported]
    if carried:
        report.table("All comparisons between these pictures", COLUMNS, map(_point_row, carried))
    report.say("in both tables the thresholds were chosen on the comparisons shown")
    if save_to is not None:
        save(
            save_to,
            "verification",
            "" if files["pairs"] is None else files["pairs"].name,
            protocol={
                **{name: None if path is None else sha256_of(path) for name, path in files.items()},
                "comparisons": "listed",
            },
            system={**settings, "model": str(found.captures.model)},
            answer=answer,
            figures=lambda: _listed_figures(found, carried),
        )
    if plots is not None:
        write_figures(report, plots, _listed_figures(found, carried))
    return found.captures.failures


def _all(
    report: Report,
    people: LabelledPictures,
    compared: dict[str, int],
    analyzer: Analyzer,
    threshold: Threshold | None,
    target_fmr: float,
    plots: Path | None,
    save_to: Path | None,
    near: bool,
) -> Sequence[Failure]:
    from lineament.cli.output import progress
    from lineament.evaluation.all_comparisons import SAME_DATA, evaluate

    with progress(len(people), "pictures") as advance:
        found = evaluate(people, analyzer, threshold=threshold, target_fmr=target_fmr, advance=advance)
    settings = analyzer.settings.measured()
    answer = {**found.to_json(), **settings, "compared_with_training": compared}
    answer |= tell_near(report, people, found.captures, analyzer.workers, near)
    report.line(answer)
    say_failures(report, found.captures.failures)
    say_left_out(report, people)
    report.say(
        f"{quantity(len(people), 'picture')} of {quantity(len(found.found.samples), 'person')}: "
        f"{len(found.found.mated):,} mated and {quantity(found.found.total, 'non-mated comparison')}; "
        f"{quantity(len(found.captures.failures), 'failure')} to acquire"
    )
    exact = "" if found.eer_exact else ", read off the histogram"
    report.say(f"EER {rate_cell(found.eer)}{exact}; {settings['system']}")
    rows = [_point_row(point) for point in found.points]
    count = f"{found.found.total:,}"
    rows += [(f"{rate:g}", "", reason, "", count) for rate, reason in found.unsupported.items()]
    report.table(f"All comparisons; {SAME_DATA}", COLUMNS, rows)
    if found.elsewhere is not None:
        other = found.elsewhere
        report.say(
            f"at a threshold from elsewhere (flattered if that was chosen on these): {other.threshold}:"
        )
        report.say(f"FMR {rate_cell(other.fmr)}, FNMR {rate_cell(other.fnmr)}")
    if save_to is not None:
        save(
            save_to,
            "verification",
            people.title,
            protocol={"data": people.digest(), "comparisons": "all"},
            system={**settings, "model": str(found.captures.model)},
            answer=answer,
            clusters=found.clusters(),
            figures=lambda: _all_figures(found),
        )
    if plots is not None:
        write_figures(report, plots, _all_figures(found))
    return found.captures.failures


def _listed_figures(found: VerificationReport, carried: Sequence[OperatingPoint]) -> dict[str, Figure]:
    from lineament.plots.det import det_figure
    from lineament.plots.roc import roc_figure
    from lineament.plots.scores import score_figure

    marks = {f"FMR {p.target_rate:g}": p.threshold for p in carried or found.listed}
    return {
        "roc": roc_figure(found.roc, nonmated=len(found.nonmated)),
        "det": det_figure(found.roc, carried),
        "scores": score_figure(found.mated, found.nonmated, marks),
    }


def _all_figures(found: AllComparisonsReport) -> dict[str, Figure]:
    from lineament.plots.det import det_figure
    from lineament.plots.roc import roc_figure
    from lineament.plots.scores import histogram_figure

    curve, _ = found.found.roc()
    marks = {f"FMR {p.target_rate:g}": p.threshold for p in found.points}
    return {
        "roc": roc_figure(curve, nonmated=found.found.total),
        "det": det_figure(curve, found.points, curve="all comparisons"),
        "scores": histogram_figure(found.found.histogram, len(found.found.mated), marks),
    }


def _point_row(point: OperatingPoint) -> Sequence[object]:
    from lineament.scoring.thresholds import shortfall

    count = f"{point.fmr.comparisons:,}"
    target = f"{point.target_rate:g}"
    if not point.supported:
        needs = shortfall(point.target_rate, point.fmr.comparisons, "FMR", "non-mated comparisons")
        return (target, f"{point.threshold:.4f}", needs, "", count)
    return (
        target,
        f"{point.threshold:.4f}",
        rate_cell(point.fmr.rate),
        rate_cell(point.fnmr.rate),
        count,
    )
