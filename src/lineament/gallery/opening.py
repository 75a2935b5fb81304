"""What a gallery may be opened with: every wrong setting is refused at the door, by name."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from typing import Any

from lineament.errors import ConfigError
from lineament.gallery import fusion as fusions
from lineament.protocols import Ledger
from lineament.stores import joined, open_store
from lineament.stores.gallery_store import GalleryStore
from lineament.types import Threshold


def require_settings(
    analyzer: object, threshold: object, target_fmr: object, fusion: object, min_quality: object
) -> None:
    """Raise `ConfigError` for a setting of a gallery that is of the wrong kind or out of range."""
    fusions.require_fusion(fusion)
    if threshold is not None and not isinstance(threshold, Threshold):
        raise ConfigError(
            f"threshold: {threshold!r:.80} is no Threshold, and a number without the model and the data it "
            "was measured on decides nothing; give one that `lineament calibrate` wrote "
            "(lineament.io.calibration_file.load), or a false match rate: Gallery(..., target_fmr=0.0001)"
        )
    if target_fmr is not None:
        _require_number("target_fmr", target_fmr, "above 0 and below 1", lambda x: 0 < x < 1)
        if threshold is not None:
            raise ConfigError("give a threshold or a target_fmr, not both: each decides by itself")
    _require_number("min_quality", min_quality, "from 0 to 1", lambda x: 0 <= x <= 1)
    if analyzer is None:
        return
    if isinstance(analyzer, (str, type)) or not callable(getattr(analyzer, "analyze", None)):
        raise ConfigError(
            f"analyzer: {analyzer!r:.80} is no analyzer; make one: Gallery(store, Analyzer('retry:yunet'))"
        )
    if getattr(analyzer, "model", analyzer) is None:
        raise ConfigError("analyzer: a gallery needs embeddings; give an Analyzer with an embedder")


def opened(store: Any, create: bool) -> GalleryStore:
    """The store that a URL, a path or None names, or the store or the ledger given.

    Raises `ConfigError` for anything else, and what `open_store` raises.
    """
    if store is None or isinstance(store, (str, os.PathLike)):
        return open_store(store, create=create)
    if isinstance(store, type) or not isinstance(store, GalleryStore | Ledger):
        raise ConfigError(
            f"store: {store!r:.80} is no gallery; give a URL ('sqlite:people.db', 'memory:'), a path "
            "(Path('people.db')), a lineament.stores.GalleryStore, or a ledger with all the methods of "
            "lineament.protocols.Ledger"
        )
    return joined(store)


def _require_number(name: str, value: Any, wanted: str, holds: Callable[[float], bool]) -> None:
    try:
        number = math.nan if isinstance(value, (bool, str, bytes)) else float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not holds(number):  # no comparison holds for NaN
        raise ConfigError(f"{name}: expected a number {wanted}, got {value!r:.80}")
