"""``lineament import``: what other programs keep of people, into a gallery of ours."""

from __future__ import annotations

from typing import Annotated

import typer

from lineament.cli.options import (
    DEFAULT_PRECISION,
    OWN,
    DetectorOption,
    GalleryOption,
    JsonOption,
    PipelineOption,
    PrecisionOption,
    StrictOption,
)
from lineament.counting import quantity

app = typer.Typer(no_args_is_help=True, help="Take people over from other programs.")


@app.callback()
def _group() -> None:
    pass


@app.command("compreface")
def compreface(
    address: Annotated[str, typer.Argument(metavar="URL", help="Of the server: http://localhost:8000.")],
    key: Annotated[
        str,
        typer.Option(
            "--key",
            metavar="UUID",
            envvar="LINEAMENT_COMPREFACE_KEY",
            help="Of its recognition service; in the environment, where no list of processes shows it.",
        ),
    ],
    allow: Annotated[
        list[str] | None,
        typer.Option("--allow", metavar="REFUSAL", help="Override a refusal, as `gallery enrol` does."),
    ] = None,
    gallery: GalleryOption = None,
    pipeline: PipelineOption = None,
    detector: DetectorOption = OWN,
    json: JsonOption = None,
    strict: StrictOption = False,
    precision: PrecisionOption = DEFAULT_PRECISION,
) -> None:
    """Enrol the faces of a CompreFace collection: pages through it and fetches each photo once.

    Given again after it broke off, it goes on; what was moved is not fetched again. Nothing changes there.
    """
    from lineament.cli.gallery.enrolling import Enrolling
    from lineament.cli.output import Report, progress
    from lineament.gallery.gallery import Gallery
    from lineament.service.compreface.moving import Installation, moved
    from lineament.settings import AnalyzerSettings

    installation = Installation(address, key)
    enrolling, before = Enrolling(gallery, pipeline, detector), 0
    with (
        Gallery(
            gallery, AnalyzerSettings(detector, precision=precision, workers=1, pipeline=pipeline)
        ) as opened,
        Report(json) as report,
        report.at_the_end(
            lambda: enrolling.tell(
                report, opened.people, [f"{quantity(before, 'face was', 'faces were')} moved before"]
            )
        ),
        progress(installation.count(), "faces") as advance,
    ):
        for done in moved(opened, installation, allow=allow or ()):
            if done is None:
                before += 1
            else:
                enrolling.add(done)
                report.line(done.to_json())
            advance(1)
    if strict and enrolling.counts["refused"]:
        raise typer.Exit(1)
