"""``lineament gallery list``, ``status``, ``show`` and ``backup``: what a gallery holds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lineament.cli.gallery.app import SearchFmrOption, SubjectArgument, opened
from lineament.cli.options import GalleryOption, JsonOption, ThresholdFileOption
from lineament.cli.targets import Writes
from lineament.counting import quantity
from lineament.io.own_files import NEW


def list_subjects(gallery: GalleryOption = None, json: JsonOption = None) -> None:
    """List everybody enrolled, with the number of photos."""
    from lineament.cli.output import Report

    with opened(gallery) as kept, Report(json) as report:
        people = kept.subjects()
        for subject, samples in people:
            report.line({"subject": subject, "samples": samples})
        report.table(None, ("subject", "samples"), people)
        report.say(
            f"{quantity(len(people), 'person')}, "
            f"{quantity(sum(samples for _, samples in people), 'sample')}"
        )


def status(
    gallery: GalleryOption = None,
    target_fmr: SearchFmrOption = None,
    threshold_file: ThresholdFileOption = None,
    json: JsonOption = None,
) -> None:
    """Show how many people there are, which threshold decides, and whether the gallery has outgrown it."""
    from lineament.cli.output import Report
    from lineament.gallery.answers import GalleryStatus

    with (
        opened(gallery, target_fmr=target_fmr, threshold_file=threshold_file) as people,
        Report(json) as report,
    ):
        report.answer(GalleryStatus.of(people))


def show(subject: SubjectArgument, gallery: GalleryOption = None, json: JsonOption = None) -> None:
    """Show a person's samples and disputes with their ids."""
    from lineament.cli.output import Report

    with opened(gallery) as people, Report(json) as report:
        report.answer(people.show(subject))


def backup(
    path: Annotated[
        Path, typer.Argument(metavar="FILE", help="The file to write; must not exist."), Writes(NEW)
    ],
    gallery: GalleryOption = None,
    json: JsonOption = None,
) -> None:
    """Write a consistent copy of the gallery, which is a gallery itself: `--gallery sqlite:FILE`."""
    from lineament.cli.output import Report

    with opened(gallery) as people, Report(json) as report:
        people.backup(path)
        report.line({"backup": str(path), "records": people.store.count()})
        report.say(f"wrote {path}: {quantity(people.people, 'person')}")
