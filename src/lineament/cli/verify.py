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
    ThresholdFileOption,
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
    """Compare the faces nearest the centres of two photos, at a threshold measured for the target FMR."""
    from lineament.analyzer import Analyzer
    from lineament.cli.output import Report
    from lineament.errors import UsageError
    from lineament.io import calibration_file

    known = None if threshold_file is None else calibration_file.load(threshold_file)
    if known is not None and known.threshold.kind != "FMR":
        raise UsageError(f"{threshold_file}: a threshold for searches (FPIR); 1:1 needs one for an FMR")
    analyzer = Analyzer(detector, embedder, precision=precision)
    given = None if known is None else known.threshold
    answer = analyzer.verify(a, b, target_fmr=target_fmr, threshold=given)
    sure = None
    if known is not None and known.probability is not None:
        sure = known.probability.given(answer.similarity, prior)
    with Report(json) as report:
        report.line(
            {
                "a": a,
                "b": b,
                "similarity": answer.similarity,
                "decision": answer.decision,
                "threshold": answer.threshold.to_json(),
                "probability": None if sure is None else {"value": sure, "prior": prior},
            }
        )
        sign = ">=" if answer.threshold.accepts(answer.similarity) else "<"
        report.say(f"{answer.decision}: {a} and {b}")
        report.say(f"similarity {answer.similarity:.3f} {sign} threshold {answer.threshold}")
        if sure is not None:
            report.say(f"probability {sure:.3g} of one person, if {prior:g} before looking")
