"""``lineament gallery remove``, ``rename``, ``merge``, ``dispute``: corrections, with receipts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from lineament.cli.gallery.app import (
    FaceOption,
    LargestOption,
    SearchFmrOption,
    SubjectArgument,
    face_asked,
    opened,
)
from lineament.cli.options import DetectorOption, GalleryOption, JsonOption, ThresholdFileOption
from lineament.counting import quantity

if TYPE_CHECKING:
    from lineament.cli.output import Report
    from lineament.gallery.erasing import Receipt

AlikeOption = Annotated[
    str | None,
    typer.Option(
        "--alike",
        metavar="WHICH",
        help="Which records of others go when they only look alike: list (none), disputes, all. "
        "Default: disputes for people, list for --id and merge. What stays is listed.",
    ),
]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do it without asking.")]


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
    from lineament.cli.output import Report
    from lineament.errors import UsageError
    from lineament.gallery.erasing import choice

    if not subjects and not ids:
        raise UsageError("name the people to erase, or samples with --id")
    if alike is not None:
        choice(alike)
    with (
        opened(gallery, target_fmr=target_fmr, threshold_file=threshold_file) as people,
        Report(json) as report,
    ):
        names = [people.resolve(subject) for subject in subjects or ()]
        _confirm("erase for good: " + ", ".join([*names, *(ids or ())]), yes)
        for name in names:
            _tell(report, name, "removed", people.remove(name, alike=alike or "disputes"))
        for id_ in ids or ():
            _tell(report, id_, "removed_id", people.remove_sample(id_, alike=alike))


def _tell(report: Report, what: str, key: str, receipt: Receipt) -> None:
    report.line({key: what, **receipt.to_json()})
    report.say(f"{what}: {receipt}")
    report.tell(receipt.told())


def rename(
    subject: SubjectArgument,
    new: Annotated[str, typer.Argument(metavar="NEW", help="The new name.")],
    gallery: GalleryOption = None,
    json: JsonOption = None,
) -> None:
    """Give a person another name."""
    from lineament.cli.output import Report

    with opened(gallery) as people, Report(json) as report:
        people.rename(subject, new)
        report.line({"renamed": subject, "to": new})
        report.say(f"{subject} is now {new}")


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
    from lineament.cli.output import Report

    with opened(gallery) as people, Report(json) as report:
        source, target = people.resolve(subject), people.resolve(into)
        _confirm(f"merge {source} into {target}; they cannot be told apart afterwards", yes)
        receipt = people.merge(source, into=target, alike=alike or "list")
        settled = receipt.records
        report.line({"merged": source, "into": target, "disputes_settled": settled, **receipt.to_json()})
        report.say(
            f"{source} is now part of {target}; {quantity(settled, 'dispute')} between the two dropped"
        )
        report.tell(receipt.told())


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
    from lineament.gallery.answers import record_json

    wanted = face_asked(face, largest)
    with opened(gallery, Analyzer(detector), target_fmr=target_fmr) as people, Report(json) as report:
        record = people.dispute(photo, subject, face=wanted, largest=largest)
        report.line({"disputed": record.subject, **record_json(record)})
        report.say(f"recorded: the face in {photo} is not {record.subject} (dispute {record.id})")


def _confirm(what: str, yes: bool) -> None:
    import sys

    from lineament.errors import UsageError
    from lineament.io.names import shown

    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError(f"would {what}; there is nobody to ask, so say --yes")
    typer.confirm(shown(what) + "?", abort=True, err=True)
