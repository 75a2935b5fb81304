"""``lineament verify``: are these two photos of the same person?"""

from __future__ import annotations

from typing import Annotated

import typer

from lineament.cli.options import (
    DEFAULT_PRECISION,
    DEFAULT_TARGET_FMR,
    DetectorOption,
    JsonOption,
    PrecisionOption,
    TargetFmrOption,
)


def verify(
    a: Annotated[str, typer.Argument(metavar="A", help="A photo.")],
    b: Annotated[str, typer.Argument(metavar="B", help="Another photo.")],
    detector: DetectorOption = "yunet",
    embedder: Annotated[
        str,
        typer.Option("--embedder", metavar="NAME[:SETTINGS]", help="sface, or the folder of a training."),
    ] = "sface",
    target_fmr: TargetFmrOption = DEFAULT_TARGET_FMR,
    json: JsonOption = None,
    precision: PrecisionOption = DEFAULT_PRECISION,
) -> None:
    """Compare the faces nearest the centres of two photos, at a threshold measured for the target FMR."""
    from lineament.analyzer import Analyzer
    from lineament.cli.output import Report

    analyzer = Analyzer(detector, embedder, precision=precision)
    answer = analyzer.verify(a, b, target_fmr=target_fmr)
    with Report(json) as report:
        report.line(
            {
                "a": a,
                "b": b,
                "similarity": answer.similarity,
                "decision": answer.decision,
                "threshold": answer.threshold.to_json(),
            }
        )
        sign = ">=" if answer.threshold.accepts(answer.similarity) else "<"
        report.say(f"{answer.decision}: {a} and {b}")
        report.say(f"similarity {answer.similarity:.3f} {sign} threshold {answer.threshold}")
