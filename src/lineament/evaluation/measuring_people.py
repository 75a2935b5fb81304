"""Evaluations of people in one call each, as commands and services make them.

Leak check, measurement, copies of one picture, and the answer. ``advance`` is told of every picture. All
raise `SplitError` for pictures or people that a model given was trained on, and what their protocol raises.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from lineament.analyzer import Analyzer
from lineament.answers import Answer
from lineament.evaluation import (
    all_comparisons,
    fairness,
    identification,
    quality,
    verification,
)
from lineament.evaluation.calibration import CalibrationReport, Plan, calibrate
from lineament.evaluation.capture import Captures, capture, count_refused
from lineament.evaluation.evaluated import Evaluated, copies_json, warnings
from lineament.evaluation.groups import Groups
from lineament.evaluation.near_copies import Rows, Whose, near_copies
from lineament.evaluation.pairs import PairList, folders_of
from lineament.evaluation.people import LabelledPictures
from lineament.evaluation.templates import Templates
from lineament.evaluation.trained_on import (
    require_people_unseen,
    require_pictures_unseen,
)
from lineament.io import catalog
from lineament.protocols import Advance
from lineament.scoring.paired import Counts
from lineament.settings import AnalyzerSettings
from lineament.types import Threshold


def of_all_pictures(
    people: LabelledPictures,
    made_of: AnalyzerSettings,
    advance: Advance | None = None,
    *,
    near: bool = True,
    target_fmr: float = 1e-3,
    threshold: Threshold | None = None,
) -> Evaluated:
    """1:1 on all comparisons, see `lineament.evaluation.all_comparisons`."""

    def measure(analyzer: Analyzer) -> _Measured:
        found = all_comparisons.evaluate(
            people, analyzer, threshold=threshold, target_fmr=target_fmr, advance=advance
        )
        return _Measured(found, found.captures, found.clusters())

    return _of_people("verification", people, made_of, measure, near, {"comparisons": "all"})


def of_pairs(
    listed: PairList,
    images: Path,
    made_of: AnalyzerSettings,
    advance: Advance | None = None,
    *,
    near: bool = True,
    templates: Templates | None = None,
    title: str = "",
    protocol: Mapping[str, Any] | None = None,
) -> Evaluated:
    """1:1 on listed pairs of pictures or templates, see `lineament.evaluation.verification`.

    ``protocol`` says which list it is. Of templates copies are not looked for.
    """
    names = (templates or listed).pictures
    owners = folders_of(listed) if templates is None else templates.subjects
    paths = [images / name for name in names]
    compared = require_pictures_unseen(paths, _specs(made_of), owners)
    with Analyzer.from_settings(made_of) as analyzer:
        found = verification.evaluate(listed, images, analyzer, advance, templates=templates)
    measured, copies, joined = made_of.measured(), None, {}
    if templates is None:
        if near:
            whose = Whose(paths, listed.subjects.tolist())
            mated = listed.first[listed.same], listed.second[listed.same]
            copies = near_copies(whose, found.captures, compared=mated, workers=made_of.workers)
        joined = copies_json(copies)
    return Evaluated(
        kind="verification",
        title=title,
        found=found,
        protocol={**(protocol or {}), "comparisons": "listed"},
        system={**measured, "model": str(found.captures.model)},
        settings={**measured, "compared_with_training": compared, **joined},
        before=(*warnings(copies), *map(str, found.captures.failures)),
        refused=count_refused(found.captures.failures),
    )


def of_searches(
    people: LabelledPictures,
    made_of: AnalyzerSettings,
    advance: Advance | None = None,
    *,
    near: bool = True,
    hold_back: float = 0.2,
    gallery_photos: int = 1,
    seed: int = 0,
    target_fmr: float = 1e-3,
    threshold: Threshold | None = None,
) -> Evaluated:
    """1:N, see `lineament.evaluation.identification`."""
    parts: dict[str, Any] = {"hold_back": hold_back, "gallery_photos": gallery_photos, "seed": seed}

    def measure(analyzer: Analyzer) -> _Measured:
        found = identification.evaluate(
            people, analyzer, **parts, target_fmr=target_fmr, threshold=threshold, advance=advance
        )
        return _Measured(found, found.captures)

    return _of_people("identification", people, made_of, measure, near, parts, chosen=parts)


def of_quality(
    people: LabelledPictures,
    made_of: AnalyzerSettings,
    advance: Advance | None = None,
    *,
    near: bool = True,
    target_fmr: float = 1e-3,
    pairs: int = quality.PAIRS_A_SUBJECT,
    seed: int = 0,
) -> Evaluated:
    """Error versus discard, see `lineament.evaluation.quality`; ``pairs`` are the most of a person."""

    def measure(analyzer: Analyzer) -> _Measured:
        found = quality.evaluate(
            people, analyzer, target_fmr=target_fmr, pairs_a_subject=pairs, seed=seed, advance=advance
        )
        return _Measured(found, found.captures, found.clusters, found.compared)

    rules = {"target_fmr": target_fmr, "pairs": pairs, "seed": seed}
    return _of_people("quality", people, made_of, measure, near, rules, chosen={"seed": seed})


def of_groups(
    people: LabelledPictures,
    groups: Groups,
    attribute: str,
    made_of: AnalyzerSettings,
    advance: Advance | None = None,
    *,
    near: bool = True,
    target_fmr: float = 1e-3,
    threshold: Threshold | None = None,
) -> Evaluated:
    """Error rates by group, see `lineament.evaluation.fairness`, at the threshold or the card's."""

    def measure(analyzer: Analyzer) -> _Measured:
        assert analyzer.model is not None
        at = threshold or catalog.card(analyzer.model.name).threshold(target_fmr)
        captures = capture(analyzer, people.pictures, advance, people.boxes)
        found = fairness.evaluate(people, captures, groups, attribute, at)
        rules = {"by": attribute, "groups": sorted(found.groups)}
        return _Measured(found, captures, protocol=rules, system={"threshold": str(at)})

    return _of_people(
        "fairness", people, made_of, measure, near, {}, title=f"{people.title} by {attribute}"
    )


