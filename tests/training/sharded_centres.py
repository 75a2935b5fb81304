"""Three steps of a linear layer and centres by hand, alone or under torchrun; writes what came of it."""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from lineament.training import distributed
from lineament.training.recognition.centres import Centres
from lineament.training.recognition.losses import AdaFace

PEOPLE, INPUTS, DIMENSION = 7, 6, 5


def main(folder: Path) -> None:
    torch.set_num_threads(1)
    with distributed.joined() as place:
        generator = torch.Generator().manual_seed(0)
        layer = torch.randn(INPUTS, DIMENSION, generator=generator).requires_grad_()
        before = layer.detach().clone()
        centres = Centres(PEOPLE, DIMENSION, AdaFace(), scale=8)
        losses = []
        # The shares of the second process: smaller, none, and equal.
        for first, total in ((4, 7), (6, 6), (3, 6)):
            values = torch.randn(total, INPUTS, generator=generator)
            labels = torch.randint(PEOPLE, (total,), generator=generator)
            own = slice(0, total)
            if place.world == 2:
                own = slice(0, first) if place.first else slice(first, total)
            count = len(labels[own])
            layer.grad = None
            loss = torch.zeros(())
            if count:
                loss = centres.loss(values[own] @ layer, labels[own])
                loss.backward()
            else:
                centres.absent()
            if layer.grad is None:
                layer.grad = torch.zeros_like(layer)
            place.average([layer.grad], count / total)
            centres.step(1.0)
            with torch.no_grad():
                layer -= 0.1 * layer.grad
            losses.append(float(loss.detach()))
        state = centres.state()
        if place.first:
            kept = {"weight": state["weight"], "momentum": state["momentum"], "losses": losses}
            torch.save(
                {**kept, "layer": layer.detach(), "layer_before": before}, folder / f"{place.world}.pt"
            )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
