"""``lineament evaluate detection``: a detector against labelled faces."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lineament.cli.evaluate.app import app
from lineament.cli.evaluate.running import PlotsOption, Run, SaveOption
from lineament.cli.options import DetectorOption, JsonOption, StrictOption, WorkersOption
from lineament.cli.targets import Writes

if TYPE_CHECKING:
    from lineament.answers import Answer


@app.command("detection")
def detection(
    *,
    labels: Annotated[
        Path,
        typer.Option(
            "--labels", metavar="FILE", help="A manifest, or boxes in any format that dataset import reads."
        ),
    ],
    images: Annotated[
        Path | None,
        typer.Option("--images", metavar="DIR", help="The labelled pictures; of a manifest not needed."),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(
            "--split",
            help="Of the pictures; all for every one. Default: test, or else val.",
        ),
    ] = None,
    label_format: Annotated[
        str | None,
        typer.Option(
            "--format", metavar="NAME", help="manifest, coco, yolo, voc, wider ...; else detected."
        ),
    ] = None,
    detector: DetectorOption = "yunet",
    min_side: Annotated[
        float, typer.Option("--min-side", metavar="PX", min=0, help="Ignore faces with a shorter side.")
    ] = 0,
    score: Annotated[
        float | None,
        typer.Option(
            "--score",
            min=0,
            max=1,
            help="Where precision, recall and F1 are told; default: the detector's own threshold.",
        ),
    ] = None,
    errors: Annotated[
        Path | None,
        typer.Option(
            "--errors", metavar="DIR", help="Draw the worst pictures there, and list every error."
        ),
        Writes(apart=True),
    ] = None,
    drawings: Annotated[int, typer.Option("--drawings", min=0, help="How many pictures to draw.")] = 20,
    plots: PlotsOption = None,
    json: JsonOption = None,
    save_to: SaveOption = None,
    workers: WorkersOption = None,
    strict: StrictOption = False,
) -> None:
    """Find labelled faces: precision, recall, F1, mAP50, mAP50-95, WIDER FACE levels, by size and label.

    Pictures that cannot be read count with all their faces missed.
    """
    from lineament.evaluation.detection_errors import write_errors
    from lineament.evaluation.detection_report import DetectionReport
    from lineament.evaluation.measuring_labels import of_detector
    from lineament.evaluation.truths import read_truths

    run = Run(json, save_to, plots, strict)
    truths = read_truths(images, labels, label_format, split=split)

    def drawn(found: Answer) -> Iterable[Path]:
        assert isinstance(found, DetectionReport)
        return () if errors is None else write_errors(found, errors, drawings)

    run(
        len(truths.pictures),
        partial(
            of_detector,
            truths,
            detector,
            min_side=min_side,
            score=score,
            workers=workers,
            title=(images or labels).name,
        ),
        also=drawn,
    )
