"""How every evaluate command runs, and the options that its commands share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lineament.cli.targets import Writes
from lineament.io.own_files import EVALUATION

if TYPE_CHECKING:
    from lineament.answers import Answer
    from lineament.evaluation.evaluated import Evaluated
    from lineament.protocols import Advance
    from lineament.types import Threshold

PeopleOption = Annotated[
    Path, typer.Option("--images", metavar="DIR", help="A folder a person, or a manifest.")
]
HeldOutOption = Annotated[
    str | None,
    typer.Option("--split", help="Of the data; all for every row. Default: test, or else val."),
]
FlipOption = Annotated[
    bool,
    typer.Option("--flip", help="Sum each face and its mirror image: another system, measured as such."),
]
NearOption = Annotated[
    bool,
    typer.Option("--near/--no-near", help="Warn where copies of one picture make mated comparisons."),
]
PlotsOption = Annotated[
    Path | None,
    typer.Option("--plots", metavar="DIR", help="Write figures (PNG) there; needs the extra 'plots'."),
    Writes(apart=True),
]
SaveOption = Annotated[
    Path | None,
    typer.Option("--save", metavar="FILE", help="Keep everything for evaluate report, compare and gate."),
    Writes(EVALUATION),
]


@dataclass(frozen=True, slots=True)
class Run:
    """What every evaluate command is asked for; raises `MissingExtra` before the long work, not after."""

    json: str | None
    save_to: Path | None = None
    plots: Path | None = None
    strict: bool = False

    def __post_init__(self) -> None:
        if self.plots is not None:
            from lineament.plots.canvas import canvas

            canvas("", "", "")

    def __call__(
        self,
        pictures: int,
        measure: Callable[[Advance], Evaluated],
        *,
        also: Callable[[Answer], Iterable[Path]] | None = None,
    ) -> None:
        """Measure, tell, keep and draw; ``also`` writes what a command has of the findings besides.

        Ends with status 1 when asked to be strict and a picture was refused.
        """
        from lineament.cli.output import Report, progress

        with Report(self.json) as report:
            with progress(pictures, "pictures") as advance:
                done = measure(advance)
            report.answer(done)
            for path in () if also is None else also(done.found):
                report.say(f"wrote {path}")
            if self.save_to is not None:
                done.record().save(self.save_to)
            if self.plots is not None:
                from lineament.plots.canvas import save

                for name, figure in done.figures().items():
                    report.say(f"wrote {save(figure, self.plots / f'{name}.png')}")
        if self.strict and done.refused:
            raise typer.Exit(1)


def threshold_in(file: Path | None) -> Threshold | None:
    """What `lineament calibrate` wrote there."""
    from lineament.io import calibration_file

    return None if file is None else calibration_file.load(file).threshold
