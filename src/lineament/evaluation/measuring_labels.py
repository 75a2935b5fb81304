"""Evaluations against labels in one call each, as commands and services make them.

``advance`` is told of every picture. All raise `SplitError` for pictures that a model given was trained on,
and what their protocol raises.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lineament.analyzer import Analyzer
from lineament.counting import quantity
from lineament.datasets.splitting.held_out import held_out
from lineament.evaluation import attributes, detection, end_to_end, liveness
from lineament.evaluation.capture import count_refused
from lineament.evaluation.evaluated import Evaluated, copies_json, warnings
from lineament.evaluation.near_copies import repeated_pictures
from lineament.evaluation.trained_on import compare_pictures, leak_json, runs_of, told
from lineament.evaluation.truths import Truths, looked_for
from lineament.io.manifest import Manifest
from lineament.kinds import found_by
from lineament.protocols import Advance
from lineament.settings import AnalyzerSettings


def of_attribute(
    manifest: Manifest,
    attribute: str,
    made_of: AnalyzerSettings,
    advance: Advance | None = None,
    *,
    label: str | None = None,
    split: str | None = None,
    title: str = "",
) -> Evaluated:
    """One attribute of labelled faces, see `lineament.evaluation.attributes`.

    ``made_of`` has the one model that is judged. ``split`` is that of the data that was held out, unless
    one is named, or all.
    """
    split = split or held_out(manifest) or "all"
    (model,) = map(str, made_of.attributes)
    with Analyzer.from_settings(made_of) as analyzer:
        detector = str(analyzer.detector_spec)
        found = attributes.evaluate(
            manifest,
            analyzer,
            attribute,
            label=label,
            split=None if split == "all" else split,
            runs=runs_of(model, detector),
            advance=advance,
        )
    system = {"classifier": model, "detector": detector}
    return Evaluated(
        kind="attributes",
        title=title,
        found=found,
        protocol={"label": label or attribute, "split": split},
        data=manifest.digest,
        system=system,
        settings={**system, "split": split},
        before=(*analyzer.told, *map(str, found.failures)),
        refused=count_refused(found.failures),
    )


def of_detector(
    truths: Truths,
    detector: str,
    advance: Advance | None = None,
    *,
    min_side: float = 0.0,
    score: float | None = None,
    workers: int | None = None,
    title: str = "",
) -> Evaluated:
    """A detector on labelled boxes, see `lineament.evaluation.detection`."""
    compared = compare_pictures((truths.folder / one.path for one in truths.pictures), (detector,))
    opened = detection.open_detector(detector)
    truths = looked_for(truths, found_by(opened.detector))
    found = detection.evaluate(
        truths, opened, min_side=min_side, score=score, workers=workers, advance=advance
    )
    return Evaluated(
        kind="detection",
        title=f"{title}, {quantity(len(truths.pictures), 'picture')}",
        found=found,
        protocol={
            "data": truths.digest,
            **({} if truths.split is None else {"split": truths.split}),
            "min_side": min_side,
            "iou": 0.5,
            "matching": "COCO",
        },
        system={"detector": opened.spec, "score": found.rates.score, "lowest_score": opened.lowest},
        settings={"detector": opened.spec, **leak_json(compared)},
        before=tuple(map(str, found.failures)),
        after=tuple(told(compared)),
        refused=count_refused(found.failures),
        clusters=found.by_picture(),
        recorded={"pictures_with_unusable_labels": len(truths.unusable)},
    )


def of_photos(
    manifest: Manifest,
    made_of: AnalyzerSettings,
    attribute: str | None = None,
    advance: Advance | None = None,
    *,
    given: Mapping[str, Sequence[str]],
    near: bool = True,
    split: str | None = None,
    min_iou: float = 0.5,
    title: str = "",
) -> Evaluated:
    """Detector and classifier together, see `lineament.evaluation.end_to_end`.

    ``given`` names the models as they were asked for, as ``classifier`` and ``attributes``; without
    ``attribute`` the last classifier's answer is judged, else the first model's. ``split`` is as in
    `of_attribute`.
    """
    split = split or held_out(manifest) or "all"
    part = None if split == "all" else split
    with Analyzer.from_settings(made_of) as analyzer:
        detector = str(analyzer.detector_spec)
        judged = attribute or analyzer.attributes[-1 if given.get("classifier") else 0].names[0]
        found = end_to_end.evaluate(
            manifest,
            analyzer,
            judged,
            split=part,
            min_iou=min_iou,
            runs=runs_of(detector, *(spec for specs in given.values() for spec in specs)),
            advance=advance,
        )
    copies = repeated_pictures(manifest, part, workers=analyzer.workers) if near else None
    chosen = {"detector": detector, "split": split, "iou": min_iou, **given}
    return Evaluated(
        kind="end-to-end",
        title=f"{judged} on {title}",
        found=found,
        protocol={"attribute": judged, "split": split, "iou": min_iou},
        data=manifest.digest,
        system={
            "detector": detector,
            "precision": made_of.precision,
            **{name: " ".join(specs) for name, specs in given.items()},
        },
        settings={**chosen, **copies_json(copies)},
        before=(*analyzer.told, *warnings(copies)),
        refused=found.pictures.get("refused", 0),
        recorded={"confusions": None},  # classes may be people
    )


def of_scores(
    scored: liveness.Scored,
    _advance: Advance | None = None,
    *,
    threshold: float | None = None,
    chosen_on: liveness.Scored | None = None,
    bpcer: float = 0.05,
    title: str = "",
) -> Evaluated:
    """Presentation attacks from scores, see `lineament.evaluation.liveness`."""
    found = liveness.evaluate(scored, threshold=threshold, chosen_on=chosen_on, bpcer=bpcer)
    return Evaluated(
        kind="liveness",
        title=title,
        found=found,
        protocol={
            "threshold": found.threshold_from,
            "chosen_on": None if chosen_on is None else chosen_on.digest(),
        },
        data=scored.digest,
        system={"scores": title, "threshold": found.rates.threshold},
        refused=count_refused(scored.failures),
        clusters=found.clusters(),
    )
