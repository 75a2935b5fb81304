"""Class centres, one a person: sharded over processes and sampled, so that 100,000 people fit.

Each process holds the centres of its share of people. Embeddings of all processes come together, each
process scores them against its centres, and the softmax runs over all of them. With ``share`` below 1 a
step uses the centres of the people in the batch and a random rest, that share of all in number: Partial FC
(An et al. 2022, CVPR), where a tenth costs next to no accuracy. Centres are no part of the network: they
are moved by gradient descent with momentum here, only those of the step, and stored whole in checkpoints.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import torch
from torch import distributed
from torch.nn import functional

from lineament.training.recognition.losses import Margin
from lineament.training.recognition.settings import CentreSettings

_BLOCK = 4096


class Centres:
    """The centres of ``people`` persons, of which this process holds its share.

    ``scale`` multiplies cosines before the softmax. `loss` leaves a gradient that `step` spends.
    """

    def __init__(
        self,
        people: int,
        dimension: int,
        margin: Margin,
        *,
        scale: float = 64.0,
        settings: CentreSettings | None = None,
        seed: int = 0,
    ) -> None:
        self.people, self.margin, self.scale = people, margin, scale
        self.settings = settings or CentreSettings()
        self.rank = int(os.environ.get("RANK", "0"))
        self.world = int(os.environ.get("WORLD_SIZE", "1"))
        self.each = -(-people // self.world)
        self.first = min(self.rank * self.each, people)
        self.count = min(self.each, people - self.first)
        self.weight = _initial(self.first, self.each, dimension, seed)
        self.momentum = torch.zeros_like(self.weight)
        self._rows: torch.Tensor | None = None
        self._used: torch.Tensor | None = None

    def loss(self, embeddings: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Cross-entropy over all people of ``(b, D)`` with persons ``(b,)``: the mean of all processes.

        The gradient of the embeddings is that of the mean over the whole batch, divided by this process's
        share of it, because the loop weighs each process's gradients by that share.
        """
        with torch.autocast(embeddings.device.type, enabled=False):
            embeddings, labels = gathered(embeddings.float(), labels, self.world)
            if not len(labels):
                return embeddings.new_zeros(())
            if self.weight.device != embeddings.device:
                self.weight, self.momentum = (t.to(embeddings.device) for t in (self.weight, self.momentum))
            self._rows, place = self._choose(labels)
            own = self.weight[: self.count] if self._rows is None else self.weight[self._rows]
            used = own.detach().requires_grad_()
            self._used = used
            cosine = functional.normalize(embeddings) @ functional.normalize(used).T
            if not used.shape[0]:
                # A process beyond the last person still takes part in the sums.
                cosine = cosine.new_full((len(labels), 1), -1e4) + 0 * embeddings.sum()
            here, column = place >= 0, place.clamp(min=0)[:, None]
            own_cosine = cosine.gather(1, column)[:, 0]
            harder = self.margin(own_cosine, embeddings.norm(dim=1))
            change = torch.where(here, harder - own_cosine, torch.zeros_like(own_cosine))
            mean: torch.Tensor = _CrossEntropy.apply(cosine, change, place, self.scale, self.world)
            return mean

    def absent(self) -> None:
        """Take part in a step without samples: score those of the other processes."""
        if self.world > 1:
            device = self.weight.device
            nothing = torch.zeros(0, self.weight.shape[1], device=device, requires_grad=True)
            loss = self.loss(nothing, torch.zeros(0, dtype=torch.int64, device=device))
            if loss.requires_grad:
                loss.backward()

    def step(self, factor: float, scale: float = 1.0) -> None:
        """Move the centres used: ``factor`` of the rate, for a loss that was multiplied by ``scale``."""
        used, self._used = self._used, None
        if used is None or used.grad is None:
            return
        grad = used.grad / scale if scale != 1 else used.grad
        if not torch.isfinite(grad).all():
            return
        rate = self.settings.learning_rate * factor
        if self._rows is None:
            self.momentum[: self.count].mul_(self.settings.momentum).add_(grad)
            self.weight[: self.count].sub_(self.momentum[: self.count], alpha=rate)
            return
        moved = self.momentum[self._rows].mul_(self.settings.momentum).add_(grad)
        self.momentum[self._rows] = moved
        self.weight[self._rows] -= rate * moved

    def state(self) -> dict[str, Any]:
        """All centres, from all processes, for a checkpoint; every process calls it at the same time."""
        whole = {"weight": self._whole(self.weight), "momentum": self._whole(self.momentum)}
        return {**whole, "margin": self.margin.state()}

    def load(self, state: Mapping[str, Any]) -> None:
        """Take this process's share of what `state` gave, be it of another number of processes."""
        for name in ("weight", "momentum"):
            part = state[name][self.first : self.first + self.count]
            getattr(self, name)[: self.count] = part
        self.margin.load(state["margin"])

    def _choose(self, labels: torch.Tensor) -> tuple[torch.Tensor | None, torch.Tensor]:
        """Rows of the share to use (None: all), and each sample's place among them, -1 when elsewhere."""
        place = labels - self.first
        place = torch.where((place >= 0) & (place < self.count), place, torch.full_like(place, -1))
        if self.settings.share >= 1 or not self.count:
            return None, place
        present = torch.unique(place[place >= 0])
        wanted = max(len(present), round(self.count * self.settings.share))
        chance = torch.rand(self.count, device="cpu").to(labels.device)
        chance[present] = 2.0
        rows = torch.topk(chance, wanted).indices.sort().values
        found = torch.searchsorted(rows, place.clamp(min=0))
        return rows, torch.where(place >= 0, found, place)

    def _whole(self, share: torch.Tensor) -> torch.Tensor | None:
        share = share.detach().cpu()
        if self.world == 1:
            return share[: self.count].clone()
        parts = [torch.empty_like(share) for _ in range(self.world)] if self.rank == 0 else None
        distributed.gather(share.contiguous(), parts, dst=0)
        return None if parts is None else torch.cat(parts)[: self.people]


