"""Options that several commands share, each with one meaning and one help text."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lineament.cli.targets import Writes
from lineament.io.own_files import ANSWERS

PicturesArgument = Annotated[
    list[str], typer.Argument(metavar="PATHS...", help="Pictures, or folders of them.")
]
FirstArgument = Annotated[str, typer.Argument(metavar="A", help="A photo.")]
SecondArgument = Annotated[str, typer.Argument(metavar="B", help="Another photo.")]
JsonOption = Annotated[
    str | None,
    typer.Option(
        "--json", metavar="PATH|-", help="Write JSON, one object a line, to a file or stdout (-)."
    ),
    Writes(ANSWERS),
]
DetectorOption = Annotated[
    str,
    typer.Option(
        "--detector",
        metavar="NAME[:SETTINGS]",
        help="yunet, centerface, haar, retry:yunet, yunet:score=0.8, the folder of a training ...",
    ),
]
EmbedderOption = Annotated[
    str,
    typer.Option("--embedder", metavar="NAME[:SETTINGS]", help="sface, or the folder of a training."),
]
SplitOption = Annotated[
    str | None, typer.Option("--split", metavar="NAME", help="This split of the manifest.")
]
SeedOption = Annotated[int, typer.Option("--seed", help="Another seed gives another split.")]
DrawOption = Annotated[
    Path | None,
    typer.Option("--draw", metavar="DIR", help="Write annotated copies here."),
    Writes(apart=True),
]
ModelsDetectorOption = Annotated[
    str | None,
    typer.Option(
        "--detector",
        metavar="NAME[:SETTINGS]",
        help="yunet, haar, the folder of a training ... Default: that which cut the faces the model was "
        "trained on, else yunet.",
    ),
]
AttributesOption = Annotated[
    list[str] | None,
    typer.Option(
        "--attributes",
        metavar="NAME|DIR",
        help="age, gender, or the folder of a training; may be repeated.",
    ),
]
ClassifierOption = Annotated[
    list[str] | None,
    typer.Option(
        "--classifier", metavar="DIR", help="Say who it is: the folder of a classifier's training."
    ),
]
RejectBelowOption = Annotated[
    str | None,
    typer.Option(
        "--reject-below",
        metavar="P|measured",
        help="Name nobody below this probability; measured: that of `lineament evaluate strangers`.",
    ),
]
StrictOption = Annotated[
    bool, typer.Option("--strict", help="Exit with 1 when any picture or face was refused.")
]
GalleryOption = Annotated[
    str | None,
    typer.Option(
        "--gallery",
        metavar="URL",
        envvar="LINEAMENT_GALLERY",
        help="Where people are kept: sqlite:people.db. Default: a file in the user's data directory.",
    ),
]
TargetFmrOption = Annotated[
    float,
    typer.Option(
        "--target-fmr",
        help="False match rate to accept; picks the threshold measured for it, never a bare number.",
    ),
]
ThresholdFileOption = Annotated[
    Path | None,
    typer.Option(
        "--threshold-file",
        metavar="FILE",
        help="A threshold measured on your own people, as `lineament calibrate` wrote it.",
    ),
]
PrecisionOption = Annotated[
    str,
    typer.Option(
        "--precision",
        metavar="exact|balanced|fast",
        help="Of the embedder: float32, or bfloat16 where it costs nothing, or everywhere.",
    ),
]
DEFAULT_PRECISION = "balanced"
WorkersOption = Annotated[
    int | None, typer.Option("--workers", min=1, help="Threads; default: one a processor core.")
]
DEFAULT_TARGET_FMR = 1e-3
