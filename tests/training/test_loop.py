"""The training loop: what a kill, Ctrl-C, a full disk or a loss that is no number leave behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from small_training import LOOP, Settings, Stripes, final_weights, photos, train
from torch import nn

from lineament.errors import CheckpointMismatch, Diverged, NotEnoughSamples, TrainingError
from lineament.io.manifest import Manifest
from lineament.training import optimisers
from lineament.training.data import Batch
from lineament.training.settings import LoopSettings
from lineament.training.tasks import Progress, Row

SCRIPT = Path(__file__).with_name("small_training.py")


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    return photos(tmp_path_factory.mktemp("stripes"))


@pytest.fixture(scope="module")
def undisturbed(data: Manifest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "undisturbed"
    threads = torch.get_num_threads()
    train(data, out, Settings())
    torch.set_num_threads(threads)
    return out


def settings(**loop: Any) -> Settings:
    return Settings(replace(LOOP, **loop))


def require_same(out: Path, undisturbed: Path) -> None:
    assert (out / "best.safetensors").read_bytes() == (undisturbed / "best.safetensors").read_bytes()
    got, wanted = final_weights(out), final_weights(undisturbed)
    assert got.keys() == wanted.keys()
    assert all(torch.equal(got[name], wanted[name]) for name in wanted)


@pytest.mark.parametrize(
    ("workers", "minutes", "kills"),
    [(0, 10.0, [2, 5, 7, -2, 3]), (2, 1e-5, [3, 1, 6, -9, 2])],
    ids=["in-process", "two-workers"],
)
def test_killed_at_any_step_it_ends_with_the_same_weights(
    data: Manifest, undisturbed: Path, tmp_path: Path, workers: int, minutes: float, kills: list[int]
) -> None:
    """kill -9 at some steps and in the middle of writing: the weights are those of an undisturbed run, bit
    for bit, whether checkpoints are written at each step or each epoch, whoever loads the pictures."""
    out = tmp_path / "run"
    order = {"kills": kills, "loop": {"workers": workers, "checkpoint_minutes": minutes}}
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(data.folder), str(out), json.dumps(order)],
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    began = [int(text or 0) for text in json.loads(done.stdout)]
    assert began[0] == 0 and began[-1] > 0 and began == sorted(began)
    if minutes < 1:
        assert began[1] == 2, "the step during which the kill came is done again"
    require_same(out, undisturbed)
    assert not [p.name for p in out.iterdir() if p.name.startswith(".")]


def test_another_seed_gives_other_weights(data: Manifest, undisturbed: Path, tmp_path: Path) -> None:
    """Equal weights mean something: another seed, or another augmentation, gives others."""
    train(data, tmp_path / "seed", settings(seed=1))
    train(data, tmp_path / "steps", Settings(steps=("flip",)))
    best = (undisturbed / "best.safetensors").read_bytes()
    assert (tmp_path / "seed" / "best.safetensors").read_bytes() != best
    assert (tmp_path / "steps" / "best.safetensors").read_bytes() != best


@pytest.mark.parametrize("workers", [0, 2])
def test_ctrl_c_keeps_a_checkpoint_and_goes_on_equal(
    data: Manifest, undisturbed: Path, tmp_path: Path, workers: int
) -> None:
    """Ctrl-C, which a terminal sends to the loading processes too, ends the step, writes a checkpoint and
    raises KeyboardInterrupt; the next run goes on there and ends with the same weights."""
    out, steps = tmp_path / "run", []

    def interrupt(count: int) -> None:
        steps.append(count)
        if len(steps) == 7:
            for process in (os.getpid(), *_children()):
                os.kill(process, signal.SIGINT)

    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        train(data, out, settings(workers=workers), advance=interrupt)
    assert signal.getsignal(signal.SIGINT) is handler
    state = torch.load(out / "last.ckpt", weights_only=True)["progress"]
    assert (state["epoch"], state["step"]) in ((1, 2), (1, 3)), "at most one more step was done"
    train(data, out, settings(workers=workers))
    require_same(out, undisturbed)


def _children() -> list[int]:
    here = Path(f"/proc/{os.getpid()}/task")
    found = [(task / "children").read_text().split() for task in here.iterdir()] if here.is_dir() else []
    return [int(number) for numbers in found for number in numbers]


class _Wild(Stripes):
    """Its loss is no number from the third epoch on."""

    batches = 0

    def loss(self, model: nn.Module, batch: Batch) -> tuple[torch.Tensor, Mapping[str, torch.Tensor]]:
        self.batches += 1
        loss, parts = super().loss(model, batch)
        return (loss * float("nan") if self.batches > 9 else loss), parts


def test_a_loss_that_is_no_number_stops_with_the_best_kept(data: Manifest, tmp_path: Path) -> None:
    """NaN loss raises Diverged before it reaches the weights; the best epoch and its figures stay."""
    out = tmp_path / "run"
    with pytest.raises(Diverged, match=r"epoch 3; the best weights so far, of epoch [12], are kept"):
        train(data, out, settings(), make=_Wild)
    best = load_file(out / "best.safetensors")
    assert all(bool(torch.isfinite(value.float()).all()) for value in best.values())
    assert len((out / "metrics.csv").read_text().splitlines()) == 3
    assert all(bool(torch.isfinite(v.float()).all()) for v in final_weights(out).values())


class _Unmeasured(Stripes):
    def evaluate(self, device: torch.device) -> Mapping[str, float]:
        return {"loss": float("nan"), "accuracy": 0.0}


def test_a_monitored_figure_that_is_no_number_stops(data: Manifest, tmp_path: Path) -> None:
    """A validation loss of NaN raises Diverged instead of training on unmeasured."""
    with pytest.raises(Diverged, match="val_loss became nan in epoch 1"):
        train(data, tmp_path / "run", settings(), make=_Unmeasured)


def test_a_corrupt_picture_in_the_middle_is_counted(tmp_path: Path) -> None:
    """A picture that cannot be read is left out of its batch and stands in ``refused`` with its reason;
    an epoch's row says how many pictures were seen."""
    manifest = photos(tmp_path / "data")
    bad = [row for row in manifest if row.split == "train"][:2]
    manifest.file(bad[0]).write_bytes(b"")
    manifest.file(bad[1]).write_bytes(manifest.file(bad[1]).read_bytes()[:200])
    seen: list[tuple[Progress, Row]] = []

    def look(state: Progress, row: Row) -> str | None:
        seen.append((state, dict(row)))
        return None

    state, _ = train(manifest, tmp_path / "run", settings(epochs=2), callbacks=(look,))
    assert state.refused.keys() == {row.id for row in bad}
    assert state.refused[bad[0].id].startswith("EmptyPicture")
    assert state.refused[bad[1].id].startswith("CorruptPicture")
    assert [row["samples"] for _, row in seen] == [22, 22]


