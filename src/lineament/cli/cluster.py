"""``lineament cluster``: an unsorted collection of photos, grouped by person."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lineament.cli.options import (
    DEFAULT_PRECISION,
    OWN,
    DetectorOption,
    EmbedderOption,
    JsonOption,
    PipelineOption,
    PrecisionOption,
    StrictOption,
    WorkersOption,
)
from lineament.cli.targets import Continued, Writes
from lineament.counting import quantity
from lineament.io.own_files import PAGE

if TYPE_CHECKING:
    from lineament.albums.album import Added, Album
    from lineament.albums.arranging import Arranged
    from lineament.cli.output import Report

_MOST_ROWS = 40


GROUPED_BY = "classic"
"""The pipeline whose linkage was measured: see `lineament.albums.evidence.MEASURED`."""


def cluster(
    paths: Annotated[list[str], typer.Argument(metavar="PHOTOS...", help="Photos and folders of photos.")],
    album: Annotated[
        Path | None,
        typer.Option(
            "--album",
            metavar="DIR",
            help="Keep embeddings, clusters and corrections in this folder, and go on from what is there.",
        ),
        Writes(),
        Continued(),
    ] = None,
    page: Annotated[
        Path | None,
        typer.Option("--page", metavar="HTML", help="Write a page that shows the faces of each cluster."),
        Writes(PAGE),
    ] = None,
    ages: Annotated[
        bool,
        typer.Option(
            "--ages/--no-ages",
            help="Estimate ages: small children look alike to embedders, so that you alone join them.",
        ),
    ] = True,
    pipeline: PipelineOption = GROUPED_BY,
    detector: DetectorOption = OWN,
    embedder: EmbedderOption = OWN,
    json: JsonOption = None,
    strict: StrictOption = False,
    precision: PrecisionOption = DEFAULT_PRECISION,
    workers: WorkersOption = None,
) -> None:
    """Group the faces of photos by person, of people nobody named yet.

    With --album new photos join the clusters that are there, which keep their numbers, and what you decide
    (`lineament album`) holds in every later run. Photos are never moved, changed or copied. Who is in one
    photo only is in no cluster.
    """
    from lineament.albums.album import Album
    from lineament.albums.evidence import linkage_of
    from lineament.analyzer import Analyzer
    from lineament.cli.output import Report, progress
    from lineament.cli.refusals import Refusals, no_face_step
    from lineament.cli.videos import Videos
    from lineament.io import sources
    from lineament.pipelines import detector_of

    listing = sources.expand(paths)
    files = list(listing)
    refusals, videos = Refusals(), Videos()
    analyzer = Analyzer(
        detector,
        embedder,
        ["age"] if ages else [],
        precision=precision,
        workers=workers,
        pipeline=pipeline,
    )
    if analyzer.model is not None:
        linkage_of(analyzer.model)  # refused before hours of work, not after
    with Album(album, create=True) as opened, Report(json) as report:
        with analyzer, progress(len(files), "photos") as advance:
            added = opened.add(analyzer, files, detector=analyzer.detector_spec, advance=advance)
        with progress(len(opened.faces()), "faces compared") as advance:
            arranged = opened.arrange(advance=advance)
        for outcome in added.refused:
            videos.look(outcome)
            refusals.look(outcome, no_face_step(str(detector_of(pipeline, detector))))
        for record in face_lines(opened, added.seen):
            report.line(record)
        table(report, opened)
        _tell(report, opened, added, arranged)
        if listing.left_out.others > 0:
            report.say(f"left out: {quantity(listing.left_out.others, 'file')} in folders, no pictures")
        videos.tell(report)
        refusals.tell(report)
        if page is not None:
            write_page(report, opened, page)
        elif album is not None:
            report.say(f"look at it: lineament album page {album} --out album.html")
    if videos or (strict and added.refused):
        raise typer.Exit(1)


def face_lines(album: Album, seen: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
    """A line a face, of the photos ``seen`` (path by digest) or of all; no cluster is null."""
    by_photo: dict[str, list[dict[str, Any]]] = {}
    for face in album.faces():
        own = album.cluster(face.cluster)
        by_photo.setdefault(face.photo, []).append(
            {
                "face": face.face,
                "box": list(face.box),
                "cluster": None if face.cluster is None else f"p{face.cluster}",
                "id": f"f{face.number}",
                "name": None if own is None else own.name,
                "ignored": own is not None and own.ignored,
                "status": face.status or None,
            }
        )
    paths = {photo.path: photo.sha256 for photo in album.photos()} if seen is None else seen
    return [
        {"path": path, **record} for path, digest in paths.items() for record in by_photo.get(digest, [])
    ]


def table(report: Report, album: Album) -> None:
    """A row a cluster."""
    rows = [
        (
            f"p{cluster.number}",
            cluster.name or ("ignored" if cluster.ignored else None),
            len(faces),
            len({face.photo for face in faces}),
            " ".join(f"f{face.number}" for face in faces[:6]) + (" ..." if len(faces) > 6 else ""),
        )
        for cluster, faces in album.clusters()
    ]
    report.table(None, ("cluster", "name", "faces", "photos", "best faces"), rows[:_MOST_ROWS])
    if len(rows) > _MOST_ROWS:
        report.say(f"{quantity(len(rows) - _MOST_ROWS, 'more cluster')}; `album page` and --json show all")


def write_page(report: Report, album: Album, path: Path) -> None:
    """Write the page and say so."""
    from lineament.albums.page import render
    from lineament.io.writing import replacing

    title = path.stem if album.path is None else album.path.resolve().name
    with replacing(path, PAGE) as file:
        file.write(render(album, title))
    report.say(f"wrote {path}: it shows faces; keep it as private as the photos")


def _tell(report: Report, album: Album, added: Added, arranged: Arranged) -> None:
    report.say(
        f"{quantity(added.new, 'new photo')}, {added.known} known before or given twice, "
        f"{len(added.refused)} refused; {quantity(added.faces, 'new face')}"
    )
    report.say(
        f"{quantity(arranged.joined, 'face')} joined clusters there were, {arranged.founded} are in "
        f"{quantity(arranged.clusters, 'new cluster')}, {arranged.alone} in none"
    )
    if arranged.children:
        report.say(
            f"{quantity(arranged.children, 'face')} of small children, by the estimated age: you alone "
            "join them, with `lineament album same`"
        )
    if proposals := album.proposals():
        where = "" if album.path is None else f": lineament album show {album.path}"
        report.say(f"{quantity(len(proposals), 'proposal')} to decide{where}")
