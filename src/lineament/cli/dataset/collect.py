"""``lineament dataset collect``: photos of named people, from sites, interfaces, files or a camera."""

from __future__ import annotations

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
from lineament.counting import quantity

if TYPE_CHECKING:
    from lineament.cli.dataset.collect_sources import Job
    from lineament.datasets.collect.collection import Collection
    from lineament.datasets.collect.people import Person

_SHOWN = 5
"""Names told to be searched for in other words."""


class Source(StrEnum):
    """Where photos come from."""

    browser = "browser"
    api = "api"
    camera = "camera"
    video = "video"
    folder = "folder"


class Record(StrEnum):
    """When a camera's frames are taken."""

    always = "always"
    enter = "enter"
    hold = "hold"


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
    per_subject: Annotated[int, typer.Option("--per-subject", min=0, help="Photos a person.")] = 100,
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
            "--subject",
            metavar="NAME",
            help="folder, video: whose files these are, all of them; camera: who sits before it.",
        ),
    ] = None,
    api: Annotated[str, typer.Option("--api", metavar="openverse|commons")] = "openverse",
    page: Annotated[
        str,
        typer.Option("--page", metavar="NAME|FILE.toml", help="browser: description of the search page."),
    ] = "openverse",
    device: Annotated[
        str,
        typer.Option("--device", metavar="N|FILE", help="camera: its number or device file, or a video."),
    ] = "0",
    poses: Annotated[
        str | None,
        typer.Option(
            "--poses",
            metavar="LIST",
            help="camera: heads held so, as many of each: frontal,left,right,up,down.",
        ),
    ] = None,
    negatives: Annotated[
        int, typer.Option("--negatives", min=0, metavar="N", help="camera: frames without a face, too.")
    ] = 0,
    record: Annotated[
        Record,
        typer.Option(
            "--record",
            help="camera: Enter starts and stops (enter), while the space bar is held (hold), or always.",
        ),
    ] = Record.always,
    allow_private: Annotated[
        list[str] | None,
        typer.Option(
            "--allow-private",
            metavar="HOST[:PORT]",
            help="browser: a site of your own on this machine or a private network; only the ones named.",
        ),
    ] = None,
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
    Ends with 1 when nobody has a photo, or when this run met failures only.
    """
    from lineament.answers import error_json
    from lineament.cli.dataset.collect_sources import Job
    from lineament.cli.output import Report, progress
    from lineament.datasets.collect.collection import Collection
    from lineament.datasets.collect.people import read_names
    from lineament.datasets.collect.poses import named

    people = read_names(names)
    wanted_poses = named([name.strip() for name in poses.split(",")]) if poses else []
    _require_fitting(source, per_subject, bool(poses), negatives, record, allow_private)
    job = Job(people, per_subject, workers, contact, host_seconds, tuple(allow_private or ()))
    settings: dict[str, Any] = {"per_subject": per_subject}
    if source is Source.api:
        settings["api"] = api
    elif source is Source.browser:
        settings["page"] = page
        if allow_private:
            settings["allow_private"] = sorted(allow_private)
    elif source is Source.camera and (poses or negatives):
        settings |= {"poses": [pose.name for pose in wanted_poses], "negatives": negatives}
    if source is Source.camera:
        job.place(device, subject, record)
    with (
        Report(json) as report,
        Collection(out, people, purpose=purpose, source=str(source), **settings) as collection,
    ):
        if source in (Source.api, Source.browser):
            _tell_respelled(report, people)
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
                outcomes = job.from_camera(collection, wanted_poses, negatives, record)
        total = max(0, per_subject * len(job.people) + negatives - have - collection.kept(None))
        # Closed before the collection is: an interruption must not leave workers with a closed journal.
        with closing(outcomes), progress(total, "photos kept") as advance:
            for gathered in outcomes:
                advance(gathered.error is None)
                job.hear(gathered)
                report.line(
                    {
                        "subject": gathered.subject,
                        "origin": gathered.origin,
                        "outcome": gathered.outcome,
                        "path": gathered.path,
                        "error": error_json(gathered.error),
                    }
                )
        _tell(report, job, collection, negatives)
        refused = collection.counts.total() - collection.counts["kept"]
        nothing = not any(map(collection.kept, [*collection.people, None]))
    if nothing or (refused and (strict or not collection.counts["kept"])):
        raise typer.Exit(1)


def _require_fitting(
    source: Source,
    per_subject: int,
    poses: bool,
    negatives: int,
    record: Record,
    allow_private: list[str] | None,
) -> None:
    """Raise `UsageError` for an option that the source could only ignore."""
    from lineament.errors import UsageError

    camera = {"--poses": poses, "--negatives": negatives, "--record": record is not Record.always}
    for option, given in camera.items():
        if given and source is not Source.camera:
            raise UsageError(f"{option} is for --source camera, not {source}")
    if allow_private and source is not Source.browser:
        raise UsageError(f"--allow-private is for --source browser, not {source}")
    if not per_subject and not negatives:
        raise UsageError(
            "--per-subject 0 wants nothing; with --source camera --negatives N frames without a face"
        )
    if poses and not per_subject:
        raise UsageError("--poses wants photos of people: --per-subject is 0")


def _tell(report: Any, job: Job, collection: Collection, negatives: int) -> None:
    from lineament.datasets.collect.run import short
    from lineament.io.manifest import MANIFEST_NAME

    counts = collection.counts
    missing = dict(short(collection, job.per_subject))
    refused = counts.total() - counts["kept"]
    report.line(
        {
            "outcomes": counts,
            "passed_over": job.passed_over,
            "short": missing,
            "manifest": str(collection.folder / MANIFEST_NAME),
        }
    )
    report.table(
        None,
        ("subject", "photos", "wanted"),
        [
            *((person.subject, collection.kept(person.subject), job.per_subject) for person in job.people),
            *([("(no face)", collection.kept(None), negatives)] if negatives else []),
        ],
    )
    report.say(
        f"{quantity(counts['kept'], 'photo')} kept, {refused} refused; people with too few: {len(missing)}"
    )
    for note in job.notes:
        report.say(note)
    job.refusals(counts).tell(report)
    lacking = bool(missing) or collection.kept(None) < negatives
    job.passings().tell(
        report, f"passed over, by kind{', and what helps' if lacking else ''}:", steps=lacking
    )
    _tell_failures(report, job, refused, collection.folder)


def _tell_respelled(report: Any, people: list[Person]) -> None:
    respelled = [person for person in people if person.respelled]
    for person in respelled[:_SHOWN]:
        report.say(f"{person.subject!r} is searched for as {person.keyword!r}")
    if len(respelled) > _SHOWN:
        report.say(f"... and so are {len(respelled) - _SHOWN} more: underscores stand for spaces")


def _tell_failures(report: Any, job: Job, refused: int, out: Path) -> None:
    from lineament.datasets.collect.collection import JOURNAL_NAME
    from lineament.io.names import shown

    if not job.failures:
        return
    report.say("first failures of each kind, with the reason:")
    for failure in job.failures:
        report.say(
            f"  {shown(failure.origin)}: {type(failure.error).__name__}: {shown(str(failure.error))}"
        )
    report.say(f"all {refused}, each with its address and reason: {out / JOURNAL_NAME}")
