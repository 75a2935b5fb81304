"""``lineament gallery``: enrol, identify, list, show, remove, rename, merge, dispute, backup."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lineament.cli import gallery_answers
from lineament.cli.drawing import ScoresOption, SheetOption
from lineament.cli.gallery_erasing import AlikeOption
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
from lineament.cli.targets import Writes
from lineament.counting import quantity
from lineament.io.own_files import NEW

if TYPE_CHECKING:
    from lineament.gallery.gallery import Gallery

app = typer.Typer(no_args_is_help=True, help="Keep people, find them in photos, correct and erase.")

SubjectArgument = Annotated[str, typer.Argument(metavar="SUBJECT", help="A name, as `list` shows it.")]
SearchFmrOption = Annotated[
    float | None,
    typer.Option(
        "--target-fmr",
        help="False match rate to accept, of those measured. Default: low enough for the number of people "
        "that about 1 stranger in 100 matches somebody.",
    ),
]
FaceOption = Annotated[
    str | None,
    typer.Option(
        "--face",
        metavar="N|X,Y",
        help="Which face of a group photo: its number as `detect` prints it, or a point in it, in pixels.",
    ),
]
LargestOption = Annotated[bool, typer.Option("--largest", help="Of several faces take the largest.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do it without asking.")]


@app.command("enrol")
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
    from lineament.cli import gallery_manifests
    from lineament.cli.gallery_enrolling import Enrolling, enrol_json
    from lineament.cli.output import Report, progress
    from lineament.errors import UsageError
    from lineament.gallery import manifests
    from lineament.gallery.gallery import Gallery
    from lineament.gallery.subjects import require_valid
    from lineament.io import calibration_file, sources
    from lineament.settings import MIN_QUALITY

    known = None if threshold_file is None else calibration_file.load(threshold_file).threshold
    alone = subject is None and face is None and not largest
    rows_of, paths = gallery_manifests.sought(paths, split, alone=alone)
    if subject is None and (loose := [path for path in paths if not Path(path).is_dir()]):
        raise UsageError(f"{loose[0]} is no folder of people; to enrol photos of one person give --subject")
    if subject is not None:
        require_valid(subject)
    elif face is not None:
        raise UsageError("--face means one face of one person's photo; give --subject too")
    wanted = gallery_answers.face_asked(face, largest)
    listing = sources.expand(paths if subject is not None else ())
    people = [sources.people(path) for path in paths] if subject is None else []
    files = list(listing)
    total = (
        len(files)
        + sum(len(chosen) for chosen, _ in rows_of)
        + sum(len(photos) for folder in people for _, photos in folder)
    )
    skipped = listing.left_out.others + sum(folder.left_out.others for folder in people)
    notes = [line for _, lines in rows_of for line in lines] + ([_left_out(skipped)] if skipped else [])
    enrolling = Enrolling(gallery, detector)

    with (
        Gallery(
            gallery,
            Analyzer(detector, precision=precision, workers=workers),
            threshold=known,
            target_fmr=target_fmr,
            min_quality=MIN_QUALITY if min_quality is None else min_quality,
        ) as opened,
        Report(json) as report,
        report.at_the_end(lambda: enrolling.tell(report, opened.people, notes)),
        progress(total, "photos") as advance,
    ):
        if subject is not None:
            batches = [
                opened.enrol_all(
                    [(subject, file) for file in files], face=wanted, largest=largest, allow=allow or ()
                )
            ]
        else:
            batches = [opened.enrol_folder(path, largest=largest, allow=allow or ()) for path in paths]
            batches += [manifests.enrol(opened, chosen, allow or ()) for chosen, _ in rows_of]
        for batch in batches:
            for done in batch:
                enrolling.add(done)
                report.line(enrol_json(done))
                advance(1)
    if strict and enrolling.counts["refused"]:
        raise typer.Exit(1)


@app.command("identify")
def identify(
    paths: Annotated[list[str], typer.Argument(metavar="PATHS...", help="Photos and folders of photos.")],
    top: Annotated[int, typer.Option("--top", min=1, help="How many candidates to give for a face.")] = 5,
    draw: Annotated[
        Path | None,
        typer.Option("--draw", metavar="DIR", help="Write the pictures with names drawn in."),
        Writes(apart=True),
    ] = None,
    scores: ScoresOption = False,
    sheet: SheetOption = None,
    gallery: GalleryOption = None,
    detector: DetectorOption = "yunet",
    target_fmr: SearchFmrOption = None,
    threshold_file: ThresholdFileOption = None,
    json: JsonOption = None,
    strict: StrictOption = False,
    precision: PrecisionOption = DEFAULT_PRECISION,
    workers: WorkersOption = None,
) -> None:
    """Find out who is in photos: every face is searched, and the measured threshold decides."""
    from lineament.analyzer import Analyzer
    from lineament.cli.drawing import Sheet
    from lineament.cli.output import Report, progress
    from lineament.cli.pictures import Drawings
    from lineament.cli.refusals import Refusals, no_face_step
    from lineament.cli.videos import Videos
    from lineament.gallery.gallery import Gallery
    from lineament.io import calibration_file, sources
    from lineament.types import Decision, Status

    known = None if threshold_file is None else calibration_file.load(threshold_file).threshold

    listing = sources.expand(paths)
    files = list(listing)
    drawings, on_sheet, videos, refusals = Drawings(draw), Sheet(sheet), Videos(), Refusals()
    counts: Counter[str] = Counter()
    rows: list[Sequence[object]] = []
    threshold = None
    analyzer = Analyzer(
        detector, precision=precision, workers=workers, keep_images=draw is not None or sheet is not None
    )

    def tell() -> None:
        report.table(None, ("picture", "face", "decision", "subject", "similarity", "next"), rows)
        pictures = ", ".join(f"{counts[status]} {status}" for status in Status)
        faces = counts[Decision.MATCH] + counts[Decision.NO_MATCH]
        seen = sum(counts[status] for status in Status)
        report.say(
            f"{quantity(seen, 'picture')}: {pictures}; {quantity(faces, 'face')}, "
            f"{counts[Decision.MATCH]} matched"
        )
        if counts["numbered"]:
            report.say(gallery_answers.numbered_note(counts["numbered"]))
        for line in gallery_answers.decided_by(threshold, opened.people):
            report.say(line)
        if listing.left_out.others:
            report.say(_left_out(listing.left_out.others))
        videos.tell(report)
        drawings.tell(report)
        on_sheet.write(report)
        refusals.tell(report)

    with (
        Gallery(gallery, analyzer, threshold=known, target_fmr=target_fmr, create=False) as opened,
        Report(json) as report,
        report.at_the_end(tell),
        progress(len(files), "pictures") as advance,
    ):
        for number, found in enumerate(opened.identify(files, top), 1):
            counts[found.outcome.status] += 1
            videos.look(found.outcome)
            refusals.look(found.outcome, no_face_step(detector))
            for match in found.matches:
                counts[match.decision] += 1
                threshold = match.threshold
            labels = gallery_answers.labels_of(found) if draw is not None else ()
            counts["numbered"] += gallery_answers.numbered(labels)
            drawn = drawings.add(
                found.outcome, number, partial(gallery_answers.drawing, found, labels, scores)
            )
            on_sheet.add(found.outcome, gallery_answers.named(found))
            rows += gallery_answers.identify_rows(found)
            report.line({**gallery_answers.identified_json(found, labels), **drawn})
            advance(1)
    if videos or drawings.refused or (strict and counts[Status.REFUSED]):
        raise typer.Exit(1)


@app.command("list")
def list_subjects(gallery: GalleryOption = None, json: JsonOption = None) -> None:
    """List everybody enrolled, with the number of photos."""
    from lineament.cli.output import Report

    with _existing(gallery) as opened, Report(json) as report:
        people = opened.subjects()
        for subject, samples in people:
            report.line({"subject": subject, "samples": samples})
        report.table(None, ("subject", "samples"), people)
        report.say(
            f"{quantity(len(people), 'person')}, "
            f"{quantity(sum(samples for _, samples in people), 'sample')}"
        )


@app.command("status")
def status(
    gallery: GalleryOption = None,
    target_fmr: SearchFmrOption = None,
    threshold_file: ThresholdFileOption = None,
    json: JsonOption = None,
) -> None:
    """Show how many people there are, which threshold decides, and whether the gallery has outgrown it."""
    from lineament.cli.output import Report
    from lineament.gallery.gallery import Gallery
    from lineament.io import calibration_file

    known = None if threshold_file is None else calibration_file.load(threshold_file).threshold
    with (
        Gallery(gallery, threshold=known, target_fmr=target_fmr, create=False) as opened,
        Report(json) as report,
    ):
        record, lines = gallery_answers.status(opened)
        report.line(record)
        for line in lines:
            report.say(line)


@app.command("show")
def show(subject: SubjectArgument, gallery: GalleryOption = None, json: JsonOption = None) -> None:
    """Show a person's samples and disputes with their ids."""
    from lineament.cli.output import Report

    with _existing(gallery) as opened, Report(json) as report:
        found = opened.show(subject)
        samples, disputes = (
            [gallery_answers.record_json(r) for r in rs] for rs in (found.samples, found.disputes)
        )
        report.line({"subject": found.subject, "samples": samples, "disputes": disputes})
        records = [(record.kind, record) for record in (*found.samples, *found.disputes)]
        report.table(
            found.subject,
            ("kind", "id", "quality", "created", "source"),
            [(kind, r.id, r.quality, r.created_at, r.source) for kind, r in records],
        )


