"""From a similarity to how sure one may be that two faces are of one person.

The probability is that of a comparison which was as likely mated as not beforehand; `Probability.given`
takes another prior. Every subject weighs the same, however many photos there are of it: otherwise the few
with hundreds would decide.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lineament.errors import ConfigError, InsufficientData
from lineament.types import Float64

Method = Literal["logistic", "isotonic"]
METHODS: tuple[Method, ...] = ("logistic", "isotonic")
BINS = 15


@dataclass(frozen=True, slots=True, eq=False)
class Probability:
    """A rising curve from similarity to probability.

    ``logistic``: ``1 / (1 + exp(-(slope x + offset)))``. ``isotonic``: ``values`` ``(K,)`` at similarities
    ``points`` ``(K,)``, straight lines between them.
    """

    method: Method
    slope: float = 0.0
    offset: float = 0.0
    points: tuple[float, ...] = ()
    values: tuple[float, ...] = ()

    def __call__(self, similarity: Any) -> Float64:
        """Probability of each similarity, both of one shape; 0 for -inf, a failure to acquire."""
        x = np.asarray(similarity, np.float64)
        if self.method == "isotonic":
            p = np.interp(x, self.points, self.values)
        else:
            with np.errstate(over="ignore"):
                p = 1 / (1 + np.exp(-(self.slope * x + self.offset)))
        return np.asarray(np.where(np.isneginf(x), 0.0, p), np.float64)

    def given(self, similarity: float, prior: float) -> float:
        """The probability when the comparison was mated with probability ``prior`` beforehand."""
        if not 0 < prior < 1:
            raise ConfigError(f"a prior lies between 0 and 1, got {prior}")
        p = float(self(similarity))
        yes, no = p * prior, (1 - p) * (1 - prior)
        return yes / (yes + no)

    def to_json(self) -> dict[str, Any]:
        """Plain numbers."""
        if self.method == "logistic":
            return {"method": self.method, "slope": self.slope, "offset": self.offset}
        return {"method": self.method, "points": list(self.points), "values": list(self.values)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Probability:
        """The reverse of `to_json`; raises `ConfigError` for anything else."""
        try:
            if values["method"] == "logistic":
                return cls("logistic", float(values["slope"]), float(values["offset"]))
            points, shares = (tuple(float(v) for v in values[key]) for key in ("points", "values"))
            rising = all(np.diff(points) > 0) and all(np.diff(shares) >= 0)
            if values["method"] != "isotonic" or not points or len(points) != len(shares) or not rising:
                raise ValueError
            return cls("isotonic", points=points, values=shares)
        except (KeyError, TypeError, ValueError) as error:
            raise ConfigError("no probability curve") from error


@dataclass(frozen=True, slots=True, eq=False)
class Labelled:
    """Comparisons to fit or to check on: similarity, label and weight, all ``(n,)``."""

    scores: Float64
    mated: NDArray[np.bool_]
    weights: Float64


def labelled(mated: Any, subjects: Any, nonmated: Any) -> Labelled:
    """Weights that sum to one half for mated and non-mated comparisons, equal for each mated subject.

    Failures to acquire have no similarity and are left out. Raises `InsufficientData` without either kind.
    """
    g, i = np.asarray(mated, np.float64), np.asarray(nonmated, np.float64)
    owner = np.unique(np.asarray(subjects), return_inverse=True)[1][np.isfinite(g)]
    g, i = g[np.isfinite(g)], i[np.isfinite(i)]
    if not len(g) or not len(i):
        raise InsufficientData(
            f"a probability needs both kinds of comparisons, you have {len(g)} and {len(i)}"
        )
    shares = 1 / np.bincount(owner)[owner]
    return Labelled(
        np.concatenate([g, i]),
        np.concatenate([np.ones(len(g), bool), np.zeros(len(i), bool)]),
        np.concatenate([shares / shares.sum() / 2, np.full(len(i), 0.5 / len(i))]),
    )


def fit(data: Labelled, method: Method = "logistic") -> Probability:
    """Fit a curve: weighted logistic regression (Platt 1999), or pool-adjacent-violators.

    The isotonic curve stays a little away from 0 and 1: no number of comparisons makes anything certain.
    """
    if method == "isotonic":
        return _isotonic(data)
    return _logistic(data)


def _logistic(data: Labelled) -> Probability:
    x = np.stack([data.scores, np.ones(len(data.scores))])
    at = np.zeros(2)
    # A trace of shrinkage keeps the slope finite where the two kinds do not overlap.
    shrink = np.array([1e-6, 0.0])
    for _ in range(100):
        p = 1 / (1 + np.exp(-np.clip(at @ x, -500, 500)))
        gradient = x @ (data.weights * (data.mated - p)) - shrink * at
        curvature = (x * (data.weights * p * (1 - p))) @ x.T + np.diag(shrink + 1e-15)
        step = np.linalg.solve(curvature, gradient)
        step *= min(1.0, 20 / max(float(np.abs(step).max()), 1e-300))
        at = at + step
        if np.abs(step).max() < 1e-10:
            break
    return Probability("logistic", float(at[0]), float(at[1]))


def _isotonic(data: Labelled) -> Probability:
    from scipy.optimize import isotonic_regression

    values, place = np.unique(data.scores, return_inverse=True)
    weight = np.bincount(place, data.weights)
    mean = np.bincount(place, data.weights * data.mated) / weight
    fitted = isotonic_regression(mean, weights=weight).x
    edge = 1 / (len(data.scores) + 2)
    fitted = np.clip(fitted, edge, 1 - edge)
    # Only the ends of each level are needed to draw the same curve.
    level = np.concatenate([[True], np.diff(fitted) != 0])
    ends = level | np.concatenate([level[1:], [True]])
    return Probability("isotonic", points=tuple(values[ends].tolist()), values=tuple(fitted[ends].tolist()))


@dataclass(frozen=True, slots=True)
class Reliability:
    """How well probabilities fit what happened: expected calibration error, Brier score, and the bins.

    ``bins`` are (mean probability, share mated, weight) of `BINS` equal bins of probability; empty ones are
    left out. 0 is perfect; always saying one half scores 0.25 by Brier (Brier 1950, Monthly Weather Review
    78:1) on data as balanced as these.
    """

    ece: float
    brier: float
    bins: tuple[tuple[float, float, float], ...]


def reliability(curve: Probability, data: Labelled) -> Reliability:
    """Check a curve, on comparisons that it was not fitted to."""
    p = curve(data.scores)
    place = np.minimum((p * BINS).astype(np.intp), BINS - 1)
    weight = np.bincount(place, data.weights, BINS)
    used = weight > 0
    mean = np.bincount(place, data.weights * p, BINS)[used] / weight[used]
    share = np.bincount(place, data.weights * data.mated, BINS)[used] / weight[used]
    total = float(data.weights.sum())
    return Reliability(
        ece=float((weight[used] * np.abs(mean - share)).sum() / total),
        brier=float((data.weights * (p - data.mated) ** 2).sum() / total),
        bins=tuple(zip(mean.tolist(), share.tolist(), (weight[used] / total).tolist(), strict=True)),
    )
