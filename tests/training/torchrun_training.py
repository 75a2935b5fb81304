"""One of the processes of a training: ``torchrun torchrun_training.py DATA OUT JSON``; see `main`."""

from __future__ import annotations

import json
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from small_training import LOOP, Settings, Stripes, final_weights, train

from lineament.io.manifest import Manifest
from lineament.training.settings import LoopSettings


def main(data: str, out: str, orders: str) -> None:
    """Train once for each order; what each process ends with lands in ``OUT/NAME-rank.pt``.

    An order is ``{"name", "run", "loop", "normed", "stop_after"}``; with ``stop_after`` all processes are
    interrupted after so many batches, by Ctrl-C for the first one only.
    """
    torch.set_num_threads(1)
    manifest = Manifest.load(Path(data) / "split.jsonl")
    torch.distributed.init_process_group("gloo")
    for order in json.loads(orders):
        _train(manifest, Path(out), order)
    torch.distributed.destroy_process_group()


def _train(manifest: Manifest, out: Path, order: dict[str, Any]) -> None:
    values = {name: getattr(LOOP, name) for name in LoopSettings.__slots__} | order.get("loop", {})
    settings = replace(
        Settings(LoopSettings(**values)),
        normed=order.get("normed", True),
        dropout=order.get("dropout", 0.3),
    )
    rank, path = os.environ["RANK"], out / order.get("run", order["name"])
    models: list[torch.nn.Module] = []
    done = -1

    def advance(count: int) -> None:
        nonlocal done
        done += count if done >= 0 else 1
        if rank == "0" and done == order.get("stop_after"):
            os.kill(os.getpid(), signal.SIGINT)

    def make(manifest: Manifest, told: Settings) -> Stripes:
        task = Stripes(manifest, told)
        if rank == "1":  # the first process's weights hold, whatever others began with
            torch.nn.init.zeros_(task.model[0].weight)  # type: ignore[arg-type,index]
        models.append(task.model)
        return task

    held: dict[str, Any] = {"refused": {}, "samples": []}
    try:
        state, _ = train(manifest, path, settings, advance=advance, make=make)
        held = {"refused": state.refused, "samples": [row["samples"] for row in state.history]}
    except KeyboardInterrupt:
        pass
    # The first process has put the best weights into its model; the last ones are in its checkpoint.
    weights = final_weights(path) if rank == "0" else models[0].state_dict()
    torch.save({"weights": weights, **held}, out / f"{order['name']}-{rank}.pt")


if __name__ == "__main__":
    main(*sys.argv[1:])
