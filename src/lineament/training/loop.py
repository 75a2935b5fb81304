"""The one training loop.

A resumed training ends with the weights of an undisturbed one: batches depend on seed, epoch and position,
each step seeds the random numbers it uses, and the learning rate is a function of the step.
"""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import Any, Literal, Protocol

import torch
from torch import nn

from lineament.errors import Diverged, NotEnoughSamples
from lineament.training import distributed, optimisers
from lineament.training.data import Batch, Batches
from lineament.training.run_folder import RunFolder
from lineament.training.settings import LoopSettings

Row = dict[str, float]


class Task(Protocol):
    """What is trained: a network, its loss on a batch, and its figures on held-out data."""

    model: nn.Module
    monitor: str
    """The figure of `evaluate` that says which epoch is best."""
    better: Literal["low", "high"]

    def groups(self) -> list[dict[str, Any]]:
        """Parameter groups; ``scale`` multiplies the learning rate."""
        ...

    def loss(self, model: nn.Module, batch: Batch) -> tuple[torch.Tensor, Mapping[str, torch.Tensor]]:
        """The loss to minimise, and parts or figures of the batch to keep by name (scalars).

        ``model`` is `Task.model`, wrapped where several processes train together.
        """
        ...

    def evaluate(self, device: torch.device) -> Mapping[str, float]:
        """Figures on the validation split; the model is in evaluation mode."""
        ...


Callback = Callable[["Progress", Row], "str | None"]
"""Called after each epoch with the state and the epoch's row; a text ends the training, saying why."""


@dataclass(slots=True)
class Progress:
    """Where a training stands; what a checkpoint holds besides weights."""

    epoch: int = 0
    step: int = 0
    history: list[Row] = field(default_factory=list)
    best: float | None = None
    best_epoch: int | None = None
    sums: dict[str, float] = field(default_factory=dict)
    samples: int = 0
    seconds: float = 0.0
    refused: dict[str, str] = field(default_factory=dict)
    ended: str | None = None


def fit(
    task: Task,
    batches: Batches,
    run: RunFolder,
    settings: LoopSettings,
    *,
    callbacks: Sequence[Callback] = (),
    advance: Callable[[int], None] | None = None,
) -> Progress:
    """Train ``task`` and leave its best weights in its model and in ``best.safetensors``.

    ``advance`` is told of each finished batch. Goes on from the run folder's checkpoint. Raises `Diverged`
    when the loss is no number, `NotEnoughSamples` when an epoch has no usable picture, `OutputError` when
    the disk is full; on Ctrl-C it writes a checkpoint first.
    """
    if settings.threads is not None:
        torch.set_num_threads(settings.threads)
    with distributed.joined() as place, _interrupts() as interrupted:
        return _Loop(task, batches, run, settings, callbacks, advance or _nothing, place).run(interrupted)


