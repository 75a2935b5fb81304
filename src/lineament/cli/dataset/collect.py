"""``lineament dataset collect``: photos of named people, from sites, interfaces, files or a camera."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator
from contextlib import closing
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lineament.cli.dataset.app import app
from lineament.cli.options import (
    DEFAULT_PRECISION,
    DetectorOption,
    JsonOption,
    PrecisionOption,
    StrictOption,
)
from lineament.cli.targets import Writes

if TYPE_CHECKING:
    from lineament.datasets.collect.collection import Collection, Gathered
    from lineament.datasets.collect.people import Person


class Source(StrEnum):
    """Where photos come from."""

    browser = "browser"
    api = "api"
    camera = "camera"
    video = "video"
    folder = "folder"


@app.command("collect")
def collect(
    names: Annotated[
        Path, typer.Argument(metavar="NAMES.txt", help="A name a line; a tab and search words may follow.")
    ],
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Folder of the data set; resumed."), Writes()
    ],
    purpose: Annotated[
        str, typer.Option("--purpose", metavar="TEXT", help="What the photos are for; recorded with each.")
    ],
    source: Annotated[Source, typer.Option("--source", help="Where the photos come from.")] = Source.api,
    per_subject: Annotated[int, typer.Option("--per-subject", min=1, help="Photos a person.")] = 100,
    workers: Annotated[
        int,
        typer.Option(
            "--workers", min=1, max=64, help="People, and browsers, at once; fewer when memory runs low."
        ),
    ] = 10,
    origin: Annotated[
        Path | None, typer.Option("--from", metavar="PATH", help="folder, video: where the files are.")
    ] = None,
    subject: Annotated[
        str | None,
        typer.Option(
            "--subject", metavar="NAME", help="folder, video: whose files these are, all of them."
        ),
    ] = None,
    api: Annotated[str, typer.Option("--api", metavar="openverse|commons")] = "openverse",
    page: Annotated[
        str,
        typer.Option("--page", metavar="NAME|FILE.toml", help="browser: description of the search page."),
    ] = "openverse",
    device: Annotated[
        str, typer.Option("--device", metavar="N|FILE", help="camera: its number, or a video file.")
    ] = "0",
    contact: Annotated[
        str | None,
        typer.Option(
            "--contact", metavar="TEXT", help="An address sites may write to; sent with requests."
        ),
    ] = None,
    licence: Annotated[
        str | None,
        typer.Option("--licence", metavar="TEXT", help="folder, video: recorded with each photo."),
    ] = None,
    host_seconds: Annotated[
        float, typer.Option("--host-seconds", min=0.1, help="Seconds between two requests to one host.")
    ] = 1.0,
    min_quality: Annotated[
        float, typer.Option("--min-quality", min=0, max=1, help="camera, video: of a frame's face.")
    ] = 0.5,
    gap: Annotated[
        float, typer.Option("--gap", min=0, help="camera, video: seconds between two frames kept.")
    ] = 1.0,
    no_sandbox: Annotated[
        bool, typer.Option("--no-sandbox", help="browser: as root; pages could then act as this account.")
    ] = False,
    detector: DetectorOption = "yunet",
    precision: PrecisionOption = DEFAULT_PRECISION,
    json: JsonOption = None,
    strict: StrictOption = False,
) -> None:
    """Gather photos of the people named in a list, for a stated purpose.

    Only people in the list are searched for. Interrupted or killed, the same command goes on where it was.
    """
    from lineament.cli.output import Report, error_json, progress
    from lineament.datasets.collect.collection import Collection
    from lineament.datasets.collect.people import read_names
    from lineament.datasets.collect.run import short
    from lineament.datasets.opening import MANIFEST_NAME

    people = read_names(names)
    job = _Job(people, per_subject, workers, contact, host_seconds)
    settings: dict[str, Any] = {"per_subject": per_subject}
    if source is Source.api:
        settings["api"] = api
    elif source is Source.browser:
        settings["page"] = page
    with (
        Report(json) as report,
        Collection(out, people, purpose=purpose, source=str(source), **settings) as collection,
    ):
        have = sum(min(per_subject, collection.kept(person.subject)) for person in people)
        if source is Source.api:
            outcomes = job.from_api(collection, api)
        elif source is Source.browser:
            outcomes = job.from_browser(collection, page, sandbox=not no_sandbox)
        elif source is Source.folder:
            outcomes = job.from_folder(collection, origin, subject, licence)
        else:
            job.look(detector, precision, min_quality, gap)
            if source is Source.video:
                outcomes = job.from_video(collection, origin, subject, licence)
            else:
                outcomes = job.from_camera(collection, device)
        total = max(0, per_subject * len(people) - have)
        # Closed before the collection is: an interruption must not leave workers with a closed journal.
        with closing(outcomes), progress(total, "photos kept") as advance:
            for gathered in outcomes:
                advance(gathered.error is None)
                report.line(
                    {
                        "subject": gathered.subject,
                        "origin": gathered.origin,
                        "outcome": gathered.outcome,
                        "path": gathered.path,
                        "error": error_json(gathered.error),
                    }
                )
        counts = collection.counts
        missing = dict(short(collection, per_subject))
        report.line(
            {
                "outcomes": counts,
                "passed_over": job.passed_over,
                "short": missing,
                "manifest": str(out / MANIFEST_NAME),
            }
        )
        report.table(
            None,
            ("subject", "photos", "wanted"),
            [(person.subject, collection.kept(person.subject), per_subject) for person in people],
        )
        refused = counts.total() - counts["kept"]
        report.say(f"{counts['kept']} photos kept, {refused} refused; people with too few: {len(missing)}")
        for title, counter in (("refused", counts), ("passed over", job.passed_over)):
            for name, count in sorted(counter.items()):
                if name != "kept":
                    report.say(f"  {title}: {name}: {count}")
        for note in job.notes:
            report.say(note)
    if strict and refused:
        raise typer.Exit(1)


class _Job:
    """One call of the command: what every source needs, and what it found besides photos."""

    def __init__(
        self,
        people: list[Person],
        per_subject: int,
        workers: int,
        contact: str | None,
        host_seconds: float,
    ) -> None:
        import threading

        self.people = people
        self.per_subject = per_subject
        self.workers = workers
        self.contact = contact
        self.host_seconds = host_seconds
        self.stop = threading.Event()
        self.passed_over: Counter[str] = Counter()
        self.notes: list[str] = []

    def look(self, detector: str, precision: str, min_quality: float, gap: float) -> None:
        """Prepare to judge frames."""
        from lineament.analyzer import Analyzer
        from lineament.datasets.collect.frames import Choice

        self.analyzer = Analyzer(detector, precision=precision)
        self.choice = Choice(min_quality, gap)

    def from_api(self, collection: Collection, name: str) -> Generator[Gathered, None, None]:
        from lineament.datasets.collect.api import open_api
        from lineament.datasets.collect.run import gather
        from lineament.datasets.collect.width import Width

        width = Width(self.workers)
        guest = self._guest(width)
        search = open_api(name, guest)
        yield from gather(
            collection,
            search,
            guest,
            per_subject=self.per_subject,
            workers=self.workers,
            width=width,
            stop=self.stop,
        )
        self._tell(width)

    def from_browser(
        self, collection: Collection, page: str, *, sandbox: bool
    ) -> Generator[Gathered, None, None]:
        from lineament.datasets.collect.addresses import parse
        from lineament.datasets.collect.browser import BrowserSearch, Chromium, require_browser
        from lineament.datasets.collect.run import gather
        from lineament.datasets.collect.search_pages import open_page
        from lineament.datasets.collect.width import Width

        chromium = Chromium(sandbox=sandbox)
        require_browser(chromium)
        width = Width(self.workers)
        description = open_page(page)
        site = parse(description.url.replace("{query}", "")).authority
        guest = self._guest(width, (site,))
        search = BrowserSearch(description, guest, chromium)
        yield from gather(
            collection,
            search,
            guest,
            per_subject=self.per_subject,
            workers=self.workers,
            width=width,
            stop=self.stop,
        )
        self._tell(width)
        self.notes += [
            f"  the browser was refused: {reason}: {count}"
            for reason, count in sorted(search.refused.items())
        ]

    def from_folder(
        self, collection: Collection, origin: Path | None, subject: str | None, licence: str | None
    ) -> Generator[Gathered, None, None]:
        from lineament.datasets.collect import folder

        photos = folder.find(_needed(origin), self.people, subject)
        for name in photos.left_out:
            self.notes.append(f"  left out: the folder {name!r}, whom the list does not name")
        for name in photos.missing:
            self.notes.append(f"  no folder for {name!r}")
        if photos.skipped:
            self.notes.append(f"  left out: {photos.skipped} files that are no pictures or lie loose")
        yield from folder.gather(collection, photos, per_subject=self.per_subject, licence=licence)
        if photos.too_many:
            self.passed_over["more than --per-subject"] = photos.too_many.total()
            self.notes += [
                f"  left out: {count} more photos of {name!r}"
                for name, count in sorted(photos.too_many.items())
            ]

    def from_video(
        self, collection: Collection, origin: Path | None, subject: str | None, licence: str | None
    ) -> Generator[Gathered, None, None]:
        from lineament.datasets.collect import folder, video
        from lineament.errors import UsageError

        path = _needed(origin)
        owners = [folder.named(subject, self.people)] if subject is not None else self.people
        for person in owners:
            where = path if subject is not None else path / person.subject
            if subject is None and (person.subject in (".", "..") or not _inside(where, path)):
                self.notes.append(f"  no folder for {person.subject!r}")
                continue
            try:
                videos = video.find(where)
            except UsageError as error:
                if subject is not None:
                    raise
                self.notes.append(f"  {error}")
                continue
            yield from video.gather(
                collection,
                person,
                videos,
                self.analyzer,
                per_subject=self.per_subject,
                choice=self.choice,
                licence=licence,
                passed_over=self.passed_over,
            )

    def from_camera(self, collection: Collection, device: str) -> Generator[Gathered, None, None]:
        from lineament.datasets.collect import camera
        from lineament.io.names import shown

        def ready(person: Person, part: str) -> None:
            typer.echo(f"\n{shown(person.subject)}: {shown(part)}, then press Enter ", err=True, nl=False)
            try:
                input()
            except EOFError:
                typer.echo("(nobody at the keyboard: going on)", err=True)

        def show(person: Person, have: int, wanted: int, reason: str) -> None:
            typer.echo(
                f"\r{shown(person.subject)}: {have}/{wanted} {shown(reason, 60):<60}", err=True, nl=False
            )

        yield from camera.gather(
            collection,
            self.people,
            int(device) if device.isdecimal() else device,
            self.analyzer,
            camera.Sitting(ready, show),
            per_subject=self.per_subject,
            choice=self.choice,
            passed_over=self.passed_over,
        )
        typer.echo("", err=True)

    def _guest(self, width: Any, sites: tuple[str, ...] = ()) -> Any:
        import lineament
        from lineament.datasets.collect.fetching import Fetcher, Policy
        from lineament.datasets.collect.politeness import PRODUCT, Guest, Manners
        from lineament.datasets.collect.run import stoppable
        from lineament.errors import UsageError

        if self.contact is not None and not (self.contact.isascii() and self.contact.isprintable()):
            raise UsageError("--contact: plain ASCII text, an e-mail or web address")
        about = "; ".join(filter(None, ["+https://lineament.readthedocs.io", self.contact]))
        return Guest(
            Fetcher(Policy(sites=sites), user_agent=f"{PRODUCT}/{lineament.__version__} ({about})"),
            Manners(host_seconds=self.host_seconds),
            sleep=stoppable(self.stop),
            on_result=width.heard,
        )

    def _tell(self, width: Any) -> None:
        if width.least_seen < width.most:
            self.notes.append(
                f"  memory or network suffered: down to {width.least_seen} of {width.most} at once"
            )


def _needed(origin: Path | None) -> Path:
    from lineament.errors import UsageError

    if origin is None:
        raise UsageError("this source needs --from PATH")
    return origin


def _inside(path: Path, folder: Path) -> bool:
    """Whether a name taken as a folder's name stays in there; a name is data and may hold anything."""
    try:
        return path.is_dir() and path.resolve().parent == folder.resolve()
    except (OSError, ValueError):
        return False
