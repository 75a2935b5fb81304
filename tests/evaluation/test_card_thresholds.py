"""The threshold tables that ship with the cards keep the rules they were measured by."""

from __future__ import annotations

from itertools import pairwise

import pytest

from lineament.errors import InsufficientData
from lineament.io import catalog
from lineament.scoring.thresholds import supports

WITH_THRESHOLDS = [name for name, card in catalog.cards().items() if card.thresholds]


def test_the_default_embedder_has_thresholds() -> None:
    """SFace can decide from FMR 1e-2 down to 1e-5."""
    assert [row.target_rate for row in catalog.card("sface").thresholds] == [1e-2, 1e-3, 1e-4, 1e-5]


@pytest.mark.parametrize("name", WITH_THRESHOLDS)
def test_every_row_is_supported_and_keeps_its_target(name: str) -> None:
    """Observed rate at or below the target and inside its interval; 30 errors or more expected."""
    for row in catalog.card(name).thresholds:
        assert row.rate <= row.target_rate
        assert row.low <= row.rate <= row.high
        assert supports(row.target_rate, row.comparisons)
        assert row.subjects > 1
        assert row.measured_on


@pytest.mark.parametrize("name", WITH_THRESHOLDS)
def test_stricter_targets_have_higher_thresholds(name: str) -> None:
    """Fewer false matches cost a higher similarity."""
    rows = sorted(catalog.card(name).thresholds, key=lambda row: -row.target_rate)
    assert all(a.value < b.value for a, b in pairwise(rows))


def test_a_rate_between_two_rows_is_refused_not_interpolated() -> None:
    """The refusal lists the rates that were measured."""
    with pytest.raises(InsufficientData, match=r"FMR 0\.005; measured: 0\.01, 0\.001"):
        catalog.card("sface").threshold(5e-3)