@app.command("remove")
def remove(
    subjects: Annotated[
        list[str] | None, typer.Argument(metavar="[SUBJECTS]...", help="People to erase.")
    ] = None,
    ids: Annotated[
        list[str] | None,
        typer.Option("--id", metavar="ID", help="A sample to erase or dispute to withdraw, see `show`."),
    ] = None,
    alike: AlikeOption = None,
    target_fmr: Annotated[
        float | None,
        typer.Option("--target-fmr", help="False match rate at which a face looks alike. Default: 0.001."),
    ] = None,
    threshold_file: ThresholdFileOption = None,
    gallery: GalleryOption = None,
    yes: YesOption = False,
    json: JsonOption = None,
) -> None:
    """Erase people, or single samples and disputes, so that no readable copy is left in the gallery.

    What is kept of the same faces under other names goes too: the receipt lists it, and what only looks
    alike. Backups are files of their own: erase there too. With the last sample the person is erased.
    """
    from lineament.cli.gallery_erasing import told
    from lineament.cli.output import Report
    from lineament.errors import UsageError
    from lineament.gallery.erasing import choice
    from lineament.gallery.gallery import Gallery
    from lineament.io import calibration_file

    if not subjects and not ids:
        raise UsageError("name the people to erase, or samples with --id")
    known = None if threshold_file is None else calibration_file.load(threshold_file).threshold
    if alike is not None:
        choice(alike)
    with (
        Gallery(gallery, threshold=known, target_fmr=target_fmr, create=False) as opened,
        Report(json) as report,
    ):
        names = [opened.resolve(subject) for subject in subjects or ()]
        confirm("erase for good: " + ", ".join([*names, *(ids or ())]), yes)
        for name in names:
            receipt = opened.remove(name) if alike is None else opened.remove(name, alike=alike)
            report.line({"removed": name, **receipt.to_json()})
            report.say(f"{name}: {receipt}")
            for line in told(receipt):
                report.say(line)
        for id_ in ids or ():
            receipt = opened.remove_sample(id_, alike=alike)
            report.line({"removed_id": id_, **receipt.to_json()})
            report.say(f"{id_}: {receipt}")
            for line in told(receipt):
                report.say(line)


