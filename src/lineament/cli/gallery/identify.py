"""``lineament gallery identify``: who is in photos."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lineament.cli.drawing import ScoresOption, SheetOption
from lineament.cli.gallery.app import SearchFmrOption, opened
from lineament.cli.options import (
    DEFAULT_PRECISION,
    DetectorOption,
    GalleryOption,
    JsonOption,
    PrecisionOption,
    StrictOption,
    ThresholdFileOption,
    WorkersOption,
)
from lineament.cli.targets import Writes

if TYPE_CHECKING:
    from lineament.gallery.answers import Identified
    from lineament.types import Image, UInt8


def identify(
    paths: Annotated[list[str], typer.Argument(metavar="PATHS...", help="Photos and folders of photos.")],
    top: Annotated[int, typer.Option("--top", min=1, help="How many candidates to give for a face.")] = 5,
    draw: Annotated[
        Path | None,
        typer.Option("--draw", metavar="DIR", help="Write the pictures with names drawn in."),
        Writes(apart=True),
    ] = None,
    scores: ScoresOption = False,
    sheet: SheetOption = None,
    gallery: GalleryOption = None,
    detector: DetectorOption = "yunet",
    target_fmr: SearchFmrOption = None,
    threshold_file: ThresholdFileOption = None,
    json: JsonOption = None,
    strict: StrictOption = False,
    precision: PrecisionOption = DEFAULT_PRECISION,
    workers: WorkersOption = None,
) -> None:
    """Find out who is in photos: every face is searched, and the measured threshold decides."""
    from lineament.analyzer import Analyzer
    from lineament.cli.drawing import Sheet
    from lineament.cli.output import Report, progress
    from lineament.cli.pictures import Drawings, numbered_note
    from lineament.cli.refusals import Refusals, no_face_step
    from lineament.cli.videos import Videos
    from lineament.gallery.answers import Searched
    from lineament.io import sources
    from lineament.io.left_out import others_told
    from lineament.plots.lettering import legible
    from lineament.types import Status

    listing = sources.expand(paths)
    files = list(listing)
    drawings, on_sheet, videos, refusals = Drawings(draw), Sheet(sheet), Videos(), Refusals()
    numbered = 0
    analyzer = Analyzer(
        detector, precision=precision, workers=workers, keep_images=draw is not None or sheet is not None
    )

    def tell() -> None:
        report.tell(searched.told())
        if numbered:
            report.say(numbered_note(numbered))
        report.tell(others_told(listing.left_out))
        videos.tell(report)
        drawings.tell(report)
        on_sheet.write(report)
        refusals.tell(report)

    with (
        opened(gallery, analyzer, target_fmr=target_fmr, threshold_file=threshold_file) as people,
        Report(json) as report,
        report.at_the_end(tell),
        progress(len(files), "pictures") as advance,
    ):
        searched = Searched(people)
        for number, found in enumerate(people.identify(files, top), 1):
            searched.add(found)
            videos.look(found.outcome)
            refusals.look(found.outcome, no_face_step(detector))
            # A number, from 1, stands for a name that no font of this system draws rightly.
            labels = legible(found.names) if draw is not None else ()
            numbered += sum(label == str(i) for i, label in enumerate(labels, 1))
            record = found.to_json()
            for face, label in zip(record["faces"], labels, strict=False):
                face["label"] = label
            drawn = drawings.add(found.outcome, number, partial(_drawing, found, labels, scores))
            on_sheet.add(found.outcome, found.names)
            report.line({**record, **drawn})
            advance(1)
    if videos or drawings.refused or (strict and searched.pictures[Status.REFUSED]):
        raise typer.Exit(1)


def _drawing(found: Identified, labels: Sequence[str], scores: bool, image: Image) -> UInt8:
    """The picture with a label at each face, and the detection's score where that is wanted."""
    from lineament.cli.drawing import with_scores
    from lineament.plots.annotate import MATCH, NO_MATCH, annotate

    colours = [MATCH if match.accepted else NO_MATCH for match in found.matches]
    return annotate(image, found.outcome.faces, with_scores(labels, found.outcome, scores), colours)
