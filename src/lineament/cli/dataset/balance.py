"""``lineament dataset balance``: the same number of samples of each subject."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lineament.cli.dataset.app import app
from lineament.cli.options import JsonOption
from lineament.cli.targets import Writes
from lineament.io.own_files import MANIFEST


@app.command("balance")
def balance(
    data: Annotated[Path, typer.Argument(metavar="DATA", help="A folder a person, a manifest, or labels.")],
    at_least: Annotated[int, typer.Option("--at-least", help="Leave out subjects with fewer photos.")] = 30,
    subjects: Annotated[int, typer.Option("--subjects", help="How many subjects to keep; 0: all.")] = 100,
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
    from lineament.datasets.opening import open_dataset
    from lineament.datasets.placing import save_step
    from lineament.io.writing import require

    manifest = open_dataset(data)
    plan = Plan(
        at_least,
        subjects or None,
        per_subject or None,
        choose=choose,  # type: ignore[arg-type]  # the plan refuses other words
        down=down,  # type: ignore[arg-type]
        split=split,
        seed=seed,
    )
    target = out or manifest.folder / "balanced.jsonl"
    require(target, MANIFEST)
    result = balanced(manifest, plan, everywhere=everywhere)
    path = save_step(result.manifest, target)
    with Report(json) as report:
        report.line({"manifest": str(path), **result.to_json()})
        report.say(
            f"{len(result.samples)} subjects, {sum(result.samples.values())} samples an epoch "
            f"from {sum(result.rows.values())} rows"
        )
        if result.left_out:
            report.table(
                "Left out",
                ["subject", "rows", "reason", "rows in other splits"],
                [(o.subject, str(o.rows), o.reason, str(o.elsewhere)) for o in result.left_out],
            )
        for count, what in ((result.unnamed, "without a subject"), (result.unusable, "without a face")):
            if count:
                report.say(f"{count} rows {what} left out")
        others = sum(one.elsewhere for one in result.left_out)
        if others and not everywhere:
            report.say(f"{others} rows of left-out subjects stay in other splits; see --everywhere")
        report.say(f"written: {path}")