@app.command("rename")
def rename(
    subject: SubjectArgument,
    new: Annotated[str, typer.Argument(metavar="NEW", help="The new name.")],
    gallery: GalleryOption = None,
    json: JsonOption = None,
) -> None:
    """Give a person another name."""
    from lineament.cli.output import Report

    with _existing(gallery) as opened, Report(json) as report:
        opened.rename(subject, new)
        report.line({"renamed": subject, "to": new})
        report.say(f"{subject} is now {new}")


@app.command("merge")
def merge(
    subject: SubjectArgument,
    into: Annotated[str, typer.Option("--into", metavar="NAME", help="The person both really are.")],
    alike: AlikeOption = None,
    gallery: GalleryOption = None,
    yes: YesOption = False,
    json: JsonOption = None,
) -> None:
    """Make two entries one, because they are the same person.

    Disputes that this settles are erased; those about faces that only look alike are listed (--alike).
    """
    from lineament.cli.gallery_erasing import told
    from lineament.cli.output import Report

    with _existing(gallery) as opened, Report(json) as report:
        source, target = opened.resolve(subject), opened.resolve(into)
        confirm(f"merge {source} into {target}; they cannot be told apart afterwards", yes)
        receipt = opened.merge(source, into=target, alike=alike or "list")
        settled = receipt.records
        report.line({"merged": source, "into": target, "disputes_settled": settled, **receipt.to_json()})
        report.say(
            f"{source} is now part of {target}; {quantity(settled, 'dispute')} between the two dropped"
        )
        for line in told(receipt):
            report.say(line)


