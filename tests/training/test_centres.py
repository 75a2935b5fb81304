"""Class centres: sampled, sharded over processes, stored."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import sharded_centres
import torch

from lineament.errors import ConfigError
from lineament.training.recognition.centres import Centres
from lineament.training.recognition.losses import ArcFace
from lineament.training.recognition.settings import CentreSettings

SCRIPT = Path(__file__).with_name("sharded_centres.py")


def test_sampled_centres_keep_the_people_of_the_batch() -> None:
    """A step scores everybody in the batch and a random rest, the share asked for in number."""
    centres = Centres(1000, 4, ArcFace(), settings=CentreSettings(share=0.05))
    labels = torch.tensor([3, 999, 3, 500])
    torch.manual_seed(1)
    rows, place = centres._choose(labels)
    assert rows is not None
    assert len(rows) == 50 == len(set(rows.tolist()))
    assert rows[place].tolist() == labels.tolist()
    torch.manual_seed(2)
    other, _ = centres._choose(labels)
    assert other is not None and set(other.tolist()) != set(rows.tolist())
    torch.manual_seed(1)
    again, _ = centres._choose(labels)
    assert again is not None and again.tolist() == rows.tolist()


def test_more_people_in_the_batch_than_the_share() -> None:
    """Nobody of the batch is left out, however small the share."""
    rows, place = Centres(100, 4, ArcFace(), settings=CentreSettings(share=0.01))._choose(torch.arange(40))
    assert rows is not None and rows.tolist() == list(range(40))
    assert place.tolist() == list(range(40))


def test_only_centres_of_the_step_move() -> None:
    """A centre that was not sampled keeps its place and its momentum."""
    centres = Centres(200, 4, ArcFace(), settings=CentreSettings(share=0.1))
    before = centres.weight.clone()
    centres.loss(torch.randn(6, 4, requires_grad=True), torch.arange(6)).backward()
    rows = centres._rows
    assert rows is not None
    centres.step(1.0)
    moved = (centres.weight != before).any(dim=1)
    assert moved[:6].all()
    assert not moved[[i for i in range(200) if i not in set(rows.tolist())]].any()


def test_a_gradient_that_is_no_number_moves_nothing() -> None:
    """A step whose scaled loss overflowed is left out, as the loop's own optimiser does."""
    centres = Centres(5, 4, ArcFace())
    before = centres.weight.clone()
    (centres.loss(torch.randn(3, 4, requires_grad=True), torch.arange(3)) * float("inf")).backward()
    centres.step(1.0)
    torch.testing.assert_close(centres.weight, before)


def test_stored_and_taken_up_again() -> None:
    """What a checkpoint holds brings centres and momentum back to the bit."""

    def train(centres: Centres, steps: range) -> None:
        for step in steps:
            torch.manual_seed(step)
            embeddings = torch.randn(8, 4, requires_grad=True)
            centres.loss(embeddings, torch.randint(30, (8,))).backward()
            centres.step(1.0)

    settings = CentreSettings(share=0.4)
    whole, first, second = (Centres(30, 4, ArcFace(), settings=settings) for _ in range(3))
    train(whole, range(6))
    train(first, range(3))
    second.load(first.state())
    train(second, range(3, 6))
    assert torch.equal(whole.weight, second.weight)
    assert torch.equal(whole.momentum, second.momentum)


def test_another_number_of_processes_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of three processes takes its share of what one stored; the last may be smaller, or empty."""
    whole = Centres(4, 6, ArcFace(), seed=3)
    state = whole.state()
    state["momentum"] += 1
    parts = []
    for rank in range(3):
        monkeypatch.setenv("WORLD_SIZE", "3")
        monkeypatch.setenv("RANK", str(rank))
        share = Centres(4, 6, ArcFace(), seed=3)
        torch.testing.assert_close(share.weight[: share.count], whole.weight[share.first :][: share.count])
        share.weight.zero_()
        share.load(state)
        parts.append((share.weight[: share.count], share.momentum[: share.count]))
    assert [len(part[0]) for part in parts] == [2, 2, 0]
    assert torch.equal(torch.cat([part[0] for part in parts]), whole.weight)
    assert torch.equal(torch.cat([part[1] for part in parts]), whole.momentum + 1)


def test_settings_that_make_no_sense_are_refused() -> None:
    """A share of nothing, a negative rate."""
    for wrong in ({"share": 0.0}, {"share": 1.5}, {"learning_rate": -1.0}, {"momentum": 1.0}):
        with pytest.raises(ConfigError):
            CentreSettings(**wrong)


def test_two_processes_do_what_one_does(tmp_path: Path) -> None:
    """Sharded over two processes with uneven, even empty shares of a batch: the same loss, gradients and
    centres as in one process."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [*command, str(SCRIPT), str(tmp_path)], capture_output=True, text=True, check=False, timeout=200
    )
    assert done.returncode == 0, done.stderr[-3000:]
    sharded_centres.main(tmp_path)
    one, two = (torch.load(tmp_path / f"{n}.pt", weights_only=True) for n in (1, 2))
    assert one["losses"] == pytest.approx(two["losses"], rel=1e-5)
    for name in ("weight", "momentum", "layer"):
        torch.testing.assert_close(one[name], two[name], rtol=1e-4, atol=1e-6)
    assert not torch.allclose(one["layer"], one["layer_before"], atol=1e-3)
