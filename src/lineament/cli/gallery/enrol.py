"""``lineament gallery enrol``: people from folders, manifests and photos."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lineament.cli.gallery.app import FaceOption, LargestOption, SearchFmrOption, face_asked, opened
from lineament.cli.options import (
    DEFAULT_PRECISION,
    DetectorOption,
    GalleryOption,
    JsonOption,
    PrecisionOption,
    StrictOption,
    ThresholdFileOption,
    WorkersOption,
)


def enrol(
    paths: Annotated[
        list[str],
        typer.Argument(metavar="PATHS...", help="A folder a person; a manifest; photos with --subject."),
    ],
    subject: Annotated[
        str | None, typer.Option("--subject", metavar="NAME", help="Whose photos these are.")
    ] = None,
    allow: Annotated[
        list[str] | None,
        typer.Option(
            "--allow",
            metavar="REFUSAL",
            help="Override a refusal: several-faces (as --largest), low-quality, other-subject, disputed.",
        ),
    ] = None,
    face: FaceOption = None,
    largest: LargestOption = False,
    split: Annotated[
        list[str] | None,
        typer.Option("--split", metavar="NAME", help="Of a manifest, only rows of this split; repeat."),
    ] = None,
    min_quality: Annotated[
        float | None,
        typer.Option("--min-quality", min=0, max=1, help="Refuse faces of lower quality. Default: 0.5."),
    ] = None,
    gallery: GalleryOption = None,
    detector: DetectorOption = "yunet",
    target_fmr: SearchFmrOption = None,
    threshold_file: ThresholdFileOption = None,
    json: JsonOption = None,
    strict: StrictOption = False,
    precision: PrecisionOption = DEFAULT_PRECISION,
    workers: WorkersOption = None,
) -> None:
    """Enrol people: `enrol DIR` takes a folder a person, `enrol FILES... --subject NAME` photos of one.

    `enrol MANIFEST`, or a folder with one, enrols each row's own face under its exact name, as reviewed.

    A photo is refused when it holds no face, several, a poor one, or one that matches somebody else.
    Enrolling a photo again adds nothing. --face enrols one person of a group photo.
    """
    from lineament.analyzer import Analyzer
    from lineament.cli.gallery.enrolling import Enrolling
    from lineament.cli.gallery.manifests import sought
    from lineament.cli.output import Report, progress
    from lineament.errors import UsageError
    from lineament.gallery import manifests
    from lineament.gallery.subjects import require_valid
    from lineament.io import sources
    from lineament.io.left_out import others_told

    alone = subject is None and face is None and not largest
    rows_of, paths = sought(paths, split, alone=alone)
    if subject is None and (loose := [path for path in paths if not Path(path).is_dir()]):
        raise UsageError(f"{loose[0]} is no folder of people; to enrol photos of one person give --subject")
    if subject is not None:
        require_valid(subject)
    elif face is not None:
        raise UsageError("--face means one face of one person's photo; give --subject too")
    wanted = face_asked(face, largest)
    listing = sources.expand(paths if subject is not None else ())
    people = [sources.people(path) for path in paths] if subject is None else []
    files = list(listing)
    total = (
        len(files)
        + sum(len(chosen) for chosen, _ in rows_of)
        + sum(len(photos) for folder in people for _, photos in folder)
    )
    notes = [line for _, lines in rows_of for line in lines]
    notes += others_told(listing.left_out, *(folder.left_out for folder in people))
    enrolling = Enrolling(gallery, detector)
    with (
        opened(
            gallery,
            Analyzer(detector, precision=precision, workers=workers),
            target_fmr=target_fmr,
            threshold_file=threshold_file,
            min_quality=min_quality,
            create=True,
        ) as into,
        Report(json) as report,
        report.at_the_end(lambda: enrolling.tell(report, into.people, notes)),
        progress(total, "photos") as advance,
    ):
        if subject is not None:
            batches = [
                into.enrol_all(
                    [(subject, file) for file in files], face=wanted, largest=largest, allow=allow or ()
                )
            ]
        else:
            batches = [into.enrol_folder(path, largest=largest, allow=allow or ()) for path in paths]
            batches += [manifests.enrol(into, chosen, allow or ()) for chosen, _ in rows_of]
        for batch in batches:
            for done in batch:
                enrolling.add(done)
                report.line(done.to_json())
                advance(1)
    if strict and enrolling.counts["refused"]:
        raise typer.Exit(1)