def test_a_picture_left_alone_in_its_batch_does_not_break_normalisation(tmp_path: Path) -> None:
    """Batch normalisation cannot train on one sample: that batch is left out, and the count of samples
    says so. Without normalisation it is trained on."""
    manifest = photos(tmp_path / "data")
    for row in [row for row in manifest if row.split == "train"][1:]:
        manifest.file(row).write_bytes(b"no picture")
    with pytest.raises(NotEnoughSamples, match="not one picture of epoch 1 could be used"):
        train(manifest, tmp_path / "normed", settings(epochs=1))
    state, _ = train(manifest, tmp_path / "plain", replace(settings(epochs=1), normed=False))
    assert state.history[0]["samples"] == 1
    assert len(state.refused) == 23


def test_no_readable_picture_is_a_named_error(tmp_path: Path) -> None:
    """An epoch without one usable picture raises NotEnoughSamples."""
    manifest = photos(tmp_path / "data")
    for row in manifest:
        manifest.file(row).unlink()
    with pytest.raises(NotEnoughSamples):
        train(manifest, tmp_path / "run", replace(settings(), normed=False))


def test_a_loader_that_dies_is_a_named_error(data: Manifest, undisturbed: Path, tmp_path: Path) -> None:
    """A loading process that the system kills ends in TrainingError; the next run goes on."""
    out, steps = tmp_path / "run", []

    def kill(count: int) -> None:
        steps.append(count)
        if len(steps) == 6:
            os.kill(next(child for child in _children() if child not in others), signal.SIGKILL)

    if not _can_list_children():
        pytest.skip("this system does not list the children of a process in /proc")
    others = set(_children())
    with pytest.raises(TrainingError, match="process that loads pictures died"):
        train(data, out, settings(workers=2, checkpoint_minutes=1e-5, epochs=4), advance=kill)
    train(data, out, settings())
    require_same(out, undisturbed)


def _can_list_children() -> bool:
    return Path(f"/proc/self/task/{os.getpid()}/children").exists()


def test_training_ends_for_the_reason_it_gives(data: Manifest, tmp_path: Path) -> None:
    """Patience, a reached accuracy, a callback's word and the last epoch each end a training, by name; the
    model then holds the best epoch's weights."""
    patient, _ = train(data, tmp_path / "a", settings(epochs=40, patience=1, learning_rate=1e-9))
    assert patient.ended == "no better val_loss for 1 epoch" or len(patient.history) == 40
    reached, _ = train(data, tmp_path / "b", settings(epochs=40, stop_at=0.3))
    assert reached.ended == "val_accuracy reached 0.3" and len(reached.history) < 40
    asked, _ = train(data, tmp_path / "c", settings(), callbacks=(lambda _s, _r: "enough",))
    assert asked.ended == "enough" and len(asked.history) == 1
    whole, _ = train(data, tmp_path / "d", settings(epochs=2))
    assert whole.ended == "all 2 epochs done"
    again, _ = train(data, tmp_path / "d", settings(epochs=2))
    assert again.history == whole.history, "a training that has ended is not gone on with"