class _Loop:
    def __init__(
        self,
        task: Task,
        batches: Batches,
        run: RunFolder,
        settings: LoopSettings,
        callbacks: Sequence[Callback],
        advance: Callable[[int], None],
        place: distributed.Place,
    ) -> None:
        self.task, self.batches, self.folder, self.settings = task, batches, run, settings
        self.callbacks, self.advance, self.place = callbacks, advance, place
        self.device = distributed.device_for(settings.device, place)
        task.model.to(self.device)
        self.optimiser = optimisers.build(task.groups(), settings)
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=settings.amp == "fp16")
        self.model = place.wrap(task.model, self.device)
        self.state = Progress()
        self._saved_at = time.monotonic()

    def run(self, interrupted: threading.Event) -> Progress:
        self._resume()
        while self.state.ended is None and self.state.epoch < self.settings.epochs:
            self._train_epoch(interrupted)
            self._finish_epoch()
        self.state.ended = self.state.ended or f"all {self.settings.epochs} epochs done"
        if self.place.first:
            self.folder.load_best(self.task.model)
        return self.state

    def _train_epoch(self, interrupted: threading.Event) -> None:
        state, began = self.state, time.monotonic()
        total = self.batches.length(state.epoch)
        self.model.train()
        todo = self.batches.epoch(
            state.epoch, start=state.step, rank=self.place.rank, world=self.place.world
        )
        for batch in todo:
            state.refused.update(batch.refused)
            if len(batch):
                self._step(batch, (state.epoch + state.step / total))
            state.step += 1
            self.advance(1)
            leave = self.place.agree(interrupted.is_set())
            if leave or self._checkpoint_is_due():
                state.seconds += time.monotonic() - began
                began = time.monotonic()
                self._save()
            if leave:
                raise KeyboardInterrupt
        state.seconds += time.monotonic() - began
        if not state.samples:
            raise NotEnoughSamples(f"not one picture of epoch {state.epoch + 1} could be read")

    def _step(self, batch: Batch, epoch: float) -> None:
        state, settings = self.state, self.settings
        rate = optimisers.set_rate(self.optimiser, settings, epoch)
        # Dropout and the like draw the same whether or not the training was interrupted before.
        torch.manual_seed(_seed(settings.seed, state.epoch, state.step, self.place.rank))
        batch = batch.to(self.device)
        with self._autocast():
            loss, parts = self.task.loss(self.model, batch)
        value = float(loss.detach())
        if not math.isfinite(value):
            raise Diverged(
                f"the loss became {value} in epoch {state.epoch + 1}; the best weights so far are kept; "
                "lower learning_rate, or set clip_norm"
            )
        self.optimiser.zero_grad(set_to_none=True)
        self.scaler.scale(loss).backward()
        if settings.clip_norm is not None:
            self.scaler.unscale_(self.optimiser)
            nn.utils.clip_grad_norm_(self.task.model.parameters(), settings.clip_norm)
        self.scaler.step(self.optimiser)
        self.scaler.update()
        state.samples += len(batch)
        figures = {"loss": value, "learning_rate": rate, **{name: float(p) for name, p in parts.items()}}
        for name, figure in figures.items():
            state.sums[name] = state.sums.get(name, 0.0) + figure * len(batch)

    def _finish_epoch(self) -> None:
        state = self.state
        self.task.model.eval()
        figures: Mapping[str, float] | None = None
        began = time.monotonic()
        if self.place.first:
            with torch.no_grad(), self._autocast():
                figures = {name: float(value) for name, value in self.task.evaluate(self.device).items()}
        figures = self.place.agree(figures)
        assert figures is not None
        row: Row = {"epoch": state.epoch + 1, "seconds": round(state.seconds, 3)}
        row |= {"validation_seconds": round(time.monotonic() - began, 3), "samples": state.samples}
        for name, value in state.sums.items():
            row["learning_rate" if name == "learning_rate" else f"train_{name}"] = value / state.samples
        row |= {f"val_{name}": value for name, value in figures.items()}
        state.history.append(row)
        if self._is_better(figures[self.task.monitor]):
            state.best, state.best_epoch = figures[self.task.monitor], state.epoch + 1
            if self.place.first:
                self.folder.save_best(self.task.model)
        state.epoch, state.step, state.samples, state.seconds, state.sums = state.epoch + 1, 0, 0, 0.0, {}
        state.ended = self._reason_to_end(figures)
        for callback in self.callbacks if self.place.first else ():
            state.ended = callback(state, row) or state.ended
        state.ended = self.place.agree(state.ended)
        if self.place.first:
            self.folder.write_metrics(state.history)
        self._save()

    def _is_better(self, value: float) -> bool:
        if math.isnan(value):
            return False
        best = self.state.best
        return best is None or (value < best if self.task.better == "low" else value > best)

    def _reason_to_end(self, figures: Mapping[str, float]) -> str | None:
        settings, state = self.settings, self.state
        if state.best_epoch is None:
            raise Diverged(f"val_{self.task.monitor} is no number; lower learning_rate, or set clip_norm")
        accuracy = figures.get("accuracy")
        if settings.stop_at is not None and accuracy is not None and accuracy >= settings.stop_at:
            return f"val_accuracy reached {settings.stop_at:g}"
        if settings.patience is not None and state.epoch - state.best_epoch >= settings.patience:
            return f"no better val_{self.task.monitor} for {settings.patience} epochs"
        return None

    def _autocast(self) -> Any:
        kinds = {"bf16": torch.bfloat16, "fp16": torch.float16}
        kind = kinds.get(self.settings.amp)
        return torch.autocast(self.device.type, dtype=kind, enabled=kind is not None)

    def _checkpoint_is_due(self) -> bool:
        return time.monotonic() - self._saved_at >= 60 * self.settings.checkpoint_minutes

    def _save(self) -> None:
        self._saved_at = time.monotonic()
        if not self.place.first:
            return
        state = {name: getattr(self.state, name) for name in Progress.__slots__}
        self.folder.save_checkpoint(
            {
                "progress": state,
                "model": self.task.model.state_dict(),
                "optimiser": self.optimiser.state_dict(),
                "scaler": self.scaler.state_dict(),
            }
        )

    def _resume(self) -> None:
        state = self.folder.load_checkpoint()
        if state is None:
            return
        self.task.model.load_state_dict(state["model"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.scaler.load_state_dict(state["scaler"])
        self.state = Progress(**state["progress"])
        done = sum(self.batches.length(epoch) for epoch in range(self.state.epoch)) + self.state.step
        self.advance(done)


def _seed(*parts: int) -> int:
    """One number of 63 bits from several, well mixed."""
    value = 0x9E3779B97F4A7C15
    for part in parts:
        value = ((value ^ (part + 0x7F4A7C15)) * 0xBF58476D1CE4E5B9 + 0x94D049BB133111EB) & (2**64 - 1)
        value ^= value >> 29
    return value & (2**63 - 1)


@contextmanager
def _interrupts() -> Iterator[threading.Event]:
    """Ctrl-C sets the event, so that a step ends whole; a second one interrupts at once."""
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield event
        return

    def handle(_number: int, _frame: FrameType | None) -> None:
        if event.is_set():
            raise KeyboardInterrupt
        event.set()

    before = signal.signal(signal.SIGINT, handle)
    try:
        yield event
    finally:
        signal.signal(signal.SIGINT, before)


def _nothing(_count: int) -> None:
    pass
