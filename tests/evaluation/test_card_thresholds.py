"""The threshold tables that ship with the cards keep the rules they were measured by."""

from __future__ import annotations

from itertools import pairwise

import pytest

from lineament import pipelines
from lineament.errors import InsufficientData
from lineament.io import catalog
from lineament.scoring.thresholds import supports

ROWS = {name: card.thresholds for name, card in catalog.cards().items() if card.thresholds}
ROWS |= {name: one.rows for name, one in pipelines.cards().items()}


@pytest.mark.parametrize("name", pipelines.cards())
def test_every_pipeline_has_thresholds(name: str) -> None:
    """Each can decide from FMR 1e-2 down to 1e-5, by what was measured of its own parts."""
    one = pipelines.card(name)
    assert [row.target_rate for row in one.rows] == [1e-2, 1e-3, 1e-4, 1e-5]
    parts = " + ".join(part for part in (one.detector, one.landmarks, one.embedder) if part)
    assert all(f", {parts}, exact" in row.measured_on for row in one.rows)


@pytest.mark.parametrize("name", ROWS)
def test_every_row_is_supported_and_keeps_its_target(name: str) -> None:
    """Observed rate at or below the target and inside its interval; 30 errors or more expected."""
    for row in ROWS[name]:
        assert row.rate <= row.target_rate
        assert row.low <= row.rate <= row.high
        assert supports(row.target_rate, row.comparisons)
        assert row.subjects > 1
        assert row.measured_on


@pytest.mark.parametrize("name", ROWS)
def test_stricter_targets_have_higher_thresholds(name: str) -> None:
    """Fewer false matches cost a higher similarity."""
    rows = sorted(ROWS[name], key=lambda row: -row.target_rate)
    assert all(a.value < b.value for a, b in pairwise(rows))


def test_a_rate_between_two_rows_is_refused_not_interpolated() -> None:
    """The refusal lists the rates that were measured."""
    with pytest.raises(InsufficientData, match=r"FMR 0\.005; measured: 0\.01, 0\.001"):
        catalog.card("sface").threshold(5e-3)
