"""``lineament dataset clean`` and ``duplicates``: proposals, and nothing changed."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lineament.cli.dataset.app import app
from lineament.cli.options import (
    DEFAULT_PRECISION,
    JsonOption,
    PipelineOption,
    PrecisionOption,
    WorkersOption,
)
from lineament.cli.targets import Writes
from lineament.counting import quantity
from lineament.io.own_files import PROPOSALS

if TYPE_CHECKING:
    from lineament.io.manifest import Manifest

SourceArgument = Annotated[
    Path, typer.Argument(metavar="DATA", help="A folder a person, a manifest, or a data set.")
]
OutOption = Annotated[
    Path | None,
    typer.Option(
        "--out", metavar="FILE", help="Write the proposals here, for `review`; with it a run can resume."
    ),
    Writes(PROPOSALS),
]


@app.command("clean")
def clean(
    source: SourceArgument,
    out: OutOption = None,
    check: Annotated[
        list[str] | None,
        typer.Option(
            "--check", metavar="CHECK", help="Only this check: face, identity, duplicates, quality; repeat."
        ),
    ] = None,
    min_quality: Annotated[
        float | None, typer.Option("--min-quality", min=0, max=1, help="Default: 0.5.")
    ] = None,
    pipeline: PipelineOption = None,
    detector: Annotated[
        str | None,
        typer.Option(
            "--detector", metavar="NAME[:SETTINGS]", help="Default: the pipeline's, with a few retries."
        ),
    ] = None,
    precision: PrecisionOption = DEFAULT_PRECISION,
    workers: WorkersOption = None,
    json: JsonOption = None,
) -> None:
    """Propose removals and moves: no face, wrong person, duplicate, poor quality. Changes nothing."""
    given = {
        "min_quality": min_quality,
        "pipeline": pipeline,
        "detector": detector,
        "checks": tuple(check) if check else None,
    }
    _propose("clean", source, out, precision, workers, json, **given)


@app.command("duplicates")
def duplicates(
    source: SourceArgument,
    out: OutOption = None,
    precision: PrecisionOption = DEFAULT_PRECISION,
    workers: WorkersOption = None,
    json: JsonOption = None,
) -> None:
    """Propose removals of exact and near duplicates only, within and across subjects."""
    _propose("duplicates", source, out, precision, workers, json, checks=("duplicates",))


def _propose(
    command: str,
    source: Path,
    out: Path | None,
    precision: str,
    workers: int | None,
    json: str | None,
    **given: object,
) -> None:
    from lineament.cli.output import NEAR_LABEL, Report, progress
    from lineament.cli.refusals import Refusals
    from lineament.config import from_mapping
    from lineament.datasets.cleaning import proposals
    from lineament.datasets.cleaning.clean import CleanSettings
    from lineament.datasets.cleaning.clean import clean as run
    from lineament.datasets.next_steps import spoken
    from lineament.datasets.opening import open_dataset

    values = {name: value for name, value in given.items() if value is not None}
    settings = from_mapping(CleanSettings, {"precision": precision, **values})
    manifest = open_dataset(source)
    journal = None if out is None else out.with_name(f".{out.name}.journal")
    with Report(json) as report:
        count = len({row.path for row in manifest})
        # Each is looked at; for near-duplicates it is glanced at and compared besides.
        each, label = (3, NEAR_LABEL) if "duplicates" in settings.checks else (1, "pictures")
        with progress(each * count, label, lines=True) as advance:
            done = run(
                manifest, settings, workers=workers, advance=advance, comparing=advance, journal=journal
            )
        for proposal in done.proposals:
            report.line(proposal.to_json())
        if out is not None:
            proposals.save(out, done.proposals)
        report.table(
            None,
            ("picture", "action", "reason", "score", "to", "finding"),
            [(p.path, p.action, p.reason, p.score, p.to, p.detail) for p in done.proposals],
        )
        report.say(
            f"{quantity(done.photos, 'picture')}, {done.without_face} without a face, {done.refused} "
            f"refused; {quantity(len(done.proposals), 'proposal')}, nothing was changed"
        )
        for (action, reason), count in sorted(
            Counter((p.action, p.reason) for p in done.proposals).items()
        ):
            report.say(f"  {count} to {action}: {reason}")
        if done.unjudged:
            report.say(f"{quantity(len(done.unjudged), 'subject')} cannot be judged by their own photos:")
            for why, count in Counter(done.unjudged.values()).most_common():
                report.say(f"  {count}: {why}")
        for a, b, similarity in done.same_person:
            report.say(f"are {a} and {b} one person? Their mean faces have similarity {similarity:.2f}")
        refusals = Refusals()
        for proposal in done.proposals:
            if proposal.reason == "refused":
                refusals.add(proposal.detail, proposal.path)
        refusals.tell(report)
        for line in spoken(_next(source, out, manifest, len({p.path for p in done.proposals}), command)):
            report.say(line)


def _next(source: Path, out: Path | None, manifest: Manifest, left: int, command: str) -> list[str]:
    """What comes after the proposals: to write them, where that was not asked for, and to decide them."""
    from lineament.datasets.next_steps import NextSteps
    from lineament.datasets.reviewing.review import PROPOSALS_NAME

    beside = manifest.folder / PROPOSALS_NAME
    elsewhere = out is not None and out.resolve() != beside.resolve()
    steps = NextSteps(source, out if elsewhere else None)
    writing = [steps.clean(command)] if left and out is None else []
    return [*writing, *steps.after({"left": left, "remove": 0, "move": 0})]
