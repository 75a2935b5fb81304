"""``lineament dataset split``: assign pictures to train, val and test."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lineament.cli.dataset.app import DataArgument, app
from lineament.cli.options import JsonOption, SeedOption
from lineament.cli.targets import Continued, Writes
from lineament.counting import quantity
from lineament.io.own_files import MANIFEST

if TYPE_CHECKING:
    from lineament.cli.output import Report


@app.command("split")
def split(
    data: DataArgument,
    shares: Annotated[
        str,
        typer.Argument(
            metavar="SHARES",
            help="85/15: to learn and to choose by; 70/20/10: and for the exam; or train=80,test=20 ...",
        ),
    ] = "70/20/10",
    names: Annotated[
        str | None,
        typer.Option("--names", help="Names of the splits; default: train,val,test."),
    ] = None,
    by: Annotated[
        str,
        typer.Option("--by", metavar="photo|subject", help="Spread each subject, or keep subjects apart."),
    ] = "photo",
    exact: Annotated[
        bool,
        typer.Option("--exact", help="Each subject gets its shares to the photo; see --keep."),
    ] = False,
    keep: Annotated[
        Path | None,
        typer.Option("--keep", metavar="MANIFEST", help="An earlier split: what it knows stays put."),
        Continued(),
    ] = None,
    near: Annotated[
        bool, typer.Option("--near/--no-near", help="Keep near-duplicates together, not only equal files.")
    ] = True,
    resplit: Annotated[
        bool, typer.Option("--resplit", help="Share out rows anew that came with a split.")
    ] = False,
    clips: Annotated[
        bool,
        typer.Option("--clips", help="Keep frames of one video together, by their names (clip_0001 ...)."),
    ] = False,
    seed: SeedOption = 0,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="PATH", help="To write; default: split.jsonl."),
        Writes(MANIFEST),
    ] = None,
    json: JsonOption = None,
) -> None:
    """Split before augmenting: versions and crops of one photo and near-duplicates stay together.

    Splits that the data came with stay; what is missing beside them is taken from train. --resplit shares
    everything out anew.
    """
    from lineament.cli.output import NEAR_LABEL, Report, progress
    from lineament.datasets.cleaning.linking import linked, steps
    from lineament.datasets.opening import open_dataset
    from lineament.datasets.placing import save_step
    from lineament.datasets.splitting.held_out import gap_of
    from lineament.datasets.splitting.shares import aloud
    from lineament.datasets.splitting.splits import Plan, parse_shares, summary
    from lineament.datasets.splitting.splits import split as assign
    from lineament.io.writing import require

    plan = Plan(
        parse_shares(shares, names.split(",") if names else None),
        by=by,  # type: ignore[arg-type]  # the plan refuses other words
        exact=exact,
        seed=seed,
        resplit=resplit,
        clips=clips,
    )
    manifest = open_dataset(data)
    target = out or manifest.folder / "split.jsonl"
    require(target, MANIFEST)
    earlier = open_dataset(keep) if keep is not None else None
    groups: list[set[str]] = []
    if near:
        with progress(steps(manifest), NEAR_LABEL, lines=True) as advance:
            groups = linked(manifest, advance=advance)
    result = assign(manifest, plan, groups, earlier)
    path = save_step(result.manifest, target)
    answer = summary(result)
    with Report(json) as report:
        report.line({"manifest": str(path), **answer})
        report.say(f"asked for: {aloud(plan.shares)}")
        unit = "boxes" if any(row.box is not None for row in manifest) else "faces"
        _tell_table(report, plan.shares, answer, unit)
        if (gap := gap_of(answer["pictures"])) is not None:
            report.say(gap)
        for decision in result.decisions:
            report.say(decision.text)
        report.say(f"{quantity(result.groups, 'group')} of pictures that belong together")
        if result.empty:
            told = ", ".join(f"{name} {count}" for name, count in result.empty.items())
            report.say(f"pictures without a face, among those: {told}")
        for outcome, count in result.unassigned.items():
            report.say(f"{quantity(count, 'picture')} without a split: {outcome}")
        if result.moved:
            report.say(
                f"{quantity(len(result.moved), 'kept row')} moved: a new picture links them across splits"
            )
        report.say(f"written: {path}")


def _tell_table(report: Report, shares: Mapping[str, float], answer: Mapping[str, Any], unit: str) -> None:
    """Pictures by split, and beside them the boxes or faces where those are another number."""
    from lineament.datasets.splitting.shares import purpose

    pictures, faces = answer["pictures"], answer["totals"]
    total = sum(pictures.values()) or 1
    differ = any(faces.get(name, 0) != count for name, count in pictures.items())
    report.table(
        None,
        ["split", "for", "pictures", "share", *([unit] if differ else []), "people"],
        [
            (
                name,
                purpose(name),
                str(pictures[name]),
                f"{pictures[name] / total:.1%}",
                *([str(faces.get(name, 0))] if differ else []),
                str(len([subject for subject in answer["counts"].get(name, ()) if subject])),
            )
            for name in dict.fromkeys([*shares, *pictures])
            if pictures.get(name)
        ],
    )
