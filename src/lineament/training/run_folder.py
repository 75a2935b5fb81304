"""The folder of one training: what it was told, what it saw, how it went, and what came of it.

``config.toml`` (usable as ``--config``), ``environment.json``, ``manifest.jsonl`` (the rows it was given),
``metrics.csv`` and ``events/`` (TensorBoard), ``last.ckpt`` while unfinished, ``best.safetensors``,
``model.onnx``, ``card.json``, figures, ``refused.txt``, and ``result.json``, which is written last and says
that the training is finished.
"""

from __future__ import annotations

import csv
import errno
import hashlib
import json
import math
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from lineament.errors import CheckpointMismatch, OutputError, UsageError
from lineament.io import environment as versions
from lineament.io.manifest import Manifest
from lineament.io.own_files import OWN
from lineament.io.permissions import file_mode
from lineament.io.writing import LEFTOVER, make_folder, replacing, target_of
from lineament.training import distributed

RESULT = "result.json"
CONFIG = "config.toml"
METRICS = "metrics.csv"
CHECKPOINT = "last.ckpt"
BEST = "best.safetensors"
IDENTITY = "run.json"
_LOCK = ".training.lock"
_DISK_IS_FULL = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)
_NO_MATTER = ("workers", "threads", "device", "checkpoint_minutes")
"""Settings of the loop that say where and how fast, not what: one may go on with others."""


class RunFolder:
    """An open run folder; see `open_run`."""

    def __init__(self, path: Path, trainer: str, fingerprint: str) -> None:
        self.path = path
        self.trainer = trainer
        self.fingerprint = fingerprint

    def result(self) -> dict[str, Any] | None:
        """What a finished training said of itself; None while unfinished."""
        path = self.path / RESULT
        if not path.is_file():
            return None
        try:
            values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
            raise CheckpointMismatch(f"{path}: cannot be read; remove it to go on: {error}") from error
        return values

    def finish(self, result: Mapping[str, Any]) -> None:
        """Write the result; the checkpoint goes."""
        write_json(self.path / RESULT, {"trainer": self.trainer, **result})
        (self.path / CHECKPOINT).unlink(missing_ok=True)

    def save_checkpoint(self, state: Mapping[str, Any]) -> None:
        """Replace the checkpoint atomically; raises `OutputError`, leaving the last one whole."""
        self.replace(CHECKPOINT, lambda path: _save({"fingerprint": self.fingerprint, **state}, path))

    def load_checkpoint(self) -> dict[str, Any] | None:
        """The checkpoint, None when there is none; raises `CheckpointMismatch`."""
        path = self.path / CHECKPOINT
        if not path.is_file():
            return None
        try:
            state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:  # torch raises many kinds for a damaged file
            raise CheckpointMismatch(f"{path}: cannot be read; remove it to begin anew: {error}") from error
        if state.pop("fingerprint", None) != self.fingerprint:
            raise CheckpointMismatch(f"{path}: of a training with other settings or data")
        return state

    def save_best(self, model: torch.nn.Module) -> None:
        """Replace the best weights atomically."""
        from safetensors.torch import save_file

        tensors = {k: v.detach().cpu().contiguous().clone() for k, v in model.state_dict().items()}
        self.replace(BEST, lambda path: save_file(tensors, path))

    def load_best(self, model: torch.nn.Module) -> None:
        """Put the best weights into the model; raises `CheckpointMismatch`."""
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        path = self.path / BEST
        try:
            model.load_state_dict(load_file(path))
        except (OSError, SafetensorError, RuntimeError) as error:
            raise CheckpointMismatch(
                f"{path}: missing, damaged or of another network; remove {CHECKPOINT} to begin: {error}"
            ) from error

    def write_metrics(self, history: Sequence[Mapping[str, Any]]) -> None:
        """All epochs so far as ``metrics.csv``."""
        names = list(dict.fromkeys(name for row in history for name in row))
        with _written(self.path / METRICS), replacing(self.path / METRICS, OWN) as file:
            writer = csv.DictWriter(file, names, lineterminator="\n")
            writer.writeheader()
            writer.writerows(history)

    def write_refused(self, manifest: Manifest, refused: Mapping[str, Mapping[str, str]]) -> None:
        """Write ``refused.txt``: split, path and reason of each; ``refused``: reason by row id by split."""
        paths = {row.id: row.path for row in manifest}
        with replacing(self.path / "refused.txt", OWN) as file:
            for split, reasons in refused.items():
                for row, reason in sorted(reasons.items()):
                    file.write(f"{split}\t{paths[row]}\t{reason}\n")

    def replace(self, name: str, write: Callable[[Path], object]) -> None:
        """Let ``write(path)`` write beside ``name`` and move that there; raises `OutputError`."""
        with _written(self.path / name), target_of(self.path / name, OWN) as partial:
            write(partial)


@contextmanager
def _written(path: Path) -> Iterator[None]:
    """Turn what writers raise when a file cannot be written into `OutputError`."""
    from safetensors import SafetensorError

    try:
        yield
    except (OSError, SafetensorError) as error:
        reason = str(error).splitlines()[0]
        raise OutputError(f"{path}: cannot be written: {reason}; the last one is kept") from error