def _initial(first: int, count: int, dimension: int, seed: int) -> torch.Tensor:
    """Rows ``first`` to ``first + count`` of one random matrix, the same however it is shared out."""
    rows = torch.empty(count, dimension)
    for block in range(first // _BLOCK, -(-(first + count) // _BLOCK)):
        generator = torch.Generator().manual_seed(seed * 1_000_003 + block)
        values = torch.randn(_BLOCK, dimension, generator=generator)
        low, high = max(first, block * _BLOCK), min(first + count, (block + 1) * _BLOCK)
        rows[low - first : high - first] = values[low - block * _BLOCK : high - block * _BLOCK]
    return functional.normalize(rows)


def gathered(
    embeddings: torch.Tensor, labels: torch.Tensor, world: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Embeddings and labels of all processes, in their order; a process may hold fewer than another."""
    if world == 1:
        return embeddings, labels
    sizes = [torch.zeros(1, dtype=torch.int64, device=labels.device) for _ in range(world)]
    distributed.all_gather(sizes, torch.tensor([len(labels)], device=labels.device))
    counts = [int(size) for size in sizes]
    together: torch.Tensor = _Gather.apply(embeddings, counts)
    return together, _join(labels, counts)


def _join(values: torch.Tensor, counts: list[int]) -> torch.Tensor:
    padded = values.new_zeros(max(counts), *values.shape[1:])
    padded[: len(values)] = values
    parts = [torch.empty_like(padded) for _ in counts]
    distributed.all_gather(parts, padded)
    return torch.cat([part[:count] for part, count in zip(parts, counts, strict=True)])


class _Gather(torch.autograd.Function):
    """All processes' rows; the gradient of this one's, summed over all, by its share of the rows."""

    @staticmethod
    def forward(ctx: Any, values: torch.Tensor, counts: list[int]) -> torch.Tensor:
        ctx.counts = counts
        return _join(values, counts)

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor, None]:
        total = grads[0].contiguous().clone()
        distributed.all_reduce(total)
        rank = distributed.get_rank()
        start, own = sum(ctx.counts[:rank]), ctx.counts[rank]
        return total[start : start + own] * (sum(ctx.counts) / max(own, 1)), None


class _CrossEntropy(torch.autograd.Function):
    """Mean cross-entropy of cosines ``(B, R)`` times a scale, whose columns lie spread over processes.

    ``place`` ``(B,)`` is the target's column, -1 where another process holds it; ``change`` ``(B,)`` is
    added to the target's cosine. Written out because the cosines are by far the largest tensor: one copy
    is made of them.
    """

    @staticmethod
    def forward(
        ctx: Any, cosine: torch.Tensor, change: torch.Tensor, place: torch.Tensor, scale: float, world: int
    ) -> torch.Tensor:
        here, column = place >= 0, place.clamp(min=0)[:, None]
        logits = cosine * scale
        logits.scatter_add_(1, column, change[:, None] * scale)
        highest = logits.max(dim=1).values
        _reduce(highest, world, "MAX")
        logits -= highest[:, None]
        target = torch.where(here, logits.gather(1, column)[:, 0], torch.zeros_like(highest))
        shares = logits.exp_()
        total = shares.sum(dim=1)
        _reduce(target, world, "SUM")
        _reduce(total, world, "SUM")
        shares /= total[:, None]
        shares.scatter_add_(1, column, -here.to(shares.dtype)[:, None])
        ctx.save_for_backward(shares, here, column)
        ctx.scale = scale
        return (total.log() - target).mean()

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        shares, here, column = ctx.saved_tensors
        slope = shares.mul_(grads[0] * ctx.scale / len(shares))
        own = torch.where(here, slope.gather(1, column)[:, 0], torch.zeros_like(slope[:, 0]))
        return slope, own, None, None, None


def _reduce(values: torch.Tensor, world: int, how: str) -> None:
    if world > 1:
        distributed.all_reduce(values, getattr(distributed.ReduceOp, how))
