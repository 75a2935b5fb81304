"""One way to run work in parallel: an engine takes batches of items through a stage, here or elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lineament.lazily import lazily

if TYPE_CHECKING:
    from lineament.engines.batching import Each
    from lineament.engines.processes import Processes
    from lineament.engines.threads import Threads

__all__ = ["Each", "Processes", "Threads"]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "lineament.engines.batching": ("Each",),
        "lineament.engines.processes": ("Processes",),
        "lineament.engines.threads": ("Threads",),
    },
)
