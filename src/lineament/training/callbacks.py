"""What may happen after each epoch: TensorBoard events, and curves as a figure."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from lineament.plots import canvas
from lineament.plots.curves import curves_figure
from lineament.training.loop import Progress, Row


class TensorBoard:
    """Writes every figure of every epoch as a scalar below ``folder``."""

    def __init__(self, folder: Path) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(folder))

    def __call__(self, state: Progress, row: Row) -> str | None:
        """Write one epoch."""
        for name, value in row.items():
            if name != "epoch":
                self._writer.add_scalar(name.replace("_", "/", 1), value, int(row["epoch"]))
        self._writer.flush()
        return None


class Curves:
    """Draws the figures named (``loss`` means ``train_loss`` and ``val_loss``) over the epochs.

    At the end, and before it as often as takes no more than about a twentieth of the time.
    """

    def __init__(self, path: Path, names: Sequence[str] = ("loss", "accuracy")) -> None:
        self.path, self.names = path, tuple(names)
        self._next = 0.0

    def __call__(self, state: Progress, row: Row) -> str | None:
        """Draw all epochs so far."""
        began = time.monotonic()
        if state.ended is None and began < self._next:
            return None
        canvas.save(curves_figure(state.history, self.names, best_epoch=state.best_epoch), self.path)
        self._next = time.monotonic() + 20 * (time.monotonic() - began)
        return None


def turning_point(history: Sequence[Row]) -> int | None:
    """The epoch with the lowest ``val_loss`` when it rose afterwards while ``train_loss`` went on falling.

    That is over-fitting; None when it did not happen, or not for at least two epochs.
    """
    losses = [(int(r["epoch"]), r["train_loss"], r["val_loss"]) for r in history if "val_loss" in r]
    if len(losses) < 3:
        return None
    turn = min(range(len(losses)), key=lambda i: losses[i][2])
    after = losses[turn + 1 :]
    if len(after) < 2 or after[-1][1] >= losses[turn][1]:
        return None
    mean = sum(loss for _, _, loss in after) / len(after)
    return losses[turn][0] if mean > losses[turn][2] * 1.02 else None