@app.command("dispute")
def dispute(
    photo: Annotated[str, typer.Argument(metavar="PHOTO", help="The photo with the face.")],
    subject: SubjectArgument,
    face: FaceOption = None,
    largest: LargestOption = False,
    gallery: GalleryOption = None,
    detector: DetectorOption = "yunet",
    target_fmr: SearchFmrOption = None,
    json: JsonOption = None,
) -> None:
    """Record that a face is not this person; later searches respect it.

    Of several faces --face says which, as `identify` numbers them. `remove --id` withdraws it.
    """
    from lineament.analyzer import Analyzer
    from lineament.cli.output import Report
    from lineament.gallery.gallery import Gallery

    wanted = gallery_answers.face_asked(face, largest)
    analyzer = Analyzer(detector)
    with (
        Gallery(gallery, analyzer, target_fmr=target_fmr, create=False) as opened,
        Report(json) as report,
    ):
        record = opened.dispute(photo, subject, face=wanted, largest=largest)
        report.line({"disputed": record.subject, **gallery_answers.record_json(record)})
        report.say(f"recorded: the face in {photo} is not {record.subject} (dispute {record.id})")


@app.command("backup")
def backup(
    path: Annotated[
        Path, typer.Argument(metavar="FILE", help="The file to write; must not exist."), Writes(NEW)
    ],
    gallery: GalleryOption = None,
    json: JsonOption = None,
) -> None:
    """Write a consistent copy of the gallery, which is a gallery itself: `--gallery sqlite:FILE`."""
    from lineament.cli.output import Report

    with _existing(gallery) as opened, Report(json) as report:
        opened.backup(path)
        report.line({"backup": str(path), "records": opened.store.count()})
        report.say(f"wrote {path}: {quantity(opened.people, 'person')}")


def _existing(url: str | None) -> Gallery:
    from lineament.gallery.gallery import Gallery

    return Gallery(url, create=False)


def confirm(what: str, yes: bool) -> None:
    """Ask; raises `UsageError` where nobody can answer."""
    import sys

    from lineament.errors import UsageError
    from lineament.io.names import shown

    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError(f"would {what}; there is nobody to ask, so say --yes")
    typer.confirm(shown(what) + "?", abort=True, err=True)


def _left_out(count: int) -> str:
    return f"left out: {quantity(count, 'file')} in folders, no pictures by their names"