def _save(state: Mapping[str, Any], path: Path) -> None:
    try:
        torch.save(state, path)
    except RuntimeError as error:  # all that torch's archive writer raises, for a full disk too
        if "DataLoader worker" in str(error):
            raise  # raised by a signal, whatever was being done
        raise OSError(f"the archive broke off ({str(error).splitlines()[0]}); is the disk full?") from error


@contextmanager
def open_run(path: Path, trainer: str, settings: Any, manifest: Manifest) -> Iterator[RunFolder]:
    """Open or continue the folder of a training with these settings (a dataclass) and this data.

    Raises `CheckpointMismatch` when the folder is of another training, `UsageError` when it holds
    something else or another process trains there, and `OutputError` when it cannot be written.
    """
    from filelock import FileLock, Timeout

    stated = _stated(trainer, settings, manifest)
    fingerprint = hashlib.sha256(json.dumps(stated, sort_keys=True).encode()).hexdigest()
    run = RunFolder(path, trainer, fingerprint)
    if not distributed.is_first():
        yield run
        return
    lock = FileLock(path / _LOCK, timeout=0, mode=file_mode())
    try:
        make_folder(path)
        lock.acquire()
    except Timeout:
        raise UsageError(f"{path}: another training is running there") from None
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror or error}") from error
    try:
        _open(path, trainer, settings, manifest, stated)
        yield run
    except OSError as error:
        if error.errno not in _DISK_IS_FULL:
            raise
        raise OutputError(f"{path}: cannot be written: {error.strerror}; what is whole is kept") from error
    finally:
        (path / _LOCK).unlink(missing_ok=True)
        lock.release()


def _stated(trainer: str, settings: Any, manifest: Manifest) -> dict[str, Any]:
    """What makes a training this one, as JSON gives it back."""
    told = asdict(settings)
    loop = told.get("loop")
    if isinstance(loop, dict):
        told["loop"] = {name: value for name, value in loop.items() if name not in _NO_MATTER}
    stated = {"trainer": trainer, "settings": told, "data": manifest.digest()}
    plain: dict[str, Any] = json.loads(json.dumps(stated, default=str))
    return plain


def _open(path: Path, trainer: str, settings: Any, manifest: Manifest, stated: Mapping[str, Any]) -> None:
    """Begin the folder, or make sure that it holds this very training."""
    identity = path / IDENTITY
    if identity.is_file():
        try:
            known = json.loads(identity.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
            raise CheckpointMismatch(f"{identity}: cannot be read: {error}; give another folder") from error
        if other := _differences(known, stated):
            raise CheckpointMismatch(
                f"{path}: holds a training with other {', '.join(other[:4])}; give another folder"
            )
    elif any(not LEFTOVER.fullmatch(p.name) and p.name != _LOCK for p in path.iterdir()):
        raise UsageError(f"{path}: is not empty and no run folder; give another one")
    with _written(path):
        # The identity comes first: a folder left by a kill at any moment can be gone on with.
        if not identity.is_file():
            write_json(identity, stated)
        _sweep(path)
        if not (path / CONFIG).is_file():
            _save_config(path / CONFIG, trainer, settings)
        if not (path / "environment.json").is_file():
            write_json(path / "environment.json", environment())
        if not (path / "manifest.jsonl").is_file():
            manifest.save(path / "manifest.jsonl")


def _differences(known: Any, stated: Any, name: str = "") -> list[str]:
    """Dotted names of what two nested mappings do not share."""
    if not isinstance(known, Mapping) or not isinstance(stated, Mapping):
        return [] if known == stated else [name or "trainer"]
    found = []
    for key in sorted({*known, *stated}):
        here = key if name in ("", "settings") else f"{name}.{key}"
        found += _differences(known.get(key), stated.get(key), here)
    return found


def _sweep(path: Path) -> None:
    """Remove what a kill left half-written."""
    for left in [p for p in path.iterdir() if LEFTOVER.fullmatch(p.name)]:
        left.unlink(missing_ok=True)


def _save_config(path: Path, trainer: str, settings: Any) -> None:
    import tomli_w

    with replacing(path, OWN) as file:
        file.write(f"# lineament train {trainer} DATA --out FOLDER --config THIS\n")
        file.write(tomli_w.dumps(_told(asdict(settings))))


def _told(values: Any) -> Any:
    """Values as TOML can hold them: None is the word none, because a default may be another."""
    if values is None:
        return "none"
    if isinstance(values, Mapping):
        return {k: _told(v) for k, v in values.items()}
    if isinstance(values, (list, tuple)):
        return [_told(v) for v in values]
    return str(values) if isinstance(values, Path) else values


def environment() -> dict[str, Any]:
    """Versions and hardware that a figure depends on; no names of machines, users or folders."""
    import torchvision

    return {
        **versions.environment(),
        "git_commit": _commit(),
        "torch": torch.__version__,
        "torchvision": torchvision.__version__,
        "threads": torch.get_num_threads(),
        "gpus": [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())],
    }


def _commit() -> str | None:
    """The commit of lineament's own checkout, None when it was installed otherwise."""
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=40"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None if done.returncode == 0 else None


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """Write a JSON file atomically, NaN and infinity as null; raises `OutputError`."""
    with _written(path), replacing(path, OWN) as file:
        json.dump(_finite(values), file, indent=1, sort_keys=True, default=str, allow_nan=False)
        file.write("\n")


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
