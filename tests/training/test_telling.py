"""What a training says, how many threads it takes, and when its figures are no more than guessing."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from small_training import LOOP, Settings, photos, train

from lineament.cli.train.telling import followed
from lineament.errors import ConfigError
from lineament.scoring.rate import Rate
from lineament.training import threads
from lineament.training.classification.report import at_chance, monitored
from lineament.training.classification.settings import ClassifierSettings
from lineament.training.detection.settings import LocalizerSettings
from lineament.training.recognition.settings import EmbedderSettings
from lineament.training.settings import FineTuning
from lineament.training.telling import duration, epoch_line, log


def test_a_line_an_epoch_without_a_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """stderr, which is no terminal here, gets a line when it begins, one an epoch and one when it ends;
    nothing is said to a program that does not listen."""
    data = photos(tmp_path / "data", 15)
    told = Settings(replace(LOOP, epochs=2))
    with followed(4, "batches") as advance:
        train(data, tmp_path / "run", told, advance=advance)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "at most 2 epochs of 2 batches of 6, on 1 processor thread"
    assert lines[1].startswith("epoch 1 of 2: train loss ") and "val loss " in lines[1]
    assert "val accuracy " in lines[1] and "pictures/s" in lines[1] and " left" in lines[1]
    assert lines[2].startswith("epoch 2 of 2: ") and " left" not in lines[2]
    assert lines[3].startswith("all 2 epochs done; measuring the weights of epoch ")
    assert log.level == logging.NOTSET and not log.handlers
    train(data, tmp_path / "again", told)
    assert capsys.readouterr().err == ""


def test_what_an_epochs_line_says() -> None:
    """The monitored figure comes first of many; the time left follows the last epochs, not the first."""
    rows = [
        {"epoch": n, "seconds": 100.0 if n == 1 else 8.0, "validation_seconds": 2.0, "samples": 400,
         "train_loss": 1.0, **{f"val_head{i}": 0.1 for i in range(9)}, "val_map50": 0.25, "val_loss": 2.0}
        for n in range(1, 7)
    ]  # fmt: skip
    line = epoch_line(rows, 30, "map50", 6)
    assert line.startswith("epoch 6 of 30: train loss 1, val map50 0.25, val loss 2, val head0 0.1")
    assert "50 pictures/s, at most 4 min left; the best so far" in line and "head7" not in line
    assert [duration(s) for s in (3, 99, 120, 5999, 11100)] == [
        "3 s",
        "99 s",
        "2 min",
        "1 h 40 min",
        "3 h 05 min",
    ]


@pytest.mark.parametrize(
    ("seconds", "number"),
    [
        ({1: 1.0, 2: 0.6}, 2),
        ({1: 1.0, 2: 0.95}, 1),
        ({1: 1.0, 2: 11.0}, 1),
        ({1: 1.0, 4: 0.4, 8: 0.39}, 4),
        ({1: 1.0, 4: 0.4, 8: 0.2}, 8),
        ({1: 1.0}, 1),
    ],
)
def test_more_threads_only_where_they_pay(seconds: dict[int, float], number: int) -> None:
    """The fastest number of threads, and of nearly equal ones the smallest."""
    assert threads.best_of(seconds) == number


def test_who_decides_on_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is set, then what a checkpoint began with, then the environment, then what is fastest."""
    monkeypatch.setattr(torch, "get_num_threads", lambda: 8)
    monkeypatch.setattr(threads, "_fastest", lambda most: most)
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    assert threads.choose(3, 0, 5) == 3 and threads.choose(None, 0, 5) == 5
    assert threads.choose(None, 0) == 8 and threads.choose(None, 6) == 2 and threads.choose(None, 9) == 1
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    assert threads.choose(None, 6) == 8, "torch has read it"


def test_waiting_threads_sleep_unless_told_otherwise() -> None:
    """The package sets what OpenMP reads before torch is imported, and leaves what is set."""
    code = (
        "import sys, os, lineament.training; print('torch' in sys.modules, os.environ['OMP_WAIT_POLICY'])"
    )
    clean = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    for told, policy in (({}, "PASSIVE"), ({"OMP_WAIT_POLICY": "ACTIVE"}, "ACTIVE")):
        done = subprocess.run(
            [sys.executable, "-c", code], env=clean | told, capture_output=True, text=True, check=True
        )
        assert done.stdout.split() == ["False", policy]


def test_random_weights_that_would_stay_are_asked_for() -> None:
    """Where weights are kept as they are, random ones are refused by every trainer, unless they are asked
    for by name; where they learn they may be random."""
    frozen = FineTuning(frozen_stages=1)
    for make in (ClassifierSettings, LocalizerSettings):
        with pytest.raises(ConfigError, match=r"have learnt nothing.*--weights random"):
            make(method="feature-extraction", weights="none")
        with pytest.raises(ConfigError, match="frozen_stages keep"):
            make(weights="none", fine_tuning=frozen)
        make(method="feature-extraction", weights="random")
        make(weights="none")
        make(method="scratch", weights="none")
    with pytest.raises(ConfigError, match="frozen_stages keep"):
        EmbedderSettings(frozen_stages=1)
    EmbedderSettings(frozen_stages=1, weights="random")


@pytest.mark.parametrize(
    ("low", "chance", "majority", "said"),
    [(0.19, 0.2, 0.1, True), (0.21, 0.2, 0.1, False), (0.25, 0.2, 0.3, True), (0.2, 0.2, 0.2, True)],
)
def test_an_interval_that_reaches_guessing(low: float, chance: float, majority: float, said: bool) -> None:
    """At chance is what is not shown to be better than the better of both ways to guess."""
    words = at_chance(Rate(0.4, low, 0.6, 20), {"chance": chance, "majority": majority})
    assert (words is not None) == said
    assert words is None or f"({low:.3f} to 0.600) on 20 pictures" in words


def test_the_curves_figures() -> None:
    """Macro precision and recall as counted by hand, AUC 1 for perfect and 0.5 for constant answers;
    classes that the split lacks count in neither."""
    truth = np.array([0, 0, 1, 2])
    logits = np.eye(4, dtype=np.float32)[[0, 1, 1, 2]]
    found = monitored(logits, truth)
    assert found["accuracy"] == 0.75
    assert found["precision"] == pytest.approx((1 + 0.5 + 1) / 3)
    assert found["recall"] == pytest.approx((0.5 + 1 + 1) / 3)
    assert monitored(np.eye(4, dtype=np.float32)[truth] * 9, truth)["auc"] == 1.0
    assert monitored(np.zeros((4, 4), np.float32), truth)["auc"] == 0.5
    assert "auc" not in monitored(logits[:2], truth[:2])
