"""``lineament dataset import``: labelled folders or archives to a manifest."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lineament.cli.dataset.app import app
from lineament.cli.dataset.joined import WITHOUT_A_LABEL, DifferingOption, answer_joined
from lineament.cli.options import JsonOption, StrictOption
from lineament.cli.targets import Writes
from lineament.counting import quantity

if TYPE_CHECKING:
    from lineament.cli.output import Report
    from lineament.datasets.importing.labels import Imported


@app.command("import")
def import_(
    sources: Annotated[
        list[Path],
        typer.Argument(metavar="SOURCE...", help="Folders, label files, or .zip and .tar.* archives."),
    ],
    *,
    format: Annotated[
        list[str] | None,
        typer.Option(
            "--format",
            metavar="NAME[:SETTINGS]",
            help="coco, yolo, voc:first=0, labelme:empty=true, imagefolder:label=emotion ...; found out "
            "when not given. Of several sources: one for all, or one each (guess: find out).",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="DIR",
            help="Copy pictures there, beside the manifest; needed for archives and several sources.",
        ),
        Writes(apart=True),
    ] = None,
    replace: Annotated[
        bool,
        typer.Option(
            "--replace", help="Write over the manifest of an earlier import; copy what its folder lacks."
        ),
    ] = False,
    differing: DifferingOption = "refuse",
    follow_links: Annotated[
        bool,
        typer.Option("--follow-links", help="Read what links lead to outside the folder, too."),
    ] = False,
    json: JsonOption = None,
    strict: StrictOption = False,
) -> None:
    """Write manifest.jsonl for labelled pictures; what is wrong with them is counted and shown.

    Without --out the manifest is written into the folder itself. Several sources become one data set, as
    with dataset merge.
    """
    from lineament.cli.output import Report, progress
    from lineament.datasets.importing.labels import import_dataset
    from lineament.datasets.joining.folder import GUESS, join_folders
    from lineament.errors import UsageError

    formats = format or []
    with Report(json) as report:
        if len(sources) > 1:
            if out is None:
                raise UsageError("several sources need --out, the folder of the data set they become")
            with progress(None, "pictures") as advance:
                joined = join_folders(
                    sources,
                    formats,
                    out=out,
                    differing=differing,
                    replace=replace,
                    follow_links=follow_links,
                    advance=advance,
                )
            answer_joined(report, *joined)
            problems = joined[1].problems
        else:
            if len(formats) > 1:
                raise UsageError(f"{quantity(len(formats), 'format')} for one source: name one")
            with progress(None, "pictures") as advance:
                named = next((name for name in formats if name != GUESS), None)
                path, found = import_dataset(
                    sources[0], named, out=out, replace=replace, follow_links=follow_links, advance=advance
                )
            _answer(report, path, found)
            problems = found.problems
    if strict and problems:
        raise typer.Exit(1)


def _answer(report: Report, path: Path, found: Imported) -> None:
    from dataclasses import asdict

    from lineament.cli.dataset.joined import (
        rows_in_words,
        tell_copies,
        tell_labels,
        tell_problems,
        tell_refused,
    )
    from lineament.datasets.importing.labels import offer, summary

    counts, offered = summary(found), offer(found)
    report.line(
        {
            "manifest": path,
            **counts,
            "problems": found.problems.to_json(),
            **({"if_they_hold_no_face": f"--format {offered}"} if offered else {}),
            **({"copies": asdict(found.filled)} if found.filled else {}),
        }
    )
    tables = f" (labels from {', '.join(found.tables)})" if found.tables else ""
    report.say(
        f"{found.format}: {rows_in_words(counts)}, {quantity(counts['subjects'], 'subject')}, "
        f"{counts['refused']:,} refused -> {path}{tables}"
    )
    if found.assumed:
        report.say(f"of those without, no label says so of {found.assumed:,}")
    if found.filled:
        tell_copies(report, found.filled)
    if counts["splits"]:
        report.table(
            "Splits",
            ("split", "pictures", "rows"),
            [(name, counts["pictures_by_split"][name], rows) for name, rows in counts["splits"].items()],
        )
    tell_labels(report, found.manifest.rows)
    tell_problems(report, found.problems)
    tell_refused(report, found.manifest)
    if offered:
        report.say(f"{WITHOUT_A_LABEL}: --format {offered}")
