"""``lineament keys``: make, list, rotate and revoke the keys of the service."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lineament.cli.options import JsonOption
from lineament.counting import quantity

if TYPE_CHECKING:
    from lineament.cli.output import Report
    from lineament.service.keys import Key, KeyFile

app = typer.Typer(no_args_is_help=True, help="Say who may ask the service, and for what.")

KeysOption = Annotated[
    Path | None,
    typer.Option(
        "--keys",
        metavar="FILE",
        envvar="LINEAMENT_KEYS",
        help="Where keys are kept, as digests. Default: a file in the user's data directory.",
    ),
]
KeyArgument = Annotated[str, typer.Argument(metavar="ID", help="Of a key, as `list` shows it.")]


@app.command("new")
def new(
    scope: Annotated[
        list[str] | None,
        typer.Option(
            "--scope", metavar="SCOPE", help="read, identify, enrol or admin; repeat. Default: identify."
        ),
    ] = None,
    label: Annotated[str, typer.Option("--label", metavar="TEXT", help="Who uses it, for the list.")] = "",
    gallery: Annotated[
        str | None,
        typer.Option(
            "--gallery", metavar="URL", help="Only for this one. Default: the one that is served."
        ),
    ] = None,
    days: Annotated[
        float | None, typer.Option("--days", min=0, help="Valid for so long. Default: for ever.")
    ] = None,
    compreface: Annotated[
        bool, typer.Option("--compreface", help="In the form of a UUID, for clients of CompreFace.")
    ] = False,
    uuid: Annotated[
        str | None,
        typer.Option("--uuid", metavar="KEY", help="With --compreface: the key of an old installation."),
    ] = None,
    keys: KeysOption = None,
    json: JsonOption = None,
) -> None:
    """Make a key. It is shown this once: only its digest is kept."""
    from lineament.cli.output import Report
    from lineament.errors import UsageError

    if uuid is not None and not compreface:
        raise UsageError("--uuid is for --compreface")
    if compreface and (scope or days is not None):
        raise UsageError("a key for clients of CompreFace has no --scope and no --days; revoke it instead")
    gallery = None if gallery is None else _placed(gallery)
    opened = _opened(keys)
    try:
        if compreface:
            key, secret = opened.new_compreface(secret=uuid, label=label, gallery=gallery)
        else:
            key, secret = opened.new(scope or ["identify"], label=label, gallery=gallery, days=days)
    finally:
        opened.close()
    with Report(json) as report:
        _tell_new(report, key, secret)


@app.command("list")
def list_keys(keys: KeysOption = None, json: JsonOption = None) -> None:
    """List all keys, what each is for, and when it was last used."""
    from lineament.cli.output import Report

    opened = _opened(keys)
    try:
        known = opened.list()
    finally:
        opened.close()
    with Report(json) as report:
        for key in known:
            report.line(key.to_json())
        report.table(
            None,
            ("id", "label", "for", "gallery", "valid", "made", "last used"),
            [
                (
                    key.id,
                    key.label,
                    str(key.kind) if key.kind == "compreface" else " ".join(sorted(key.scopes)),
                    key.gallery or "(served)",
                    "yes" if key.valid else "no",
                    key.created_at,
                    key.last_used_at or "never",
                )
                for key in known
            ],
        )
        report.say(f"{quantity(len(known), 'key')}, {sum(key.valid for key in known)} valid")


@app.command("rotate")
def rotate(
    key: KeyArgument,
    hours: Annotated[float, typer.Option("--hours", min=0, help="How long the old one stays valid.")] = 0,
    keys: KeysOption = None,
    json: JsonOption = None,
) -> None:
    """Make a key with the rights of another, which ends now or in some hours."""
    from lineament.cli.output import Report

    opened = _opened(keys)
    try:
        made, secret = opened.rotate(key, hours=hours)
    finally:
        opened.close()
    with Report(json) as report:
        _tell_new(report, made, secret)


@app.command("revoke")
def revoke(key: KeyArgument, keys: KeysOption = None, json: JsonOption = None) -> None:
    """End a key at once, also in a service that runs."""
    from lineament.cli.output import Report

    opened = _opened(keys)
    try:
        ended = opened.revoke(key)
    finally:
        opened.close()
    with Report(json) as report:
        report.line(ended.to_json())
        report.say(f"{ended.id} is worth nothing any more")


def _opened(path: Path | None) -> KeyFile:
    from lineament.service.keys import KeyFile

    return KeyFile(path)


def _placed(gallery: str) -> str:
    """The URL as it holds from any folder; one that cannot be opened is an error now, not for clients."""
    from lineament.stores import open_store

    store = open_store(gallery)
    try:
        files = store.files()
    finally:
        store.close()
    return f"sqlite:{files[0].resolve()}" if gallery.startswith("sqlite:") and files else gallery


def _tell_new(report: Report, key: Key, secret: str) -> None:
    report.line({**key.to_json(), "key": secret})
    report.say(secret)
    report.say(f"key {key.id}: keep it, it is not shown again")
