"""``lineament evaluate end-to-end``: detector and classifier together, on whole photos."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lineament.cli.evaluate.app import app
from lineament.cli.evaluate.saving import SaveOption, save
from lineament.cli.evaluate.shared import rate_cell, tell_chosen_on, tell_repeated
from lineament.cli.options import (
    DEFAULT_PRECISION,
    AttributesOption,
    ClassifierOption,
    JsonOption,
    ModelsDetectorOption,
    PipelineOption,
    PrecisionOption,
    StrictOption,
    WorkersOption,
)
from lineament.cli.targets import Writes
from lineament.counting import quantity
from lineament.io.own_files import ANSWERS

if TYPE_CHECKING:
    from lineament.cli.output import Report
    from lineament.evaluation.end_to_end import EndToEnd
    from lineament.scoring.rate import Rate

_WHAT = {
    "right": "detected and named right",
    "wrong": "detected and named wrong",
    "missed": "not detected",
    "refused": "picture refused",
}


@app.command("end-to-end")
def end_to_end(
    data: Annotated[Path, typer.Argument(metavar="DATA", help="A manifest of whole photos, or labels.")],
    *,
    pipeline: PipelineOption = None,
    detector: ModelsDetectorOption = None,
    classifier: ClassifierOption = None,
    attributes: AttributesOption = None,
    attribute: Annotated[
        str | None,
        typer.Option("--attribute", help="Which answer to judge. Default: the classifier's, or the first."),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option("--split", help="Of the data; all for every row. Default: test, or else val."),
    ] = None,
    min_iou: Annotated[
        float, typer.Option("--iou", help="Overlap with the labelled box from which a face is detected.")
    ] = 0.5,
    faces: Annotated[
        Path | None,
        typer.Option("--faces", metavar="FILE", help="Write how each face ended, one JSON object a line."),
        Writes(ANSWERS),
    ] = None,
    near: Annotated[
        bool, typer.Option("--near/--no-near", help="Warn where pictures are copies of others.")
    ] = True,
    json: JsonOption = None,
    save_to: SaveOption = None,
    precision: PrecisionOption = DEFAULT_PRECISION,
    workers: WorkersOption = None,
    strict: StrictOption = False,
) -> None:
    """Accuracy from photo to answer: what the detector misses, and what the classifier confuses."""
    from lineament.analyzer import Analyzer
    from lineament.attributes.trained import open_classifiers
    from lineament.cli.output import Report, progress
    from lineament.datasets.opening import open_dataset
    from lineament.datasets.splitting.held_out import held_out
    from lineament.errors import UsageError
    from lineament.evaluation.end_to_end import evaluate
    from lineament.evaluation.trained_on import runs_of

    manifest = open_dataset(data)
    models = [*(attributes or ()), *open_classifiers(classifier or ())]
    if not models:
        raise UsageError("give the model to judge: --classifier DIR or --attributes DIR")
    with (
        Report(json) as report,
        Analyzer(
            detector,
            None,
            models,
            quality=False,
            precision=precision,
            workers=workers,
            pipeline=pipeline,
        ) as analyzer,
    ):
        judged = attribute or analyzer.attributes[-1 if classifier else 0].names[0]
        if split is None:
            split = held_out(manifest) or "all"
        detector = str(analyzer.detector_spec)
        for line in analyzer.told:
            report.say(line)
        with progress(len({row.path for row in manifest}), "pictures") as advance:
            found = evaluate(
                manifest,
                analyzer,
                judged,
                split=None if split == "all" else split,
                min_iou=min_iou,
                runs=runs_of(detector, *(attributes or ()), *(classifier or ())),
                advance=advance,
            )
        settings = {"detector": detector, "split": split, "min_iou": min_iou}
        given = {"classifier": list(classifier or ()), "attributes": list(attributes or ())}
        answer = {**found.to_json(), **settings, **given}
        answer |= tell_repeated(report, manifest, None if split == "all" else split, analyzer.workers, near)
        report.line(answer)
        _tell(report, found)
        if faces is not None:
            _write(faces, found)
            report.say(f"wrote {faces}")
        if save_to is not None:
            save(
                save_to,
                "end-to-end",
                f"{judged} on {data.name}",
                protocol={"data": manifest.digest(), "attribute": judged, "split": split, "iou": min_iou},
                system={
                    "detector": detector,
                    "precision": precision,
                    **{k: " ".join(v) for k, v in given.items()},
                },
                # A record names nobody: classes may be people.
                answer={name: value for name, value in answer.items() if name != "confusions"},
            )
    if strict and found.pictures.get("refused"):
        raise typer.Exit(1)


def _tell(report: Report, found: EndToEnd) -> None:
    from lineament.evaluation.end_to_end import RATED

    p = found.pictures
    report.say(
        f"{quantity(p['total'], 'picture')} ({p.get('ok', 0):,} with a face found, "
        f"{p.get('no_face', 0):,} without, {p.get('refused', 0):,} refused), "
        f"{quantity(len(found.faces), 'labelled face')}, {quantity(found.detections, 'detection')}; "
        f"{found.attribute}: {quantity(len(found.classes), 'class') if found.classes else 'no classes'}"
    )
    rows: list[tuple[object, ...]] = []
    for ending in RATED:
        if found.is_number and ending == "wrong":
            continue
        label = "detected" if found.is_number and ending == "right" else _WHAT[ending]
        count = sum(face.ending == ending for face in found.faces)
        rows.append((label, count, _cell(found.share(ending))))
    report.table("How the labelled faces ended", ("", "faces", "share, 95 %"), rows)
    record = found.to_json()
    if found.is_number:
        from lineament.scoring.rate import Rate

        if "mean_absolute_error" in record:
            error = Rate.from_json(record["mean_absolute_error"])
            words = f"{error.value:.2f} ({error.span('.2f')}), n = {error.n}"
            report.say(f"mean absolute error of the detected: {words}")
    else:
        alone = found.share("right", among=("right", "wrong"))
        report.say(
            f"accuracy end to end {_cell(found.share('right'))}; of the detected faces alone {_cell(alone)}"
        )
        for fault in record["confusions"][:5]:
            report.say(f"  {fault['truth']} taken for {fault['said']}: {fault['faces']}")
    if found.extra is not None:
        report.say(
            f"{quantity(found.extra, 'detection is')} no labelled face, in pictures where all have boxes"
        )
    for ending, which in (
        ("unknown_class", "of classes the model was never shown"),
        ("not_placed", "without a box in pictures with several"),
    ):
        if count := sum(face.ending == ending for face in found.faces):
            report.say(f"in no rate: {quantity(count, 'face')} {which}")
    for count, which in (
        (found.unlabelled, f"without a {found.attribute}"),
        (found.elsewhere, "of other splits"),
        (found.unusable, "that ended without a face when the data were made"),
    ):
        if count:
            report.say(f"left out: {quantity(count, 'row')} {which}")
    for run, one in found.compared.items():
        told = f"none of the {quantity(one.rows, 'picture')} that shaped it is among these"
        report.say(f"leak check, {run}: {told if one.rows else 'no manifest to compare with'}")
    tell_chosen_on(report, found.compared)


def _cell(rate: Rate | None) -> str:
    return "" if rate is None else rate_cell(rate)


def _write(path: Path, found: EndToEnd) -> None:
    import json
    from dataclasses import asdict

    from lineament.io.own_files import ANSWERS, LINE_END
    from lineament.io.writing import replacing

    with replacing(path, ANSWERS) as file:
        file.writelines(json.dumps(asdict(face), sort_keys=True) + LINE_END for face in found.faces)
