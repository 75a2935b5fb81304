"""``lineament detect``: faces in pictures."""

from __future__ import annotations

from lineament.cli.drawing import ScoresOption
from lineament.cli.options import (
    OWN,
    DetectorOption,
    DrawOption,
    JsonOption,
    LandmarksOption,
    PicturesArgument,
    PipelineOption,
    StrictOption,
    WorkersOption,
)


def detect(
    paths: PicturesArgument,
    pipeline: PipelineOption = None,
    detector: DetectorOption = OWN,
    landmarks: LandmarksOption = OWN,
    draw: DrawOption = None,
    scores: ScoresOption = False,
    json: JsonOption = None,
    strict: StrictOption = False,
    workers: WorkersOption = None,
) -> None:
    """Find faces and their five landmarks, or with --landmarks mesh 468 points.

    The points are the detector's unless --landmarks or --pipeline says otherwise.

    Every picture ends as ok, no_face or refused, and is counted.
    """
    from lineament import pipelines
    from lineament.analyzer import Analyzer
    from lineament.cli.pictures import run

    if landmarks == OWN and pipeline is not None:
        landmarks = pipelines.card(pipeline).landmarks or pipelines.NONE
    analyzer = Analyzer(
        pipelines.detector_of(pipeline, detector),
        embedder=None,
        quality=False,
        workers=workers,
        keep_images=draw is not None,
        landmarks=landmarks,
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
