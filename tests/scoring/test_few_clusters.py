"""Intervals of few clusters: one tells nothing of others, and several that are alike hardly more."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from lineament.evaluation.compare import compare
from lineament.evaluation.record import EvaluationRecord
from lineament.plots.number_bins import number_bins_figure
from lineament.scoring import classification_rates, detection_rates, matching, numbers, resampling, wider
from lineament.scoring.detection_rates import DetectionRates
from lineament.scoring.fairness import spread
from lineament.scoring.intervals import by_subject, estimate
from lineament.scoring.matching import PictureBoxes
from lineament.scoring.paired import paired, unpaired
from lineament.scoring.rate import Rate
from lineament.training.sweeping.summary import mean_interval
from lineament.training.sweeping.tables import cell

BOX = np.array([[0.0, 0.0, 60.0, 60.0]])
FAR = BOX + 500


def picture(found: int, missed: int, wrong: int = 0) -> PictureBoxes:
    """So many faces found, missed, and so many detections of nothing."""
    places = [BOX + 100.0 * i for i in range(found + missed)]
    boxes = np.concatenate([*places[:found], *(FAR + 100.0 * i for i in range(wrong)), np.zeros((0, 4))])
    return PictureBoxes(np.concatenate(places), boxes, np.linspace(0.9, 0.5, len(boxes)))


def detection(pictures: Sequence[PictureBoxes]) -> dict[str, Rate]:
    found: DetectionRates = detection_rates.rates(matching.match(pictures), 0.1, resamples=300)
    assert found.precision is not None
    return {
        "map50": found.map50,
        "map50_95": found.map50_95,
        "precision": found.precision,
        "recall": found.recall,
        "f1": found.f1,
        "wider": wider.evaluate(pictures, resamples=300).average_precision,
    }


def classification(people: int, seed: int = 0) -> dict[str, Rate]:
    """Every figure of a classifier on six photos of each person."""
    rng = np.random.default_rng(seed)
    truth = np.tile([0, 1, 2], 2 * people)
    chances = rng.dirichlet(np.ones(3), len(truth)) + 0.8 * np.eye(3)[truth]
    chances /= chances.sum(axis=1, keepdims=True)
    whose = np.repeat(np.arange(people), 6)
    found = classification_rates.rates(truth, chances, ("a", "b", "c"), whose, resamples=300)
    assert found.macro_auc is not None
    return {
        "accuracy": found.accuracy,
        "macro_recall": found.macro_recall,
        "macro_f1": found.macro_f1,
        "macro_auc": found.macro_auc,
        "ece": found.expected_calibration_error,
        **{f"auc {one.name}": one.auc for one in found.classes if one.auc is not None},
    }


def mean_error(people: int) -> dict[str, Rate]:
    off = np.random.default_rng(1).normal(size=6 * people)
    found = numbers.errors(30 + off * 0, 30 + off, np.repeat(np.arange(people), 6), resamples=300)
    return {"mae": found.mean_absolute_error, "bias": found.bias, "within": found.within}


@pytest.mark.parametrize(
    "rates",
    [
        lambda: detection([picture(2, 1)]),
        lambda: detection([picture(1, 0)]),
        lambda: detection([picture(1, 2, wrong=2)]),
        lambda: detection([picture(2, 2, wrong=1)] * 2),
        lambda: detection([picture(1, 1)] * 3),
        lambda: classification(1),
        lambda: mean_error(1),
        lambda: {"one subject": estimate(by_subject(np.arange(40) < 10, np.zeros(40))).rate},
        lambda: {"two alike": estimate(by_subject(np.arange(40) % 20 < 5, np.arange(40) // 20)).rate},
    ],
    ids=["2 of 3 in one picture", "all in one", "one, with false ones", "two alike", "three alike",
         "a classifier on one person", "ages of one person", "errors of one person", "two persons alike"],
)  # fmt: skip
def test_few_or_equal_clusters_never_have_a_narrow_interval(rates: Callable[[], dict[str, Rate]]) -> None:
    """However many faces or photos one picture or person has, the interval is as wide as a single trial's,
    or there is none; the figure itself lies within."""
    for name, rate in rates().items():
        assert rate.low <= rate.value <= rate.high, name
        assert not rate.bounded or rate.high - rate.low > 0.5, (name, rate)


def test_resampled_intervals_cover_with_few_clusters() -> None:
    """The mean of 3, 5 or 10 clusters lies within its interval about as often as it says; percentiles
    alone hold it 75, 86 and 89 of a hundred times."""
    rng = np.random.default_rng(4)
    for clusters in (3, 5, 10):
        held = 0
        for _ in range(250):
            sums = np.stack([rng.normal(0.5, 0.1, clusters), np.ones(clusters)], axis=1)
            found = resampling.of_sums(sums, lambda t: t[:, 0] / t[:, 1], resamples=300)
            held += found.low <= 0.5 <= found.high
        assert 0.88 <= held / 250 <= 0.99, (clusters, held / 250)


def test_with_many_clusters_the_stretching_is_next_to_nothing() -> None:
    """Five hundred clusters: the percentiles, within half a per cent of their width."""
    rng = np.random.default_rng(2)
    sums = np.stack([rng.normal(size=500), np.ones(500)], axis=1)
    drawn = np.concatenate([some @ sums for some in resampling.draws(500)])
    low, high = np.quantile(drawn[:, 0] / drawn[:, 1], [0.025, 0.975])
    found = resampling.of_sums(sums, lambda t: t[:, 0] / t[:, 1])
    assert (found.high - found.low) / (high - low) == pytest.approx(1, abs=0.005)


def test_no_interval_goes_through_records_comparisons_and_figures(tmp_path: Any) -> None:
    """It is null in JSON, comes back from it, is said in words, and makes no difference clear."""
    one, many = mean_error(1)["mae"], mean_error(40)["mae"]
    assert not one.bounded and str(one).endswith("(no interval)") and one.to_json()["low"] is None
    assert Rate.from_json(json.loads(json.dumps(one.to_json(), allow_nan=False))) == one
    assert not unpaired(one, many).clear and unpaired(one, many).to_json()["high"] is None
    assert unpaired(one, many).span() == "no interval"
    records = [
        EvaluationRecord("attributes", "t", {}, {}, {"mean_absolute_error": rate.to_json()})
        for rate in (one, many)
    ]
    records[0].save(tmp_path / "one.json")
    (row,) = compare(EvaluationRecord.load(tmp_path / "one.json"), records[1])
    assert row.verdict == "no clear difference" and row.to_json()["difference"]["low"] is None
    off = np.array([1.0, 2.0, 3.0])
    bins = numbers.errors_by_bin(off, off + 1, ["a", "b", "b"], [(0.0, 1.5), (1.5, 9.0)], resamples=50)
    assert number_bins_figure(bins).axes


def test_two_pictures_that_differ_alike_are_no_clear_difference() -> None:
    """Both pictures lose the same share: the paired interval has no width, and would fail the gate."""
    first = {"a": (4.0, 4.0), "b": (4.0, 4.0)}
    second = {"a": (2.0, 4.0), "b": (2.0, 4.0)}
    assert paired(first, second).low == paired(first, second).high == -0.5
    rates = [detection([picture(4, 0)] * 2)["recall"], detection([picture(2, 2)] * 2)["recall"]]
    records = [
        EvaluationRecord("detection", "t", {}, {}, {"recall": rate.to_json()}, {"recall": counts})
        for rate, counts in zip(rates, (first, second), strict=True)
    ]
    (row,) = compare(*records)
    assert row.verdict == "no clear difference" and row.difference.low < -0.5 < row.difference.high


def test_groups_that_always_err_have_a_ratio_with_width() -> None:
    """Both groups are wrong every time: their ratio is 1, and not exactly known to be."""
    rates = {name: estimate(by_subject(np.ones(50, bool), np.arange(50))) for name in "ab"}
    found = spread(rates)
    assert (
        found is not None and found.value == 1 and found.interval.low < 0.99 and found.interval.high > 1.01
    )


@pytest.mark.parametrize("values", [[0.8], [0.8, 0.8], [1.0, 1.0, 1.0]])
def test_seeds_that_agree_have_no_interval(values: list[float]) -> None:
    """One seed, or seeds that came to the same, do not say how much training varies."""
    found = mean_interval(values)
    assert found.low is None and found.high is None and cell(found) == f"{values[0]:.3f}"
    assert math.isclose(found.mean, values[0])
