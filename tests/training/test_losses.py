"""Losses of an embedder against pytorch-metric-learning, the paper's formulas and known cases."""

from __future__ import annotations

import math

import pytest
import torch
from pytorch_metric_learning import losses as reference
from torch.nn import functional

from lineament.training.recognition.centres import Centres
from lineament.training.recognition.losses import AdaFace, ArcFace, CosFace, HardTriplets
from lineament.training.recognition.settings import CentreSettings

PEOPLE, DIMENSION, SCALE = 12, 8, 16.0


def batch(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    embeddings = torch.randn(20, DIMENSION, generator=generator)
    return embeddings.requires_grad_(), torch.randint(PEOPLE, (20,), generator=generator)


@pytest.mark.parametrize("name", ["arcface", "cosface", "softmax"])
def test_equals_pytorch_metric_learning(name: str) -> None:
    """Loss and gradients of embeddings and centres are those of the established library."""
    theirs, margin = {
        "arcface": (
            reference.ArcFaceLoss(PEOPLE, DIMENSION, margin=math.degrees(0.5), scale=SCALE),
            ArcFace(0.5),
        ),
        "cosface": (reference.CosFaceLoss(PEOPLE, DIMENSION, margin=0.35, scale=SCALE), CosFace(0.35)),
        "softmax": (reference.NormalizedSoftmaxLoss(PEOPLE, DIMENSION, 1 / SCALE), CosFace(0.0)),
    }[name]
    ours = Centres(PEOPLE, DIMENSION, margin, scale=SCALE)
    with torch.no_grad():
        theirs.W.copy_(ours.weight.T)
    embeddings, labels = batch()
    wanted = theirs(embeddings, labels)
    wanted.backward()
    gradient, embeddings.grad = embeddings.grad, None
    got = ours.loss(embeddings, labels)
    got.backward()
    torch.testing.assert_close(got, wanted)
    # Both go through acos in float32, whose slope is steep.
    torch.testing.assert_close(embeddings.grad, gradient, rtol=1e-3, atol=5e-5)
    before = ours.weight.clone()
    ours.step(1.0)
    torch.testing.assert_close(before - 0.1 * theirs.W.grad.T, ours.weight, rtol=1e-3, atol=5e-5)


def test_arcface_goes_on_falling_beyond_pi() -> None:
    """The harder cosine rises with the cosine everywhere, where cos(angle + margin) alone would turn."""
    cosine = torch.linspace(-1, 1, 401)
    harder = ArcFace(0.5)(cosine, torch.ones(401))
    assert (harder.diff() > 0).all()
    assert (harder < cosine).all()


def test_adaface_presses_long_embeddings_harder() -> None:
    """AdaFace equals the paper's equations: mean length gives cos - m, long ArcFace's sign, short none."""
    margin = AdaFace(0.4, concentration=0.5, renewal=0.0)
    margin.mean, margin.deviation = 10.0, 2.0 - 1e-3
    cosine = torch.full((5,), 0.3)
    lengths = torch.tensor([10.0, 12.0, 8.0, 30.0, 1.0])
    quality = [0.0, 0.5, -0.5, 1.0, -1.0]
    wanted = [math.cos(math.acos(0.3) - 0.4 * q) - (0.4 + 0.4 * q) for q in quality]
    torch.testing.assert_close(margin(cosine, lengths), torch.tensor(wanted))
    assert wanted[3] == pytest.approx(math.cos(math.acos(0.3) - 0.4) - 0.8)


def test_adaface_follows_the_data_and_remembers() -> None:
    """The first batch sets the averages, later ones move them by the renewal; a checkpoint holds them."""
    margin = AdaFace(renewal=0.1)
    margin(torch.zeros(2), torch.tensor([4.0, 6.0]))
    assert (margin.mean, margin.deviation) == (5.0, 1.0)
    margin(torch.zeros(2), torch.tensor([14.0, 16.0]))
    assert margin.mean == pytest.approx(6.0)
    again = AdaFace()
    again.load(margin.state())
    assert (again.mean, again.deviation) == (margin.mean, margin.deviation)


def test_triplets_are_the_hardest_ones() -> None:
    """Of each photo: the farthest of its person against the nearest stranger, by a slow oracle."""
    embeddings, _ = batch()
    labels = torch.arange(20) % 4
    unit = functional.normalize(embeddings.detach()).numpy()
    violations = []
    for i in range(20):
        own = min(unit[i] @ unit[j] for j in range(20) if j != i and j % 4 == i % 4)
        other = max(unit[i] @ unit[j] for j in range(20) if j % 4 != i % 4)
        violations.append(max(0.0, other - own + 0.2))
    wanted = [v for v in violations if v > 0]
    assert wanted
    got = HardTriplets(0.2)(embeddings, labels)
    assert float(got.detach()) == pytest.approx(sum(wanted) / len(wanted), rel=1e-5)
    apart = functional.one_hot(labels, 4).float().requires_grad_()
    assert float(HardTriplets(0.2)(apart, labels).detach()) == 0


@pytest.mark.parametrize("share", [1.0, 0.25])
def test_a_step_brings_centres_nearer(share: float) -> None:
    """Gradient descent on the centres alone lowers the loss, whole or sampled."""
    centres = Centres(
        PEOPLE, DIMENSION, CosFace(0.2), scale=8, settings=CentreSettings(share, learning_rate=0.05)
    )
    embeddings, labels = batch()
    losses = []
    for step in range(60):
        torch.manual_seed(step)
        loss = centres.loss(embeddings.detach(), labels)
        loss.backward()
        centres.step(1.0)
        losses.append(float(loss.detach()))
    assert sum(losses[-5:]) < 0.7 * sum(losses[:5])
