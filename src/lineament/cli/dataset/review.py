"""``lineament dataset review``: decide proposals on a local page, or accept the sure ones without it."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lineament.cli.dataset.app import app
from lineament.cli.options import JsonOption
from lineament.cli.targets import Writes
from lineament.counting import quantity
from lineament.io.own_files import DECISIONS, MANIFEST

if TYPE_CHECKING:
    from lineament.cli.output import Report
    from lineament.datasets.review import Review


@app.command("review")
def review(
    data: Annotated[
        Path, typer.Argument(metavar="DATA", help="A manifest, a folder a person, or a data set.")
    ],
    proposals: Annotated[
        Path | None,
        typer.Option(
            "--proposals",
            metavar="FILE",
            help="From `clean --out`; default: proposals.jsonl beside the manifest.",
        ),
    ] = None,
    auto: Annotated[
        float | None,
        typer.Option(
            "--auto", metavar="CONFIDENCE", help="Accept proposals of at least this score; no page."
        ),
    ] = None,
    apply: Annotated[
        Path | None,
        typer.Option("--apply", metavar="MANIFEST", help="Write the manifest as decided so far; no page."),
        Writes(MANIFEST),
    ] = None,
    log: Annotated[
        Path | None,
        typer.Option(
            "--log", metavar="FILE", help="The decisions; default: review.jsonl beside the manifest."
        ),
        Writes(DECISIONS),
    ] = None,
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0: any free one.")] = 0,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Only print the address of the page.")
    ] = False,
    look: Annotated[
        bool, typer.Option("--look", help="Open the page though nothing is left, and until Ctrl-C.")
    ] = False,
    json: JsonOption = None,
) -> None:
    """Decide what cleaning proposed: keep, remove or move. No picture file is touched.

    The page ends by itself when nothing is left to decide.
    """
    from lineament.cli.output import Report
    from lineament.datasets.opening import MANIFEST_NAME, open_dataset
    from lineament.datasets.review import PROPOSALS_NAME, open_review

    with Report(json) as report:
        desk = open_review(open_dataset(data), proposals, log)
        go_on = _commands(data, proposals, log)
        if desk.unmatched:
            report.say(f"{quantity(len(desk.unmatched), 'proposal is')} left alone: no picture here fits")
        if auto is not None:
            count = desk.accept(auto)
            report.say(f"{quantity(count, 'proposal')} with a score of {auto:g} or more accepted")
        answer: dict[str, object] = {}
        if apply is not None:
            read = [data, data / MANIFEST_NAME, desk.log.path, proposals or data / PROPOSALS_NAME]
            answer = _apply(desk, apply, read, report)
        if auto is None and apply is None:
            if look or desk.left() or not desk.proposals:
                by_itself = bool(desk.proposals) and not look
                _serve(desk, port, str(data), no_browser, go_on[1:], report, by_itself=by_itself)
            else:
                report.say("every proposal is decided already; --look opens the page all the same")
        desk.refresh()
        counts = desk.counts()
        report.line({"log": str(desk.log.path), "unmatched": len(desk.unmatched), **counts, **answer})
        report.say(
            f"{quantity(counts['pictures'], 'picture')}, {counts['proposed']} with a proposal, "
            f"{counts['left'] or 'none'} of them left to decide"
        )
        report.say(
            f"decided: {counts['keep']} keep, {counts['remove']} remove, {counts['move']} move; "
            f"{counts['automatic']} of them automatically ({desk.log.path})"
        )
        if apply is not None:
            report.say(f"next: lineament dataset split {shlex.quote(str(apply))} 70/20/10")
            return
        if counts["left"]:
            report.say(f"next, to go on: {go_on[0]}")
        if counts["remove"] or counts["move"]:
            report.say(f"next, to make the manifest as decided: {go_on[1]}")
        elif not counts["left"]:
            report.say(
                f"next, as nothing is removed or moved: lineament dataset split {shlex.quote(str(data))}"
            )


def _commands(data: Path, proposals: Path | None, log: Path | None) -> list[str]:
    """What to give next: to go on, to make the manifest as decided, and to split that."""
    given = [str(data)]
    given += ["--proposals", str(proposals)] if proposals is not None else []
    given += ["--log", str(log)] if log is not None else []
    review = shlex.join(["lineament", "dataset", "review", *given])
    name = "reviewed.jsonl" if data.name != "reviewed.jsonl" else "reviewed-again.jsonl"
    reviewed = (data if data.is_dir() else data.parent) / name
    return [
        review,
        f"{review} --apply {shlex.quote(str(reviewed))}",
        shlex.join(["lineament", "dataset", "split", str(reviewed), "70/20/10"]),
    ]


def _apply(desk: Review, out: Path, sources: list[Path], report: Report) -> dict[str, object]:
    from lineament.datasets.placing import save_step
    from lineament.datasets.review import apply
    from lineament.errors import UsageError

    if out.resolve() in {path.resolve() for path in sources}:
        raise UsageError(f"{out}: is read from here; choose another name for the next manifest")
    applied = apply(desk)
    path = save_step(applied.manifest, out)
    report.say(
        f"{quantity(applied.removed, 'row')} removed, {applied.moved} moved, {applied.followed} followed "
        f"the row they were made from; {quantity(len(applied.manifest), 'row')} written: {path}"
    )
    return {"manifest": str(path), **applied.to_json()}


def _serve(
    desk: Review,
    port: int,
    title: str,
    no_browser: bool,
    commands: list[str],
    report: Report,
    *,
    by_itself: bool,
) -> None:
    from lineament.cli import stopping
    from lineament.errors import MissingExtra

    try:
        from lineament.service.review import ENDS_AFTER_S, serve
    except ImportError as error:
        raise MissingExtra("the review page", "serve") from error

    def opened(address: str) -> None:
        report.line({"address": address})
        report.say(address)
        ends = "It ends by itself when nothing is left to decide, or" if by_itself else "It ends"
        report.say(f"{ends} with Ctrl-C; every decision is kept at once.")
        if not no_browser:
            import webbrowser

            webbrowser.open(address)

    after = ENDS_AFTER_S if by_itself else None
    serve(desk, port=port, title=title, commands=commands, ends_after_s=after, opened=opened)
    stopping.forget()  # Ctrl-C is how the page is meant to end
