"""How the share of strangers matched grows with the gallery: predicted, simulated, warned of."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lineament.errors import ConfigError, InsufficientData
from lineament.evaluation import identification
from lineament.evaluation.capture import Captures
from lineament.evaluation.gallery_split import split_pictures
from lineament.evaluation.people import LabelledPictures
from lineament.gallery import searching
from lineament.scoring import identification as searches
from lineament.scoring import similarity
from lineament.types import Interval, ModelId, Threshold

MODEL = ModelId("test", "0" * 64)
SIZES = (100, 1_000, 10_000, 100_000)


def unit(rng: np.random.Generator, count: int, lean: float = 0.0) -> np.ndarray:
    """Random directions in 16 dimensions; ``lean`` draws some of them towards one another."""
    rows = rng.standard_normal((count, 16), np.float32)
    rows[:, 0] += lean * np.abs(rng.standard_normal(count, np.float32))
    return similarity.normalise(rows)


def simulate(lean: float) -> tuple[float, np.ndarray]:
    """FMR of all comparisons at a threshold, and FPIR for galleries of up to 100,000."""
    rng = np.random.default_rng(0)
    gallery, probes = unit(rng, SIZES[-1], lean), unit(rng, 1_000, lean)
    threshold = 0.8 if lean == 0 else 0.9
    found = searches.first_matches(probes, gallery, threshold)
    fmr = found.matches.sum() / (len(probes) * len(gallery))
    return float(fmr), np.array([np.mean(found.first < size) for size in SIZES])


def test_predicted_fpir_is_the_simulated_one_up_to_100_000() -> None:
    """1 - (1 - FMR)^N within three standard errors, where comparisons are independent."""
    fmr, simulated = simulate(0.0)
    predicted = np.array([searches.predicted_fpir(fmr, size) for size in SIZES])
    error = np.sqrt(predicted * (1 - predicted) / 1_000)
    assert (np.abs(simulated - predicted) <= 3 * error + 1e-3).all()
    assert predicted[-1] > 0.5
    assert predicted[0] < 0.01


def test_the_prediction_errs_on_the_careful_side_where_some_look_like_many() -> None:
    """With probes that differ in how many people they resemble, fewer are hit than predicted."""
    fmr, simulated = simulate(3.0)
    predicted = np.array([searches.predicted_fpir(fmr, size) for size in SIZES])
    assert (simulated <= predicted + 3 * np.sqrt(predicted / 1_000)).all()
    assert simulated[-1] < 0.8 * predicted[-1]


def test_smaller_galleries_are_the_first_rows_of_the_whole() -> None:
    """`first_matches` gives for every size what searching that part alone gives, failures included."""
    rng = np.random.default_rng(1)
    gallery, probes = unit(rng, 300), unit(rng, 200)
    gallery[7], probes[3] = np.nan, np.nan
    found = searches.first_matches(probes, gallery, 0.6, block=64)
    for size in (1, 10, 100, 300):
        top = searches.best_scores(probes, gallery[:size])
        assert np.mean(found.first < size) == np.mean(top >= np.float64(0.6))
    scores = np.nan_to_num(probes @ gallery.T, nan=-1)
    np.testing.assert_array_equal(found.matches, (scores >= 0.6).sum(axis=1))


def test_large_galleries_are_searched_in_bounded_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever number of scores is held at a time, ranks and scores are the same."""
    rng = np.random.default_rng(2)
    gallery, probes = unit(rng, 500), unit(rng, 90)
    mates = rng.integers(-1, 500, 90)
    whole = searches.search(probes, gallery, mates)
    monkeypatch.setattr(searches, "_SCORES", 1200)
    parts = searches.search(probes, gallery, mates)
    np.testing.assert_array_equal(parts.rank, whole.rank)
    np.testing.assert_allclose(parts.top, whole.top, atol=1e-6)


def people(count: int, each: int) -> tuple[LabelledPictures, Captures]:
    rng = np.random.default_rng(3)
    owner = np.repeat(np.arange(count), each)
    vectors = rng.normal(size=(count, 24))[owner] + 0.6 * rng.normal(size=(len(owner), 24))
    names = tuple(f"{o}/{k}.jpg" for k, o in enumerate(owner))
    labelled = LabelledPictures(
        tuple(map(Path, names)), names, tuple(map(str, owner)), (None,) * len(owner), "synthetic"
    )
    return labelled, Captures(similarity.normalise(vectors.astype(np.float32)), (), MODEL)


