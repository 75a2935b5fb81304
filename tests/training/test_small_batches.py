"""What a training cannot do anything with is said with its numbers, before an epoch is wasted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import small_training

from lineament.errors import ConfigError, NotEnoughSamples
from lineament.training.detection.scenes import Scene, require_boxes
from lineament.training.settings import LoopSettings


def test_batches_of_one_and_batch_normalisation(tmp_path: Path) -> None:
    """A network that normalises over the batch refuses batches of one, and trains on a last one of one."""
    data = small_training.photos(tmp_path / "data", 15)
    one = replace(small_training.LOOP, batch_size=1, epochs=1)
    with pytest.raises(NotEnoughSamples, match=r"batch_size 1, 12 training pictures.*--batch-size 2"):
        small_training.train(data, tmp_path / "normed", small_training.Settings(one))
    progress, _ = small_training.train(data, tmp_path / "plain", small_training.Settings(one, normed=False))
    assert progress.history[0]["samples"] == 12
    odd = replace(small_training.LOOP, batch_size=11, epochs=1)
    progress, _ = small_training.train(data, tmp_path / "odd", small_training.Settings(odd))
    assert progress.history[0]["samples"] == 12


def test_a_side_above_every_box() -> None:
    """A min_side that no box reaches is an error that tells the largest side there is."""
    boxes = np.array([[0, 0, 60, 40], [0, 0, 20, 90]], np.float32)
    scene = Scene("a", "a.jpg", boxes, np.zeros(2, np.int64), np.ones(2, bool))
    with pytest.raises(NotEnoughSamples, match=r"min_side 500 is above all 2 boxes .* is 40 pixels"):
        require_boxes({"train": [scene]}, 500)
    require_boxes({"train": [replace(scene, ignored=np.array([True, False]))], "test": []}, 30)


@pytest.mark.parametrize(
    ("name", "value"),
    [("epochs", 0), ("batch_size", 0), ("learning_rate", 0.0), ("weight_decay", -1.0), ("threads", 0)],
)
def test_settings_say_their_value(name: str, value: float) -> None:
    """The setting, what it was, and what it may be."""
    with pytest.raises(ConfigError, match=rf"loop\.{name} is -?\d.*; it is "):
        LoopSettings(**{name: value})  # type: ignore[arg-type]
