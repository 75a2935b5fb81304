"""``lineament evaluate liveness``: presentation attack detection from a table of scores."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from lineament.cli.evaluate.app import app
from lineament.cli.evaluate.saving import SaveOption, save
from lineament.cli.evaluate.shared import rate_cell
from lineament.cli.options import JsonOption
from lineament.counting import quantity


@app.command("liveness")
def liveness(
    *,
    scores: Annotated[
        Path,
        typer.Option(
            "--scores", metavar="CSV", help="kind,score and if known image,subject,jitter; higher is live."
        ),
    ],
    threshold: Annotated[
        float | None, typer.Option("--threshold", help="What scores that or more passes as bona fide.")
    ] = None,
    choose_on: Annotated[
        Path | None,
        typer.Option("--choose-on", metavar="CSV", help="Or choose the threshold on these other scores."),
    ] = None,
    bpcer: Annotated[
        float, typer.Option("--bpcer", help="With --choose-on: the share of bona fide that may fail there.")
    ] = 0.05,
    json: JsonOption = None,
    save_to: SaveOption = None,
) -> None:
    """APCER of each kind of attack (the worst counts), BPCER, and what a jittered box does.

    No liveness model is shipped: score pictures with yours and write a table.
    """
    from lineament.cli.output import Report
    from lineament.evaluation.liveness import evaluate, read_scores

    other = None if choose_on is None else read_scores(choose_on)
    found = evaluate(read_scores(scores), threshold=threshold, chosen_on=other, bpcer=bpcer)
    with Report(json) as report:
        answer = found.to_json()
        report.line(answer)
        rates = found.rates
        report.say(f"threshold {rates.threshold:g} ({found.threshold_from}); worst attack: {rates.worst}")
        if found.shortfall is not None:
            report.say(f"warning: {found.shortfall}")
        columns = ["presentations", "error", "95 % interval", "of", "no answer"]
        worst_case = found.jitter.worst_case if found.jitter is not None else None
        if worst_case is not None:
            columns.append("worst box")
        rows: list[Sequence[object]] = []
        for name, rate in (("bona_fide", rates.bpcer), *rates.apcer.items()):
            worst = None
            if worst_case is not None:
                worst = worst_case.bpcer if name == "bona_fide" else worst_case.apcer[name]
            kind = "BPCER" if name == "bona_fide" else "APCER"
            row = [f"{name} ({kind})", f"{rate.value:.3g}", rate.span()]
            row += [f"{rate.n:,}", f"{rates.no_answer[name]:,}"]
            rows.append((*row, *((rate_cell(worst),) if worst is not None else ())))
        report.table("Errors", columns, rows)
        if found.jitter is not None:
            report.say(
                f"another box changes the decision of {rate_cell(found.jitter.changed)} of the "
                f"presentations ({quantity(found.jitter.boxes, 'box')} each)"
            )
        report.table(
            "BPCER at fixed APCER of the worst kind, threshold chosen on these very presentations",
            ("APCER <=", "threshold", "BPCER, 95 %"),
            [
                (
                    f"{p.apcer:g}",
                    "" if p.unsupported else f"{p.threshold:.4g}",
                    p.unsupported or rate_cell(p.rates.bpcer),
                )
                for p in found.points
            ],
        )
        if save_to is not None:
            save(
                save_to,
                "liveness",
                scores.stem,
                protocol={
                    "data": found.scored.digest(),
                    "threshold": found.threshold_from,
                    "chosen_on": None if other is None else other.digest(),
                },
                system={"scores": scores.stem, "threshold": rates.threshold},
                answer=answer,
                clusters=found.clusters(),
            )