def test_the_best_weights_are_in_the_model_after_fit(data: Manifest, tmp_path: Path) -> None:
    """fit leaves the weights of the best epoch, not of the last, in the model."""
    made: list[Stripes] = []

    def make(manifest: Manifest, told: Settings) -> Stripes:
        made.append(Stripes(manifest, told))
        return made[0]

    # A rate far too high at the end makes the last epochs worse than an early one.
    state, _ = train(
        data, tmp_path / "run", settings(epochs=5, learning_rate=3.0, schedule="constant"), make=make
    )
    assert state.best_epoch is not None and state.best_epoch < 5
    best = load_file(tmp_path / "run" / "best.safetensors")
    held = made[0].model.state_dict()
    assert all(torch.equal(held[name], best[name]) for name in best)
    final = final_weights(tmp_path / "run")
    assert not all(torch.equal(held[name], final[name]) for name in best)


def test_a_damaged_checkpoint_is_refused(data: Manifest, tmp_path: Path) -> None:
    """A checkpoint that is cut off, no checkpoint at all, of another training or of another network raises
    CheckpointMismatch, and nothing is overwritten."""
    out = tmp_path / "run"
    train(data, out, settings(epochs=1))
    path = out / "last.ckpt"
    whole = path.read_bytes()
    state = torch.load(path, weights_only=True)
    for damaged in (whole[: len(whole) // 2], b"PK nonsense", b""):
        path.write_bytes(damaged)
        with pytest.raises(CheckpointMismatch, match="cannot be read"):
            train(data, out, settings(epochs=1))
        assert path.read_bytes() == damaged
    torch.save({**state, "fingerprint": "0" * 64}, path)
    with pytest.raises(CheckpointMismatch, match="other settings or data"):
        train(data, out, settings(epochs=1))
    for broken in (
        {"model": {}},
        {"optimiser": {"state": {}, "param_groups": []}},
        {"progress": {"odd": 1}},
    ):
        torch.save({**state, **broken}, path)
        with pytest.raises(CheckpointMismatch, match="does not fit"):
            train(data, out, settings(epochs=1))
    path.write_bytes(whole)
    (out / "best.safetensors").unlink()
    with pytest.raises(CheckpointMismatch, match=r"best\.safetensors"):
        train(data, out, settings(epochs=1))


def test_a_checkpoint_that_would_run_code_is_refused(data: Manifest, tmp_path: Path) -> None:
    """A checkpoint is read as data: a pickle that calls a function raises CheckpointMismatch."""
    out = tmp_path / "run"
    train(data, out, settings(epochs=1))
    torch.save({"fingerprint": _Hostile(tmp_path / "ran")}, out / "last.ckpt")
    with pytest.raises(CheckpointMismatch):
        train(data, out, settings(epochs=1))
    assert not (tmp_path / "ran").exists()


class _Hostile:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.mkdir, (str(self.path),))


def test_the_rate_is_a_function_of_the_step() -> None:
    """Warm-up rises to the full rate; cosine ends near 0; step divides by ten after each third; each group
    gets its own share."""
    told = replace(LOOP, epochs=30, warmup_epochs=3.0, learning_rate=0.1)
    assert optimisers.factor(replace(told, schedule="constant"), 1.5) == pytest.approx(0.5)
    assert optimisers.factor(replace(told, schedule="cosine"), 3.0) == pytest.approx(1.0)
    assert optimisers.factor(replace(told, schedule="cosine"), 16.5) == pytest.approx(0.5)
    assert optimisers.factor(replace(told, schedule="cosine"), 30.0) == pytest.approx(0.0)
    steps = [
        optimisers.factor(replace(told, schedule="step", warmup_epochs=0), e) for e in (0, 9.9, 10, 20, 29)
    ]
    assert steps == pytest.approx([1, 1, 0.1, 0.01, 0.01])
    model = nn.Linear(2, 2)
    groups = [{"params": [model.weight], "scale": 0.1}, {"params": [model.bias]}]
    optimiser = optimisers.build(groups, replace(told, optimiser="adam"))
    assert optimisers.set_rate(optimiser, told, 3.0) == pytest.approx(0.1)
    assert [group["lr"] for group in optimiser.param_groups] == pytest.approx([0.01, 0.1])


@pytest.mark.parametrize("name", ["adam", "adamw", "sgd"])
def test_a_frozen_parameter_is_not_moved(name: str) -> None:
    """Every optimiser leaves parameters without a gradient alone, weight decay included."""
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 1))
    for parameter in model[0].parameters():
        parameter.requires_grad = False
    before = [p.clone() for p in model.parameters()]
    told = LoopSettings(optimiser=name, weight_decay=0.1, learning_rate=0.1)  # type: ignore[arg-type]
    optimiser = optimisers.build(optimisers.parameters(model), told)
    model(torch.ones(2, 3)).sum().backward()
    optimiser.step()
    same = [torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True)]
    assert same == [True, True, False, False]
