"""Public test doubles and contract tests for people who write plug-ins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lineament.lazily import lazily

if TYPE_CHECKING:
    from lineament.testing.detector_contract import DetectorContract, plain_pictures
    from lineament.testing.embedder_contract import EmbedderContract, synthetic_crops
    from lineament.testing.engine_contract import EngineContract
    from lineament.testing.fakes import FakeAnalyzer, picture, quality, threshold
    from lineament.testing.index_contract import IndexContract
    from lineament.testing.landmarker_contract import LandmarkerContract
    from lineament.testing.ledger_contract import LedgerContract
    from lineament.testing.made_up_records import record, unit_vectors
    from lineament.testing.store_contract import StoreContract

__all__ = [
    "DetectorContract",
    "EmbedderContract",
    "EngineContract",
    "FakeAnalyzer",
    "IndexContract",
    "LandmarkerContract",
    "LedgerContract",
    "StoreContract",
    "picture",
    "plain_pictures",
    "quality",
    "record",
    "synthetic_crops",
    "threshold",
    "unit_vectors",
]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "lineament.testing.detector_contract": ("DetectorContract", "plain_pictures"),
        "lineament.testing.embedder_contract": ("EmbedderContract", "synthetic_crops"),
        "lineament.testing.engine_contract": ("EngineContract",),
        "lineament.testing.fakes": ("FakeAnalyzer", "picture", "quality", "threshold"),
        "lineament.testing.index_contract": ("IndexContract",),
        "lineament.testing.landmarker_contract": ("LandmarkerContract",),
        "lineament.testing.ledger_contract": ("LedgerContract",),
        "lineament.testing.made_up_records": ("record", "unit_vectors"),
        "lineament.testing.store_contract": ("StoreContract",),
    },
)
