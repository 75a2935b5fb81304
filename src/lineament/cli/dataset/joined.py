"""``lineament dataset merge``, and what it and an import of several sources say of the result."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lineament.cli.dataset.app import app
from lineament.cli.options import JsonOption, StrictOption
from lineament.cli.targets import Writes
from lineament.counting import quantity

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lineament.cli.output import Report
    from lineament.datasets.filling import Filled
    from lineament.datasets.formats import Problems
    from lineament.datasets.joining.manifests import Joined
    from lineament.io.manifest import Manifest, ManifestRow

DifferingOption = Annotated[
    str,
    typer.Option(
        "--differing",
        metavar="refuse|first",
        help="A picture that two sources label differently: refused with both words, or the source named "
        "first counts.",
    ),
]


_MOST_CLASSES = 20
WITHOUT_A_LABEL = "pictures that no label names were left out; if they hold no face"


@app.command("merge")
def merge(
    sources: Annotated[
        list[Path],
        typer.Argument(
            metavar="SOURCE...", help="Two or more: manifests, folders with one, or any labelled data."
        ),
    ],
    *,
    out: Annotated[
        Path,
        typer.Option("--out", metavar="DIR", help="The new data set, with copies of all pictures."),
        Writes(apart=True),
    ],
    differing: DifferingOption = "refuse",
    replace: Annotated[
        bool,
        typer.Option("--replace", help="Write over an earlier one there; copy what its folder lacks."),
    ] = False,
    json: JsonOption = None,
    strict: StrictOption = False,
) -> None:
    """Join data sets: equal pictures once, equal names apart, classes by name, splits and licences along.

    The pictures of each source go to a folder of its own. Pictures are equal where their bytes are.
    """
    from lineament.cli.output import Report, progress
    from lineament.datasets.joining.folder import join_folders

    with Report(json) as report:
        with progress(None, "pictures") as advance:
            joined = join_folders(
                sources,
                out=out,
                manifests=True,
                differing=differing,
                replace=replace,
                advance=advance,
            )
        answer_joined(report, *joined)
    if strict and joined[1].problems:
        raise typer.Exit(1)


def answer_joined(report: Report, path: Path, joined: Joined, filled: Filled) -> None:
    """Tell what became of several data sets."""
    from dataclasses import asdict

    from lineament.datasets.exporting import classes_of
    from lineament.datasets.importing.labels import counts_of

    told, counts = joined.manifest.steps[-1]["sources"], counts_of(joined.manifest.rows)
    classes = classes_of(joined.manifest)
    report.line(
        {
            "manifest": path,
            **counts,
            "classes": classes,
            "sources": [
                {
                    **{key: value for key, value in one.items() if key != "steps"},
                    "in_an_earlier_source": joined.repeated.get(one["name"], 0),
                }
                for one in told
            ],
            "licences": {licence or "": count for licence, count in joined.licences.items()},
            "copies": asdict(filled),
            "if_they_hold_no_face": {name: f"--format {spec}" for name, spec in joined.offers.items()},
            "problems": joined.problems.to_json(),
        }
    )
    report.table(
        "Joined",
        ("source", "read as", "pictures", "in an earlier source", "rows", "splits"),
        [
            (
                one["name"],
                one["read"],
                one["pictures"],
                joined.repeated.get(one["name"], 0),
                one["rows"],
                ", ".join(f"{name} {count}" for name, count in one["splits"].items()) or "none",
            )
            for one in told
        ],
    )
    report.say(f"{rows_in_words(counts)}, {counts['refused']:,} refused -> {path}")
    if classes:
        report.listing("classes", [f"{number} {name}" for number, name in classes.items()])
    report.say(
        "licences: "
        + ", ".join(
            f"{licence or 'not stated'} {count:,}"
            for licence, count in sorted(joined.licences.items(), key=lambda item: item[0] or "")
        )
    )
    if any(one["splits"] for one in told) and not all(one["splits"] for one in told):
        report.say("some sources have splits, some none: `dataset split` keeps those and places the rest")
    tell_copies(report, filled)
    tell_labels(report, joined.manifest.rows)
    tell_problems(report, joined.problems)
    tell_refused(report, joined.manifest)
    for name, offered in joined.offers.items():
        report.say(f"{name}: {WITHOUT_A_LABEL}: --format {offered}")


def tell_copies(report: Report, filled: Filled) -> None:
    """Say what was done in the folder with copies."""
    if not (filled.kept or filled.replaced or filled.left):
        return
    report.say(
        f"{quantity(filled.copied, 'picture')} copied, {filled.kept:,} were there, {filled.replaced:,} "
        "took the place of earlier ones"
        + (f"; {filled.left:,} of before are in the manifest no more, and stay" if filled.left else "")
    )


def tell_refused(report: Report, manifest: Manifest) -> None:
    """Why pictures of a manifest were refused, by kind, and what to do."""
    from lineament.cli.refusals import Refusals

    refusals = Refusals()
    for path, error in {row.path: row.error for row in manifest if row.outcome == "refused"}.items():
        refusals.add(error or "LineamentError", path)
    refusals.tell(report)


def rows_in_words(counts: Mapping[str, Any]) -> str:
    """What the rows of an import are: boxes, pictures labelled as a whole, pictures without a face."""
    from lineament.kinds import counted

    boxes, whole, none = counts["boxes"], counts["without_boxes"], counts["no_face"]
    if whole and not (boxes or none):
        return f"{quantity(counts['pictures'], 'picture')}, labelled as a whole, without boxes"
    told = [quantity(counts["pictures"], "picture"), f"{counted(boxes)} with a box"]
    told += [f"{quantity(whole, 'picture')} labelled as a whole"] if whole else []
    return ", ".join([*told, f"{quantity(none, 'picture')} without"])


def tell_labels(report: Report, rows: Sequence[ManifestRow]) -> None:
    """The classes of boxes, unless all are plain faces, and what else is labelled."""
    from lineament.datasets.importing.label_summary import labels_of
    from lineament.datasets.importing.labels import boxes_of
    from lineament.kinds import FACE, is_face, noun

    boxes = sorted(boxes_of(rows).items(), key=lambda item: -item[1])
    if [kind for kind, _ in boxes] not in ([], [FACE]):
        shown = [(kind, count, noun([kind], 1)) for kind, count in boxes[:_MOST_CLASSES]]
        report.table("Classes of boxes", ("class", "boxes", "taken for a"), shown)
        if others := boxes[_MOST_CLASSES:]:
            report.say(f"and {quantity(len(others), 'further class')}, all of them in the answer of --json")
    faces = [kind for kind, _ in boxes if is_face(kind)]
    if len(faces) > 1:
        report.say(
            f"{quantity(len(faces), 'class')} of faces stay apart here; `lineament train detector "
            "DATA --one-class` learns all as one, called face, and `train localizer` does so anyway"
        )
    report.table(
        "Labels" if (labels := labels_of(rows)) else None,
        ("label", "holds", "rows", "values"),
        [(name, one.kind, one.rows, one.told()) for name, one in labels.items()],
    )


def tell_problems(report: Report, problems: Problems) -> None:
    """The table of what was wrong or remarkable."""
    if problems:
        report.table(
            "Found on the way",
            ("what", "how often", "for example"),
            ((kind, tally.count, tally.examples[0]) for kind, tally in problems),
        )
