"""Every landmarker keeps the contract, on the sample photos."""

from __future__ import annotations

from pathlib import Path

import pytest

from lineament.detectors.yunet import YuNet
from lineament.io import images
from lineament.protocols import Landmarker
from lineament.registry import landmarkers
from lineament.testing.landmarker_contract import LandmarkerContract, Portrait
from weights import pinned_or_skip

SAMPLES = Path(__file__).parents[2] / "samples"


@pytest.mark.parametrize(
    "landmarker",
    ["mesh", "mesh:regression0009", "regression0009", "mean:mesh", "mean:regression0009"],
    indirect=True,
    scope="class",
)
class TestLandmarkers(LandmarkerContract):
    @pytest.fixture(scope="class")
    @classmethod
    def landmarker(cls, request: pytest.FixtureRequest) -> Landmarker:
        if "regression0009" in request.param:
            pinned_or_skip("regression0009")
        return landmarkers.create(request.param)

    @pytest.fixture(scope="class")
    @classmethod
    def portraits(cls) -> list[Portrait]:
        names = ("collins_nasa.png", "obama_2012_portrait.jpg", "biden_2013_portrait.jpg")
        pictures = [images.load(SAMPLES / name) for name in names]
        return list(zip(pictures, YuNet().detect(pictures), strict=True))


def test_every_name_is_tested() -> None:
    """No landmarker of the registry is left out of the contract."""
    assert set(landmarkers.names()) == {"mean", "mesh", "regression0009"}
