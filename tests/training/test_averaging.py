"""Weight averaging: what it computes, and that a checkpoint holds all of it."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from lineament.training.averaging import WeightAverage


def moved(trained: nn.Module, step: int) -> None:
    with torch.no_grad():
        for name, tensor in trained.state_dict().items():
            tensor.fill_(step) if name.endswith("tracked") else tensor.add_(math.sin(step + len(name)))


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))


def test_the_average_follows_its_formula() -> None:
    """After each step the average is decay of what it was and the rest of the new weights, running means
    included, where decay rises from 0 to 0.9999 with a time of 2,000 steps; counters are copied."""
    trained = network()
    average = WeightAverage(trained)
    wanted = {name: tensor.double().clone() for name, tensor in trained.state_dict().items()}
    # As if thousands of steps had been done, so that the decay is far from 0.
    average.steps = 3000
    for step in range(3001, 3006):
        moved(trained, step)
        average.step(1.0, 1.0)
        decay = 0.9999 * (1 - math.exp(-step / 2000))
        for name, tensor in trained.state_dict().items():
            wanted[name] = wanted[name] * decay + tensor * (1 - decay)
    assert 0.77 < decay < 0.78
    for name, tensor in average.model.state_dict().items():
        if name.endswith("tracked"):
            assert int(tensor) == 3005
        else:
            torch.testing.assert_close(tensor.double(), wanted[name], rtol=1e-5, atol=1e-6)


def test_few_steps_are_hardly_averaged() -> None:
    """After the first step the average is within a two-thousandth of the weights, so short trainings keep
    what they learnt."""
    trained = network()
    average = WeightAverage(trained)
    before = average.model[0].weight.clone()
    moved(trained, 1)
    average.step(1.0, 1.0)
    left = (average.model[0].weight - trained[0].weight).abs().max()
    assert 0 < left < (trained[0].weight - before).abs().max() / 1999


def test_the_average_is_apart_from_the_network() -> None:
    """It is never trained, stays in evaluation mode, and moves with a step only."""
    trained = network()
    average = WeightAverage(trained)
    before = {name: tensor.clone() for name, tensor in average.model.state_dict().items()}
    moved(trained, 1)
    trained.train()
    assert all(torch.equal(before[name], tensor) for name, tensor in average.model.state_dict().items())
    assert not any(p.requires_grad for p in average.model.parameters()) and not average.model.training


def test_what_a_checkpoint_holds_goes_on_equal() -> None:
    """An average that was saved and loaded goes on to the same values, to the last bit."""
    trained, again = network(), network()
    one = WeightAverage(trained)
    for step in (1, 2):
        moved(trained, step)
        one.step(1.0, 1.0)
    again.load_state_dict(trained.state_dict())
    other = WeightAverage(again)
    other.load(one.state())
    for model, average in ((trained, one), (again, other)):
        moved(model, 3)
        average.step(1.0, 1.0)
    assert one.steps == other.steps == 3
    for name, tensor in one.model.state_dict().items():
        assert torch.equal(tensor, other.model.state_dict()[name])
    with pytest.raises(KeyError):
        other.load({"steps": 1})
