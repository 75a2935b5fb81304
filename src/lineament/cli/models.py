"""``lineament models``: which models there are, what may be done with them, and having their files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lineament.cli import streams
from lineament.cli.options import JsonOption
from lineament.cli.targets import Writes
from lineament.counting import quantity
from lineament.io.own_files import BUNDLE

if TYPE_CHECKING:
    from lineament.errors import LineamentError
    from lineament.io.assets import Policy
    from lineament.io.catalog import ModelCard
    from lineament.io.delivery import Progress

app = typer.Typer(no_args_is_help=True, help="List, fetch, bundle, check and add model files.")

DEFAULT_MODELS = ("yunet", "sface")
"""What the default commands need; ``models pull`` without names fetches these."""

NamesArgument = Annotated[list[str] | None, typer.Argument(metavar="[NAMES]...", help="Models by name.")]
AcceptOption = Annotated[
    bool, typer.Option("--accept-licence", help="Accept the licences that ask for it (see `models show`).")
]
PolicyOption = Annotated[
    str,
    typer.Option("--policy", metavar="any|commercial", help="commercial: refuse weights that forbid it."),
]


@app.command("list")
def list_models(
    job: Annotated[
        str | None, typer.Option("--job", metavar="JOB", help="detection, embedding, age, gender ...")
    ] = None,
    json: JsonOption = None,
) -> None:
    """List every model with its licence, size and whether its file is in the cache."""
    from lineament import added
    from lineament.cli.models_added import added_json
    from lineament.cli.output import Report
    from lineament.config import did_you_mean
    from lineament.errors import ConfigError
    from lineament.io import assets, catalog
    from lineament.io.trained import TrainedCard

    cards = list(catalog.cards().values())
    brought = {name: TrainedCard.load(added.folder() / name) for name in added.names()}
    if job is not None and job not in (
        jobs := {card.job for card in cards} | {card.job for card in brought.values()}
    ):
        raise ConfigError(f"--job: no model does {job!r}{did_you_mean(job, jobs)}")
    chosen = [card for card in cards if job in (None, card.job)]
    brought = {name: card for name, card in brought.items() if job in (None, card.job)}
    with Report(json) as report:
        for card in chosen:
            report.line(_card_json(card))
        for name in brought:
            report.line(added_json(name))
        report.table(
            None,
            ("name", "job", "licence", "commercial use", "MB", "in cache", "what"),
            [
                (
                    card.name,
                    card.job,
                    card.licence,
                    _yes(card.commercial_use),
                    f"{card.bytes / 1e6:.1f}" if card.bytes else "unknown",
                    _yes(assets.cached_path(card).exists()),
                    card.title,
                )
                for card in chosen
            ]
            + [
                (
                    name,
                    card.job,
                    card.licence,
                    "as its licence says",
                    f"{(added.folder() / name / card.file).stat().st_size / 1e6:.1f}",
                    "added",
                    f"{card.architecture}, finds {', '.join(card.heads[0].classes)}",
                )
                for name, card in brought.items()
            ],
        )
        report.say(f"{quantity(len(chosen), 'model')}; files are kept in {assets.cache_folder()}")
        if brought:
            report.say(f"{quantity(len(brought), 'added model')} in {added.folder()}")


@app.command()
def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A model's name.")], json: JsonOption = None
) -> None:
    """Show all that is known of one model: origin, licence, input, published and measured figures."""
    from lineament import added
    from lineament.cli.models_added import added_json, added_rows
    from lineament.cli.output import Report
    from lineament.io import assets, catalog

    if added.path_of(name) is not None:
        with Report(json) as report:
            report.line(added_json(name))
            report.table(None, ("", ""), added_rows(name))
        return
    card = catalog.card(name)
    path = assets.cached_path(card)
    taken = card.input
    size = f"{taken.size} px" if taken.size else f"any size, sides a multiple of {taken.multiple_of}"
    rows: list[tuple[str, object]] = [
        ("name", card.name),
        ("what", card.title),
        ("job", card.job),
        ("licence", card.licence),
        ("licence text", card.licence_url),
        ("commercial use", _yes(card.commercial_use)),
        ("must be accepted", _yes(card.accept_licence)),
        ("origin", card.origin),
        *((f"source {i}", str(source)) for i, source in enumerate(card.sources, start=1)),
        ("file", f"{path} ({'there' if path.exists() else 'not fetched'})"),
        ("SHA-256", card.sha256),
        ("bytes", f"{card.bytes:,}" if card.bytes else "unknown"),
        ("input", f"{taken.colour}, {size}, alignment {taken.alignment}"),
        ("normalisation", f"(value - {list(taken.mean)}) / {list(taken.std)}"),
        *((f"published: {key}", str(value)) for key, value in card.published.items()),
        *((f"measured: {key}", str(value)) for key, value in card.measured.items()),
        *(
            (f"threshold at {row.kind} {row.target_rate:g}", f"{row.value:.4f}, {row.measured_on}")
            for row in card.thresholds
        ),
        (
            "golden output",
            f"on {card.golden.input}" if card.golden else "none: this file was never run here",
        ),
        ("notes", card.notes),
    ]
    with Report(json) as report:
        report.line(_card_json(card))
        report.table(None, ("", ""), rows)


@app.command()
def pull(
    names: NamesArgument = None,
    all_models: Annotated[
        bool, typer.Option("--all", help="Every model whose licence the options allow.")
    ] = False,
    policy: PolicyOption = "any",
    accept_licence: AcceptOption = False,
    bundle: Annotated[
        Path | None, typer.Option("--bundle", metavar="FILE", help="Take the files from an offline bundle.")
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--file", metavar="FILE", help="Take one model's file from this path.")
    ] = None,
    json: JsonOption = None,
) -> None:
    """Put model files into the cache; a damaged file there is replaced.

    Without names: yunet and sface, or all that a bundle holds.
    """
    from lineament.cli.output import Report
    from lineament.errors import AssetError, ConfigError
    from lineament.io import assets, bundles, catalog

    known = catalog.cards()
    allowed = _policy(policy)
    cards = [catalog.card(name) for name in names or ()]
    if sum(map(bool, (all_models, bundle, file))) > 1 or (all_models and names):
        raise ConfigError("give names, --all, --bundle or --file, not several of them")
    if file is not None and len(cards) != 1:
        raise ConfigError("--file wants the name of the one model it holds")
    if not cards and bundle is None:
        cards = list(known.values()) if all_models else [catalog.card(name) for name in DEFAULT_MODELS]

    results: list[tuple[ModelCard, Path | None, LineamentError | None]] = []
    with Report(json) as report:
        if bundle is not None:
            results = [
                (done.card, done.path, done.error)
                for done in bundles.load(
                    bundle,
                    known,
                    [card.name for card in cards],
                    accept_licence=accept_licence,
                    policy=allowed,
                )
            ]
        else:
            with _transfers() as progress:
                for card in cards:
                    try:
                        if file is not None:
                            path = assets.adopt(card, file, accept_licence=accept_licence, policy=allowed)
                        else:
                            path = assets.fetch(
                                card,
                                progress=progress,
                                accept_licence=accept_licence,
                                policy=allowed,
                                replace=True,
                            )
                        results.append((card, path, None))
                    except AssetError as error:
                        results.append((card, None, error))
        _report_pulled(report, results, named=not all_models)


def _report_pulled(
    report: Any, results: list[tuple[ModelCard, Path | None, LineamentError | None]], *, named: bool
) -> None:
    from lineament.answers import error_json
    from lineament.errors import LicenceRefused

    outcomes = []
    for card, path, error in results:
        refused = isinstance(error, LicenceRefused)
        outcomes.append("ready" if error is None else "refused" if refused else "unavailable")
        report.line(
            {
                "name": card.name,
                "outcome": outcomes[-1],
                "path": None if path is None else str(path),
                "sha256": card.sha256,
                "licence": card.licence,
                "error": error_json(error),
            }
        )
    report.table(
        None,
        ("model", "outcome", "licence", "file, or why not"),
        [
            (card.name, outcome, card.licence, str(path or error))
            for (card, path, error), outcome in zip(results, outcomes, strict=True)
        ],
    )
    counts = {word: outcomes.count(word) for word in ("ready", "refused", "unavailable")}
    report.say(", ".join(f"{count} {word}" for word, count in counts.items()))
    # With --all the licences sort the models out; a model asked for by name must come.
    if counts["unavailable"] or (named and counts["refused"]):
        raise typer.Exit(1)


@app.command("bundle")
def write_bundle(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The bundle to write."), Writes(BUNDLE)],
    names: NamesArgument = None,
    json: JsonOption = None,
) -> None:
    """Write an offline bundle of models (default: yunet and sface), fetching what is missing.

    On the machine without a network: `lineament models pull --bundle FILE`.
    """
    from lineament.cli.output import Report
    from lineament.io import bundles, catalog

    cards = [catalog.card(name) for name in names or DEFAULT_MODELS]
    with Report(json) as report:
        with _transfers() as progress:
            bundles.export(file, cards, progress=progress)
        size = file.stat().st_size
        report.line({"bundle": str(file), "bytes": size, "models": [card.name for card in cards]})
        report.say(f"wrote {file}: {', '.join(card.name for card in cards)} ({size / 1e6:.1f} MB)")


@app.command()
def check(names: NamesArgument = None, json: JsonOption = None) -> None:
    """Check files in the cache (default: all): SHA-256, then the golden output where a card has one."""
    from lineament import added
    from lineament.answers import error_json
    from lineament.cli.output import Report
    from lineament.errors import AssetUnavailable, LineamentError
    from lineament.io import assets, catalog, golden
    from lineament.io.trained import open_trained

    brought = [name for name in names if added.path_of(name)] if names else added.names()
    cards = [catalog.card(name) for name in names or catalog.cards() if name not in brought]
    if not names:
        cards = [card for card in cards if assets.cached_path(card).exists()]
    failed, rows = 0, []
    with Report(json) as report:
        for card in cards:
            path, gap, error = assets.cached_path(card), None, None
            try:
                if not path.exists():
                    raise AssetUnavailable(
                        f"{card.name}: not in the cache; `lineament models pull {card.name}`"
                    )
                assets.verify(card, path)
                if card.golden is not None:
                    gap = golden.check_file(card, path)
            except LineamentError as problem:
                error, failed = problem, failed + 1
            report.line(
                {
                    "name": card.name,
                    "outcome": "ok" if error is None else "failed",
                    "path": str(path),
                    "golden_difference": gap,
                    "golden_tolerance": None if card.golden is None else card.golden.tolerance,
                    "error": error_json(error),
                }
            )
            golden_text = (
                "none in the card" if card.golden is None else "" if gap is None else f"{gap:.1e} off"
            )
            rows.append((card.name, "ok" if error is None else "FAILED", golden_text, str(error or path)))
        for name in brought:
            path, error = added.require_path_of(name), None
            try:
                open_trained(path)
            except LineamentError as problem:
                error, failed = problem, failed + 1
            outcome = "ok" if error is None else "failed"
            report.line({"name": name, "outcome": outcome, "path": str(path), "error": error_json(error)})
            rows.append((name, "ok" if error is None else "FAILED", "", str(error or path)))
        report.table(None, ("model", "outcome", "golden output", "file, or what is wrong"), rows)
        count = len(cards) + len(brought)
        report.say(f"{count} checked, {failed} failed" if count else "no model file is in the cache")
    if failed:
        raise typer.Exit(1)


def _policy(text: str) -> Policy:
    from lineament.errors import ConfigError

    policies: dict[str, Policy] = {"any": "any", "commercial": "commercial"}
    if text not in policies:
        raise ConfigError(f"--policy: {text!r} is neither any nor commercial")
    return policies[text]


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _card_json(card: ModelCard) -> dict[str, Any]:
    from dataclasses import asdict

    from lineament.io import assets

    path = assets.cached_path(card)
    return {**asdict(card), "path": str(path), "cached": path.exists()}


@contextmanager
def _transfers() -> Iterator[Progress]:
    """Progress of transfers on stderr: a bar on a terminal, else a line when each begins."""
    import sys

    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    console = Console(stderr=True)
    if not sys.stderr.isatty():
        begun: set[str] = set()

        def note(description: str, done: int, total: int | None) -> None:
            if description not in begun:
                begun.add(description)
                size = f" ({total / 1e6:.1f} MB)" if total else ""
                streams.complain(f"{description}{size}")

        yield note
        return
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=console, transient=True) as bars:
        tasks: dict[str, Any] = {}

        def draw(description: str, done: int, total: int | None) -> None:
            if description not in tasks:
                tasks[description] = bars.add_task(description, total=total)
            bars.update(tasks[description], completed=done, total=total)

        yield draw
