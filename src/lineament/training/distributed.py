"""Several processes as one training: ``torchrun --nproc-per-node 4 -m lineament train ...``.

Each process takes every n-th sample of a batch; gradients are averaged over samples, so that a share that
is smaller, or empty because its pictures could not be read, weighs what it holds. The first process
validates, decides and writes; the others are told.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
from torch import nn

from lineament.errors import ConfigError

_PATIENCE = timedelta(hours=4)
"""The others wait that long while the first process validates."""
_BUCKET = 8_000_000
"""Values sent at once: few messages, and little memory beside the gradients."""


@dataclass(frozen=True, slots=True)
class Place:
    """This process among all of them."""

    rank: int = 0
    world: int = 1
    local_rank: int = 0

    @property
    def first(self) -> bool:
        """Whether this process writes."""
        return self.rank == 0

    def agree(self, value: Any) -> Any:
        """What the first process holds."""
        if self.world == 1:
            return value
        box = [value]
        torch.distributed.broadcast_object_list(box, src=0)
        return box[0]

    def gather(self, value: Any) -> list[Any]:
        """What every process holds, by rank."""
        if self.world == 1:
            return [value]
        held: list[Any] = [None] * self.world
        torch.distributed.all_gather_object(held, value)
        return held

    def spread(self, model: nn.Module) -> None:
        """Give every process the first one's weights and buffers."""
        if self.world > 1:
            with torch.no_grad():
                for tensor in (*model.parameters(), *model.buffers()):
                    torch.distributed.broadcast(tensor, src=0)

    def average(self, tensors: Sequence[torch.Tensor], weight: float) -> None:
        """Replace tensors by their sum over all processes, each times its ``weight`` (together 1)."""
        if self.world == 1:
            return
        with torch.no_grad():
            for bucket in _buckets(tensors):
                flat = torch.cat([tensor.reshape(-1) for tensor in bucket]) * weight
                torch.distributed.all_reduce(flat)
                parts = flat.split([tensor.numel() for tensor in bucket])
                for tensor, part in zip(bucket, parts, strict=True):
                    tensor.copy_(part.view_as(tensor))


def _buckets(tensors: Sequence[torch.Tensor]) -> Iterator[list[torch.Tensor]]:
    """Neighbours of one type, device and together not much over `_BUCKET` values."""
    held: list[torch.Tensor] = []
    size = 0
    for tensor in tensors:
        if held and (size >= _BUCKET or (tensor.dtype, tensor.device) != (held[0].dtype, held[0].device)):
            yield held
            held, size = [], 0
        held.append(tensor)
        size += tensor.numel()
    if held:
        yield held


def is_first() -> bool:
    """Whether this process writes: the only one, or the first of those that torchrun started."""
    return os.environ.get("RANK", "0") == "0"


def is_alone() -> bool:
    """Whether no other process trains with this one."""
    return os.environ.get("WORLD_SIZE", "1") == "1"


@contextmanager
def joined() -> Iterator[Place]:
    """Join the processes that torchrun started, if it did; raises `ConfigError` for half an environment."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world == 1:
        yield Place()
        return
    if missing := [name for name in ("RANK", "MASTER_ADDR", "MASTER_PORT") if name not in os.environ]:
        raise ConfigError(f"WORLD_SIZE is {world} without {', '.join(missing)}: start it with torchrun")
    place = Place(int(os.environ["RANK"]), world, int(os.environ.get("LOCAL_RANK", "0")))
    if torch.distributed.is_initialized():  # by a caller who trains several times
        yield place
        return
    backend = "gloo"
    if torch.cuda.is_available():
        torch.cuda.set_device(place.local_rank)
        backend = "cpu:gloo,cuda:nccl"
    torch.distributed.init_process_group(backend, timeout=_PATIENCE)
    try:
        yield place
    finally:
        torch.distributed.destroy_process_group()


def device_for(name: str, place: Place) -> torch.device:
    """The device a setting names; auto takes a GPU where there is one. Raises `ConfigError`."""
    if name == "auto":
        if torch.cuda.is_available():
            name = "cuda"
        else:
            name = "mps" if torch.backends.mps.is_available() and place.world == 1 else "cpu"
    try:
        device = torch.device(name)
        if device.type == "cuda" and device.index is None and place.world > 1:
            device = torch.device("cuda", place.local_rank)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(f"loop: device {name!r} cannot be used here: {reason}") from error
    return device
