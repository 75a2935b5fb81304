"""The sweep: every cell a run folder, failures shown, finished cells kept; and the baseline beside it."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_training import photos

from lineament.config import from_toml
from lineament.errors import CheckpointMismatch, ConfigError, SplitError, UnknownName
from lineament.io.manifest import Manifest
from lineament.training.sweeping import published as sweep_published
from lineament.training.sweeping import sweep as module
from lineament.training.sweeping.settings import SweepSettings
from lineament.training.sweeping.summary import Failure, Mean, Outcome, mean_interval, summarise
from lineament.training.sweeping.sweep import cells, run_sweep
from lineament.training.sweeping.tables import SweepAnswer, markdown, write_tables

ROOT = Path(__file__).parents[2]
LOOP = {"epochs": 1, "batch_size": 6, "threads": 1, "patience": None, "stop_at": None}
SMALL = SweepSettings(
    architectures=("reference:scratch", "reference:fine-tuning"),
    methods=("scratch",),
    augmentations=("none",),
    seeds=(0,),
    baseline="none",
    classifier={"size": 32, "weights": "none", "loop": LOOP},
    by_method={"fine-tuning": {"loop": {"learning_rate": 1e30}}},
)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    """Stripes in three splits."""
    manifest = photos(tmp_path_factory.mktemp("stripes"))
    val = [row.id for row in manifest if row.split == "val"]
    rows = (replace(row, split="test") if row.id in val[::2] else row for row in manifest)
    return replace(manifest, rows=tuple(rows))


def test_the_grid_is_every_combination_once() -> None:
    """Architectures by methods by augmentations by seeds, in order; NAME:METHOD is that method only; a
    method's settings come over the common ones; each cell has a folder of its own."""
    told = SweepSettings(
        architectures=("reference:scratch", "resnet18"),
        methods=("feature-extraction", "fine-tuning"),
        augmentations=("none", "rotate:20+noise", "unit"),
        seeds=(0, 7),
        classifier={"size": 64, "loop": {"epochs": 3, "batch_size": 8}},
        by_method={"fine-tuning": {"size": 96, "loop": {"epochs": 9}}},
    )
    grid = cells(told)
    assert len(grid) == (1 + 2) * 3 * 2 and len({cell.folder for cell in grid}) == len(grid)
    scratch = [cell for cell in grid if cell.architecture == "reference"]
    assert {cell.method for cell in scratch} == {"scratch"}
    tuned = next(c for c in grid if c.method == "fine-tuning" and c.augmentation == "rotate:20+noise")
    assert tuned.settings.augment == ("rotate:20", "noise") and tuned.settings.size == 96
    assert (tuned.settings.loop.epochs, tuned.settings.loop.batch_size) == (9, 8)
    assert [cell.settings.loop.seed for cell in grid[:2]] == [0, 7]
    unit = next(c for c in grid if c.augmentation == "unit")
    assert unit.settings.normalise == "unit" and unit.settings.augment == ()


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"architectures": ("resnet19",)}, UnknownName),
        ({"methods": ("magic",)}, ConfigError),
        ({"augmentations": ("rotate:20", "rotate:+20")}, ConfigError),
        ({"augmentations": ("spin",)}, UnknownName),
        ({"seeds": ()}, ConfigError),
        ({"seeds": (1, 1)}, ConfigError),
        ({"classifier": {"sise": 96}}, ConfigError),
    ],
)
def test_a_grid_that_makes_no_sense_is_refused_before_anything_trains(
    change: dict[str, Any], error: type[Exception]
) -> None:
    """Names nobody knows, twins and unknown settings raise before the first cell."""
    with pytest.raises(error):
        cells(replace(SMALL, **{"architectures": ("resnet18",), **change}))


def test_the_example_config_is_one() -> None:
    """configs/sweep.toml is a complete sweep."""
    told = from_toml(SweepSettings, ROOT / "configs" / "sweep.toml")
    grid = cells(told)
    assert len(grid) == 27
    assert grid[0].settings.loop.patience is None and grid[0].settings.loop.epochs == 40


@pytest.fixture(scope="module")
def swept(data: Manifest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, SweepAnswer]:
    out = tmp_path_factory.mktemp("sweep") / "out"
    return out, run_sweep(data, out, SMALL)


