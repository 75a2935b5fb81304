"""Error versus discard: does a quality number know which pictures will fail (ISO/IEC 29794-1)?

Comparisons of the worst quality are discarded first, at a threshold that stays fixed. If the number is any
good, the error rate of what remains falls; if it is noise, the curve stays flat. Comparisons of equal
quality are kept or discarded together, so no order of a list decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lineament.errors import InsufficientData, InvalidArray
from lineament.scoring import proportions
from lineament.scoring.rate import Rate
from lineament.types import Float64

SHARES = (0.0, 0.05, 0.1, 0.2, 0.3)


@dataclass(frozen=True, slots=True, eq=False)
class DiscardCurve:
    """Error rate of what remains, at every place the qualities can be cut: float64 ``(K,)``.

    ``discarded`` starts at 0 and rises; ``rate`` holds from each share up to the next.
    """

    discarded: Float64
    rate: Float64

    def mean_up_to(self, share: float) -> float:
        """Mean rate while up to ``share`` is discarded; a quality that knows nothing gives `rate[0]`."""
        if not 0 < share <= 1:
            raise InvalidArray("a share to discard lies above 0 and up to 1")
        ends = np.clip(np.append(self.discarded[1:], 1.0), None, share)
        width = np.clip(ends - np.clip(self.discarded, None, share), 0, None)
        return float((self.rate * width).sum() / share)


@dataclass(frozen=True, slots=True)
class DiscardPoint:
    """The error rate after discarding: ``asked`` at most, ``discarded`` in fact, where qualities tie."""

    asked: float
    discarded: float
    rate: Rate

    def to_json(self) -> dict[str, Any]:
        """The rate with what was asked for and what was done."""
        return {"asked": self.asked, "discarded": self.discarded, **self.rate.to_json()}


def curve(errors: Any, quality: Any) -> DiscardCurve:
    """From which comparisons are errors, bool ``(N,)``, and their quality ``(N,)``; -inf goes first."""
    wrong, ranked, starts = _ranked(errors, quality)
    remaining = len(wrong) - starts
    left = np.cumsum(wrong[::-1])[::-1][starts]
    return DiscardCurve(starts / len(ranked), left / remaining)


def points(
    errors: Any, quality: Any, subjects: Any, shares: Sequence[float] = SHARES
) -> tuple[DiscardPoint, ...]:
    """Error rates with intervals, clustered by subject ``(N,)``, after discarding at most each share."""
    wrong, whose = np.asarray(errors, bool), np.asarray(subjects)
    found = []
    for share in shares:
        left = kept(quality, share)
        rate = proportions.of_flags(wrong[left], whose[left])
        found.append(DiscardPoint(share, int((~left).sum()) / len(wrong), rate))
    return tuple(found)


def kept(quality: Any, share: float) -> NDArray[np.bool_]:
    """Which comparisons remain, bool ``(N,)``, after discarding at most ``share``, the worst first."""
    if not 0 <= share < 1:
        raise InvalidArray("a share to discard lies from 0 to below 1")
    values = np.asarray(quality, np.float64)
    _, ranked, starts = _ranked(np.zeros(values.shape, bool), values)
    start = int(starts[np.searchsorted(starts, share * len(ranked) + 1e-9, side="right") - 1])
    return np.asarray(values >= ranked[start], np.bool_)


def _ranked(errors: Any, quality: Any) -> tuple[NDArray[np.bool_], Float64, NDArray[np.intp]]:
    """Errors and qualities, worst first, and where each distinct quality starts."""
    wrong, values = np.asarray(errors, bool), np.asarray(quality, np.float64)
    if wrong.shape != values.shape or wrong.ndim != 1:
        raise InvalidArray(f"errors of shape {wrong.shape} but qualities of {values.shape}")
    if not len(wrong):
        raise InsufficientData("error versus discard needs comparisons, you have 0")
    if np.isnan(values).any():
        raise InvalidArray("qualities: hold NaN")
    order = np.argsort(values, kind="stable")
    ranked = values[order]
    starts = np.flatnonzero(np.append(True, ranked[1:] > ranked[:-1]))
    return wrong[order], ranked, starts
