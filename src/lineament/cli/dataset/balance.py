"""``lineament dataset balance``: the same number of samples of each subject."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lineament.cli.dataset.app import DataArgument, app
from lineament.cli.options import JsonOption
from lineament.cli.targets import Writes
from lineament.counting import quantity
from lineament.io.own_files import MANIFEST

if TYPE_CHECKING:
    from lineament.cli.output import Report
    from lineament.datasets.balance import Balanced, Plan


@app.command("balance")
def balance(
    data: DataArgument,
    names: Annotated[
        str | None,
        typer.Option(
            "--names",
            metavar="LIST",
            help="Keep these people: a file with a name a line, or names with commas.",
        ),
    ] = None,
    at_least: Annotated[
        int | None,
        typer.Option(
            "--at-least", metavar="N", help="Leave out people with fewer pictures. 30; with --names 1."
        ),
    ] = None,
    counted: Annotated[
        str,
        typer.Option(
            "--counted",
            metavar="after|before",
            help="--at-least is of pictures after the split, in --split alone, or before it, in all.",
        ),
    ] = "after",
    subjects: Annotated[
        int | None,
        typer.Option("--subjects", metavar="N", help="How many to keep; 0: all. 100; with --names all."),
    ] = None,
    per_subject: Annotated[
        int, typer.Option("--per-subject", help="Samples of each subject; 0: as many as there are.")
    ] = 50,
    choose: Annotated[
        str, typer.Option("--choose", metavar="hash|most", help="Subjects by seeded hash, or most photos.")
    ] = "hash",
    down: Annotated[
        str, typer.Option("--down", metavar="random|quality", help="Which pictures go when there are more.")
    ] = "random",
    split: Annotated[
        str, typer.Option("--split", help="The split to balance; all: every row, split or not.")
    ] = "train",
    everywhere: Annotated[
        bool, typer.Option("--everywhere", help="Take left-out subjects out of the other splits too.")
    ] = False,
    seed: Annotated[int, typer.Option("--seed", help="Another seed makes another choice.")] = 0,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="PATH", help="To write; default: balanced.jsonl."),
        Writes(MANIFEST),
    ] = None,
    json: JsonOption = None,
) -> None:
    """Balance the training split: fewer rows down, more references up, never a copy of a file."""
    from lineament.cli.output import Report
    from lineament.datasets.balance import Plan
    from lineament.datasets.balance import balance as balanced
    from lineament.datasets.naming import names_in
    from lineament.datasets.opening import open_dataset
    from lineament.datasets.placing import save_step
    from lineament.io.writing import require

    manifest = open_dataset(data)
    listed = None if names is None else tuple(names_in(names))
    plan = Plan(
        at_least if at_least is not None else 30 if listed is None else 1,
        (100 if listed is None else None) if subjects is None else subjects or None,
        per_subject or None,
        choose=choose,  # type: ignore[arg-type]  # the plan refuses other words
        down=down,  # type: ignore[arg-type]
        split=split,
        seed=seed,
        counted=counted,  # type: ignore[arg-type]
        names=listed,
    )
    target = out or manifest.folder / "balanced.jsonl"
    require(target, MANIFEST)
    result = balanced(manifest, plan, everywhere=everywhere)
    path = save_step(result.manifest, target)
    with Report(json) as report:
        report.line({"manifest": str(path), **result.to_json()})
        _tell(report, result, plan, everywhere=everywhere)
        report.say(f"written: {path}")


def _tell(report: Report, result: Balanced, plan: Plan, *, everywhere: bool) -> None:
    from lineament.datasets.balance import told_of_count

    people, total = len(result.samples), sum(result.samples.values())
    different = sum(result.rows.values())
    each = sorted(set(result.samples.values()))
    if len(each) == 1:
        numbers = f"{quantity(people, 'person')} x {each[0]} = {result.told(total)} an epoch"
    else:
        numbers = (
            f"{quantity(people, 'person')}, {result.told(total)} an epoch, {each[0]} to {each[-1]} each"
        )
    repeated = "" if different == total else f", from {quantity(different, 'different one')}"
    report.say(f"{numbers}{repeated} ({'all splits' if plan.split == 'all' else f'split {plan.split}'})")
    report.say(f"at least {result.told(plan.at_least)} of each, {told_of_count(plan)}")
    if result.unknown:
        told = ", ".join(result.unknown[:10]) + (" ..." if len(result.unknown) > 10 else "")
        report.say(f"{quantity(len(result.unknown), 'name')} of --names not known here: {told}")
    told_of = [one for one in result.left_out if one.reason != "not_named"]
    if told_of:
        report.table(
            "Left out",
            ["person", result.unit, "reason", f"{result.unit} in other splits"],
            [(o.subject, str(o.rows), _WHY[o.reason], str(o.elsewhere)) for o in told_of],
        )
    if result.way_out is not None:
        few = sum(one.reason == "too_few" for one in result.left_out)
        report.say(
            f"{quantity(few, 'person falls', 'people fall')} short of {plan.at_least}: {result.way_out}"
        )
    if len(told_of) < len(result.left_out):
        others = len(result.left_out) - len(told_of)
        report.say(f"{quantity(others, 'person')} not in --names left out")
    for count, what in ((result.unnamed, "of nobody named"), (result.unusable, "without a face")):
        if count:
            report.say(f"{quantity(count, 'picture')} {what} left out")
    others = sum(one.elsewhere for one in result.left_out)
    if others and not everywhere:
        report.say(
            f"of people left out there are {result.told(others)} in other splits, which stay; "
            "--everywhere takes them out"
        )


_WHY = {
    "too_few": "too few",
    "none_in_split": "none in this split",
    "not_chosen": "not among --subjects",
}