def test_a_sweep_shows_what_was_trained_and_what_failed(swept: tuple[Path, SweepAnswer]) -> None:
    """A cell has figures with intervals and a run folder with a model; a cell whose loss is no number
    is a row that says so; JSON, CSV, Markdown and HTML hold both, and the links lead there."""
    out, answer = swept
    good, bad = answer.summary.runs
    assert good.test.n == 3 and good.test.low <= good.test.value <= good.test.high
    assert (out / good.folder / "model.onnx").is_file()
    assert bad.failed == "did not converge" and bad.test is None and answer.failures
    assert answer.summary.chance == pytest.approx(1 / 3) and answer.summary.left == 0
    assert json.loads((out / "sweep.json").read_text()) == json.loads(json.dumps(answer.to_json()))
    with (out / "sweep.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert float(rows[0]["test_accuracy"]) == good.test.value
    assert rows[1]["failed"] == bad.failed and rows[1]["test_accuracy"] == ""
    assert "1 of 1 did not converge" in (out / "sweep.md").read_text()
    page = (out / "sweep.html").read_text()
    links = re.findall(r'href="([^"]+)"', page)
    assert len(links) >= 5
    assert all((out / link).exists() for link in links if "fine-tuning" not in link)


def test_a_finished_cell_is_kept(data: Manifest, swept: tuple[Path, SweepAnswer]) -> None:
    """Run again, the sweep trains only what failed: the other cell's files are not written again."""
    out, answer = swept
    model = out / answer.summary.runs[0].folder / "model.onnx"
    before = model.stat().st_mtime_ns
    again = run_sweep(data, out, SMALL)
    assert model.stat().st_mtime_ns == before
    assert again.summary.runs[0].test == answer.summary.runs[0].test


def test_a_folder_of_another_sweep_is_refused(data: Manifest, swept: tuple[Path, SweepAnswer]) -> None:
    """Other settings for the same cells raise CheckpointMismatch instead of mixing two sweeps."""
    other = replace(SMALL, classifier={"size": 48, "weights": "none", "loop": LOOP})
    with pytest.raises(CheckpointMismatch):
        run_sweep(data, swept[0], other)


def test_a_leaky_split_is_not_swept(data: Manifest, tmp_path: Path) -> None:
    """Splits that share pictures raise SplitError before anything is trained."""
    rows = list(data.rows)
    test = next(i for i, row in enumerate(rows) if row.split == "test")
    train = next(row for row in rows if row.split == "train")
    rows[test] = replace(rows[test], sha256=train.sha256)
    with pytest.raises(SplitError):
        run_sweep(replace(data, rows=tuple(rows)), tmp_path / "out", SMALL)
    assert not (tmp_path / "out").exists()


def test_what_a_child_says_becomes_the_cells_failure() -> None:
    """A loss that became NaN did not converge, no memory is out of memory, and so is a process that the
    system killed; another end is a crash with its status."""
    assert module._failure("Diverged", "x").kind == "did not converge"
    assert module._failure("OutOfMemory", "x").kind == "out of memory"
    assert module._failure("NotEnoughSamples", "x") == Failure("NotEnoughSamples", "x")
    assert module._killed(-signal.SIGKILL).kind == "out of memory"
    assert module._killed(1).kind == "crashed"
    assert module._is_memory(RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"))
    assert not module._is_memory(RuntimeError("shapes do not match"))


_KILLED = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from test_sweep import LOOP, SMALL
from dataclasses import replace
from lineament.io.manifest import Manifest
from lineament.training.sweeping.sweep import run_sweep
if __name__ == "__main__":
    told = replace(SMALL, architectures=("reference:scratch",),
                   classifier={"size": 32, "loop": {**LOOP, "epochs": 100000}})
    answer = run_sweep(Manifest.load(Path(sys.argv[2])), Path(sys.argv[3]), told)
    print(answer.summary.runs[0].failed)
"""


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="finds the training process in /proc")
def test_a_cell_that_the_system_kills_is_a_row(data: Manifest, tmp_path: Path) -> None:
    """SIGKILL to a cell's process, as the system sends it for want of memory, ends that cell only."""
    data.save(tmp_path / "split.jsonl")
    manifest = replace(data, folder=tmp_path)
    for row in data:
        (tmp_path / row.path).parent.mkdir(exist_ok=True)
        (tmp_path / row.path).symlink_to(data.file(row))
    script = tmp_path / "sweep_it.py"
    script.write_text(_KILLED)
    out = tmp_path / "out"
    command = [
        sys.executable,
        str(script),
        str(Path(__file__).parent),
        str(tmp_path / "split.jsonl"),
        str(out),
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    cell = out / "reference-scratch-none" / "seed-0"
    deadline = time.monotonic() + 200
    while not (cell / "metrics.csv").exists():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.1)
    os.kill(_holder_of(cell / ".training.lock"), signal.SIGKILL)
    said, _ = process.communicate(timeout=60)
    assert said.strip() == "out of memory" and process.returncode == 0
    assert len(manifest) == len(data)


def _holder_of(lock: Path) -> int:
    """The process that has a file open."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if any(lock.samefile(fd) for fd in (process / "fd").iterdir() if fd.exists()):
                return int(process.name)
        except OSError:
            continue
    raise AssertionError("nobody holds the lock")


def result(test: float, majority: float = 0.4) -> dict[str, Any]:
    figures = {"accuracy": {"value": test, "low": test - 0.1, "high": test + 0.1, "n": 50}, "loss": 1.0}
    return {
        **dict.fromkeys(("train", "val", "test"), figures),
        **{"chance": 0.2, "majority": majority, "epochs": 3, "best_epoch": 2, "ended": "all 3 epochs done"},
        "seconds": {"features": 1.0, "training": 2.0},
    }


def test_the_table_is_over_seeds_and_hides_no_failure(tmp_path: Path) -> None:
    """The mean of the seeds that trained with Student's interval, best first; a cell of which one run
    failed says so; one whose interval covers guessing is at chance; names are shown literally."""
    outcomes = [
        Outcome("a", "scratch", "none", 0, "a/0", result(0.70), None),
        Outcome("a", "scratch", "none", 1, "a/1", result(0.80), None),
        Outcome("a", "scratch", "none", 2, "a/2", None, Failure("out of memory", "<b>2 GB</b>")),
        Outcome("b", "scratch", "x|y", 0, "b/0", result(0.25), None),
        Outcome("c", "scratch", "none", 0, "c/0", result(0.9), None),
    ]
    answer = summarise(outcomes, data="0" * 64, left=3)
    assert [row.architecture for row in answer.rows] == ["c", "a", "b"]
    half = 12.7062 * np.std([0.7, 0.8], ddof=1) / np.sqrt(2)
    row = answer.rows[1].test
    assert (row.mean, row.n) == (pytest.approx(0.75), 2)
    assert row.low == pytest.approx(0.75 - half, rel=1e-4)
    text = markdown(answer)
    assert "1 of 3 out of memory" in text and "1 of 1 at chance" in text
    assert "x\\|y" in text and "3 trainings are still to come" in text
    write_tables(tmp_path, answer)
    page = (tmp_path / "sweep.html").read_text()
    assert "&lt;b&gt;2 GB&lt;/b&gt;" in page and "<b>2 GB" not in page


def test_one_seed_has_no_interval() -> None:
    """From one value, or equal ones, nothing can be said of the spread; no
    interval of an accuracy passes 1."""
    few = mean_interval([0.9, 1.0])
    assert (few.low, few.high) == (pytest.approx(0.95 - 12.706 * 0.05, abs=1e-3), 1.0)
    assert mean_interval([0.5]) == Mean(0.5, None, None, 1)
    assert mean_interval([0.5, 0.5, 0.5]) == Mean(0.5, None, None, 3)


def test_tables_as_papers_print_them(tmp_path: Path) -> None:
    """One table a method at the plain augmentation with the baseline below, and one of all augmentations;
    in per cent, with what failed or is at chance marked, and by what interval it is told."""
    outcomes = [
        Outcome("sface + linear", "baseline", "none", 0, "baseline.json", result(0.97), None),
        Outcome("a", "fine-tuning", "none", 0, "a/0", result(0.913), None),
        Outcome("a", "fine-tuning", "rotate:20", 0, "a/1", result(0.45), None),
        Outcome("b", "fine-tuning", "none", 0, "b/0", None, Failure("out of memory", "2 GB")),
        Outcome("a", "scratch", "none", 0, "c/0", result(0.5), None),
        Outcome("a", "scratch", "none", 1, "c/1", result(0.7), None),
    ]
    answer = summarise(outcomes, data="0" * 64, left=0)
    tuned, scratch, augmentation = sweep_published.tables(answer)
    assert tuned.rows[0] == ("a", "91.3", "91.3", "91.3")
    assert tuned.rows[1][3] == "failed: out of memory"
    assert scratch.rows[0][3] == "60.0 (0.0 to 100.0) [1 of 2 at chance]"
    assert tuned.rows[2] == scratch.rows[1] == ("sface + linear", "97.0", "97.0", "97.0")
    assert augmentation.columns == ("network", "method", "none", "rotate:20")
    assert ("a", "fine-tuning", "91.3", "45.0 [at chance]") in augmentation.rows
    assert ("a", "scratch", "60.0 (0.0 to 100.0) [1 of 2 at chance]", "to come") in augmentation.rows
    error = next(run.error for run in answer.runs if run.folder == "a/1")
    assert "0.450 (0.350 to 0.550) on 50 pictures" in error and error.endswith("guessing gives, 0.400")
    write_tables(tmp_path, answer)
    assert "45.0 [at chance]" in (tmp_path / "sweep.html").read_text()
