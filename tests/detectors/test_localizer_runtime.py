"""The localizer: its contract, its box, and what it refuses."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import localizer_network
import numpy as np
import pytest
from test_contract import OnSamples

from lineament.detectors.localizer import bent
from lineament.errors import CardMismatch, ConfigError
from lineament.io.trained import TrainedCard
from lineament.protocols import Detector
from lineament.registry import detectors
from lineament.types import Image


def red(size_wh: tuple[int, int]) -> Image:
    pixels = np.full((size_wh[1], size_wh[0], 3), 90, np.uint8)
    pixels[..., 0] = 200
    return Image(pixels)


@pytest.fixture(scope="session")
def reddish(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("localizer") / "run"
    localizer_network.write(folder)
    return folder


class TestLocalizer(OnSamples):
    @pytest.fixture(scope="class")
    @classmethod
    def detector(cls, reddish: Path) -> Detector:
        return detectors.create(f"localizer:model={reddish}")


def test_box_is_of_the_picture(reddish: Path) -> None:
    """Shares of the sides become pixels of a picture of any shape; at most one face is given."""
    detector = detectors.create("localizer", model=str(reddish))
    wide, tall, grey = detector.detect(
        [red((400, 100)), red((30, 900)), Image(np.zeros((9, 9, 3), np.uint8))]
    )
    np.testing.assert_allclose(wide.boxes, [[100, 20, 300, 90]], atol=1e-3)
    np.testing.assert_allclose(tall.boxes, [[7.5, 180, 22.5, 810]], atol=1e-3)
    assert len(grey) == 0 and grey.landmarks is None and wide.landmarks is None


def test_score_is_a_probability(reddish: Path) -> None:
    """The least score is one of the logit's sigmoid: 0.5 is a logit of 0."""
    detector = detectors.create("localizer", model=str(reddish))
    pixels = np.full((32, 32, 3), 100, np.uint8)
    pixels[..., 0] = 112  # the logit is 0 at 12 grey levels
    (faces,) = detector.detect([Image(pixels)])
    np.testing.assert_allclose(faces.scores, [0.5], atol=1e-4)
    pixels[..., 0] = 111
    assert len(detector.detect([Image(pixels)])[0]) == 0
    assert len(detectors.create("localizer", model=str(reddish), score=0.2).detect([Image(pixels)])[0]) == 1


def test_bent_as_in_training() -> None:
    """The picture is bent to the square exactly as the training data are."""
    pytest.importorskip("torch", reason="the comparison needs the training libraries")
    from lineament.datasets.augment.view import View
    from lineament.training.data import fitted

    rng = np.random.default_rng(0)
    for h, w in ((64, 64), (90, 40), (30, 200), (20, 20)):
        pixels = rng.integers(0, 256, (h, w, 3), np.uint8)
        np.testing.assert_array_equal(bent(pixels, 64), fitted(View.of(pixels), 64, "stretch").pixels)


@pytest.mark.parametrize(
    "box", [(0.5, 0.2, 0.5, 0.9), (0.8, 0.2, 0.3, 0.9), (np.nan, 0.2, 0.5, 0.9), (1.2, 0.1, 1.5, 0.6)]
)
def test_a_box_that_is_none(tmp_path: Path, box: tuple[float, ...]) -> None:
    """A box without area, turned inside out, NaN or outside the picture is no face and no error."""
    card = localizer_network.write(tmp_path / "run")
    detector = detectors.create("localizer", model=str(tmp_path / "run"))
    session = detector._trained.session  # type: ignore[attr-defined]

    class Other:
        def run(self, inputs: object) -> dict[str, np.ndarray]:
            return {**session.run(inputs), "box": np.array([box], np.float32)}

    detector._trained = replace(detector._trained, session=Other())  # type: ignore[attr-defined]
    assert card.job == "localizer"
    assert len(detector.detect([red((50, 50))])[0]) == 0


def test_refusals(tmp_path: Path) -> None:
    """No model, a score that is none, a card without the outputs: each a named error."""
    with pytest.raises(ConfigError, match="name a run folder"):
        detectors.create("localizer")
    with pytest.raises(ConfigError, match="score lies"):
        detectors.create("localizer", model="x", score=0)
    card = localizer_network.write(tmp_path / "run")
    replace(card, heads=card.heads[:1]).save(tmp_path / "run")
    with pytest.raises(CardMismatch, match="no output 'box'"):
        detectors.create("localizer", model=str(tmp_path / "run"))
    replace(card, job="detection").save(tmp_path / "run")
    with pytest.raises(ConfigError, match="a model for detection, not for localizer"):
        detectors.create("localizer", model=str(tmp_path / "run"))
    assert TrainedCard.load(tmp_path / "run").job == "detection"
