"""Presentation attack detection (ISO/IEC 30107-3): APCER by kind of attack, BPCER, robustness to the box.

A score says how likely the face is bona fide: it passes at or above the threshold. APCER is the share of
attacks of one kind that pass, and the worst kind counts: an attacker chooses. BPCER is the share of bona
fide presentations that do not pass. A score of -inf is no answer: it passes nobody, is an error for bona
fide presentations only, and is counted beside.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lineament.counting import quantity
from lineament.errors import InsufficientData, InvalidArray
from lineament.scoring import proportions, thresholds
from lineament.scoring.rate import Rate
from lineament.types import Float64

BONA_FIDE = "bona_fide"
TARGET_RATES = (0.1, 0.05, 0.01)
"""APCERs at which BPCER is told: the BPCER10, BPCER20 and BPCER100 of the standard."""


@dataclass(frozen=True, slots=True, eq=False)
class Presentations:
    """Scored presentations: ``scores`` float64 ``(N,)``, ``kinds`` (`BONA_FIDE` or an attack), and whose.

    Raises `InsufficientData` without bona fide presentations or without attacks.
    """

    scores: Float64
    kinds: NDArray[np.str_]
    subjects: NDArray[np.str_]

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "scores", thresholds.as_scores("scores", self.scores).astype(np.float64))
        for name in ("kinds", "subjects"):
            values = np.asarray(getattr(self, name)).astype(str)
            if values.shape != self.scores.shape:
                raise InvalidArray(f"{name}: {values.shape} for {quantity(len(self.scores), 'score')}")
            put(self, name, values)
        genuine = int(self.bona_fide.sum())
        if genuine in (0, len(self.scores)):
            raise InsufficientData(
                f"liveness needs bona fide presentations and attacks, you have {genuine} and "
                f"{len(self.scores) - genuine}"
            )

    @property
    def bona_fide(self) -> NDArray[np.bool_]:
        """Which are bona fide, ``(N,)``."""
        return np.asarray(self.kinds == BONA_FIDE)

    @property
    def attacks(self) -> tuple[str, ...]:
        """The kinds of attack, by name."""
        return tuple(sorted(set(self.kinds.tolist()) - {BONA_FIDE}))


@dataclass(frozen=True, slots=True)
class AttackRates:
    """Error rates at one threshold; ``no_answer`` counts presentations without a score, by kind."""

    threshold: float
    apcer: dict[str, Rate]
    bpcer: Rate
    no_answer: dict[str, int]

    @property
    def worst(self) -> str:
        """The kind of attack that passes most; of equals the one seen least, as less is known of it."""
        return max(self.apcer, key=lambda kind: (self.apcer[kind].value, self.apcer[kind].high, kind))

    def to_json(self) -> dict[str, Any]:
        """``apcer`` is the worst kind's; ``apcer_by_kind`` holds all."""
        return {
            "threshold": self.threshold,
            "apcer": self.apcer[self.worst].to_json(),
            "worst_kind": self.worst,
            "apcer_by_kind": {kind: rate.to_json() for kind, rate in self.apcer.items()},
            "bpcer": self.bpcer.to_json(),
            "no_answer": self.no_answer,
        }


def rates(presentations: Presentations, threshold: float) -> AttackRates:
    """APCER of each kind and BPCER, intervals clustered by subject."""
    return _rates(presentations, _passes(presentations.scores, threshold), threshold)


def wrong(presentations: Presentations, threshold: float) -> NDArray[np.bool_]:
    """Which are decided wrongly, ``(N,)``: attacks that pass, bona fide presentations that do not."""
    passes = _passes(presentations.scores, threshold)
    return np.asarray(passes != presentations.bona_fide)


def threshold_for_apcer(presentations: Presentations, target: float) -> float:
    """The smallest threshold at which no kind of attack passes more often than ``target``."""
    return max(
        thresholds.at_rate(presentations.scores[presentations.kinds == kind], target)
        for kind in presentations.attacks
    )


def threshold_for_bpcer(presentations: Presentations, target: float) -> float:
    """The largest threshold at which bona fide presentations fail no more often than ``target``."""
    scores = np.sort(presentations.scores[presentations.bona_fide])
    return float(scores[thresholds.allowed_errors(target, len(scores))])


