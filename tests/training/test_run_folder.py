"""The run folder: what it holds, whose it is, and what is left when the disk is full."""

from __future__ import annotations

import csv
import json
import multiprocessing
import subprocess
import sys
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from small_training import LOOP, Settings, photos, train

from lineament.config import from_mapping
from lineament.errors import CheckpointMismatch, OutputError, UsageError
from lineament.io.manifest import Manifest
from lineament.training.callbacks import Curves, TensorBoard
from lineament.training.runs.folder import open_run, write_json

SHORT = Settings(replace(LOOP, epochs=1))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    return photos(tmp_path_factory.mktemp("stripes"))


def test_a_run_folder_tells_what_was_done(data: Manifest, tmp_path: Path) -> None:
    """Settings that can be used again, the data, the environment without names of machines, figures of each
    epoch, curves and TensorBoard events."""
    out = tmp_path / "run"
    told = Settings(replace(LOOP, epochs=3))
    callbacks = (TensorBoard(out / "events"), Curves(out / "curves.png"))
    state, _ = train(data, out, told, callbacks=callbacks)
    values = tomllib.loads((out / "config.toml").read_text())
    assert from_mapping(Settings, values) == told
    assert Manifest.load(out / "manifest.jsonl").digest() == data.digest()
    identity = json.loads((out / "run.json").read_text())
    assert identity["data"] == data.digest() and identity["settings"]["loop"]["seed"] == 0
    environment = json.loads((out / "environment.json").read_text())
    assert environment["torch"] == torch.__version__
    assert not {"host", "user", "node"} & environment.keys()
    with (out / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [float(row["val_loss"]) for row in rows] == [row["val_loss"] for row in state.history]
    assert [int(float(row["samples"])) for row in rows] == [24, 24, 24]
    assert (out / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert list((out / "events").iterdir())
    assert set(load_file(out / "best.safetensors"))
    assert not list(out.glob("*.part")) and not (out / ".training.lock").exists()


def test_a_finished_run_gives_its_result(data: Manifest, tmp_path: Path) -> None:
    """finish writes the result last, the checkpoint stays; NaN becomes null; a damaged result is told, not
    taken for none."""
    with open_run(tmp_path / "run", "stripes", SHORT, data) as run:
        assert run.result() is None
        run.save_checkpoint({"progress": {}})
        run.finish({"accuracy": 0.5, "auc": float("nan"), "of": [float("inf"), 1]})
        assert (tmp_path / "run" / "last.ckpt").exists()
        assert run.result() == {"trainer": "stripes", "accuracy": 0.5, "auc": None, "of": [None, 1]}
        (tmp_path / "run" / "result.json").write_text('{"trainer"')
        with pytest.raises(CheckpointMismatch, match="not JSON"):
            run.result()


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"seed": 1}, "loop.seed"),
        ({"learning_rate": 0.1}, "loop.learning_rate"),
        ({"seed": 1, "optimiser": "adam", "epochs": 9}, "loop.optimiser, loop.seed"),
    ],
)
def test_a_folder_of_another_training_is_refused(
    data: Manifest, tmp_path: Path, change: dict[str, Any], named: str
) -> None:
    """Other settings, another trainer or other data raise CheckpointMismatch, which names what differs."""
    with open_run(tmp_path / "run", "stripes", SHORT, data) as run:
        run.save_checkpoint({})
    other = Settings(replace(SHORT.loop, **change))
    with pytest.raises(CheckpointMismatch, match=named), open_run(tmp_path / "run", "stripes", other, data):
        pass
    fewer = replace(data, rows=data.rows[1:])
    out = tmp_path / "run"
    with pytest.raises(CheckpointMismatch, match="other data"), open_run(out, "stripes", SHORT, fewer):
        pass
    with pytest.raises(CheckpointMismatch, match="other trainer"), open_run(out, "dots", SHORT, data):
        pass


def test_where_and_how_fast_may_change(data: Manifest, tmp_path: Path) -> None:
    """Going on with other workers, threads, device or checkpoint times is the same training."""
    train(data, tmp_path / "run", SHORT)
    other = replace(SHORT.loop, workers=2, threads=2, device="cpu", checkpoint_minutes=1.0)
    state, _ = train(data, tmp_path / "run", Settings(other))
    assert len(state.history) == 1
    torch.set_num_threads(1)


def test_something_else_in_the_folder_is_refused(data: Manifest, tmp_path: Path) -> None:
    """A folder that holds other files raises UsageError and keeps them."""
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(UsageError, match="not empty"), open_run(tmp_path, "stripes", SHORT, data):
        pass
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError), open_run(tmp_path / "file", "stripes", SHORT, data):
        pass


