"""What ``dataset collect`` does for each source, and what it found besides photos."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from lineament.cli.refusals import AGAIN, Refusals
from lineament.counting import quantity
from lineament.io.names import shown, visible

if TYPE_CHECKING:
    from lineament.analyzer import Analyzer
    from lineament.datasets.collect.collection import Collection, Gathered
    from lineament.datasets.collect.people import Person
    from lineament.datasets.collect.poses import Pose

_MORE = "more than --per-subject"
_HELPS = {
    _MORE: "a larger --per-subject takes them",
    "LowQuality": "more light, a face that is nearer and keeps still, or a lower --min-quality",
    "NoFaceFound": "a face that is whole in the picture, nearer and lit from the front",
    "SeveralFaces": "one person in the picture at a time",
    "NoLandmarks": "a detector that gives landmarks: --detector yunet",
    "DuplicatePicture": "nothing: the person has this very picture",
}
"""What helps against what speaks against frames."""
_FIRST, _SHOWN = 2, 10
"""Failures that are shown of each kind, and in all."""


class Job:
    """One call of the command: what every source needs, and what it found besides photos."""

    def __init__(
        self,
        people: list[Person],
        per_subject: int,
        workers: int,
        contact: str | None,
        host_seconds: float,
        allow_private: tuple[str, ...] = (),
    ) -> None:
        import threading

        from lineament.datasets.collect.addresses import own_sites

        self.people = people
        self.per_subject = per_subject
        self.workers = workers
        self.contact = contact
        self.host_seconds = host_seconds
        self.own_sites = own_sites(allow_private)
        self.stop = threading.Event()
        self.passed_over: Counter[str] = Counter()
        self.notes: list[str] = []
        self.failures: list[Gathered] = []
        self._kinds: Counter[str] = Counter()

    def hear(self, gathered: Gathered) -> None:
        """Remember the first failures of each kind."""
        if gathered.error is not None:
            self._kinds[gathered.outcome] += 1
            if self._kinds[gathered.outcome] <= _FIRST and len(self.failures) < _SHOWN:
                self.failures.append(gathered)

    def refusals(self, counts: Mapping[str, int]) -> Refusals:
        """What was refused, by kind, with the first address of each."""
        from lineament.datasets.collect.run import LEFT_FOR_LATER

        found = Refusals()
        for name, count in sorted(counts.items()):
            kind = "search" if name.startswith("search: ") else ""
            error = name.removeprefix("search: ")
            alike = (f.origin for f in self.failures if f.outcome == error)
            where = next((o for o in alike if o.startswith("search ") == bool(kind)), "")
            if name != "kept":
                step = AGAIN if name == LEFT_FOR_LATER else None
                found.add(error, where, kind=kind, step=step, count=count)
        return found

    def passings(self) -> Refusals:
        """What was looked at and not taken, by kind."""
        found = Refusals()
        for name, count in sorted(self.passed_over.items()):
            found.add(name, "", step=_HELPS.get(name), count=count)
        return found

    def look(
        self, detector: str, precision: str, min_quality: float, gap: float, pipeline: str | None = None
    ) -> None:
        """Prepare to judge frames."""
        from lineament.analyzer import Analyzer
        from lineament.datasets.collect.frames import Choice

        self.analyzer = Analyzer(detector, precision=precision, pipeline=pipeline)
        self.choice = Choice(min_quality, gap)

    def from_api(self, collection: Collection, name: str) -> Generator[Gathered, None, None]:
        """From an interface for programs."""
        from lineament.datasets.collect.api import open_api
        from lineament.datasets.collect.width import Width

        width = Width(self.workers)
        guest = self._guest(width)
        search = open_api(name, guest)
        yield from self._searched(collection, search, guest, width)

    def _searched(
        self, collection: Collection, search: Any, guest: Any, width: Any
    ) -> Generator[Gathered, None, None]:
        from lineament.datasets.collect.run import gather

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
        """From a search page; its own site and those of --allow-private may have unusual ports."""
        from lineament.datasets.collect.addresses import parse
        from lineament.datasets.collect.browser import BrowserSearch, Chromium, require_browser
        from lineament.datasets.collect.search_pages import open_page
        from lineament.datasets.collect.width import Width
        from lineament.errors import UsageError

        chromium = Chromium(sandbox=sandbox)
        require_browser(chromium)
        width = Width(self.workers)
        description = open_page(page)
        site = parse(description.url.replace("{query}", ""))
        if self.own_sites and site.site not in self.own_sites:
            # Whoever is searched names the pictures' addresses: a stranger's page shall not name ours.
            raise UsageError(
                f"--allow-private is for a search page of your own; {page} is at {site.host}:{site.port}"
            )
        guest = self._guest(width, (site.authority,))
        search = BrowserSearch(description, guest, chromium)
        yield from self._searched(collection, search, guest, width)
        collection.note("browser refused", search.name, value=dict(search.refused))
        collection.note("browser's own traffic refused", search.name, value=dict(search.own))
        self.notes += [
            f"  the browser was refused: {reason}: {count}"
            for reason, count in sorted(search.refused.items())
        ]

    def from_folder(
        self, collection: Collection, origin: Path | None, subject: str | None, licence: str | None
    ) -> Generator[Gathered, None, None]:
        """From photos that are here, a folder a person, or one folder of one person."""
        from lineament.datasets.collect import folder

        photos = folder.find(_needed(origin), self.people, subject)
        self._note_first(
            f"  left out: the folder {name!r}, whom the list does not name" for name in photos.left_out
        )
        self._note_first(
            f"  no folder for {name!r}{_nearest(name, photos.left_out)}" for name in photos.missing
        )
        if photos.skipped:
            self.notes.append(f"  left out: {quantity(photos.skipped, 'file')}, no pictures or lying loose")
        yield from folder.gather(collection, photos, per_subject=self.per_subject, licence=licence)
        if photos.too_many:
            self.passed_over[_MORE] = photos.too_many.total()
            self._note_first(
                f"  left out: {quantity(count, 'more photo')} of {name!r}"
                for name, count in sorted(photos.too_many.items())
            )

    def _note_first(self, notes: Iterable[str]) -> None:
        """The first of many alike, and how many more there are: a list may leave out thousands."""
        said = list(notes)
        self.notes += said[:_SHOWN]
        if len(said) > _SHOWN:
            self.notes.append(f"  ... and {len(said) - _SHOWN:,} more like it")

    def from_video(
        self, collection: Collection, origin: Path | None, subject: str | None, licence: str | None
    ) -> Generator[Gathered, None, None]:
        """From frames of videos, a folder a person, or one file or folder of one person."""
        from lineament.datasets.collect import folder, video
        from lineament.errors import UsageError
        from lineament.io.video import find

        path = _needed(origin)
        owners = [folder.named(subject, self.people)] if subject is not None else self.people
        for person in owners:
            where = path if subject is not None else path / person.subject
            if subject is None and (person.subject in (".", "..") or not _inside(where, path)):
                self.notes.append(f"  no folder for {person.subject!r}")
                continue
            try:
                videos = find(where)
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

    def place(self, device: str, subject: str | None, record: str) -> None:
        """Open the camera once, before anything is written or anybody is asked, or find the film instead.

        Raises `Unreachable` for a camera that gives no picture, `UsageError` for what a film cannot do.
        """
        from lineament.datasets.collect.folder import named
        from lineament.errors import UsageError
        from lineament.io import camera

        if subject is not None:
            self.people = [named(subject, self.people)]
        self.film, self.device = camera.film_at(device), camera.device(device)
        if self.film is None:
            self.device.require()
        elif record != "always":
            raise UsageError(f"--record is for a camera; the film {device} is played from start to end")
        elif self.per_subject and len(self.people) > 1:
            raise UsageError(
                f"a film does not tell which of {quantity(len(self.people), 'person')} {device} shows; "
                "say it with --subject NAME"
            )

    def from_camera(
        self, collection: Collection, poses: Sequence[Pose], negatives: int, record: str
    ) -> Generator[Gathered, None, None]:
        """From the frames of a camera with requests and counts on stderr, or a film played once."""
        if self.film is not None:
            yield from self._from_film(collection, self.film, poses, negatives)
        else:
            yield from self._from_device(collection, poses, negatives, record)
        if poses:
            self.notes += list(_short_poses(collection, self.people, poses, self._each(poses)))
        if (have := collection.kept(None)) < negatives:
            self.notes.append(f"  without a face: {have} of {negatives}")

    def _from_film(
        self, collection: Collection, path: Path, poses: Sequence[Pose], negatives: int
    ) -> Generator[Gathered, None, None]:
        from lineament.datasets.collect.film import Film, Wanted

        typer.echo(visible(f"{shown(str(path))}: a film, played once from start to end"), err=True)
        film = Film(collection, path, self.analyzer, self._thorough(), self.choice, _show, self.passed_over)
        person = self.people[0] if self.per_subject else None
        yield from film.gather(Wanted(person, self.per_subject, poses, negatives))
        typer.echo("", err=True)

    def _from_device(
        self, collection: Collection, poses: Sequence[Pose], negatives: int, record: str
    ) -> Generator[Gathered, None, None]:
        from lineament.cli.dataset.collect_keys import Keys
        from lineament.datasets.collect.camera import Camera, Sitting

        def ready(person: Person | None, part: str) -> None:
            typer.echo(
                "\n" + visible(f"{_called(person)}: {part}, then {keys.how_to_begin} "), err=True, nl=False
            )
            if not keys.wait():
                typer.echo("(nobody at the keyboard: going on)", err=True)

        with Keys(record) as keys:
            camera = Camera(
                collection,
                self.device,
                self.analyzer,
                Sitting(ready, _show, keys.recording),
                self.choice,
                self.passed_over,
            )
            if poses:
                yield from camera.gather_poses(self.people, poses, self._each(poses))
            elif self.per_subject:
                yield from camera.gather(self.people, self.per_subject)
            if negatives:
                yield from camera.gather_empty(negatives, self._thorough())
        typer.echo("", err=True)

    def _each(self, poses: Sequence[Pose]) -> int:
        """How many of each pose."""
        return -(-self.per_subject // len(poses))

    def _thorough(self) -> Analyzer:
        """One that looks again at turned, bordered and enlarged pictures before it sees no face."""
        from lineament.analyzer import Analyzer

        made_of = self.analyzer.settings
        detector = str(self.analyzer.detector_spec)
        retrying = detector if detector.startswith("retry") else f"retry:{detector}"
        return Analyzer.from_settings(made_of.changed(detector=retrying, embedder=None))

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
            Fetcher(
                Policy(sites=sites, own_sites=self.own_sites),
                user_agent=f"{PRODUCT}/{lineament.__version__} ({about})",
            ),
            Manners(host_seconds=self.host_seconds),
            sleep=stoppable(self.stop),
            on_result=width.heard,
        )

    def _tell(self, width: Any) -> None:
        if width.least_seen < width.most:
            self.notes.append(
                f"  memory or network suffered: down to {width.least_seen} of {width.most} at once"
            )


def _called(person: Person | None) -> str:
    return "(nobody)" if person is None else shown(person.subject)


def _show(person: Person | None, have: int, wanted: int, reason: str) -> None:
    """The count, on one line that is written over."""
    typer.echo(
        "\r" + visible(f"{_called(person)}: {have}/{wanted} {shown(reason, 60):<60}"), err=True, nl=False
    )


def _short_poses(
    collection: Collection, people: Sequence[Person], poses: Sequence[Pose], each: int
) -> Iterator[str]:
    from lineament.datasets.collect.camera import POSE

    for person in people:
        have = collection.labelled(person.subject, POSE)
        for pose in poses:
            if have[pose.name] < each:
                yield f"  {person.subject!r}, {pose.name}: {have[pose.name]} of {each}"


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


def _nearest(name: str, folders: Iterable[str]) -> str:
    """A hint at the folder that may be meant by a name that was mistyped."""
    near = difflib.get_close_matches(name, sorted(folders), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""
