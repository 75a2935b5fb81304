"""``lineament dataset audit``: is this data set fit to measure on?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lineament.cli.dataset.app import DataArgument, app
from lineament.cli.options import JsonOption
from lineament.cli.targets import Writes
from lineament.counting import quantity
from lineament.io.own_files import PAGE


@app.command("audit")
def audit(
    data: DataArgument,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="HTML", help="The page; default: audit.html."),
        Writes(PAGE),
    ] = None,
    subjects_apart: Annotated[
        bool | None,
        typer.Option(
            "--subjects-apart/--subjects-shared",
            help="Whether a subject may be in one split only. Default: as the manifest was split.",
        ),
    ] = None,
    near: Annotated[
        bool, typer.Option("--near/--no-near", help="Look for near-duplicates across splits, too.")
    ] = True,
    experiment: Annotated[
        bool,
        typer.Option(
            "--experiment/--no-experiment", help="Measure how a leaky order would have flattered."
        ),
    ] = True,
    sheets: Annotated[int, typer.Option("--sheets", min=0, help="Subjects with a contact sheet.")] = 40,
    seed: Annotated[int, typer.Option("--seed", help="Of the experiment.")] = 0,
    json: JsonOption = None,
) -> None:
    """Write one HTML report and check for leaks between splits; exit with 1 when there is one."""
    from collections import Counter

    from lineament.cli.output import NEAR_LABEL, Report, progress
    from lineament.datasets.audit.page import render
    from lineament.datasets.audit.run import audit as examine
    from lineament.datasets.cleaning.linking import linked, steps
    from lineament.datasets.opening import open_dataset
    from lineament.io.own_files import PAGE
    from lineament.io.writing import replacing, require

    manifest = open_dataset(data)
    page = out or manifest.folder / "audit.html"
    require(page, PAGE)
    with Report(json) as report:
        groups = None
        if near:
            with progress(steps(manifest), NEAR_LABEL, lines=True) as advance:
                groups = linked(manifest, advance=advance)
        with progress(len(manifest), "auditing") as advance:
            result = examine(
                manifest,
                groups,
                subjects_apart=subjects_apart,
                experiment=experiment,
                seed=seed,
                advance=advance,
            )
        with replacing(page, PAGE) as file:
            file.write(render(result, str(data), sheets=sheets))
        report.line({"report": str(page), **result.to_json()})
        pictures, faces = result.counts["pictures"], result.counts["faces"]
        differ = pictures != faces
        unit = "boxes" if any(row.box is not None for row in manifest) else "faces"
        report.table(
            None,
            ["split", "pictures", *([unit] if differ else []), "people"],
            [
                (
                    name or "no split",
                    str(pictures[name]),
                    *([str(faces[name])] if differ else []),
                    str(len([s for s in own if s])),
                )
                for name, own in result.counts["splits"].items()
            ],
        )
        for what, paths in (("missing", result.files.missing), ("changed", result.files.changed)):
            if paths:
                report.say(f"{quantity(len(paths), 'file')} {what}, the first: {paths[0]}")
        for note in result.notes:
            report.say(note)
        if result.flattery is not None:
            found = result.flattery.noise
            for order, a in (("augment, then split", found.leaky), ("split, then augment", found.honest)):
                report.say(
                    f"random labels, {order}: accuracy {a.value:.1%} ({a.low:.1%} to {a.high:.1%}), "
                    f"chance {found.chance:.0%}"
                )
        else:
            report.say(f"experiment: {result.why_no_flattery}")
        for kind, count in sorted(Counter(leak.kind for leak in result.leaks).items()):
            report.say(f"LEAK {kind}: {count}")
        for leak in result.leaks[:10]:
            report.say(f"  {leak.kind}: {leak.detail}")
        for what in result.unchecked:
            report.say(f"not checked: {what}")
        if not result.leaks:
            verdict = "no leak" if not result.unchecked else "no leak in what was checked"
            report.say(verdict if any(result.counts["splits"]) else "no splits, so nothing to leak")
        report.say(f"written: {page}")
    if result.leaks:
        raise typer.Exit(1)
