"""What every trainer must do, on the smallest data: add a line to `TRAININGS` for a new one."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from small_training import LOOP, Settings, photos, train

from lineament.io.manifest import Manifest
from lineament.training.classification.settings import ClassifierSettings
from lineament.training.classification.trainer import train_classifier

Advance = Callable[[int], None]


def stripes(manifest: Manifest, out: Path, advance: Advance | None) -> Any:
    return train(manifest, out, Settings(), advance=advance)


def classifier(manifest: Manifest, out: Path, advance: Advance | None) -> Any:
    settings = ClassifierSettings("reference", "scratch", size=32, augment=("flip", "noise"), loop=LOOP)
    return train_classifier(manifest, out, settings, advance=advance)


TRAININGS = {"stripes": stripes, "classifier": classifier}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    return photos(tmp_path_factory.mktemp("stripes"))


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("name", TRAININGS)
def test_a_training_that_was_interrupted_ends_with_the_weights_of_one_that_was_not(
    name: str, data: Manifest, tmp_path: Path
) -> None:
    """Ctrl-C in the middle of an epoch leaves a checkpoint; the same call then goes on there, and the best
    weights are those of an undisturbed training bit for bit. A task that draws from another source than
    torch, or that keeps what it learns outside of its model, does not get there."""
    TRAININGS[name](data, tmp_path / "undisturbed", None)
    done = 0

    def interrupt(count: int) -> None:
        nonlocal done
        done += count
        if done == 6:  # the second of four steps of the second epoch
            os.kill(os.getpid(), signal.SIGINT)

    out = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        TRAININGS[name](data, out, interrupt)
    assert (out / "last.ckpt").is_file()
    TRAININGS[name](data, out, None)
    best = (tmp_path / "undisturbed" / "best.safetensors").read_bytes()
    assert (out / "best.safetensors").read_bytes() == best


@pytest.mark.parametrize("name", TRAININGS)
def test_a_finished_training_is_not_done_again(name: str, data: Manifest, tmp_path: Path) -> None:
    """The same call with the same data and settings takes no further step, and changes no weights."""
    out, steps = tmp_path / "run", []
    TRAININGS[name](data, out, steps.append)
    before = (out / "best.safetensors").read_bytes()
    assert sum(steps) >= 16
    steps.clear()
    TRAININGS[name](data, out, steps.append)
    assert sum(steps) in (0, 16), "what was done before may be told again, at once"
    assert (out / "best.safetensors").read_bytes() == before
