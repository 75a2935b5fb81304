"""How many processor threads a training computes with, so that it does not fight other programs for cores.

A step consists of hundreds of short parallel parts, each as long as its slowest thread. Where other
programs keep the cores busy, a thread waits its turn in each part, and the others by default wait
spinning, which takes the very core that it waits for. So waiting threads sleep, and how many
there are is found by trying.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from functools import cache
from statistics import median

_SLEEPING = {"OMP_WAIT_POLICY": "PASSIVE", "KMP_BLOCKTIME": "0"}
"""What GNU's and LLVM's OpenMP read when torch is imported, and never again."""
_SAID = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
_ROUNDS = 7
_HOPELESS = 5.0
"""Times the time of one thread."""
_WORTH = 0.9
"""More threads are taken where they need no more than this part of the time."""


def sleep_while_waiting() -> None:
    """Let threads that wait for others sleep; to be called before torch is imported."""
    for name, value in _SLEEPING.items():
        os.environ.setdefault(name, value)


def choose(wanted: int | None, workers: int, before: int | None = None) -> int:
    """How many threads to compute with: those wanted, those of ``before``, or the fastest now.

    ``before`` is what a training that goes on began with: another number would round differently. What the
    environment says (``OMP_NUM_THREADS``) holds; else each of ``workers`` loading processes has a core.
    """
    import torch

    if wanted is not None or before is not None:
        return wanted or before or 1
    most = torch.get_num_threads()
    if most == 1 or any(name in os.environ for name in _SAID):
        return most
    return _fastest(max(1, most - workers))


@cache
def _fastest(most: int) -> int:
    """The best of one, half and all threads, by turns on a small convolution; some tenths of a second."""
    import torch

    candidates = sorted({1, max(1, most // 2), most})
    if len(candidates) == 1:
        return candidates[0]
    before, generator = torch.get_num_threads(), torch.Generator().manual_seed(0)
    pixels = torch.rand(8, 16, 48, 48, generator=generator)
    weight = torch.rand(16, 16, 3, 3, generator=generator).requires_grad_()
    took: dict[int, list[float]] = {number: [] for number in candidates}
    try:
        for _ in range(_ROUNDS):
            for number in tuple(took):
                torch.set_num_threads(number)
                began = time.perf_counter()
                for _ in range(10):
                    torch.relu(torch.nn.functional.conv2d(pixels, weight)).sum().backward()
                took[number].append(time.perf_counter() - began)
                # Where threads fight, a round may take a minute: one is enough to know.
                if took[number][-1] > _HOPELESS * max(took[1]):
                    del took[number]
    finally:
        torch.set_num_threads(before)
    return best_of({number: median(times) for number, times in took.items()})


def best_of(seconds: Mapping[int, float]) -> int:
    """The fastest number of threads; of nearly equal ones the smallest."""
    chosen, *more = sorted(seconds)
    for number in more:
        if seconds[number] <= _WORTH * seconds[chosen]:
            chosen = number
    return chosen
