"""``lineament dataset export``: a manifest to a label format, with what is lost."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lineament.cli.dataset.app import app
from lineament.cli.options import JsonOption, StrictOption
from lineament.cli.targets import Writes
from lineament.counting import quantity


@app.command("export")
def export(
    dataset: Annotated[Path, typer.Argument(help="A manifest, a folder with one, or any labelled folder.")],
    out: Annotated[Path, typer.Argument(help="A new or empty folder."), Writes(apart=True)],
    *,
    format: Annotated[
        str,
        typer.Option(
            "--format",
            metavar="NAME[:SETTINGS]",
            help="coco, yolo:landmarks=true, voc, labelme, roboflow:flavour=yolo, wider, csv, imagefolder, "
            "lfw, webdataset.",
        ),
    ],
    json: JsonOption = None,
    strict: StrictOption = False,
) -> None:
    """Copy the pictures and write their labels, then read them back and report every difference.

    With --strict the exit status is 1 when a row or a picture was lost.
    """
    from lineament.cli.output import Report, progress
    from lineament.datasets.exporting import export_labels
    from lineament.datasets.opening import open_dataset

    manifest = open_dataset(dataset)
    with Report(json) as report:
        with progress(len(manifest), "rows") as advance:
            done = export_labels(manifest, out, format, advance=advance)
        report.line(
            {
                "folder": done.folder,
                "format": done.format,
                "pictures": done.pictures,
                "rows": done.rows,
                "losses": done.losses.to_json(),
                "problems": done.problems.to_json(),
            }
        )
        report.say(
            f"{done.format}: {quantity(done.pictures, 'picture')}, {done.rows:,} of "
            f"{quantity(len(manifest), 'row')} -> {out}"
        )
        report.table(
            "Lost or changed when read back",
            ("field", "rows", "at most, px", "for example"),
            ((f, t.count, _pixels(t.worst_px), t.examples[0]) for f, t in done.losses),
        )
        if done.problems:
            report.table(
                "Not exported",
                ("why", "pictures", "for example"),
                ((kind, tally.count, tally.examples[0]) for kind, tally in done.problems),
            )
    if strict and (done.problems or done.losses["row"]):
        raise typer.Exit(1)


def _pixels(distance: float | None) -> str:
    return "" if distance is None else f"{distance:.3g}"
