"""``lineament evaluate end-to-end``: detector and classifier together, on whole photos."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lineament.cli.evaluate.app import app
from lineament.cli.evaluate.running import HeldOutOption, Run, SaveOption
from lineament.cli.options import (
    DEFAULT_PRECISION,
    AttributesOption,
    ClassifierOption,
    JsonOption,
    ModelsDetectorOption,
    PrecisionOption,
    StrictOption,
    WorkersOption,
)
from lineament.cli.targets import Writes
from lineament.io.own_files import ANSWERS

if TYPE_CHECKING:
    from lineament.answers import Answer
    from lineament.protocols import AttributeClassifier


@app.command("end-to-end")
def end_to_end(
    data: Annotated[Path, typer.Argument(metavar="DATA", help="A manifest of whole photos, or labels.")],
    *,
    detector: ModelsDetectorOption = None,
    classifier: ClassifierOption = None,
    attributes: AttributesOption = None,
    attribute: Annotated[
        str | None,
        typer.Option("--attribute", help="Which answer to judge. Default: the classifier's, or the first."),
    ] = None,
    split: HeldOutOption = None,
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
    from lineament.attributes.trained import open_classifiers
    from lineament.datasets.opening import open_dataset
    from lineament.errors import UsageError
    from lineament.evaluation.end_to_end import EndToEnd
    from lineament.evaluation.measuring_labels import of_photos
    from lineament.settings import AnalyzerSettings

    manifest = open_dataset(data)
    given = {"classifier": list(classifier or ()), "attributes": list(attributes or ())}
    opened = open_classifiers(given["classifier"])
    models: tuple[str | AttributeClassifier, ...] = (*given["attributes"], *opened)
    if not models:
        raise UsageError("give the model to judge: --classifier DIR or --attributes DIR")
    made_of = AnalyzerSettings(detector, None, models, quality=False, precision=precision, workers=workers)

    def written(found: Answer) -> Iterable[Path]:
        assert isinstance(found, EndToEnd)
        return () if faces is None else [found.write_faces(faces)]

    Run(json, save_to, strict=strict)(
        len({row.path for row in manifest}),
        partial(
            of_photos,
            manifest,
            made_of,
            attribute,
            given=given,
            near=near,
            split=split,
            min_iou=min_iou,
            title=data.name,
        ),
        also=written,
    )
