"""The group of the gallery commands, and the options that several of them share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from lineament.gallery.gallery import Gallery
    from lineament.settings import FaceAnalyzer

app = typer.Typer(no_args_is_help=True, help="Keep people, find them in photos, correct and erase.")

SubjectArgument = Annotated[str, typer.Argument(metavar="SUBJECT", help="A name, as `list` shows it.")]
SearchFmrOption = Annotated[
    float | None,
    typer.Option(
        "--target-fmr",
        help="False match rate to accept, of those measured. Default: low enough for the number of people "
        "that about 1 stranger in 100 matches somebody.",
    ),
]
FaceOption = Annotated[
    str | None,
    typer.Option(
        "--face",
        metavar="N|X,Y",
        help="Which face of a group photo: its number as `detect` prints it, or a point in it, in pixels.",
    ),
]
LargestOption = Annotated[bool, typer.Option("--largest", help="Of several faces take the largest.")]


def opened(
    url: str | None,
    analyzer: FaceAnalyzer | None = None,
    *,
    target_fmr: float | None = None,
    threshold_file: Path | None = None,
    min_quality: float | None = None,
    create: bool = False,
) -> Gallery:
    """The gallery of these options."""
    from lineament.gallery.gallery import Gallery
    from lineament.settings import MIN_QUALITY, AnalyzerSettings, GallerySettings

    return Gallery.from_settings(
        GallerySettings(
            url,
            AnalyzerSettings() if analyzer is None else analyzer,
            target_fmr=target_fmr,
            threshold_file=threshold_file,
            min_quality=MIN_QUALITY if min_quality is None else min_quality,
            create=create,
        )
    )


def face_asked(face: str | None, largest: bool) -> int | tuple[float, float] | None:
    """What ``--face`` asks for; raises `ConfigError` for what names no face, or with ``--largest``."""
    from lineament.errors import ConfigError
    from lineament.geometry.choosing import parse_face

    if face is not None and largest:
        raise ConfigError("--face and --largest each say which face; give one of them")
    return None if face is None else parse_face(face)
