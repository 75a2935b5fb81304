"""Figures show what they claim: points, limits of what the data carry, and a name for a missing extra."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from lineament.errors import MissingExtra
from lineament.plots.canvas import canvas, save
from lineament.plots.det import det_figure
from lineament.plots.roc import roc_figure
from lineament.plots.scores import score_figure
from lineament.plots.searches import cmc_figure, open_set_figure
from lineament.scoring.identification import Searches, search
from lineament.scoring.operating_points import from_scores
from lineament.scoring.verification import roc

RNG = np.random.default_rng(0)
MATED, NONMATED = RNG.normal(0.6, 0.15, 400), RNG.normal(0.1, 0.15, 900)


def _searches() -> tuple[Searches, np.ndarray]:
    gallery = RNG.normal(size=(30, 8)).astype(np.float32)
    gallery /= np.linalg.norm(gallery, axis=1, keepdims=True)
    probes = gallery[np.arange(60) % 30] + 0.3 * RNG.normal(size=(60, 8)).astype(np.float32)
    return search(probes, gallery, np.arange(60) % 30), RNG.normal(0.5, 0.1, 200).astype(np.float32)


def test_roc_is_dotted_where_fewer_than_thirty_errors_were_seen() -> None:
    """The solid line begins at FMR 30/900; the dotted one ends there."""
    solid, dotted = roc_figure(roc(MATED, NONMATED), nonmated=900).axes[0].lines
    drawn = np.asarray(solid.get_xdata())[np.isfinite(solid.get_ydata())]
    faint = np.asarray(dotted.get_xdata())[np.isfinite(dotted.get_ydata())]
    assert drawn.min() == pytest.approx(30 / 900)
    assert faint.max() < 30 / 900


def test_det_shows_the_curve_the_diagonal_and_the_points() -> None:
    """Operating points lie where their rates say."""
    points = from_scores(
        MATED, np.arange(400), NONMATED, np.arange(900), np.arange(900) + 900, rates=(0.05,)
    )
    axes = det_figure(roc(MATED, NONMATED), points).axes[0]
    mark = axes.containers[0].lines[0]
    assert mark.get_xdata()[0] == points[0].fmr.value
    assert mark.get_ydata()[0] == points[0].fnmr.value


def test_score_histogram_is_of_all_comparisons_and_counts_failures() -> None:
    """Bars add up to the share that gave a score; the legend names the rest."""
    mated = np.r_[MATED, np.full(100, -np.inf)]
    axes = score_figure(mated, NONMATED, {"FMR 0.01": 0.4}).axes[0]
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert "mated, 500 (100 failed to acquire)" in labels
    shares = [patch.get_data().values.sum() for patch in axes.patches[::2]]
    assert shares == [pytest.approx(1.0), pytest.approx(0.8)]


def test_search_figures_plot_the_metrics() -> None:
    """The CMC starts at rank-1 and says closed-set; FNIR rises as FPIR falls."""
    mated, top = _searches()
    axes = cmc_figure(mated, enrolled=30).axes[0]
    assert "closed-set" in axes.get_title(loc="left")
    assert axes.lines[0].get_ydata()[0] == np.mean(mated.rank == 1)
    solid, _ = open_set_figure(mated, top).axes[0].lines
    x, y = np.asarray(solid.get_xdata()), np.asarray(solid.get_ydata())
    seen = np.isfinite(y)
    assert x[seen].min() == pytest.approx(30 / 200)
    assert (np.diff(y[seen][np.argsort(x[seen], kind="stable")]) <= 1e-12).all()


def test_the_same_figure_gives_the_same_bytes(tmp_path: Path) -> None:
    """Nothing of the clock gets into the file."""
    for name in ("a.png", "b.png"):
        save(roc_figure(roc(MATED, NONMATED), nonmated=900), tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_without_matplotlib_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says what to install."""
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingExtra, match=r"lineament\[plots\]"):
        canvas("", "", "")
