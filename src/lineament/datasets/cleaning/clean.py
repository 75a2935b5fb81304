"""Propose what to remove, move or look at; change nothing.

Four checks: is there a face, is it the folder's person, is the picture there twice, is it good enough.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, get_args

from lineament.analyzer import Analyzer
from lineament.config import did_you_mean
from lineament.datasets.belonging.identity import SURE_MEMBERS, Identities, Verdict, judge
from lineament.datasets.cleaning.clean_photo import Looking, Seen, is_done, key_of, seen_rows
from lineament.datasets.cleaning.duplicates import (
    KEPT_LAYOUTS,
    Pair,
    Print,
    find_duplicates,
    groups,
    lay_outs,
    propose,
)
from lineament.datasets.cleaning.proposals import Proposal, in_order
from lineament.datasets.cleaning.same_picture import Canvas
from lineament.engines.batching import Each
from lineament.engines.threads import Threads
from lineament.errors import ConfigError, UsageError
from lineament.io import images
from lineament.io.journal import Journal
from lineament.io.manifest import Manifest, ManifestRow
from lineament.pipelines import OWN, detector_of
from lineament.protocols import Advance
from lineament.settings import MIN_QUALITY
from lineament.types import Status

Check = Literal["face", "identity", "duplicates", "quality"]
CHECKS: tuple[str, ...] = get_args(Check)

NO_FACE = 0.9
"""How sure it is that a picture in which no try finds a face has none: the default detector finds 99 of 100
faces turned by any angle (benchmarks/rotation.py), but masks and profiles are harder."""

_UNSURE_FACE = 0.7
_DOUBTFUL = 0.2
_SETTINGS = "settings"


@dataclass(frozen=True, slots=True)
class CleanSettings:
    """What to check, and with what.

    The default detector is that of the ``pipeline`` (None: the default one), which tries a picture without
    a face again with quarter turns, borders and enlarged, as crops may be tight. Quality below
    ``min_quality`` is for review, below half of it for removal.
    """

    checks: tuple[str, ...] = CHECKS
    detector: str = ""
    precision: str = "balanced"
    min_quality: float = MIN_QUALITY
    pipeline: str | None = None

    def __post_init__(self) -> None:
        if not self.detector:
            own = detector_of(self.pipeline, OWN)
            object.__setattr__(self, "detector", f"retry:base={own},step_deg=90")
        for name in self.checks:
            if name not in CHECKS:
                raise ConfigError(f"no check named {name!r}{did_you_mean(name, CHECKS)}")
        if not self.checks:
            raise ConfigError("clean: no check is left to do")
        if not 0 <= self.min_quality <= 1:
            raise ConfigError("min_quality lies between 0 and 1")


@dataclass(frozen=True, slots=True)
class Cleaning:
    """The proposals, ordered by path, and what could not be judged.

    ``unjudged`` has the reason for every subject whose photos say nothing about each other; ``same_person``
    pairs of subjects that look like one person, with the similarity.
    """

    proposals: tuple[Proposal, ...]
    photos: int
    without_face: int
    refused: int
    unjudged: Mapping[str, str] = field(default_factory=dict)
    same_person: tuple[tuple[str, str, float], ...] = ()


def clean(
    manifest: Manifest,
    settings: CleanSettings | None = None,
    *,
    workers: int | None = None,
    advance: Advance | None = None,
    comparing: Callable[[int], None] | None = None,
    journal: Path | None = None,
) -> Cleaning:
    """Look at every picture of the manifest once and propose; nothing on disk changes.

    With a ``journal`` an interrupted run goes on where it was; it is removed at the end. A row with box and
    landmarks speaks of that very face; one with a box of the face found in it, all rows of the picture
    together; any other of the face nearest the centre, or nearest to the folder's consensus.
    ``advance`` is told of every picture looked at; then ``comparing`` of every one of them twice, when it
    was glanced at and when it was compared with others.
    Raises `UsageError` when the journal is one of other settings.
    """
    settings = settings or CleanSettings()
    analyzer = Analyzer(
        settings.detector,
        precision=settings.precision,
        workers=workers,
        keep_images=True,
        pipeline=settings.pipeline,
    )
    assert analyzer.model is not None
    with ExitStack() as stack:
        log = None if journal is None else stack.enter_context(Journal(journal))
        seen = _see_all(manifest, analyzer, settings, advance, log)
        result = _propose_all(manifest, seen, analyzer, settings, comparing)
        if log is not None:
            log.finish()
    return result


def _propose_all(
    manifest: Manifest,
    seen: Sequence[Seen],
    analyzer: Analyzer,
    settings: CleanSettings,
    comparing: Callable[[int], None] | None,
) -> Cleaning:
    assert analyzer.model is not None
    prints = _prints(seen)
    pairs: list[Pair] = []
    if "duplicates" in settings.checks:
        if comparing is not None:
            comparing(2 * (len({s.row.path for s in seen}) - len(prints)))
        pairs = _copies(manifest, prints, analyzer.workers, comparing)
    judged = _one_of_each_copy(seen, prints, pairs)
    identities = (
        judge({name: [s.faces for s, _ in members] for name, members in judged.items()}, analyzer.model)
        if "identity" in settings.checks
        else Identities((), ())
    )
    verdicts = {
        row: verdict
        for judgement in identities.judgements
        for (_, rows), verdict in zip(judged[judgement.subject], judgement.verdicts, strict=True)
        for row in rows
        if verdict is not None
    }
    wrong = {s.row.path: verdicts[s.row.id].wrong for s in seen if s.row.id in verdicts}
    proposals: list[Proposal] = [_refusal(s) for s in seen if s.sighting.status is Status.REFUSED]
    if "face" in settings.checks:
        proposals += filter(None, map(_not_a_face, seen))
    if "quality" in settings.checks:
        proposals += filter(None, (_poor(s, settings.min_quality) for s in seen))
    copies = propose(prints, pairs, wrong)
    removed = {p.path for p in copies if p.action == "remove"}
    sure = {
        j.subject for j in identities.judgements if j.agreed is not None and len(j.agreed) >= SURE_MEMBERS
    }
    several = {j.subject for j in identities.judgements if j.agreed is not None and not j.unjudged}
    for s in seen:
        verdict = verdicts.get(s.row.id)
        found = None if verdict is None else _wrong_person(s, verdict, sure, several)
        # A picture that is in the right folder too need not be moved there.
        if found is not None and not (found.action == "move" and found.path in removed):
            proposals.append(found)
    return Cleaning(
        tuple(in_order([*proposals, *copies])),
        photos=len({s.row.path for s in seen}),
        without_face=len({s.row.path for s in seen if s.sighting.status is Status.NO_FACE}),
        refused=len({s.row.path for s in seen if s.sighting.status is Status.REFUSED}),
        unjudged={j.subject: j.unjudged for j in identities.judgements if j.unjudged},
        same_person=identities.same_person,
    )


def _see_all(
    manifest: Manifest,
    analyzer: Analyzer,
    settings: CleanSettings,
    advance: Advance | None,
    log: Journal | None,
) -> list[Seen]:
    """Every row, ordered by path; each picture is looked at once."""
    rows = sorted(manifest, key=lambda row: (row.path, row.id))
    pictures = list({row.path: row for row in rows}.values())
    stated = {"detector": settings.detector, "precision": settings.precision, "model": str(analyzer.model)}
    done: dict[str, Any] = {} if log is None else log.done
    if done.get(_SETTINGS, stated) != stated:
        raise UsageError("an unfinished run with other settings is there; remove its journal to begin anew")
    if log is not None and _SETTINGS not in done:
        log.record(_SETTINGS, stated)
    of_path: dict[str, list[ManifestRow]] = {}
    for row in rows:
        of_path.setdefault(row.path, []).append(row)
    todo = [row for row in pictures if not is_done(done.get(key_of(row)), of_path[row.path])]
    if advance is not None:
        advance(len(pictures) - len(todo))
    looking = Looking(analyzer, manifest.folder)

    def look(row: ManifestRow) -> dict[str, Any]:
        return looking.look(of_path[row.path])

    with Threads(analyzer.workers) as engine:
        for row, record in zip(todo, engine.map_batches(Each(look), todo), strict=True):
            if log is not None:
                log.record(key_of(row), record)
            done[key_of(row)] = record
            if advance is not None:
                advance(1)
    return [seen for row in pictures for seen in seen_rows(of_path[row.path], done[key_of(row)])]


def _one_of_each_copy(
    seen: Sequence[Seen], prints: Sequence[Print], pairs: Sequence[Pair]
) -> dict[str, list[tuple[Seen, list[str]]]]:
    """For each subject its pictures, copies taken together: copies agree with each other and prove nothing.

    With each picture come the ids of all rows it speaks for.
    """
    group = {print_.path: number for number, print_ in enumerate(prints)}
    for members in groups(len(prints), pairs):
        group.update((prints[i].path, members[0]) for i in members)
    found: dict[str, dict[object, tuple[Seen, list[str]]]] = {}
    for s in seen:
        if s.row.subject is None:
            continue
        # Two rows of one picture with boxes are two faces of it.
        which = None if s.row.box is None else s.row.id if s.spot is None else s.spot.face
        key = (group.get(s.row.path, s.row.path), which)
        mine = found.setdefault(s.row.subject, {})
        mine.setdefault(key, (s, []))[1].append(s.row.id)
    return {subject: list(mine.values()) for subject, mine in found.items()}


def _wrong_person(s: Seen, verdict: Verdict, sure: set[str], several: set[str]) -> Proposal | None:
    if verdict.wrong < _DOUBTFUL:
        return None
    decided = verdict.wrong >= 0.5 and s.row.subject in sure and not s.tied
    action: Literal["remove", "move", "review"] = "remove" if decided else "review"
    if decided and verdict.looks_like in several:
        action = "move"
    known = verdict.similarity == verdict.similarity
    detail = (
        f"similarity {verdict.similarity:.2f} to the folder's other photos"
        if known
        else ("the folder's own photos cannot judge it")
    )
    if verdict.looks_like is not None:
        detail += f"; {verdict.match:.2f} to {verdict.looks_like}"
    if s.tied:
        detail += "; two faces fit the row's box nearly alike, and the other may be meant"
    return _proposal(s, action, "wrong person", verdict.wrong, detail, to=verdict.looks_like)


def _not_a_face(s: Seen) -> Proposal | None:
    if s.sighting.status is Status.NO_FACE:
        return _proposal(s, "remove", "not a face", NO_FACE, "no face found")
    if s.sighting.status is Status.REFUSED:
        return None
    if s.spot is None:
        return _proposal(s, "review", "not a face", NO_FACE, "faces were found, but none in the row's box")
    score = float(s.sighting.scores[s.spot.face])
    if score >= _UNSURE_FACE:
        return None
    return _proposal(s, "review", "not a face", 1 - score, f"the detector is {score:.2f} sure of a face")


def _poor(s: Seen, least: float) -> Proposal | None:
    if s.face is None:
        return None
    quality = float(s.face.quality[0])
    if quality >= least:
        return None
    action: Literal["remove", "review"] = "remove" if quality < least / 2 else "review"
    return _proposal(s, action, "poor quality", 1 - quality / least, f"quality {quality:.2f} of 1")


def _refusal(s: Seen) -> Proposal:
    return _proposal(s, "review", "refused", 1.0, s.sighting.error or "")


def _proposal(
    s: Seen,
    action: Literal["remove", "move", "review"],
    reason: Literal["not a face", "wrong person", "poor quality", "refused"],
    score: float,
    detail: str,
    to: str | None = None,
) -> Proposal:
    return Proposal(
        s.row.path, s.row.subject, action, reason, round(score, 4), to=to, detail=detail, id=s.row.id
    )


def _prints(seen: Iterable[Seen]) -> list[Print]:
    """Of every picture that could be read, once."""
    return [
        Print(
            s.row.path,
            s.row.subject,
            s.row.sha256,
            s.pixels,
            s.hashes,
            s.sighting.size_wh or (0, 0),
            None if s.face is None else s.face.embeddings[0],
            None if s.face is None else s.face.landmarks[0],
            s.bytes,
            s.row.id,
        )
        for s in {s.row.path: s for s in seen if s.pixels}.values()
    ]


def _copies(
    manifest: Manifest,
    prints: Sequence[Print],
    workers: int,
    comparing: Callable[[int], None] | None,
) -> list[Pair]:
    @lru_cache(maxsize=KEPT_LAYOUTS)
    def layouts(index: int) -> tuple[Canvas, ...]:
        pixels = images.load(manifest.folder / prints[index].path).pixels
        return lay_outs(pixels, prints[index].landmarks)

    return find_duplicates(prints, layouts, workers=workers, advance=comparing)
