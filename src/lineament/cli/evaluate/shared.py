"""Options and printing that the evaluation commands share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lineament.cli.targets import Writes
from lineament.counting import quantity

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from lineament.cli.output import Report
    from lineament.evaluation.capture import Captures, Failure
    from lineament.evaluation.near_copies import Labelled, Rows
    from lineament.evaluation.people import LabelledPictures
    from lineament.evaluation.trained_on import LeakCheck
    from lineament.io.manifest import Manifest
    from lineament.scoring.rate import Rate

PlotsOption = Annotated[
    Path | None,
    typer.Option("--plots", metavar="DIR", help="Write figures (PNG) there; needs the extra 'plots'."),
    Writes(apart=True),
]

EmbedderOption = Annotated[
    str,
    typer.Option("--embedder", metavar="NAME[:SETTINGS]", help="sface, or the folder of a training."),
]
FlipOption = Annotated[
    bool,
    typer.Option("--flip", help="Sum each face and its mirror image: another system, measured as such."),
]


NearOption = Annotated[
    bool,
    typer.Option("--near/--no-near", help="Warn where copies of one picture make mated comparisons."),
]


def tell_near(
    report: Report,
    people: Labelled,
    captures: Captures,
    workers: int | None,
    wanted: bool,
    *,
    compared: tuple[Rows, Rows] | None = None,
) -> dict[str, Any]:
    """Say what copies of one picture make of the comparisons; the part of the JSON that holds it."""
    from lineament.evaluation.near_copies import near_copies

    if not wanted:
        return {"near_copies": None}
    found = near_copies(people, captures, compared=compared, workers=workers)
    if (warning := found.warning()) is not None:
        report.say(warning)
    return {"near_copies": found.to_json()}


def tell_repeated(
    report: Report, manifest: Manifest, split: str | None, workers: int | None, wanted: bool
) -> dict[str, Any]:
    """Say how many pictures are copies of others, where no persons are compared; the part of the JSON."""
    from lineament.evaluation.near_copies import repeated_pictures

    if not wanted:
        return {"near_copies": None}
    found = repeated_pictures(manifest, split, workers=workers)
    if found["pictures"]:
        report.say(
            f"warning: {quantity(found['pictures'], 'picture is')} copies of others: their faces count "
            "several times, and intervals are too narrow. Take copies out with lineament dataset clean"
        )
    return {"near_copies": found}


def tell_chosen_on(report: Report, compared: Mapping[str, LeakCheck]) -> None:
    """Say which trainings had no other held-out pictures than those measured here."""
    for run, one in compared.items():
        if one.chosen_on:
            report.say(
                f"{one.chosen_on:,} of these pictures are of the split val of {run}, by which its best "
                "epoch was chosen, for it has no split test: the figures flatter"
            )


def say_left_out(report: Report, people: LabelledPictures) -> None:
    """One line on what the folder or manifest held besides, if anything."""
    counts = people.left_out()
    if any(counts.values()):
        words = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in counts.items() if count)
        report.say(f"left out: {words}")


def check_plots(folder: Path | None) -> None:
    """Say that matplotlib is missing before the long work, not after it."""
    if folder is not None:
        from lineament.plots.canvas import canvas

        canvas("", "", "")


def write_figures(report: Report, folder: Path, figures: Mapping[str, Figure]) -> None:
    """Write each figure as ``name.png`` and say where."""
    from lineament.plots.canvas import save

    for name, figure in figures.items():
        report.say(f"wrote {save(figure, folder / f'{name}.png')}")


def rate_cell(rate: Rate) -> str:
    """A rate with its 95 % interval as a table shows it."""
    return str(rate)


def say_single(report: Report, units: int, one: str) -> None:
    """Say what figures of a single picture or person, of which there are ``units``, are worth."""
    if units == 1:
        report.say(
            f"warning: all of it is of one {one}: the figures tell next to nothing of others, and the "
            "intervals are those of a single trial, or none"
        )


def say_failures(report: Report, failures: Sequence[Failure]) -> None:
    """One line a failure to acquire, with its reason."""
    for failure in failures:
        report.say(f"failure to acquire: {failure.source}: {failure.type}: {failure.message}")


def exit_strict(strict: bool, failures: Sequence[Failure]) -> None:
    """End with status 1 when asked to be strict and a picture was refused."""
    if strict and any(failure.refused for failure in failures):
        raise typer.Exit(1)
