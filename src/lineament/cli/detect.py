"""``lineament detect``: faces in pictures."""

from __future__ import annotations

from lineament.cli.drawing import ScoresOption
from lineament.cli.options import (
    DetectorOption,
    DrawOption,
    JsonOption,
    PicturesArgument,
    StrictOption,
    WorkersOption,
)


def detect(
    paths: PicturesArgument,
    detector: DetectorOption = "yunet",
    draw: DrawOption = None,
    scores: ScoresOption = False,
    json: JsonOption = None,
    strict: StrictOption = False,
    workers: WorkersOption = None,
) -> None:
    """Find faces and their five landmarks.

    Every picture ends as ok, no_face or refused, and is counted.
    """
    from lineament.analyzer import Analyzer
    from lineament.cli.pictures import run

    analyzer = Analyzer(
        detector, embedder=None, quality=False, workers=workers, keep_images=draw is not None
    )
    run(
        analyzer,
        paths,
        json=json,
        strict=strict,
        draw=draw,
        scores=scores,
        columns=("score", "box", "attempt"),
    )