def supported(presentations: Presentations, target: float) -> str | None:
    """Why an APCER of ``target`` cannot be told from so few attacks (rule of 30), or None if it can."""
    kinds, counts = np.unique(presentations.kinds[~presentations.bona_fide], return_counts=True)
    fewest = int(counts.argmin())
    if thresholds.supports(target, int(counts[fewest])):
        return None
    wanted = f"needs {quantity(thresholds.needed(target), 'attack')} of each kind"
    return f"{wanted}, you have {counts[fewest]:,} of {kinds[fewest]}"


@dataclass(frozen=True, slots=True)
class JitterRates:
    """What moving the face's box does: ``changed`` is the share of presentations whose decision it changes.

    ``worst_case`` holds the rates if the attacker, and bad luck, choose the box: an attack passes when it
    does so under any box tried, a bona fide presentation fails when it does so under any.
    """

    changed: Rate
    worst_case: AttackRates
    boxes: int

    def to_json(self) -> dict[str, Any]:
        """``boxes`` is how many were tried for each presentation, the original included."""
        return {
            "changed": self.changed.to_json(),
            "worst_case": self.worst_case.to_json(),
            "boxes": self.boxes,
        }


def under_jitter(presentations: Presentations, scores: Any, threshold: float) -> JitterRates:
    """Robustness from scores ``(N, J)`` under J boxes each, the original box in the first column."""
    values = np.asarray(scores, np.float64)
    if values.ndim != 2 or len(values) != len(presentations.scores) or values.shape[1] < 2:
        raise InvalidArray(f"scores under jitter: expected ({len(presentations.scores)}, 2 or more)")
    if np.isnan(values).any():
        raise InvalidArray("scores under jitter: hold NaN")
    passes = _passes(values, threshold)
    chosen = np.where(presentations.bona_fide, passes.all(axis=1), passes.any(axis=1))
    stable = (passes == passes[:, :1]).all(axis=1)
    return JitterRates(
        changed=proportions.of_flags(~stable, presentations.subjects),
        worst_case=_rates(presentations, chosen, threshold),
        boxes=values.shape[1],
    )


def jittered(boxes: Any, shift: float = 0.1, scale: float = 0.1) -> Float64:
    """Boxes ``(N, 4)`` and eight variants of each, ``(N, 9, 4)``, the original first.

    Moved by ``shift`` of the box's sides to the left, right, up and down, and to two corners; grown and
    shrunk by ``scale``.
    """
    given = np.asarray(boxes, np.float64)
    if given.ndim != 2 or given.shape[1] != 4:
        raise InvalidArray(f"boxes: expected (N, 4), got {given.shape}")
    centre, side = (given[:, :2] + given[:, 2:]) / 2, given[:, 2:] - given[:, :2]
    moves: Sequence[tuple[float, float, float]] = (
        (0, 0, 1),
        (-shift, 0, 1),
        (shift, 0, 1),
        (0, -shift, 1),
        (0, shift, 1),
        (-shift, -shift, 1),
        (shift, shift, 1),
        (0, 0, 1 + scale),
        (0, 0, 1 - scale),
    )
    found = []
    for dx, dy, factor in moves:
        middle = centre + side * np.array([dx, dy])
        found.append(np.concatenate([middle - side * factor / 2, middle + side * factor / 2], axis=1))
    return np.asarray(np.stack(found, axis=1), np.float64)


def _passes(scores: Float64, threshold: float) -> NDArray[np.bool_]:
    # A threshold of -inf, which lets everybody pass who was scored, is still no answer for the others.
    return np.asarray((scores >= threshold) & ~np.isneginf(scores))


def _rates(presentations: Presentations, passes: NDArray[np.bool_], threshold: float) -> AttackRates:
    kinds, genuine = presentations.kinds, presentations.bona_fide
    silent = np.isneginf(presentations.scores)
    return AttackRates(
        threshold=threshold,
        apcer={
            kind: proportions.of_flags(passes[kinds == kind], presentations.subjects[kinds == kind])
            for kind in presentations.attacks
        },
        bpcer=proportions.of_flags(~passes[genuine], presentations.subjects[genuine]),
        no_answer={
            kind: int((silent & (kinds == kind)).sum()) for kind in (BONA_FIDE, *presentations.attacks)
        },
    )
