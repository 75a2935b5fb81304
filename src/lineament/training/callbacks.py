"""What may happen after each epoch: TensorBoard events, and curves as a figure."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from lineament.io.own_files import OWN
from lineament.io.writing import replacing
from lineament.plots import canvas
from lineament.plots.curves import curves_figure
from lineament.training.tasks import Progress, Row


class TensorBoard:
    """Writes every figure of every epoch as a scalar into one file of events below ``folder``.

    The whole file each time, as often as takes about a twentieth of the time: a resumed training has no
    epoch twice, and the file's name holds no machine's, which torch's own writer puts there.
    """

    NAME = "events.out.tfevents.training"

    def __init__(self, folder: Path) -> None:
        self.path = folder / self.NAME
        self._pace = _Pace()
        self._began = time.time()

    def __call__(self, state: Progress, row: Row) -> str | None:
        """Write all epochs so far; raises `OutputError`."""
        with self._pace.if_due(state.ended is not None) as due:
            if due:
                self._write(state.history)
        return None

    def _write(self, history: Sequence[Row]) -> None:
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.summary.writer.record_writer import RecordWriter

        held = io.BytesIO()
        records = RecordWriter(held)
        when = self._began
        records.write(Event(wall_time=when, file_version="brain.Event:2").SerializeToString())
        for row in history:
            when += row["seconds"] + row["validation_seconds"]
            scalars = [
                Summary.Value(tag=name.replace("_", "/", 1), simple_value=value)
                for name, value in row.items()
                if name != "epoch"
            ]
            event = Event(wall_time=when, step=int(row["epoch"]), summary=Summary(value=scalars))
            records.write(event.SerializeToString())
        with replacing(self.path, OWN, binary=True) as file:
            file.write(held.getvalue())


class _Pace:
    """Lets something be done at the end, and before it as often as takes about a twentieth of the time."""

    def __init__(self) -> None:
        self._next = 0.0

    @contextmanager
    def if_due(self, at_once: bool) -> Iterator[bool]:
        """Whether it is time; the block is timed."""
        began = time.monotonic()
        due = at_once or began >= self._next
        yield due
        if due:
            self._next = time.monotonic() + 20 * (time.monotonic() - began)


class Curves:
    """Draws the figures named (``loss`` means ``train_loss`` and ``val_loss``) over the epochs.

    At the end, and before it as often as takes no more than about a twentieth of the time.
    """

    def __init__(self, path: Path, names: Sequence[str] = ("loss", "accuracy")) -> None:
        self.path, self.names = path, tuple(names)
        self._pace = _Pace()

    def __call__(self, state: Progress, row: Row) -> str | None:
        """Draw all epochs so far."""
        with self._pace.if_due(state.ended is not None) as due:
            if due:
                figure = curves_figure(state.history, self.names, best_epoch=state.best_epoch)
                canvas.save(figure, self.path)
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
