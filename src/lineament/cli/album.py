"""``lineament album``: look at clusters of faces, correct them, name them, forget people."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lineament.cli.options import GalleryOption, JsonOption, YesOption
from lineament.cli.targets import Writes
from lineament.counting import quantity
from lineament.io.own_files import PAGE

if TYPE_CHECKING:
    from lineament.albums.records import AlbumDecision, Kind

app = typer.Typer(no_args_is_help=True, help="Look at, correct and name what `lineament cluster` grouped.")

AlbumArgument = Annotated[
    Path, typer.Argument(metavar="DIR", help="The folder of an album, from `cluster --album`.")
]
AboutArgument = Annotated[
    list[str], typer.Argument(metavar="p1|f1...", help="Clusters and faces, as `show` and the page say.")
]
FacesArgument = Annotated[
    list[str], typer.Argument(metavar="f1...", help="Faces, as `show` and the page say.")
]
ClustersArgument = Annotated[
    list[str], typer.Argument(metavar="p1...", help="Clusters, as `show` and the page say.")
]


@app.command("show")
def show(
    album: AlbumArgument,
    about: Annotated[
        list[str] | None, typer.Argument(metavar="[p1|f1]...", help="Only these; default: every cluster.")
    ] = None,
    json: JsonOption = None,
) -> None:
    """List the clusters and what is proposed, or the faces of some; JSON has a line a face."""
    from lineament.albums.album import Album
    from lineament.albums.records import references
    from lineament.cli.cluster import face_lines, table
    from lineament.cli.output import Report

    with Album(album) as opened, Report(json) as report:
        wanted = [face for one in references(about or []) for face in opened.members(one)]
        ids = {f"f{face.number}" for face in wanted}
        for record in face_lines(opened):
            if not about or record["id"] in ids:
                report.line(record)
        if about:
            rows = [
                (
                    f"f{f.number}",
                    f"p{f.cluster}" if f.cluster else f.status,
                    f.quality,
                    opened.photo(f).path,
                )
                for f in wanted
            ]
            report.table(None, ("face", "cluster", "quality", "photo"), rows)
            return
        table(report, opened)
        alone = sum(face.cluster is None and not face.status for face in opened.faces())
        report.say(f"{quantity(alone, 'face')} in no cluster")
        for one in opened.proposals():
            words = " ".join(one.about)
            if one.kind == "same":
                report.say(f"one person ({one.why})? lineament album same|different {album} {words}")
            else:
                report.say(
                    f"somebody else among them? lineament album mixed {album} {one.about[0]}  # {words}"
                )


@app.command("same")
def same(album: AlbumArgument, about: AboutArgument, json: JsonOption = None) -> None:
    """Say that clusters and faces are of one person; the lowest number stays, or that with a name."""
    _decide(album, "same", about, json)


@app.command("different")
def different(album: AlbumArgument, about: AboutArgument, json: JsonOption = None) -> None:
    """Say that clusters or faces are of different people; a cluster that holds two of them is divided."""
    _decide(album, "different", about, json)


@app.command("not-a-face")
def not_a_face(album: AlbumArgument, about: FacesArgument, json: JsonOption = None) -> None:
    """Say that something is no face, or none that should be grouped: it is left out from now on."""
    _decide(album, "not-a-face", about, json)


@app.command("ignore")
def ignore(album: AlbumArgument, about: AboutArgument, json: JsonOption = None) -> None:
    """Say that a cluster is of a stranger: it is shown last, and takes later photos of them in silence."""
    _decide(album, "ignore", about, json)


@app.command("mixed")
def mixed(album: AlbumArgument, about: ClustersArgument, json: JsonOption = None) -> None:
    """Say that a cluster holds several people: it is divided, the largest part keeps the number."""
    _decide(album, "mixed", about, json)


@app.command("name")
def name(
    album: AlbumArgument,
    about: Annotated[str, typer.Argument(metavar="p1|f1", help="A cluster, or a face in none.")],
    subject: Annotated[str, typer.Argument(metavar="NAME", help="Who it is.")],
    into_gallery: Annotated[
        bool,
        typer.Option(
            "--enrol", help="Also enrol the faces in a gallery, as photos of a subject of that name."
        ),
    ] = False,
    gallery: GalleryOption = None,
    json: JsonOption = None,
) -> None:
    """Name the person of a cluster; with --enrol they become a subject of a gallery.

    Give it again after a run: what is new is enrolled. Without --gallery it is your own gallery.
    """
    from lineament.albums.album import Album
    from lineament.albums.naming import enrol
    from lineament.albums.records import references
    from lineament.cli.gallery.enrolling import Enrolling
    from lineament.cli.output import Report, progress
    from lineament.gallery.gallery import Gallery
    from lineament.settings import AnalyzerSettings

    with Album(album) as opened, Report(json) as report:
        [one] = references([about])
        own = opened.cluster(opened.members(one)[0].cluster)
        if own is None or own.name != subject:
            decision = opened.decide("name", [one], name=subject)
            _report(report, decision)
            own = opened.cluster(opened.members(one)[0].cluster)
        assert own is not None
        report.say(f"p{own.number} is {subject}: {quantity(len(opened.members(one)), 'face')}")
        if not into_gallery:
            return
        detector = opened.detector or "yunet"
        enrolling = Enrolling(gallery, None, detector)
        with (
            Gallery(gallery, AnalyzerSettings(detector)) as people,
            report.at_the_end(lambda: enrolling.tell(report, people.people, [])),
            progress(len(opened.members(one)), "faces") as advance,
        ):
            for done in enrol(opened, own, people):
                enrolling.add(done)
                report.line(done.to_json())
                advance(1)


@app.command("forget")
def forget(
    album: AlbumArgument,
    about: AboutArgument,
    yes: YesOption = False,
    json: JsonOption = None,
) -> None:
    """Erase faces from the album: embeddings, names and what was decided about them; it cannot be undone.

    The photos stay where they are, and known: a later run does not find these faces in them again, unless a
    file changed. A gallery, pages and copies of the album are files of their own: erase there too.
    """
    from lineament.albums.album import Album
    from lineament.albums.records import references
    from lineament.cli.gallery.correcting import confirm
    from lineament.cli.output import Report

    with Album(album) as opened, Report(json) as report:
        wanted = references(about)
        count = len({face.number for one in wanted for face in opened.members(one)})
        confirm(f"erase {quantity(count, 'face')} from {album} for good", yes)
        report.line({"forgotten": opened.forget(wanted)})
        report.say(f"erased {quantity(count, 'face')}; no embedding of them is left in {album}")


@app.command("undo")
def undo(album: AlbumArgument, json: JsonOption = None) -> None:
    """Take back the last decision; again, the one before it."""
    from lineament.albums.album import Album
    from lineament.cli.output import Report

    with Album(album) as opened, Report(json) as report:
        decision = opened.undo()
        _report(report, decision)
        report.say(f"taken back: {decision.number} {decision.kind} {' '.join(decision.about)}")


@app.command("history")
def history(album: AlbumArgument, json: JsonOption = None) -> None:
    """List every decision, those taken back included."""
    from lineament.albums.album import Album
    from lineament.cli.output import Report

    with Album(album) as opened, Report(json) as report:
        decisions = opened.history()
        for decision in decisions:
            _report(report, decision)
        rows = [
            (d.number, d.at, d.kind, " ".join(d.about), "taken back" if d.undone else None)
            for d in decisions
        ]
        report.table("decisions", ("number", "when", "decision", "about", ""), rows)


@app.command("page")
def page(
    album: AlbumArgument,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="HTML", help="The page; default: album.html in the album."),
        Writes(PAGE),
    ] = None,
    json: JsonOption = None,
) -> None:
    """Write one HTML file with the faces of each cluster, and the command for each change."""
    from lineament.albums.album import Album
    from lineament.cli.cluster import write_page
    from lineament.cli.output import Report

    with Album(album) as opened, Report(json) as report:
        target = out or album / "album.html"
        write_page(report, opened, target)
        report.line({"page": str(target)})


def _decide(album: Path, kind: Kind, about: list[str], json: str | None) -> None:
    from lineament.albums.album import Album
    from lineament.albums.records import references
    from lineament.cli.output import Report

    with Album(album) as opened, Report(json) as report:
        decision = opened.decide(kind, references(about))
        _report(report, decision)
        changed = {
            int(number): face.cluster
            for number in decision.before.faces
            for face in opened.members(references([f"f{number}"])[0])
        }
        numbers = sorted({cluster for cluster in changed.values() if cluster is not None})
        now = ", ".join(
            f"p{n} ({quantity(len(opened.members(references([f'p{n}'])[0])), 'face')})" for n in numbers
        )
        alone = sum(cluster is None for cluster in changed.values())
        report.say(f"decision {decision.number}, {kind}: now {now or 'no cluster'}; {alone} in none")
        report.say(f"take it back with: lineament album undo {album}")


def _report(report: Any, decision: AlbumDecision) -> None:
    report.line(
        {
            "decision": decision.number,
            "kind": decision.kind,
            "about": decision.about,
            "at": decision.at,
            "undone": decision.undone,
        }
    )
