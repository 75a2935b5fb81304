"""The one training loop.

A resumed training ends with the weights of an undisturbed one: batches depend on seed, epoch and position,
each step seeds torch's random numbers, and the learning rate is a function of the step. For that to hold, a
task draws from torch alone, and what is trained lies in its model.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from lineament.counting import quantity
from lineament.errors import CheckpointMismatch, Diverged, NotEnoughSamples
from lineament.io import opencv
from lineament.protocols import Advance
from lineament.training import distributed, optimisers, threads
from lineament.training.data import Batch, Batches, deaths_named
from lineament.training.interrupts import interrupts
from lineament.training.runs.folder import RunFolder
from lineament.training.settings import LoopSettings
from lineament.training.tasks import Callback, Held, Progress, Row, Task
from lineament.training.telling import epoch_line, log


@dataclass(frozen=True, slots=True)
class _Share:
    """What one process made of its part of a batch."""

    count: int = 0
    figures: Mapping[str, float] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)
    has_gradient: tuple[bool, ...] = ()
    leave: bool = False


def fit(
    task: Task,
    batches: Batches,
    run: RunFolder,
    settings: LoopSettings,
    *,
    callbacks: Sequence[Callback] = (),
    advance: Advance | None = None,
) -> Progress:
    """Train ``task`` and leave its best weights in its model and in ``best.safetensors``.

    ``advance`` is told of each finished batch. Goes on from the run folder's checkpoint. Raises `Diverged`
    when the loss or the monitored figure is no number, `NotEnoughSamples` when an epoch has no usable
    picture, `OutputError` when the disk is full, `CheckpointMismatch` for a checkpoint that does not fit,
    `TrainingError` when a loading process died; on Ctrl-C it writes a checkpoint first. Of several
    processes only the first holds the best weights afterwards.
    """
    with (
        opencv.one_thread_each(),
        distributed.joined() as place,
        interrupts() as interrupted,
        deaths_named(),
    ):
        loop = _Loop(task, batches, run, settings, callbacks, advance or _nothing, place)
        try:
            return loop.run(interrupted)
        except BaseException:
            batches.close()
            raise


class _Loop:
    def __init__(
        self,
        task: Task,
        batches: Batches,
        run: RunFolder,
        settings: LoopSettings,
        callbacks: Sequence[Callback],
        advance: Advance,
        place: distributed.Place,
    ) -> None:
        self.task, self.batches, self.folder, self.settings = task, batches, run, settings
        self.callbacks, self.advance, self.place = callbacks, advance, place
        self.device = distributed.device_for(settings.device, place)
        if self.device.type == "cuda":
            torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = True, False
        self.model = task.model.to(self.device)
        self.judged: nn.Module = getattr(task, "judged", self.model).to(self.device)
        self.optimiser = optimisers.build(task.groups(), settings)
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=settings.amp == "fp16")
        self.held: Held | None = getattr(task, "held", None)
        self.state = Progress()
        self.threads = torch.get_num_threads()
        self._saved_at, self._saving_took = time.monotonic(), 0.0
        self._trained = [p for group in self.optimiser.param_groups for p in group["params"]]
        held = {id(p) for p in self.model.parameters()}
        assert all(id(p) in held for p in self._trained), "a checkpoint holds Task.model only"
        self._norms = [m for m in self.model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]

    def run(self, interrupted: threading.Event) -> Progress:
        self._resume()
        torch.set_num_threads(self.threads)
        if self.state.ended is None:
            self.model.train()
            self._require_two(self.state.epoch)
        self.folder.begin()
        if self.place.first:
            log.info(self._beginning())
        self.place.spread(self.model)
        while self.state.ended is None:
            self._train_epoch(interrupted)
            self._finish_epoch()
        if self.place.first:
            log.info(f"{self.state.ended}; measuring the weights of epoch {self.state.best_epoch}")
            self.folder.load_best(self.model)
        return self.state

    def _beginning(self) -> str:
        """What the training will do, in one line."""
        epoch, settings = self.state.epoch, self.settings
        onwards = (
            f"going on after epoch {epoch}, step {self.state.step}: " if epoch or self.state.step else ""
        )
        where = (
            quantity(self.threads, "processor thread") if self.device.type == "cpu" else str(self.device)
        )
        return (
            f"{onwards}at most {quantity(settings.epochs, 'epoch')} of "
            f"{quantity(self.batches.length(epoch), 'batch')} of "
            f"{settings.batch_size}, on {where}"
        )

    def _train_epoch(self, interrupted: threading.Event) -> None:
        state, began = self.state, time.monotonic()
        total = self.batches.length(state.epoch)
        self.model.train()
        todo = self.batches.epoch(
            state.epoch, start=state.step, rank=self.place.rank, world=self.place.world
        )
        for batch in todo:
            leave = self._step(batch, state.epoch + state.step / total, interrupted)
            state.step += 1
            self.advance(1)
            if leave or self._all(self._since_saving() >= 60 * self.settings.checkpoint_minutes):
                state.seconds += time.monotonic() - began
                began = time.monotonic()
                self._save()
            if leave:
                self.place.agree(None)  # nobody leaves, or begins anew, before the checkpoint is written
                raise KeyboardInterrupt
        state.seconds += time.monotonic() - began
        if not state.samples:
            why = next(iter(state.refused.values()), "every batch was too small")
            raise NotEnoughSamples(f"not one picture of epoch {state.epoch + 1} could be used: {why}")

    def _require_two(self, epoch: int) -> None:
        """Raise `NotEnoughSamples` where every batch is one picture, and normalised over the batch."""
        if not any(norm.training for norm in self._norms):
            return
        if self.batches.largest(epoch, self.place.world) > 1:
            return
        pictures = len(self.batches.data)  # type: ignore[arg-type]
        raise NotEnoughSamples(
            f"every batch is one picture (loop.batch_size {self.settings.batch_size}, "
            f"{quantity(pictures, 'training picture')}, {quantity(self.place.world, 'process')}), and this "
            "network normalises over the batch, which takes two: set --batch-size 2 or more, or keep its "
            "statistics with --method feature-extraction or --set fine_tuning.batch_norm=keep"
        )

    def _step(self, batch: Batch, epoch: float, interrupted: threading.Event) -> bool:
        """One step of the optimiser; returns whether somebody asked to leave."""
        state, settings = self.state, self.settings
        rate = optimisers.set_rate(self.optimiser, settings, epoch)
        self.optimiser.zero_grad(set_to_none=True)
        share = self._gradients(batch, interrupted)
        shares = self.place.gather(share)
        for other in shares:
            state.refused.update(other.refused)
        samples = sum(other.count for other in shares)
        leave = any(other.leave for other in shares)
        if not samples:
            return leave
        for other in shares:
            self._require_finite(other.figures.get("loss", 0.0))
        self._average(shares, share.count / samples)
        if settings.clip_norm is not None:
            self.scaler.unscale_(self.optimiser)
            nn.utils.clip_grad_norm_(self._trained, settings.clip_norm)
        self.scaler.step(self.optimiser)
        if self.held is not None:
            self.held.step(rate / settings.learning_rate, self.scaler.get_scale())
        self.scaler.update()
        state.samples += samples
        for other in shares:
            for name, figure in other.figures.items():
                state.sums[name] = state.sums.get(name, 0.0) + figure * other.count
        state.sums["learning_rate"] = state.sums.get("learning_rate", 0.0) + rate * samples
        return leave

    def _gradients(self, batch: Batch, interrupted: threading.Event) -> _Share:
        refused, leave = dict(batch.refused), interrupted.is_set()
        count = len(batch)
        # One sample has no spread to normalise by; it comes with others in the next epoch.
        # Dropout and the like draw the same whether or not the training was interrupted before.
        torch.manual_seed(
            optimisers.seed_of(self.settings.seed, self.state.epoch, self.state.step, self.place.rank)
        )
        if count == 0 or (count == 1 and any(norm.training for norm in self._norms)):
            if self.held is not None:
                self.held.absent()
            return _Share(refused=refused, leave=leave)
        with self._autocast():
            loss, parts = self.task.loss(self.model, batch.to(self.device))
        self.scaler.scale(loss).backward()
        figures = {"loss": float(loss.detach()), **{name: float(part) for name, part in parts.items()}}
        has_gradient = () if self.place.world == 1 else tuple(p.grad is not None for p in self._trained)
        return _Share(count, figures, refused, has_gradient, leave)

    def _average(self, shares: Sequence[_Share], weight: float) -> None:
        """Make gradients, and running means of normalisation, those of all processes."""
        if self.place.world == 1:
            return
        used = [any(flags) for flags in zip(*(s.has_gradient for s in shares if s.count), strict=True)]
        gradients = []
        for parameter, use in zip(self._trained, used, strict=True):
            if use:
                if parameter.grad is None:
                    parameter.grad = torch.zeros_like(parameter)
                gradients.append(parameter.grad)
        buffers = [b for b in self.model.buffers() if b.is_floating_point()]
        self.place.average([*gradients, *buffers], weight)

    def _require_finite(self, loss: float) -> None:
        if math.isfinite(loss):
            return
        best = self.state.best_epoch
        kept = f"the best weights so far, of epoch {best}, are kept" if best else "no epoch was finished"
        raise Diverged(
            f"the loss became {loss} in epoch {self.state.epoch + 1}; {kept}; "
            "lower loop.learning_rate, or set loop.clip_norm"
        )

    def _finish_epoch(self) -> None:
        state = self.state
        self.model.eval()
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
        if self.place.first:
            self.folder.write_metrics(state.history)
        monitored = figures[self.task.monitor]
        if not math.isfinite(monitored):
            raise Diverged(
                f"val_{self.task.monitor} became {monitored} in epoch {state.epoch + 1}; "
                "lower loop.learning_rate, or set loop.clip_norm"
            )
        better = self._is_better(monitored)
        if better:
            state.best, state.best_epoch = monitored, state.epoch + 1
            if self.place.first:
                self.folder.save_best(self.judged)
        state.epoch, state.step, state.samples, state.seconds, state.sums = state.epoch + 1, 0, 0, 0.0, {}
        state.ended = self._reason_to_end(figures)
        for callback in self.callbacks if self.place.first else ():
            state.ended = callback(state, row) or state.ended
        if self.place.first:
            log.info(epoch_line(state.history, self.settings.epochs, self.task.monitor, state.best_epoch))
        state.ended = self.place.agree(state.ended)
        # Where an epoch takes less time than a checkpoint, one is written for several.
        if better or state.ended or self._all(self._since_saving() >= 20 * self._saving_took):
            self._save()

    def _is_better(self, value: float) -> bool:
        best = self.state.best
        return best is None or (value < best if self.task.better == "low" else value > best)

    def _reason_to_end(self, figures: Mapping[str, float]) -> str | None:
        settings, state = self.settings, self.state
        assert state.best_epoch is not None
        accuracy = figures.get("accuracy")
        if settings.stop_at is not None and accuracy is not None and accuracy >= settings.stop_at:
            return f"val_accuracy reached {settings.stop_at:g}"
        if settings.patience is not None and state.epoch - state.best_epoch >= settings.patience:
            return f"no better val_{self.task.monitor} for {quantity(settings.patience, 'epoch')}"
        return f"all {quantity(settings.epochs, 'epoch')} done" if state.epoch == settings.epochs else None

    def _autocast(self) -> Any:
        kinds = {"bf16": torch.bfloat16, "fp16": torch.float16}
        kind = kinds.get(self.settings.amp)
        return torch.autocast(self.device.type, dtype=kind, enabled=kind is not None)

    def _all(self, due: bool) -> bool:
        """Whether to save now: where shares are gathered for it, all processes must at the same time."""
        return due if self.held is None else bool(self.place.agree(due))

    def _since_saving(self) -> float:
        return time.monotonic() - self._saved_at

    def _save(self) -> None:
        began = time.monotonic()
        held = {} if self.held is None else {"held": self.held.state()}
        if self.place.first:
            state = {name: getattr(self.state, name) for name in Progress.__slots__}
            self.folder.save_checkpoint(
                {
                    "progress": state,
                    "model": self.model.state_dict(),
                    "optimiser": self.optimiser.state_dict(),
                    "scaler": self.scaler.state_dict(),
                    "threads": self.threads,
                    **held,
                }
            )
        self._saved_at = time.monotonic()
        self._saving_took = self._saved_at - began

    def _resume(self) -> None:
        state, before = self.folder.load_checkpoint(), None
        if state is None and self.folder.goes_on:
            raise CheckpointMismatch(
                f"{self.folder.path}: its checkpoint is gone, so it cannot go on; begin anew in another "
                f"folder with --weights {self.folder.path}"
            )
        if state is not None:
            try:
                self.model.load_state_dict(state["model"])
                self.optimiser.load_state_dict(state["optimiser"])
                self.scaler.load_state_dict(state["scaler"])
                if self.held is not None:
                    self.held.load(state["held"])
                self.state = Progress(**state["progress"])
                before = state.get("threads")
            except (KeyError, TypeError, ValueError, RuntimeError) as error:
                raise CheckpointMismatch(
                    f"{self.folder.path}: its checkpoint does not fit this network; another version of "
                    f"lineament? {str(error).splitlines()[0]}"
                ) from error
        if self.device.type == "cpu":
            self.threads = threads.choose(self.settings.threads, self.settings.workers, before)
        elif self.settings.threads is not None:
            self.threads = self.settings.threads
        places = self.place.gather((self.state.epoch, self.state.step))
        if len(set(places)) > 1:
            raise CheckpointMismatch(
                f"{self.folder.path}: not all processes see its checkpoint; it must lie on a shared disk"
            )
        if self.folder.goes_on and self.state.history and not self.state.step:
            last = self.state.history[-1]
            self.state.ended = self._reason_to_end(
                {name.removeprefix("val_"): last[name] for name in last if name.startswith("val_")}
            )
        done = sum(self.batches.length(epoch) for epoch in range(self.state.epoch)) + self.state.step
        self.advance(done)


def _nothing(_count: int) -> None:
    pass
