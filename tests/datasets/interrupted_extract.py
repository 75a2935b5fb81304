"""``lineament dataset extract`` with two worker processes, disturbed: ``interrupted_extract.py WHEN ARGS``.

WHEN is ``starting`` (Ctrl-C while the workers start), ``working`` (Ctrl-C after the first photo),
``worker`` (one worker is killed after the first photo, as the system does when memory is short) or
``never``. Ctrl-C is what a terminal makes of it: SIGINT to every process of the group. Prints the workers'
process ids.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from lineament.cli.main import main
from lineament.datasets.extraction import extract
from lineament.engines import processes
from lineament.engines.processes import Workers
from lineament.io.journal import Journal


def disturb(when: str) -> None:
    """Make it happen, and let a handful of photos be worth processes."""
    extract._LEAST_PHOTOS = 2
    receive, record, build = processes._receive, Journal.record, Workers.__init__
    pools: list[Workers] = []

    def built(self: Workers, *arguments: Any) -> None:
        pools.append(self)
        build(self, *arguments)

    def received(worker: Any) -> Any:
        if when == "starting":
            tell(pools[0])
            os.killpg(0, signal.SIGINT)
        return receive(worker)

    def recorded(self: Journal, key: str, value: Any) -> None:
        nonlocal when
        record(self, key, value)
        if when == "never" or not pools:
            return
        tell(pools[0])
        if when == "working":
            os.killpg(0, signal.SIGINT)
        elif when == "worker":
            os.kill(pools[0]._all[0].pid, signal.SIGKILL)
        when = "never"

    Workers.__init__ = built  # type: ignore[method-assign]
    processes._receive = received
    Journal.record = recorded  # type: ignore[method-assign]


def tell(pool: Workers) -> None:
    """The workers' process ids, on a line of their own."""
    print("workers", *(worker.pid for worker in pool._all), flush=True)


if __name__ == "__main__":
    # A program started in the background inherits that Ctrl-C is ignored; one in a terminal does not.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    disturb(sys.argv[1])
    sys.argv = ["lineament", "dataset", "extract", *sys.argv[2:], "--workers", "2"]
    main()
