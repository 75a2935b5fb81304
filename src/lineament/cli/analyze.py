"""``lineament analyze``: faces with landmarks, quality and attributes, by shipped or trained models."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lineament.cli.options import (
    DEFAULT_PRECISION,
    AttributesOption,
    ClassifierOption,
    DetectorOption,
    JsonOption,
    PrecisionOption,
    StrictOption,
    WorkersOption,
)
from lineament.cli.targets import Writes


def analyze(
    paths: Annotated[list[str], typer.Argument(metavar="PATHS...", help="Pictures, or folders of them.")],
    detector: DetectorOption = "yunet",
    attributes: AttributesOption = None,
    classifier: ClassifierOption = None,
    age: Annotated[bool, typer.Option("--age", help="Estimate age in years.")] = False,
    gender: Annotated[bool, typer.Option("--gender", help="Estimate gender.")] = False,
    draw: Annotated[
        Path | None,
        typer.Option("--draw", metavar="DIR", help="Write annotated copies here."),
        Writes(apart=True),
    ] = None,
    json: JsonOption = None,
    strict: StrictOption = False,
    precision: PrecisionOption = DEFAULT_PRECISION,
    workers: WorkersOption = None,
) -> None:
    """Find faces and measure them: landmarks, pose, quality; attributes and who it is where asked.

    A model trained here is given by the folder of its training.
    """
    from lineament.analyzer import Analyzer
    from lineament.attributes.trained import open_classifiers
    from lineament.cli.pictures import run

    named = [name for name, wanted in (("age", age), ("gender", gender)) if wanted]
    asked = list(dict.fromkeys([*named, *(attributes or ())]))
    analyzer = Analyzer(
        detector=detector,
        attributes=[*asked, *open_classifiers(classifier or ())],
        precision=precision,
        workers=workers,
    )
    answers = [name for one in analyzer.attributes for name in one.names]
    columns = ("score", "box", "quality", "size", "yaw", "sharpness")
    run(analyzer, paths, json=json, strict=strict, draw=draw, columns=columns, attributes=answers)