def test_growth_is_measured_on_parts_of_the_gallery_and_set_beside_the_prediction() -> None:
    """Each part holds the one before, the last is the whole, and the assumptions are stated."""
    labelled, captures = people(300, 3)
    parts = split_pictures(labelled, hold_back=120)
    report = identification.score(parts, captures)
    found = report.to_json()
    grown = found["fpir_growth"]
    assert [step["enrolled"] for step in grown["steps"]] == [10, 20, 50, 100, 180]
    rates = [step["fpir"]["value"] for step in grown["steps"]]
    assert rates == sorted(rates)
    assert rates[-1] == report.points[-1].fpir.value
    assert all(step["fpir"]["n"] == 360 for step in grown["steps"])
    assert grown["steps"][-1]["predicted"] == pytest.approx(1 - (1 - grown["fmr"]) ** 180)
    assert "independent" in grown["assumes"]


def test_closed_set_figures_are_labelled_and_investigation_is_their_complement() -> None:
    """CMC says closed-set; FNIR at rank R without a threshold is the share of mates beyond rank R."""
    labelled, captures = people(60, 3)
    found = identification.score(split_pictures(labelled, hold_back=20), captures).to_json()
    assert found["cmc_is"].startswith("closed-set")
    assert list(found["cmc"]) == ["1", "2", "3", "5", "10", "20"]
    for rank, rate in found["cmc"].items():
        assert found["investigation"][rank]["value"] == pytest.approx(1 - rate["value"])
        assert rate["n"] == found["mated_probes"] == 80
    assert found["rank1"] == found["cmc"]["1"]


def test_detection_and_identification_rate_is_the_complement_of_fnir() -> None:
    """DIR = 1 - FNIR(T, 1), null where the searches cannot support the FPIR."""
    labelled, captures = people(300, 3)
    found = identification.score(split_pictures(labelled, hold_back=120), captures).to_json()
    assert found["dir_at_fpir"]["1e-1"]["value"] == pytest.approx(
        1 - found["fnir_at_fpir"]["1e-1"]["value"]
    )
    assert found["dir_at_fpir"]["1e-2"] is None
    assert found["unsupported"]["1e-2"] == "FPIR 0.01 needs 3,000 non-mated searches, you have 360"


def test_a_number_of_people_is_held_back_by_hash() -> None:
    """200 means 200; the same people whatever the order of the pictures; more than there are is refused."""
    labelled, _ = people(300, 2)
    first = split_pictures(labelled, hold_back=200)
    assert len(np.unique(first.strangers)) == 200
    order = np.random.default_rng(4).permutation(600)
    second = split_pictures(labelled[order], hold_back=200)
    held = {labelled.names[i] for i in first.nonmated}
    assert {labelled[order].names[i] for i in second.nonmated} == held
    with pytest.raises(InsufficientData, match="cannot hold back 300 of 300"):
        split_pictures(labelled, hold_back=300)
    with pytest.raises(ConfigError):
        split_pictures(labelled, hold_back=2.5)


def threshold(kind: str, rate: float, enrolled: int | None = None) -> Threshold:
    return Threshold(0.4, MODEL, rate, "x", rate, Interval(0, 1), 10, 5, kind, enrolled)  # type: ignore[arg-type]


def test_a_gallery_that_has_outgrown_its_threshold_is_warned_of() -> None:
    """Beyond the people an FPIR was calibrated for, or where an FMR lets 1 stranger in 100 match."""
    served = threshold("FPIR", 0.01, 1000)
    assert searching.outgrown(served, 1000) is None
    assert "calibrated for 1,000 people at FPIR 0.01, it holds 5,000; about 4.9%" in str(
        searching.outgrown(served, 5000)
    )
    single = threshold("FMR", 1e-5)
    assert searching.outgrown(single, 1000) is None
    assert "among 5,000 people at FMR 1e-05 about 4.9% of strangers" in str(
        searching.outgrown(single, 5000)
    )
