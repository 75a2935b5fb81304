"""``lineament verify``: are these two photos of the same person?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from lineament.cli.options import (
    DEFAULT_PRECISION,
    DEFAULT_TARGET_FMR,
    DetectorOption,
    EmbedderOption,
    FirstArgument,
    JsonOption,
    PrecisionOption,
    SecondArgument,
    TargetFmrOption,
    ThresholdFileOption,
)

if TYPE_CHECKING:
    from lineament.types import Outcome

Wanted = int | tuple[float, float] | None


def verify(
    a: FirstArgument,
    b: SecondArgument,
    face: Annotated[
        list[str] | None,
        typer.Option(
            "--face",
            metavar="N|X,Y",
            help="Which face: its number as `detect` prints it, or a point in it. Once for the photo with "
            "several faces, or twice, for A and B.",
        ),
    ] = None,
    largest: Annotated[
        bool,
        typer.Option("--largest", help="Of several faces take the largest, where --face says nothing."),
    ] = False,
    detector: DetectorOption = "yunet",
    embedder: EmbedderOption = "sface",
    target_fmr: TargetFmrOption = DEFAULT_TARGET_FMR,
    threshold_file: ThresholdFileOption = None,
    prior: Annotated[
        float,
        typer.Option(
            "--prior",
            help="How likely one person was before looking; for the file's probability.",
        ),
    ] = 0.5,
    json: JsonOption = None,
    precision: PrecisionOption = DEFAULT_PRECISION,
) -> None:
    """Compare one face of each of two photos, at a threshold measured for the target FMR.

    Of several faces it takes the one nearest the centre of those at least half as large as the largest, and
    says so: how many there were, which was compared and why.
    """
    from lineament.analyzer import Analyzer
    from lineament.answers import verification_json
    from lineament.cli.output import Report
    from lineament.errors import UsageError
    from lineament.io import calibration_file
    from lineament.types import Reason

    known = None if threshold_file is None else calibration_file.load(threshold_file)
    if known is not None and known.threshold.kind != "FMR":
        raise UsageError(f"{threshold_file}: a threshold for searches (FPIR); 1:1 needs one for an FMR")
    asked = _faces(face or [])
    with Analyzer(detector, embedder, precision=precision) as analyzer:
        first, second = analyzer.analyze([a, b])
        face_a, face_b = asked if len(asked) == 2 else _of_the_group(asked, first, second)
        answer = analyzer.verify(
            first,
            second,
            face_a=face_a,
            face_b=face_b,
            largest=largest,
            target_fmr=target_fmr,
            threshold=None if known is None else known.threshold,
        )
    sure = None
    if known is not None and known.probability is not None:
        sure = known.probability.given(answer.similarity, prior)
    assert answer.a is not None and answer.b is not None
    with Report(json) as report:
        report.line(
            {
                **verification_json(answer),
                "probability": None if sure is None else {"value": sure, "prior": prior},
            }
        )
        sign = ">=" if answer.threshold.accepts(answer.similarity) else "<"
        report.say(f"{answer.decision}: {a} and {b}")
        report.say(f"similarity {answer.similarity:.3f} {sign} threshold {answer.threshold}")
        report.say(f"compared {answer.a}")
        report.say(f"    with {answer.b}")
        if Reason.CENTRE in (answer.a.chosen, answer.b.chosen):
            report.say("several faces: --face or --largest takes another; `lineament detect` numbers them")
        if sure is not None:
            report.say(f"probability {sure:.3g} of one person, if {prior:g} before looking")


def _faces(given: Sequence[str]) -> list[Wanted]:
    from lineament.errors import ConfigError
    from lineament.geometry.choosing import parse_face

    if len(given) > 2:
        raise ConfigError(f"--face is given {len(given)} times, but only two photos are compared")
    return [parse_face(text) for text in given]


def _of_the_group(asked: Sequence[Wanted], first: Outcome, second: Outcome) -> tuple[Wanted, Wanted]:
    """The faces asked for where at most one is: it is of the photo that shows several."""
    from lineament.errors import ConfigError

    if not asked:
        return None, None
    several = [len(outcome.faces) > 1 for outcome in (first, second)]
    if all(several):
        raise ConfigError(
            f"both photos show several faces ({len(first.faces)} and {len(second.faces)}): "
            "give --face twice, for A and B"
        )
    return (None, asked[0]) if several[1] else (asked[0], None)
