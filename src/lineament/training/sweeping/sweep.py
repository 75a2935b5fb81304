"""Architectures x methods x augmentations x seeds: each cell a run folder, the whole resumable.

A cell trains in a process of its own, so that one which the system ends for its memory is a failed cell and
not the end of the sweep. Finished cells are kept; failed ones are tried again when the sweep is run again.
"""

from __future__ import annotations

import multiprocessing
import os
import re
import signal
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from lineament.config import from_mapping
from lineament.counting import quantity
from lineament.datasets.augment.pipeline import DEFAULT
from lineament.datasets.splitting.held_out import exam_of
from lineament.documents import read_object
from lineament.errors import (
    CheckpointMismatch,
    ConfigError,
    Diverged,
    LineamentError,
    OutputError,
    UsageError,
    WeightsUnavailable,
)
from lineament.io.manifest import Manifest
from lineament.protocols import Advance
from lineament.training.answers import RESULT
from lineament.training.architectures import build
from lineament.training.classification.baseline import embedding_baseline
from lineament.training.classification.settings import ClassifierSettings
from lineament.training.classification.trainer import train_classifier
from lineament.training.runs.folder import write_json
from lineament.training.splits import require_no_leak
from lineament.training.sweeping import brought
from lineament.training.sweeping.settings import SweepSettings
from lineament.training.sweeping.summary import BASELINE, Failure, Outcome, summarise
from lineament.training.sweeping.tables import SweepAnswer, write_tables
from lineament.training.telling import log
from lineament.training.transfer_run import rows_by_split

_PRELOAD = ("lineament.training.classification.trainer", "matplotlib.figure", "onnxscript", "tensorboard")
"""Imported once, not by each cell: together they take longer than a small training's epoch."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One training of the grid; ``folder`` is its run folder below the sweep's."""

    architecture: str
    method: str
    augmentation: str
    seed: int
    folder: str
    settings: ClassifierSettings


def cells(settings: SweepSettings) -> list[Cell]:
    """The grid in order; raises `ConfigError` or `UnknownName` for a cell that makes no sense."""
    names = {entry.partition(":")[0] for entry in settings.architectures}
    for entry in settings.weights:
        name, equals, _ = entry.partition("=")
        if equals and name.strip() not in names:
            raise ConfigError(f"sweep: weights for {name.strip()!r}, which is not among its architectures")
    found: list[Cell] = []
    folders: dict[str, str] = {}
    for entry in settings.architectures:
        architecture, _, only = entry.partition(":")
        build(architecture)
        for method in (only,) if only else settings.methods:
            for text in settings.augmentations:
                name = "-".join((architecture, method, _slug(text)))
                if folders.setdefault(name, f"{entry} {method} {text}") != f"{entry} {method} {text}":
                    raise ConfigError(f"sweep: {folders[name]} and {entry} {method} {text} are one")
                for seed in settings.seeds:
                    told = _settings(settings, architecture, method, text, seed)
                    found.append(Cell(architecture, method, text, seed, f"{name}/seed-{seed}", told))
    return found


def _settings(
    sweep: SweepSettings, architecture: str, method: str, augmentation: str, seed: int
) -> ClassifierSettings:
    values: dict[str, Any] = {}
    for table in (sweep.classifier, sweep.by_method.get(method, {})):
        for key, value in table.items():
            merges = isinstance(value, Mapping) and isinstance(values.get(key), Mapping)
            values[key] = {**values[key], **value} if merges else value
    steps = {"none": [], "default": list(DEFAULT)}.get(augmentation, augmentation.split("+"))
    if "unit" in steps:
        values["normalise"] = "unit"
    values |= {"architecture": architecture, "method": method}
    if method != "scratch" and (start := brought.weights_for(architecture, sweep.weights)) is not None:
        values["weights"] = start
    values["augment"] = [step for step in steps if step != "unit"]
    told = from_mapping(ClassifierSettings, values, where=f"sweep, {architecture} {method} {augmentation}")
    return replace(told, loop=replace(told.loop, seed=seed))


def _slug(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9.]+", "-", text).strip("-")


def run_sweep(
    manifest: Manifest, out: Path, settings: SweepSettings, *, advance: Advance | None = None
) -> SweepAnswer:
    """Train every cell below ``out`` and write ``sweep.json``, ``.csv``, ``.md`` and ``.html`` there.

    ``advance`` is told of each finished cell. A cell that fails is a row of the tables; wrong settings, a
    full disk, and a folder that holds other runs raise their errors. Tables are written after each cell.
    """
    require_no_leak(manifest)
    rows_by_split(manifest)
    grid = cells(settings)
    brought.require_loadable(
        (cell.architecture, "imagenet" if cell.settings.weights == "auto" else cell.settings.weights)
        for cell in grid
        if cell.method != "scratch" and not (out / cell.folder / RESULT).is_file()
    )
    if done := sum((out / cell.folder / RESULT).is_file() for cell in grid):
        log.info(f"{quantity(done, 'training was')} done by an earlier run, of {len(grid)}")
    outcomes: list[Outcome] = []
    if settings.baseline != "none":
        outcomes.append(_baseline(manifest, out, settings))
        _write(manifest, out, outcomes, len(grid))
    for number, cell in enumerate(grid, 1):
        outcomes.append(_train(manifest, out, cell))
        log.info(f"training {number} of {len(grid)}: {_said_of(outcomes[-1])}")
        _write(manifest, out, outcomes, len(grid))
        if advance is not None:
            advance(1)
    return _write(manifest, out, outcomes, len(grid))


