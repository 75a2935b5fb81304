"""``lineament analyze``: faces with landmarks, quality and attributes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lineament.cli.options import (
    DEFAULT_PRECISION,
    DetectorOption,
    JsonOption,
    PrecisionOption,
    StrictOption,
    WorkersOption,
)


def analyze(
    paths: Annotated[list[str], typer.Argument(metavar="PATHS...", help="Pictures, or folders of them.")],
    detector: DetectorOption = "yunet",
    age: Annotated[bool, typer.Option("--age", help="Estimate age in years.")] = False,
    gender: Annotated[bool, typer.Option("--gender", help="Estimate gender.")] = False,
    draw: Annotated[
        Path | None, typer.Option("--draw", metavar="DIR", help="Write annotated copies here.")
    ] = None,
    json: JsonOption = None,
    strict: StrictOption = False,
    precision: PrecisionOption = DEFAULT_PRECISION,
    workers: WorkersOption = None,
) -> None:
    """Find faces and measure them: landmarks, pose, quality; age and gender where asked."""
    from lineament.analyzer import Analyzer
    from lineament.cli.pictures import run

    attributes = tuple(name for name, wanted in (("age", age), ("gender", gender)) if wanted)
    analyzer = Analyzer(detector=detector, attributes=attributes, precision=precision, workers=workers)
    columns = ("score", "box", "quality", "size", "yaw", "sharpness", *attributes)
    run(analyzer, paths, json=json, strict=strict, draw=draw, columns=columns)
