"""``lineament dataset extract``: photos to face crops."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lineament.cli.dataset.app import app
from lineament.cli.options import (
    DEFAULT_PRECISION,
    OWN,
    DetectorOption,
    JsonOption,
    PipelineOption,
    PrecisionOption,
    StrictOption,
    WorkersOption,
)
from lineament.cli.targets import Writes
from lineament.counting import quantity


@app.command("extract")
def extract(
    source: Annotated[
        Path, typer.Argument(metavar="PHOTOS", help="A folder a person, a manifest, or a data set.")
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Where the crops go: a new folder."), Writes()],
    pipeline: PipelineOption = None,
    detector: DetectorOption = OWN,
    rotate: Annotated[
        float | None,
        typer.Option(
            "--rotate",
            min=1,
            max=90,
            metavar="DEGREES",
            help="Try photos without a face again, turned in steps of so many degrees (15).",
        ),
    ] = None,
    size: Annotated[int, typer.Option("--size", min=16, max=4096, help="Side of a crop in pixels.")] = 256,
    margin: Annotated[
        float | None,
        typer.Option(
            "--margin",
            min=0,
            max=4,
            help="Added on each side, a share of the face box (default 0.25); with --align of the "
            "template (default 0).",
        ),
    ] = None,
    align: Annotated[
        bool, typer.Option("--align", help="Bring eyes, nose and mouth to the ArcFace template.")
    ] = False,
    faces: Annotated[
        str,
        typer.Option(
            "--faces",
            metavar="one|all",
            help="Of several faces in a photo: the one that agrees with the subject's others, or all.",
        ),
    ] = "one",
    from_boxes: Annotated[
        bool,
        typer.Option("--from-boxes", help="Cut by the boxes of the labels alone; no face is looked for."),
    ] = False,
    precision: PrecisionOption = DEFAULT_PRECISION,
    workers: WorkersOption = None,
    json: JsonOption = None,
    strict: StrictOption = False,
) -> None:
    """Cut the faces out of photos.

    A label's box says which face is meant; where no face is found in it, the box itself is cut.

    OUT gets the crops in the folders of the photos, manifest.jsonl, contact_sheet.jpg, undetected.txt with
    every photo in which no face was found, and refused.txt. Interrupted, run it again: it goes on.
    """
    from lineament.cli.output import Report, progress
    from lineament.cli.refusals import Refusals
    from lineament.config import from_mapping
    from lineament.datasets.extraction.extract import ExtractSettings, failures
    from lineament.datasets.extraction.extract import extract as run
    from lineament.datasets.importing.labels import boxes_of
    from lineament.datasets.opening import open_dataset
    from lineament.geometry.crop_style import CropStyle
    from lineament.kinds import noun
    from lineament.pipelines import detector_of

    detector = str(detector_of(pipeline, detector))
    values = {
        "pipeline": pipeline,
        "detector": detector,
        "rotate": rotate,
        "faces": faces,
        "precision": precision,
    }
    style = CropStyle(size, margin, align)
    settings = from_mapping(ExtractSettings, {**values, "style": style, "from_boxes": from_boxes})
    manifest = open_dataset(source)
    with Report(json) as report, progress(len({row.path for row in manifest}), "photos") as advance:
        done = run(manifest, out, settings, workers=workers, advance=advance)
        report.line(done.to_json())
        kinds = boxes_of(manifest)
        things = noun(kinds if from_boxes else (), done.faces)
        report.say(
            f"{quantity(done.photos, 'photo')}: {done.faces:,} {things}, "
            f"{done.undetected} without a face (undetected.txt), {done.refused} refused (refused.txt)"
        )
        if done.from_labels:
            report.say(
                f"{done.from_labels:,} {noun(kinds, done.from_labels)} cut by the label's box alone "
                "(chosen_by: label)"
            )
        if done.resumed:
            report.say(f"{quantity(done.resumed, 'photo was')} done by an earlier run")
        for group in done.twins:
            report.say(f"folders whose names differ only by case or Unicode form: {', '.join(group)}")
        refusals, no_face = Refusals(), _no_face(detector, rotate, from_boxes)
        for path, reason in failures(out):
            refusals.add(reason or "NoFaceFound", path, step=None if reason else no_face)
        refusals.tell(report)
    if strict and done.refused:
        raise typer.Exit(1)


def _no_face(detector: str, rotate: float | None, from_boxes: bool) -> str:
    """What to do about photos without a face; a new OUT, as a finished one is left as it is."""
    from lineament.cli.refusals import no_face_step

    if from_boxes:
        return "draw a box where one is missing, and extract into a new OUT"
    return f"{no_face_step(detector if rotate is None else f'retry:{detector}')} (into a new OUT)"
