"""``lineament evaluate attributes``: age, gender, or any trained attribute, against labels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lineament.cli.evaluate.app import app
from lineament.cli.evaluate.saving import SaveOption, save
from lineament.cli.evaluate.shared import (
    PlotsOption,
    check_plots,
    exit_strict,
    rate_cell,
    say_failures,
    say_single,
    tell_chosen_on,
    write_figures,
)
from lineament.cli.options import (
    JsonOption,
    ModelsDetectorOption,
    PipelineOption,
    StrictOption,
    WorkersOption,
)
from lineament.counting import quantity

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from lineament.cli.output import Report
    from lineament.evaluation.attributes import AttributeReport
    from lineament.scoring.rate import Rate


@app.command("attributes")
def attributes(
    *,
    data: Annotated[
        Path,
        typer.Option("--data", metavar="DATA", help="A manifest, a table, labels, or a folder a class."),
    ],
    attribute: Annotated[str, typer.Option("--attribute", help="age, gender, or what the model answers.")],
    classifier: Annotated[
        str | None,
        typer.Option(
            "--classifier", metavar="NAME|DIR", help="The model. Default: named as the attribute."
        ),
    ] = None,
    label: Annotated[
        str | None, typer.Option("--label", help="The label's name where it is not the attribute's.")
    ] = None,
    split: Annotated[
        str | None,
        typer.Option("--split", help="Of the data; all for every row. Default: test, or else val."),
    ] = None,
    pipeline: PipelineOption = None,
    detector: ModelsDetectorOption = None,
    plots: PlotsOption = None,
    json: JsonOption = None,
    save_to: SaveOption = None,
    workers: WorkersOption = None,
    strict: StrictOption = False,
) -> None:
    """Accuracy, precision, recall and F1 of each class, AUC, confusion, calibration; age by mean error.

    The face nearest the picture's centre is the labelled one unless the label has a box. A face that is not
    found is a wrong answer.
    """
    from lineament.analyzer import Analyzer
    from lineament.cli.output import Report, progress
    from lineament.datasets.splitting.held_out import held_out
    from lineament.evaluation.attributes import evaluate, open_labels
    from lineament.evaluation.trained_on import runs_of

    check_plots(plots)
    manifest = open_labels(data, label or attribute)
    model = classifier or attribute
    if split is None:
        split = held_out(manifest) or "all"
    runs = [Path(model)] if (Path(model) / "card.json").is_file() else []
    with (
        Report(json) as report,
        Analyzer(detector, None, [model], quality=False, workers=workers, pipeline=pipeline) as analyzer,
    ):
        detector = str(analyzer.detector_spec)
        for line in analyzer.told:
            report.say(line)
        with progress(len({row.path for row in manifest}), "pictures") as advance:
            found = evaluate(
                manifest,
                analyzer,
                attribute,
                label=label,
                split=None if split == "all" else split,
                runs=[*runs, *(run for run in runs_of(detector) if run not in runs)],
                advance=advance,
            )
        settings = {"classifier": model, "detector": detector, "split": split}
        answer = {**found.to_json(), **settings}
        report.line(answer)
        say_failures(report, found.failures)
        _say(report, found, trained=bool(runs))
        if plots is not None:
            write_figures(report, plots, _figures(found))
        if save_to is not None:
            save(
                save_to,
                "attributes",
                f"{attribute} on {data.name}",
                protocol={"data": manifest.digest(), "label": label or attribute, "split": split},
                system={"classifier": model, "detector": detector},
                answer=answer,
                figures=lambda: _figures(found),
            )
    exit_strict(strict, found.failures)


def _say(report: Report, found: AttributeReport, *, trained: bool) -> None:
    report.say(
        f"{quantity(found.faces, 'labelled face')} of {quantity(found.subjects, 'subject')} in "
        f"{quantity(found.pictures, 'picture')}; "
        f"{len(found.failures):,} not found"
    )
    if found.subjects == found.pictures == found.faces:
        report.say("no subjects are labelled: each picture is taken for another person")
    say_single(report, found.subjects, "person")
    for name, count in found.unknown.items():
        report.say(f"{count:,} labelled {name}, which is no class of the model: in no figure")
    for count, which in (
        (found.unlabelled, "without the label"),
        (found.elsewhere, "of other splits"),
        (found.unusable, "without a usable face"),
    ):
        if count:
            report.say(f"{quantity(count, 'row')} {which} left out")
    tell_chosen_on(report, found.compared)
    if trained and not any(one.rows for one in found.compared.values()):
        report.say("the model's folder holds no manifest: whether it was trained on these is not known")
    if found.classes is not None:
        _say_classes(report, found)
    if found.number is not None:
        errors = found.number.errors
        rows: list[Sequence[object]] = [("all", *_number_cells(errors))]
        for (low, high), one in found.number.by_bin.items():
            name = f"{low:g} to below {high:g}" if high != float("inf") else f"{low:g} and more"
            rows.append((name, *(_number_cells(one) if one is not None else ("no face", "", "", "0"))))
        columns = ("true value", "mean absolute error", "bias", f"within {errors.reach:g}", "faces")
        report.table(f"{found.attribute}, 95 % intervals, faces that were found", columns, rows)


def _say_classes(report: Report, found: AttributeReport) -> None:
    rates = found.classes
    assert rates is not None
    rows: list[Sequence[object]] = [
        ("accuracy (not found is wrong)", _cell(rates.accuracy), rates.accuracy.n),
        ("accuracy of the faces found", _cell(rates.accuracy_of_answers), rates.accuracy_of_answers.n),
        *((f"top-{k}", _cell(rate), rate.n) for k, rate in rates.top_k.items()),
        ("balanced accuracy", _cell(rates.macro_recall), rates.macro_recall.n),
        ("F1, mean over classes", _cell(rates.macro_f1), rates.macro_f1.n),
        ("AUC, mean over classes", _cell(rates.macro_auc), rates.macro_f1.n),
        (
            "expected calibration error",
            _cell(rates.expected_calibration_error),
            rates.expected_calibration_error.n,
        ),
    ]
    report.table(found.attribute, ("figure", "value, 95 %", "faces"), rows)
    report.table(
        "By class, faces that were found",
        ("class", "faces", "precision", "recall", "F1", "AUC"),
        [
            (one.name, one.samples, *map(_cell, (one.precision, one.recall, one.f1, one.auc)))
            for one in rates.classes
        ],
    )
    if len(rates.classes) <= 12:
        report.table(
            "Confusion: rows are true, columns predicted",
            ("", *(one.name for one in rates.classes)),
            [
                (one.name, *map(str, row))
                for one, row in zip(rates.classes, rates.confusion.tolist(), strict=True)
            ],
        )
    if rates.empty:
        report.say(f"no face of: {', '.join(rates.empty)}; of these nothing can be said")


def _figures(found: AttributeReport) -> dict[str, Figure]:
    if found.number is not None:
        from lineament.plots.number_bins import number_bins_figure

        return {
            "errors_by_bin": number_bins_figure(found.number.by_bin, title=found.attribute.capitalize())
        }
    from lineament.plots.calibration import calibration_figure
    from lineament.plots.class_roc import class_roc_figure
    from lineament.plots.confusion import confusion_figure

    rates, title = found.classes, found.attribute.capitalize()
    assert rates is not None
    areas = {one.name: one.auc.value for one in rates.classes if one.auc is not None}
    names = [one.name for one in rates.classes]
    return {
        "confusion": confusion_figure(rates.confusion, names, title=f"{title}: confusion"),
        "roc": class_roc_figure(found.curves, areas, title=title),
        "calibration": calibration_figure(
            rates.calibration, rates.expected_calibration_error, title=f"{title}: calibration"
        ),
    }


def _number_cells(errors: object) -> Sequence[object]:
    from lineament.scoring.numbers import NumberErrors

    assert isinstance(errors, NumberErrors)
    rates = (errors.mean_absolute_error, errors.bias, errors.within)
    return (*map(rate_cell, rates), f"{errors.bias.n:,}")


def _cell(rate: Rate | None) -> str:
    return "not defined" if rate is None else rate_cell(rate)