def _said_of(outcome: Outcome) -> str:
    name = f"{outcome.architecture}, {outcome.method}, {outcome.augmentation}, seed {outcome.seed}"
    if outcome.result is None:
        assert outcome.failure is not None
        return f"{name}: {outcome.failure.kind}: {outcome.failure.message}"
    exam = exam_of(outcome.result)
    return f"{name}: {exam} accuracy {outcome.result[exam]['accuracy']['value']:.3f}"


def _write(manifest: Manifest, out: Path, outcomes: Sequence[Outcome], planned: int) -> SweepAnswer:
    trained = sum(outcome.method != BASELINE for outcome in outcomes)
    summary = summarise(outcomes, data=manifest.digest(), left=planned - trained)
    write_tables(out, summary)
    return SweepAnswer(out, summary)


def _baseline(manifest: Manifest, out: Path, settings: SweepSettings) -> Outcome:
    label = str(settings.classifier.get("label", "subject"))
    name = f"{settings.baseline} + linear"
    done = _read(out / "baseline.json")
    stated = {"data": manifest.digest(), "label": label}
    if done.items() >= stated.items():
        return Outcome(name, BASELINE, "none", 0, "baseline.json", done, None)
    try:
        result = embedding_baseline(manifest, label=label, embedder=f"{settings.baseline}:precision=exact")
    except (UsageError, OutputError):
        raise
    except LineamentError as error:
        return Outcome(name, BASELINE, "none", 0, "", None, _failure(type(error).__name__, str(error)))
    result |= stated
    write_json(out / "baseline.json", result)
    return Outcome(name, BASELINE, "none", 0, "baseline.json", result, None)


def _read(path: Path) -> dict[str, Any]:
    return read_object(path) if path.exists() else {}


def _train(manifest: Manifest, out: Path, cell: Cell) -> Outcome:
    """Train a cell in a process of its own, and wait for it."""
    context: Any = multiprocessing.get_context("spawn" if os.name == "nt" else "forkserver")
    if os.name != "nt":
        context.set_forkserver_preload(list(_PRELOAD))
    ours, theirs = context.Pipe(duplex=False)
    path = out / cell.folder
    process = context.Process(target=_in_child, args=(manifest, path, cell.settings, theirs))
    process.start()
    theirs.close()
    try:
        wait([ours, process.sentinel])
        said = _said(ours)
        process.join()
    except KeyboardInterrupt:
        # The child has its own process group, so that it is told once; it writes a checkpoint and ends.
        if process.pid is not None and process.is_alive():
            os.kill(process.pid, signal.SIGINT)
        process.join()
        raise
    result, failure = None, None
    if said is None:
        failure = _killed(process.exitcode)
    elif said[0] == "result":
        result = said[1]
    elif said[0] in _ENDS:
        raise _ENDS[said[0]](said[1])
    else:
        failure = _failure(said[0], said[1])
    return Outcome(
        cell.architecture, cell.method, cell.augmentation, cell.seed, cell.folder, result, failure
    )


_ENDS: Mapping[str, type[LineamentError]] = {
    kind.__name__: kind for kind in (ConfigError, UsageError, CheckpointMismatch, OutputError)
}
"""What is wrong with the whole sweep, not with one cell."""


def _said(pipe: Connection) -> tuple[str, Any] | None:
    try:
        said: tuple[str, Any] = pipe.recv()
    except EOFError:
        return None
    return said


def _in_child(manifest: Manifest, path: Path, settings: ClassifierSettings, pipe: Connection) -> None:
    if hasattr(os, "setpgrp"):
        os.setpgrp()
    parent = multiprocessing.parent_process()
    assert parent is not None
    threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()
    try:
        said: tuple[str, Any] = ("result", _trained(manifest, path, settings))
    except KeyboardInterrupt:
        return
    except LineamentError as error:
        known = [kind for kind in _ENDS if kind in {c.__name__ for c in type(error).__mro__}]
        said = (known[0] if known else type(error).__name__, str(error))
    except MemoryError:
        said = ("OutOfMemory", "")
    except RuntimeError as error:
        if not _is_memory(error):
            raise
        said = ("OutOfMemory", str(error).splitlines()[0])
    pipe.send(said)


def _trained(manifest: Manifest, path: Path, settings: ClassifierSettings) -> dict[str, Any]:
    result = train_classifier(manifest, path, settings)
    assert result is not None, "a cell is one process"
    return result.to_json()


def _end_with(sentinel: int) -> None:
    """A sweep that is killed takes its cell along: nobody would wait for it."""
    wait([sentinel])
    os._exit(1)


def _is_memory(error: RuntimeError) -> bool:
    import torch

    words = str(error).lower()
    return isinstance(error, torch.OutOfMemoryError) or ("memory" in words and "alloc" in words)


def _killed(code: int | None) -> Failure:
    if code == -signal.SIGKILL:
        return Failure("out of memory", "the system ended the process (SIGKILL), which it does for memory")
    return Failure("crashed", f"the process ended with {code}; its error is above")


def _failure(kind: str, message: str) -> Failure:
    words = {
        "OutOfMemory": "out of memory",
        Diverged.__name__: "did not converge",
        WeightsUnavailable.__name__: "weights unavailable",
    }
    return Failure(words.get(kind, kind), message)
