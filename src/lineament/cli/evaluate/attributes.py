"""``lineament evaluate attributes``: age, gender, or any trained attribute, against labels."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from lineament.cli.evaluate.app import app
from lineament.cli.evaluate.running import HeldOutOption, PlotsOption, Run, SaveOption
from lineament.cli.options import JsonOption, ModelsDetectorOption, StrictOption, WorkersOption


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
    split: HeldOutOption = None,
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
    from lineament.evaluation.attributes import open_labels
    from lineament.evaluation.measuring_labels import of_attribute
    from lineament.settings import AnalyzerSettings

    run = Run(json, save_to, plots, strict)
    manifest = open_labels(data, label or attribute)
    model = (classifier or attribute,)
    made_of = AnalyzerSettings(detector, None, model, quality=False, workers=workers)
    title = f"{attribute} on {data.name}"
    run(
        len({row.path for row in manifest}),
        partial(of_attribute, manifest, attribute, made_of, label=label, split=split, title=title),
    )
