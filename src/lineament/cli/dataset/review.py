"""``lineament dataset review``: decide proposals on a local page, or accept the sure ones without it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lineament.cli.dataset.app import app
from lineament.cli.options import JsonOption, PortOption
from lineament.cli.targets import Writes
from lineament.counting import quantity
from lineament.io.own_files import DECISIONS, MANIFEST

if TYPE_CHECKING:
    from lineament.cli.output import Report
    from lineament.datasets.next_steps import NextSteps
    from lineament.datasets.reviewing.review import Review


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
    port: PortOption = 0,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Only print the address of the page.")
    ] = False,
    look: Annotated[
        bool, typer.Option("--look", help="Open the page though nothing is left, and until Ctrl-C.")
    ] = False,
    json: JsonOption = None,
) -> None:
    """Decide what cleaning proposed: keep, remove or move. No picture file is touched.

    The page ends by itself when nothing is left to decide, and is not opened when nothing is.
    """
    from lineament.cli.output import Report
    from lineament.datasets.next_steps import NextSteps, spoken
    from lineament.datasets.opening import open_dataset
    from lineament.datasets.reviewing.review import PROPOSALS_NAME, open_review
    from lineament.io.manifest import MANIFEST_NAME

    with Report(json) as report:
        desk = open_review(open_dataset(data), proposals, log)
        steps = NextSteps(data, proposals, log)
        cleaned = proposals is not None or (desk.manifest.folder / PROPOSALS_NAME).is_file()
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
            if look or desk.left():
                _serve(desk, port, str(data), no_browser, steps, report, by_itself=not look)
            else:
                report.say(f"{_nothing_left(desk, cleaned)}; --look opens the page all the same")
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
        following = steps.after(counts) if apply is None else [steps.split(apply)]
        for line in spoken(following if cleaned or apply is not None else [steps.clean()]):
            report.say(line)


def _nothing_left(desk: Review, cleaned: bool) -> str:
    from lineament.datasets.reviewing.review import PROPOSALS_NAME

    if desk.proposals:
        return "nothing is left to decide: every proposal is decided already"
    if cleaned:
        return "nothing is left to decide: nothing is proposed"
    return f"nothing is proposed yet: there is no {desk.manifest.folder / PROPOSALS_NAME}"


def _apply(desk: Review, out: Path, sources: list[Path], report: Report) -> dict[str, object]:
    from lineament.datasets.placing import save_step
    from lineament.datasets.reviewing.review import apply
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
    steps: NextSteps,
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
    serve(desk, port=port, title=title, commands=steps.after, ends_after_s=after, opened=opened)
    stopping.forget()  # Ctrl-C is how the page is meant to end
