"""``lineament models``: which models there are, what may be done with them, and having their files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lineament.cli.options import JsonOption
from lineament.cli.targets import Writes
from lineament.cli.transfers import transfers
from lineament.counting import quantity
from lineament.io.own_files import BUNDLE

if TYPE_CHECKING:
    from lineament.errors import LineamentError
    from lineament.io.assets import Policy
    from lineament.io.catalog import ModelCard

app = typer.Typer(no_args_is_help=True, help="List, fetch, bundle, check and add model files.")

NamesArgument = Annotated[
    list[str] | None, typer.Argument(metavar="[NAMES]...", help="Models or pipelines by name.")
]
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
        str | None,
        typer.Option("--job", metavar="JOB", help="pipeline, detection, embedding, age, gender ..."),
    ] = None,
    json: JsonOption = None,
) -> None:
    """List pipelines with error rates and cost, and every model with its licence and where its file is."""
    from lineament import added, pipelines
    from lineament.cli.models_added import added_json
    from lineament.cli.models_pipelines import PIPELINE, pipeline_json, pipelines_table
    from lineament.cli.output import Report
    from lineament.config import did_you_mean
    from lineament.errors import ConfigError
    from lineament.io import assets, catalog
    from lineament.io.trained import TrainedCard

    cards = list(catalog.cards().values())
    brought = {name: TrainedCard.load(added.folder() / name) for name in added.names()}
    if job is not None and job not in (
        jobs := {PIPELINE} | {card.job for card in cards} | {card.job for card in brought.values()}
    ):
        raise ConfigError(f"--job: no model does {job!r}{did_you_mean(job, jobs)}")
    chosen = [card for card in cards if job in (None, card.job)]
    brought = {name: card for name, card in brought.items() if job in (None, card.job)}
    with Report(json) as report:
        if job in (None, PIPELINE):
            for one in pipelines.cards().values():
                report.line(pipeline_json(one))
        for card in chosen:
            report.line(_card_json(card))
        for name in brought:
            report.line(added_json(name))
        if job in (None, PIPELINE):
            pipelines_table(report)
        if job == PIPELINE:
            return
        report.table(
            None,
            ("name", "job", "licence", "commercial use", "MB", "here", "what"),
            [
                (
                    card.name,
                    card.job,
                    card.licence,
                    _yes(card.commercial_use),
                    f"{sum(one.bytes for one in card.files) / 1e6:.1f}" if card.bytes else "unknown",
                    _place(card),
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
    name: Annotated[str, typer.Argument(metavar="NAME", help="A model's or a pipeline's name.")],
    json: JsonOption = None,
) -> None:
    """Show all that is known of one model or pipeline: origin, licence, input, published and measured."""
    from lineament import added, pipelines
    from lineament.cli.models_added import added_json, added_rows
    from lineament.cli.models_pipelines import pipeline_json, pipeline_rows
    from lineament.cli.output import Report
    from lineament.io import assets

    if added.path_of(name) is not None:
        with Report(json) as report:
            report.line(added_json(name))
            report.table(None, ("", ""), added_rows(name))
        return
    if name in pipelines.cards():
        with Report(json) as report:
            report.line(pipeline_json(pipelines.card(name)))
            report.table(None, ("", ""), pipeline_rows(pipelines.card(name)))
        return
    [card] = pipelines.model_cards([name])
    path = assets.here(card)
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
        ("file", f"{path or assets.cached_path(card)} ({'there' if path else 'not fetched'})"),
        ("SHA-256", card.sha256),
        ("bytes", f"{card.bytes:,}" if card.bytes else "unknown"),
        *(("beside it", f"{one.file}, SHA-256 {one.sha256}") for one in card.files[1:]),
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
    copy: Annotated[
        bool, typer.Option("--copy", help="Copy into the cache what a models folder holds.")
    ] = False,
    json: JsonOption = None,
) -> None:
    """Have the files of models and pipelines here: in a models folder, or else in the cache.

    Without names: those of the default pipeline, or all that a bundle holds. A damaged file of the cache is
    replaced.
    """
    from lineament import pipelines
    from lineament.cli.output import Report
    from lineament.errors import AssetError, ConfigError
    from lineament.io import assets, bundles, catalog

    known = catalog.cards()
    allowed = _policy(policy)
    cards = pipelines.model_cards(names or ())
    if sum(map(bool, (all_models, bundle, file))) > 1 or (all_models and names):
        raise ConfigError("give names, --all, --bundle or --file, not several of them")
    if file is not None and len(cards) != 1:
        raise ConfigError("--file wants the name of the one model it holds")
    if not cards and bundle is None:
        cards = list(known.values() if all_models else pipelines.card(pipelines.DEFAULT).cards)

    results: list[tuple[ModelCard, Path | None, LineamentError | None]] = []
    with Report(json) as report:
        if bundle is not None:
            results = [
                (known[done.card.name], done.path, done.error)
                for done in bundles.load(
                    bundle,
                    known,
                    [card.name for card in cards],
                    accept_licence=accept_licence,
                    policy=allowed,
                )
                if done.card.name in known  # the second file of a model comes with the first
            ]
        else:
            with transfers() as progress:
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
                                copy=copy,
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
    """Write an offline bundle of models or pipelines (default: the default one), fetching what is missing.

    On the machine without a network: `lineament models pull --bundle FILE`.
    """
    from lineament import pipelines
    from lineament.cli.output import Report
    from lineament.io import bundles

    cards = pipelines.model_cards(names or [pipelines.DEFAULT])
    with Report(json) as report:
        with transfers() as progress:
            bundles.export(file, cards, progress=progress)
        size = file.stat().st_size
        report.line({"bundle": str(file), "bytes": size, "models": [card.name for card in cards]})
        report.say(f"wrote {file}: {', '.join(card.name for card in cards)} ({size / 1e6:.1f} MB)")


@app.command()
def check(names: NamesArgument = None, json: JsonOption = None) -> None:
    """Check files that are here (default: all): SHA-256, then the golden output where a card has one."""
    from lineament import added, pipelines
    from lineament.answers import error_json
    from lineament.cli.output import Report
    from lineament.errors import AssetUnavailable, LineamentError
    from lineament.io import assets, catalog, golden
    from lineament.io.trained import open_trained

    brought = [name for name in names if added.path_of(name)] if names else added.names()
    cards = pipelines.model_cards(name for name in names or catalog.cards() if name not in brought)
    if not names:
        cards = [card for card in cards if assets.here(card)]
    failed, rows = 0, []
    with Report(json) as report:
        for card in cards:
            path, gap, error = assets.here(card) or assets.cached_path(card), None, None
            try:
                for one in card.files:
                    if (found := assets.here(one)) is None:
                        raise AssetUnavailable(
                            f"{card.name}: not in the cache; `lineament models pull {card.name}`"
                        )
                    assets.verify(one, found)
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

    path = assets.here(card)
    in_cache = path is not None and path.is_relative_to(assets.cache_folder())
    place = {"path": str(path or assets.cached_path(card)), "here": path is not None, "cached": in_cache}
    return {**asdict(card), **place}


def _place(card: ModelCard) -> str:
    from lineament.io import assets

    path = assets.here(card)
    if path is None:
        return "no"
    return "cache" if path.is_relative_to(assets.cache_folder()) else "folder"
