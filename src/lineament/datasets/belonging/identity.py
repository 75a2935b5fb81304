"""Who does not belong into a folder: each photo against the consensus of the others.

How sure a verdict is comes from a logistic fit of similarities to templates of two to ten photos, people of
LFW with 3 to 11 photos against everybody else: 0.5 at the threshold of false match rate 1e-4 in the
embedder's card, its slope measured for SFace (benchmarks/cleaning.py measures on people with 12 and more).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lineament.counting import quantity
from lineament.datasets.belonging.consensus import Agreement, Consensus, consensus
from lineament.gallery.fusion import mean_direction
from lineament.gallery.searching import search_threshold
from lineament.types import Float32, ModelId

SLOPE = 35.0
"""Of the logistic function, a unit of cosine."""

RIVAL = 0.8
"""A second group this large, as a share of the largest, leaves open whose folder it is."""

LEAST_SHARE = 0.34
"""Of a folder's photos that must agree before the others are doubted."""

SURE_MEMBERS = 3
"""Photos that must agree before a picture is proposed for removal and not only for review."""


SURELY_SAME = 0.13
"""Two folders' templates look like one person's this far above the agreement of a photo with a template.

Means are nearer to each other than photos are. Measured with SFace on LFW: means of different people lie up
to 0.04 above that agreement, means of two photos each of one person at least 0.13 (benchmarks/cleaning.py
counts both errors)."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """One photo of a folder: ``wrong`` is how surely it shows somebody else, in [0, 1].

    ``looks_like`` is the other folder it matches, if any, at ``match``.
    """

    wrong: float
    similarity: float
    looks_like: str | None = None
    match: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Judgement:
    """One folder. ``verdicts`` has one a photo, None for a photo without a face or that cannot be judged.

    ``unjudged`` says why the folder as a whole cannot be judged, empty when it can.
    """

    subject: str
    agreed: Consensus | None
    verdicts: tuple[Verdict | None, ...]
    unjudged: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Identities:
    """All folders, and pairs of them whose consensus matches: ``(a, b, similarity)``."""

    judgements: tuple[Judgement, ...]
    same_person: tuple[tuple[str, str, float], ...]


def judge(folders: Mapping[str, Sequence[Float32]], model: ModelId) -> Identities:
    """Judge every photo of every folder; each photo is the unit embeddings ``(F, D)`` of its faces.

    Of several faces the one nearest to the consensus counts.
    """
    same = Agreement.of(model)
    judged = [_judge_folder(name, photos, same) for name, photos in folders.items()]
    known = [(j.subject, j.agreed.template) for j in judged if j.agreed is not None and not j.unjudged]
    single = {
        j.subject: folders[j.subject][0][0]
        for j in judged
        if len(folders[j.subject]) == 1 and len(folders[j.subject][0]) == 1
    }
    names = [name for name, _ in known] + list(single)
    if len(names) < 2:
        return Identities(tuple(judged), ())
    templates: Float32 = np.stack([template for _, template in known] + list(single.values()))
    threshold = search_threshold(model, len(names)).value
    judged = [_looking_elsewhere(j, folders[j.subject], names, templates, threshold) for j in judged]
    surely = max(threshold, same.template + SURELY_SAME)
    return Identities(tuple(judged), _same_person(names[: len(known)], templates[: len(known)], surely))


def _judge_folder(subject: str, photos: Sequence[Float32], same: Agreement) -> Judgement:
    nothing: tuple[Verdict | None, ...] = (None,) * len(photos)
    with_face = sum(len(faces) > 0 for faces in photos)
    if with_face < 2:
        return Judgement(
            subject, None, nothing, f"{quantity(with_face, 'photo')} with a face: nothing to compare"
        )
    agreed = consensus(photos, same)
    if agreed is None:
        return Judgement(subject, None, nothing, "no two photos agree")
    if len(agreed) < LEAST_SHARE * with_face:
        why = f"only {len(agreed)} of {quantity(with_face, 'photo')} agree"
        return Judgement(subject, agreed, nothing, why)
    inside = set(agreed.members)
    rest = [faces if i not in inside else faces[:0] for i, faces in enumerate(photos)]
    rival = consensus(rest, same)
    if rival is not None and len(rival) >= RIVAL * len(agreed):
        why = f"{quantity(len(agreed), 'photo')} agree on one person and {len(rival)} on another"
        return Judgement(subject, agreed, nothing, why)
    which = dict(zip(agreed.members, agreed.faces, strict=True))
    total = np.sum([photos[i][f] for i, f in which.items()], axis=0)
    verdicts: list[Verdict | None] = []
    for i, faces in enumerate(photos):
        if not len(faces):
            verdicts.append(None)
            continue
        others = total - faces[which[i]] if i in which else total
        similarity = float((faces @ mean_direction(others[None])).max())
        # A template of one photo is met less closely than one of many.
        at = same.pair if i in which and len(which) == 2 else same.template
        verdicts.append(Verdict(1 / (1 + math.exp(SLOPE * (similarity - at))), similarity))
    return Judgement(subject, agreed, tuple(verdicts))


def _looking_elsewhere(
    judged: Judgement,
    photos: Sequence[Float32],
    names: Sequence[str],
    templates: Float32,
    threshold: float,
) -> Judgement:
    """The same judgement, with the folder that each doubtful photo matches."""
    verdicts: list[Verdict | None] = []
    other = np.array([name != judged.subject for name in names])
    for verdict, faces in zip(judged.verdicts, photos, strict=True):
        if not len(faces) or (verdict is not None and verdict.wrong < 0.5):
            verdicts.append(verdict)
            continue
        similar = np.where(other, (templates @ faces.T).max(axis=1), -1)
        best = int(similar.argmax())
        if similar[best] < threshold:
            verdicts.append(verdict)
            continue
        doubt = verdict or Verdict(0.5, float("nan"))
        verdicts.append(Verdict(doubt.wrong, doubt.similarity, names[best], float(similar[best])))
    return Judgement(judged.subject, judged.agreed, tuple(verdicts), judged.unjudged)


def _same_person(
    names: Sequence[str], templates: Float32, threshold: float, block: int = 1024
) -> tuple[tuple[str, str, float], ...]:
    found = []
    for start in range(0, len(names), block):
        similar = templates[start : start + block] @ templates.T
        for i, j in np.argwhere(similar >= threshold):
            if start + i < j:
                found.append((names[start + i], names[j], float(similar[i, j])))
    return tuple(found)
