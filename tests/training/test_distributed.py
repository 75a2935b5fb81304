"""Two processes of torchrun train as one: equal weights, uneven shares, one writer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from small_training import LOOP, Settings, final_weights, photos, train

from lineament.errors import ConfigError
from lineament.io.manifest import Manifest
from lineament.training import distributed

SCRIPT = Path(__file__).with_name("torchrun_training.py")
PLAIN = {"normed": False, "dropout": 0.0}
ORDERS: list[dict[str, Any]] = [
    {"name": "plain", **PLAIN},
    {"name": "uneven", **PLAIN, "loop": {"batch_size": 5, "epochs": 2}},
    {"name": "normed"},
    {"name": "stopped", "stop_after": 6},
    {"name": "resumed", "run": "stopped"},
    {"name": "clipped", **PLAIN, "loop": {"clip_norm": 0.05, "epochs": 2}},
]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    """24 pictures to train on, three of which cannot be read."""
    manifest = photos(tmp_path_factory.mktemp("stripes"))
    for row in _broken(manifest):
        manifest.file(row).write_bytes(b"no picture")
    return manifest


def _broken(manifest: Manifest) -> list[Any]:
    return [row for row in manifest if row.split == "train"][:3]


@pytest.fixture(scope="module")
def ended(data: Manifest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which two processes did what `ORDERS` say."""
    if not torch.distributed.is_gloo_available():
        pytest.skip("this torch was built without gloo")
    out = tmp_path_factory.mktemp("torchrun")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [*command, str(SCRIPT), str(data.folder), str(out), json.dumps(ORDERS)],
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return out


def both(out: Path, name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    return torch.load(out / f"{name}-0.pt"), torch.load(out / f"{name}-1.pt")


@pytest.mark.parametrize("name", ["plain", "uneven", "normed", "resumed", "clipped"])
def test_both_processes_hold_the_same_weights(ended: Path, name: str) -> None:
    """After the last step every process holds the first one's weights and running means, bit for bit, even
    where a share of a batch was smaller, and though one began with other weights."""
    first, second = both(ended, name)
    for key, value in second["weights"].items():
        if not key.endswith("num_batches_tracked"):
            assert torch.equal(first["weights"][key], value), key


@pytest.mark.parametrize(
    ("name", "loop"),
    [
        ("plain", {}),
        ("uneven", {"batch_size": 5, "epochs": 2}),
        ("clipped", {"clip_norm": 0.05, "epochs": 2}),
    ],
)
def test_two_processes_train_as_one(
    data: Manifest, ended: Path, tmp_path: Path, name: str, loop: dict[str, Any]
) -> None:
    """Two processes that share a batch end with the weights of one process with the whole batch, but for
    rounding: also with odd batches and with pictures that only one of them fails to read."""
    (loop,) = (order.get("loop", {}) for order in ORDERS if order["name"] == name)
    told = replace(Settings(replace(LOOP, **loop)), normed=False, dropout=0.0)
    threads = torch.get_num_threads()
    state, _ = train(data, tmp_path / "one", told)
    torch.set_num_threads(threads)
    wanted, (got, _) = final_weights(tmp_path / "one"), both(ended, name)
    for key, value in wanted.items():
        assert torch.allclose(got["weights"][key], value, atol=1e-5), key
    assert got["samples"] == [row["samples"] for row in state.history]


def test_a_refused_picture_is_counted_whoever_read_it(data: Manifest, ended: Path) -> None:
    """Every process knows every refused picture."""
    ids = {row.id for row in _broken(data)}
    assert all(set(held["refused"]) == ids for held in both(ended, "plain"))


def test_an_interrupted_training_of_two_goes_on_equal(ended: Path) -> None:
    """Ctrl-C that reached the first process only ends both with a checkpoint; going on, they end with the
    weights of an undisturbed training of two, batch normalisation, dropout and momentum included."""
    whole, resumed = both(ended, "normed")[0]["weights"], both(ended, "resumed")[0]["weights"]
    stopped = both(ended, "stopped")[0]["weights"]
    assert all(torch.equal(whole[key], resumed[key]) for key in whole)
    assert not all(torch.equal(whole[key], stopped[key]) for key in whole)


def test_an_empty_share_weighs_nothing() -> None:
    """With one process, averaging changes nothing and every agreement is with oneself."""
    place = distributed.Place()
    value = torch.ones(3)
    place.average([value], 0.0)
    assert torch.equal(value, torch.ones(3))
    assert place.gather("a") == ["a"] and place.agree(5) == 5 and place.first


def test_half_an_environment_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """WORLD_SIZE without the rest of what torchrun sets raises ConfigError, not a wait for ever."""
    monkeypatch.setenv("WORLD_SIZE", "2")
    for name in ("RANK", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ConfigError, match="start it with torchrun"), distributed.joined():
        pass


def test_a_device_that_is_not_there_is_refused() -> None:
    """A device this machine or torch does not know raises ConfigError, naming it."""
    assert distributed.device_for("cpu", distributed.Place()).type == "cpu"
    for name in ("warp", "meta:x", *(() if torch.cuda.is_available() else ("cuda", "cuda:1"))):
        with pytest.raises(ConfigError, match=name):
            distributed.device_for(name, distributed.Place())
