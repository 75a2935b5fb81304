"""``lineament evaluate strangers``: below which probability a classifier should name nobody."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lineament.cli.evaluate.app import app
from lineament.cli.options import JsonOption, ModelsDetectorOption, WorkersOption


@app.command("strangers")
def strangers(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a classifier's training.")],
    data: Annotated[
        Path,
        typer.Argument(metavar="STRANGERS", help="Photos of people it was not trained on; or a manifest."),
    ],
    *,
    known: Annotated[
        Path | None,
        typer.Option(
            "--known",
            metavar="DATA",
            help="Photos of its own people that it was not trained on: what rejecting costs them. "
            "Of a manifest the split test, or val.",
        ),
    ] = None,
    share: Annotated[
        float, typer.Option("--share", help="Of the strangers, so many may still be named.")
    ] = 0.05,
    detector: ModelsDetectorOption = None,
    json: JsonOption = None,
    workers: WorkersOption = None,
) -> None:
    """Measure on strangers below which probability nobody is named, and keep it in the run folder.

    It is chosen on half of the strangers and measured on the others. `analyze --classifier RUN
    --reject-below measured` then uses it. Too few strangers to promise the share (118 are needed for 5 %)
    get the figures and no recommendation: nothing is written, and the command fails.
    """
    from lineament.attributes.trained import Trained
    from lineament.cli.output import Report, progress
    from lineament.errors import InsufficientData
    from lineament.evaluation.strangers import measure, photos_in
    from lineament.io import rejection
    from lineament.registry import attributes

    met = photos_in(data)
    own = [] if known is None else photos_in(known, split=_split_of(known))
    with Report(json) as report:
        with progress(len(met) + len(own), "pictures") as advance:
            found = measure(run, met, own, share=share, detector=detector, workers=workers, advance=advance)
        model = attributes.create(str(run))
        assert isinstance(model, Trained)
        report.answer(found)
        if found.shortfall is not None:
            raise InsufficientData(
                f"{found.shortfall}. No level is recommended and nothing was written: bring more "
                "strangers, or ask for a larger --share; a gallery needs neither: lineament gallery enrol"
            )
        path = rejection.save(run, found.rejection(model))
        report.say(
            f"wrote {path}; use it: lineament analyze PHOTO --classifier {run} --reject-below measured"
        )


def _split_of(known: Path) -> str | None:
    from lineament.datasets.splitting.held_out import held_out
    from lineament.io import own_files
    from lineament.io.manifest import MANIFEST_NAME, Manifest

    path = known / MANIFEST_NAME if known.is_dir() else known
    if not path.is_file() or not own_files.MANIFEST.known(path):
        return None
    return held_out(Manifest.load(path))