def of_threshold(
    people: LabelledPictures,
    made_of: AnalyzerSettings,
    plan: Plan,
    advance: Advance | None = None,
    *,
    near: bool = True,
) -> Evaluated:
    """A threshold chosen on some people and measured on others, see `lineament.evaluation.calibration`."""

    def measure(analyzer: Analyzer) -> _Measured:
        captures = capture(analyzer, people.pictures, advance, people.boxes)
        found = calibrate(people, captures, plan, made_of.measured())
        return _Measured(CalibrationReport(found), captures)

    return _of_people("calibration", people, made_of, measure, near, asdict(plan))


@dataclass(frozen=True, slots=True, eq=False)
class _Measured:
    """What a protocol made of pictures of people; ``mated`` are the rows compared, None for all.

    ``protocol`` and ``system`` are what of these it found out itself.
    """

    found: Answer
    captures: Captures
    clusters: Mapping[str, Counts] = field(default_factory=dict)
    mated: tuple[Rows, Rows] | None = None
    protocol: Mapping[str, Any] = field(default_factory=dict)
    system: Mapping[str, Any] = field(default_factory=dict)


def _of_people(
    kind: str,
    people: LabelledPictures,
    made_of: AnalyzerSettings,
    measure: Callable[[Analyzer], _Measured],
    near: bool,
    protocol: Mapping[str, Any],
    *,
    chosen: Mapping[str, Any] | None = None,
    title: str | None = None,
) -> Evaluated:
    compared = require_people_unseen(people, *_specs(made_of))
    with Analyzer.from_settings(made_of) as analyzer:
        done = measure(analyzer)
    copies = None
    if near:
        copies = near_copies(people, done.captures, compared=done.mated, workers=made_of.workers)
    measured, failures = made_of.measured(), done.captures.failures
    return Evaluated(
        kind=kind,
        title=title or people.title,
        found=done.found,
        protocol={**protocol, **done.protocol},
        data=people.digest,
        system={**measured, "model": str(done.captures.model), **done.system},
        settings={
            **people.left_out(),
            **(chosen or {}),
            **measured,
            "compared_with_training": compared,
            **copies_json(copies),
        },
        before=(*warnings(copies), *map(str, failures), *people.told()),
        refused=count_refused(failures),
        clusters=done.clusters,
    )


def _specs(made_of: AnalyzerSettings) -> list[str]:
    return [str(part) for part in (made_of.detector, made_of.embedder) if part is not None]
