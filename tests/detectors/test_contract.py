"""Every detector keeps the contract, on the sample photos."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from lineament.io import images
from lineament.protocols import Detector
from lineament.registry import detectors
from lineament.testing.detector_contract import DetectorContract
from lineament.types import Image
from weights import pinned_or_skip

SAMPLES = Path(__file__).parents[2] / "samples"


def portrait(name: str, box: tuple[int, int, int, int]) -> Image:
    """Head and shoulders cut from a sample, at half size: every detector runs these many times."""
    x1, y1, x2, y2 = box
    pixels = images.load(SAMPLES / name).pixels[y1:y2, x1:x2]
    return Image(
        np.asarray(cv2.resize(pixels, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.uint8)
    )


class OnSamples(DetectorContract):
    @pytest.fixture(scope="class")
    @classmethod
    def portraits(cls) -> list[Image]:
        return [
            images.load(SAMPLES / "collins_nasa.png"),
            portrait("obama_2012_portrait.jpg", (200, 0, 800, 650)),
            portrait("biden_2013_portrait.jpg", (200, 0, 1100, 1000)),
        ]


@pytest.mark.parametrize(
    "detector",
    ["haar", "yunet", "yunet:batch=4", "yunet:long_side=256,overlap=96", "yunet_n", "centerface",
     "landmarked:haar", "retry:haar", "retry:yunet"],
    indirect=True,
    scope="class",
)  # fmt: skip
class TestDetectors(OnSamples):
    @pytest.fixture(scope="class")
    @classmethod
    def detector(cls, request: pytest.FixtureRequest) -> Detector:
        if request.param == "yunet_n":
            pinned_or_skip(request.param)
        return detectors.create(request.param)


def test_every_name_is_tested() -> None:
    """No detector of the registry is left out of the contract; two have files of their own."""
    assert set(detectors.names()) <= {
        "haar",
        "yunet",
        "yunet_n",
        "centerface",
        "landmarked",
        "retry",
        "yolo",
        "localizer",
    }