def test_a_kill_at_the_very_beginning_leaves_a_folder_to_go_on_with(data: Manifest, tmp_path: Path) -> None:
    """Whatever of the first files a kill left, half-written ones included, the same training goes on."""
    whole = tmp_path / "whole"
    with open_run(whole, "stripes", SHORT, data) as run:
        run.begin()
    for kept in ((), ("run.json",), ("run.json", "config.toml")):
        out = tmp_path / f"cut-{len(kept)}"
        out.mkdir()
        for name in kept:
            (out / name).write_bytes((whole / name).read_bytes())
        (out / ".run.json.0123abcd").write_text('{"tra')
        if kept:
            (out / ".metrics.csv.0123abcd").write_text("epo")
            (out / ".last.ckpt.part").write_bytes(b"PK")
        with open_run(out, "stripes", SHORT, data) as run:
            run.begin()
        assert {p.name for p in out.iterdir()} == {p.name for p in whole.iterdir()}


def _hold(path: str, data: Manifest, inside: object, leave: object) -> None:
    with open_run(Path(path), "stripes", SHORT, data) as run:
        run.begin()
        inside.set()  # type: ignore[attr-defined]
        leave.wait(60)  # type: ignore[attr-defined]


def test_two_trainings_in_one_folder_are_refused(data: Manifest, tmp_path: Path) -> None:
    """A second process raises UsageError while the first holds the folder, and may go on afterwards."""
    context = multiprocessing.get_context("fork")
    inside, leave = context.Event(), context.Event()
    other = context.Process(target=_hold, args=(str(tmp_path / "run"), data, inside, leave))
    other.start()
    try:
        assert inside.wait(60)
        with (
            pytest.raises(UsageError, match="another training is running"),
            open_run(tmp_path / "run", "stripes", SHORT, data),
        ):
            pass
    finally:
        leave.set()
        other.join()
    with open_run(tmp_path / "run", "stripes", SHORT, data):
        pass


_FULL_DISK = """
import resource, sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from dataclasses import replace
from small_training import LOOP, Settings, train
from lineament.errors import OutputError
from lineament.io.manifest import Manifest
manifest = Manifest.load(Path(sys.argv[2]) / "split.jsonl")
epochs = 0

def fill(state, row):
    global epochs
    epochs += 1
    if epochs == 2:
        most = int(sys.argv[4])
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))

try:
    train(manifest, Path(sys.argv[3]), Settings(LOOP), callbacks=(fill,))
except OutputError as error:
    print(error)
    sys.exit(7)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="limits of file sizes are POSIX")
@pytest.mark.parametrize("most", [3000, 0])
def test_a_full_disk_leaves_the_last_checkpoint_whole(data: Manifest, tmp_path: Path, most: int) -> None:
    """When nothing more can be written OutputError names the file; the checkpoint before it is whole, and
    with room again the training goes on from there and ends as an undisturbed one does."""
    out = tmp_path / "run"
    done = subprocess.run(
        [
            *(sys.executable, "-B", "-c", _FULL_DISK),
            *(str(Path(__file__).parent), str(data.folder), str(out), str(most)),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 7, done.stderr[-2000:]
    assert "last.ckpt" in done.stdout and "cannot be written" in done.stdout
    state = torch.load(out / "last.ckpt", weights_only=True)
    assert state["progress"]["epoch"] == 1
    train(data, out, Settings(LOOP))
    train(data, tmp_path / "undisturbed", Settings(LOOP))
    best = (tmp_path / "undisturbed" / "best.safetensors").read_bytes()
    assert (out / "best.safetensors").read_bytes() == best


@pytest.mark.skipif(sys.platform == "win32", reason="limits of file sizes are POSIX")
def test_every_writer_names_a_full_disk() -> None:
    """Checkpoint, best weights, metrics and JSON each raise OutputError on a full disk and keep the file
    that was there."""
    code = """
import resource, sys, tempfile, torch
from pathlib import Path
from lineament.errors import OutputError
from lineament.training.runs.folder import RunFolder, write_json
from safetensors.torch import load_file
from filelock import FileLock
path = Path(tempfile.mkdtemp())
run = RunFolder(path, "t", "f")
small, large = torch.nn.Linear(2, 2), torch.nn.Linear(400, 400)
writes = {
    "best.safetensors": lambda model: run.save_best(model),
    "last.ckpt": lambda model: run.save_checkpoint({"model": model.state_dict()}),
    "metrics.csv": lambda model: run.write_metrics([{"epoch": i} for i in range(len(model.weight) ** 2)]),
    "result.json": lambda model: write_json(path / "result.json", {"a": "b" * len(model.weight) ** 2}),
}
for write in writes.values():
    write(small)
before = {name: (path / name).read_bytes() for name in writes}
resource.setrlimit(resource.RLIMIT_FSIZE, (8000, 8000))
for name, write in writes.items():
    try:
        write(large)
    except OutputError as error:
        assert name in str(error), error
    else:
        raise SystemExit(f"{name}: no error")
    assert (path / name).read_bytes() == before[name], name
assert sorted(p.name for p in path.iterdir()) == sorted(writes)
"""
    done = subprocess.run(
        [sys.executable, "-B", "-c", code], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr[-2000:] + done.stdout


def test_json_is_json(tmp_path: Path) -> None:
    """What JSON cannot hold becomes null, paths become text."""
    write_json(tmp_path / "a.json", {"x": float("nan"), "p": Path("a/b")})
    assert json.loads((tmp_path / "a.json").read_text()) == {"x": None, "p": "a/b"}
