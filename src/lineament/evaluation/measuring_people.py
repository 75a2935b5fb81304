"""Evaluations of people in one call, as commands and services make them.

Leak check, measurement, copies of one picture, and the answer. ``advance`` is told of every picture. Both
raise `SplitError` for pictures or people that a model given was trained on, and what their protocol raises.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lineament.analyzer import Analyzer
from lineament.evaluation import verification
from lineament.evaluation.capture import count_refused
from lineament.evaluation.evaluated import Evaluated, PeopleReport, copies_json, warnings
from lineament.evaluation.near_copies import Whose, near_copies
from lineament.evaluation.pairs import PairList, folders_of
from lineament.evaluation.people import LabelledPictures
from lineament.evaluation.templates import Templates
from lineament.evaluation.trained_on import require_people_unseen, require_pictures_unseen
from lineament.protocols import Advance
from lineament.settings import AnalyzerSettings


def on_people(
    kind: str,
    people: LabelledPictures,
    made_of: AnalyzerSettings,
    evaluate: Callable[..., PeopleReport],
    advance: Advance | None = None,
    *,
    near: bool = True,
    rules: Mapping[str, Any] | None = None,
    given: Mapping[str, Any] | None = None,
    title: str | None = None,
) -> Evaluated:
    """Any protocol on labelled pictures: ``evaluate(people, analyzer, advance=..., **rules, **given)``.

    The ``rules`` must be equal for two records to be compared; what is ``given`` besides need not.
    """
    rules = rules or {}
    compared = require_people_unseen(people, *_specs(made_of))
    with Analyzer.from_settings(made_of) as analyzer:
        found = evaluate(people, analyzer, advance=advance, **rules, **(given or {}))
    copies = None
    if near:
        mated = found.rows_compared()
        copies = near_copies(people, found.captures, compared=mated, workers=made_of.workers)
    measured, failures = made_of.measured(), found.captures.failures
    return Evaluated(
        kind=kind,
        title=title or people.title,
        found=found,
        protocol={**rules, **found.rules()},
        data=people.digest,
        system={**measured, "model": str(found.captures.model), **found.system()},
        settings={
            **people.left_out(),
            **rules,
            **measured,
            "compared_with_training": compared,
            **copies_json(copies),
        },
        before=(*warnings(copies), *map(str, failures), *people.told()),
        refused=count_refused(failures),
        clusters=found.clusters(),
    )


def on_pairs(
    listed: PairList,
    images: Path,
    made_of: AnalyzerSettings,
    advance: Advance | None = None,
    *,
    near: bool = True,
    templates: Templates | None = None,
    title: str = "",
    rules: Mapping[str, Any] | None = None,
) -> Evaluated:
    """1:1 on listed pairs of pictures or templates, see `lineament.evaluation.verification`.

    ``rules`` say which list it is. Of templates copies are not looked for.
    """
    names = (templates or listed).pictures
    owners = folders_of(listed) if templates is None else templates.subjects
    paths = [images / name for name in names]
    compared = require_pictures_unseen(paths, _specs(made_of), owners)
    with Analyzer.from_settings(made_of) as analyzer:
        found = verification.evaluate(listed, images, analyzer, advance, templates=templates)
    copies = None
    if near and templates is None:
        whose = Whose(paths, listed.subjects.tolist())
        mated = listed.first[listed.same], listed.second[listed.same]
        copies = near_copies(whose, found.captures, compared=mated, workers=made_of.workers)
    measured, failures = made_of.measured(), found.captures.failures
    return Evaluated(
        kind="verification",
        title=title,
        found=found,
        protocol={**(rules or {}), "comparisons": "listed"},
        system={**measured, "model": str(found.captures.model)},
        settings={**measured, "compared_with_training": compared, **copies_json(copies)},
        before=(*warnings(copies), *map(str, failures)),
        refused=count_refused(failures),
    )


def _specs(made_of: AnalyzerSettings) -> list[str]:
    return [str(part) for part in (made_of.detector, made_of.embedder) if part is not None]
