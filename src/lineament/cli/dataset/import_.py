"""``lineament dataset import``: a labelled folder or archive to a manifest."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lineament.cli.dataset.app import app
from lineament.cli.options import JsonOption, StrictOption
from lineament.cli.targets import Writes

if TYPE_CHECKING:
    from lineament.cli.output import Report
    from lineament.datasets.importing import Imported


@app.command("import")
def import_(
    source: Annotated[Path, typer.Argument(help="A folder, a label file, or a .zip or .tar.* archive.")],
    *,
    format: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="NAME[:SETTINGS]",
            help="coco, yolo, voc:first=0, imagefolder:label=emotion ...; found out when not given.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="DIR", help="Copy pictures there, beside the manifest; needed for archives."
        ),
        Writes(),
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Write over a manifest that is there already.")
    ] = False,
    follow_links: Annotated[
        bool,
        typer.Option("--follow-links", help="Read what links lead to outside the folder, too."),
    ] = False,
    json: JsonOption = None,
    strict: StrictOption = False,
) -> None:
    """Write manifest.jsonl for labelled pictures; what is wrong with them is counted and shown.

    Without --out the manifest is written into the folder itself.
    """
    from lineament.cli.output import Report, progress
    from lineament.datasets.importing import import_dataset

    with Report(json) as report:
        with progress(None, "pictures") as advance:
            path, found = import_dataset(
                source, format, out=out, replace=replace, follow_links=follow_links, advance=advance
            )
        _answer(report, path, found)
    if strict and found.problems:
        raise typer.Exit(1)


def _answer(report: Report, path: Path, found: Imported) -> None:
    from lineament.datasets.importing import summary

    counts = summary(found)
    report.line({"manifest": path, **counts, "problems": found.problems.to_json()})
    report.say(
        f"{found.format}: {counts['pictures']:,} pictures, {counts['faces']:,} faces with a box, "
        f"{counts['subjects']:,} subjects, {counts['refused']:,} refused -> {path}"
    )
    if counts["splits"]:
        report.table("Splits", ("split", "rows"), counts["splits"].items())
    if found.problems:
        report.table(
            "Found on the way",
            ("what", "how often", "for example"),
            ((kind, tally.count, tally.examples[0]) for kind, tally in found.problems),
        )
