"""``lineament serve``: a gallery over HTTP."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lineament.cli.keys import KeysOption
from lineament.cli.options import (
    DEFAULT_PRECISION,
    OWN,
    DetectorOption,
    GalleryOption,
    JsonOption,
    PipelineOption,
    PortOption,
    PrecisionOption,
    ThresholdFileOption,
    WorkersOption,
)

if TYPE_CHECKING:
    from lineament.service.keys import KeyFile


def serve(
    host: Annotated[str, typer.Option("--host", help="The address to listen on.")] = "127.0.0.1",
    port: PortOption = 8000,
    gallery: GalleryOption = None,
    key_file: Annotated[
        Path | None,
        typer.Option(
            "--key-file",
            metavar="FILE",
            help="Where the first admin key goes, for its owner alone. Default: the terminal, once.",
        ),
    ] = None,
    keys: KeysOption = None,
    insecure_local: Annotated[
        bool, typer.Option("--insecure-local", help="No keys: whoever is on this machine may ask anything.")
    ] = False,
    pipeline: PipelineOption = None,
    detector: DetectorOption = OWN,
    threshold_file: ThresholdFileOption = None,
    target_fmr: Annotated[
        float | None,
        typer.Option("--target-fmr", help="False match rate to accept, as for `gallery identify`."),
    ] = None,
    fetch_from: Annotated[
        list[str] | None,
        typer.Option("--fetch-from", metavar="HOST", help="Take pictures by URL from this host; repeat."),
    ] = None,
    origin: Annotated[
        list[str] | None,
        typer.Option("--origin", metavar="URL", help="Let pages of this origin call (CORS); repeat."),
    ] = None,
    json: JsonOption = None,
    precision: PrecisionOption = DEFAULT_PRECISION,
    workers: WorkersOption = None,
) -> None:
    """Serve a gallery over HTTP: /v1 of our own, and /api/v1 for clients of CompreFace.

    It ends with Ctrl-C or `kill`, when what is under way is finished. One line of JSON a request goes to
    stderr, without names.
    """
    from lineament.cli import stopping
    from lineament.cli.output import Report
    from lineament.errors import MissingExtra, UsageError
    from lineament.gallery.pipeline import following
    from lineament.settings import AnalyzerSettings, GallerySettings
    from lineament.stores import open_store

    try:
        from lineament.service import serving
        from lineament.service.access import Access, ByKeys, WithoutKeys, require_loopback
        from lineament.service.app import create_service
        from lineament.service.keys import KeyFile
        from lineament.service.settings import ServiceSettings
    except ImportError as error:
        raise MissingExtra("the service", "serve") from error

    if insecure_local:
        require_loopback(host)
        if key_file is not None:
            raise UsageError("--insecure-local has no keys; give --key-file without it")
    store = open_store(gallery)  # one that cannot be used is named now, and not to clients
    held = store.model()
    store.close()
    settings = ServiceSettings(
        GallerySettings(
            gallery,
            following(
                AnalyzerSettings(detector, precision=precision, workers=workers, pipeline=pipeline), held
            ),
            threshold_file=threshold_file,
            target_fmr=target_fmr,
        ),
        fetch_from=tuple(fetch_from or ()),
        origins=tuple(origin or ()),
    )
    with serving.listening(host, port) as sock, Report(json) as report:
        port = sock.getsockname()[1]
        access: Access
        first = None
        if insecure_local:
            access = WithoutKeys(port)
        else:
            access = ByKeys(KeyFile(keys))
            first = _first_key(access.keys, key_file)
        where = f"http://{f'[{host}]' if ':' in host else host}:{port}"
        told = {"address": where}
        if first is not None and key_file is None:
            told["admin_key"] = first
            report.say(f"the first key, for everything; it is not shown again: {first}")
        elif first is not None:
            report.say(f"the first key, for everything, was written to {key_file}")
        report.line(told)
        report.say(f"{where}/v1 is served until Ctrl-C; {where}/openapi.json describes it")
        serving.serve(create_service(settings, access), sock)
        stopping.forget()


def _first_key(keys: KeyFile, file: Path | None) -> str | None:
    """A key for whoever has none yet, in a file of its own if there is one to write."""
    from lineament.errors import OutputError, WouldOverwrite

    if keys.has_admin():
        return None
    if file is None:
        return keys.new(label="first")[1]
    try:
        with os.fdopen(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as opened:
            secret = keys.new(label="first")[1]
            opened.write(secret + "\n")
    except FileExistsError:
        raise WouldOverwrite(
            f"{file}: is there already, and nobody has a key yet; name another file"
        ) from None
    except OSError as error:
        raise OutputError(f"{file}: cannot be written: {error.strerror or error}") from error
    return secret
