"""The folder of one training: what it was told, what it saw, how it went, and what came of it.

``config.toml`` (usable as ``--config``), ``environment.json``, ``manifest.jsonl`` (the rows it was given),
``metrics.csv`` and ``events/`` (TensorBoard), ``last.ckpt`` while unfinished, ``best.safetensors``,
``model.onnx``, ``card.json``, figures, ``refused.txt``, and ``result.json``, which is written last and says
that the training is finished.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import platform
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from lineament.errors import CheckpointMismatch, OutputError, UsageError
from lineament.io.manifest import Manifest, replacing
from lineament.training import distributed

RESULT = "result.json"
CONFIG = "config.toml"
METRICS = "metrics.csv"
CHECKPOINT = "last.ckpt"
BEST = "best.safetensors"
_LOCK = ".training.lock"


class RunFolder:
    """An open run folder; see `open_run`."""

    def __init__(self, path: Path, trainer: str, fingerprint: str) -> None:
        self.path = path
        self.trainer = trainer
        self.fingerprint = fingerprint

    def result(self) -> dict[str, Any] | None:
        """What a finished training said of itself; None while unfinished."""
        path = self.path / RESULT
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None

    def finish(self, result: Mapping[str, Any]) -> None:
        """Write the result; the checkpoint goes."""
        write_json(self.path / RESULT, {"trainer": self.trainer, **result})
        (self.path / CHECKPOINT).unlink(missing_ok=True)

    def save_checkpoint(self, state: Mapping[str, Any]) -> None:
        """Replace the checkpoint atomically; raises `OutputError`, leaving the last one whole."""
        self.replace(CHECKPOINT, lambda path: torch.save({"fingerprint": self.fingerprint, **state}, path))

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
        """Put the best weights into the model."""
        from safetensors.torch import load_file

        model.load_state_dict(load_file(self.path / BEST))

    def write_metrics(self, history: Sequence[Mapping[str, Any]]) -> None:
        """All epochs so far as ``metrics.csv``."""
        names = list(dict.fromkeys(name for row in history for name in row))
        with replacing(self.path / METRICS) as file:
            writer = csv.DictWriter(file, names, lineterminator="\n")
            writer.writeheader()
            writer.writerows(history)

    def replace(self, name: str, write: Any) -> None:
        """Let ``write(path)`` write beside ``name`` and move that there; raises `OutputError`."""
        partial = self.path / f".{name}.part"
        try:
            write(partial)
            with partial.open("rb") as file:
                os.fsync(file.fileno())
            partial.replace(self.path / name)
        except (OSError, RuntimeError) as error:
            # torch's zip writer raises RuntimeError when the disk is full.
            raise OutputError(
                f"{self.path / name}: cannot be written: {error}; the last one is kept"
            ) from error
        finally:
            partial.unlink(missing_ok=True)


@contextmanager
def open_run(path: Path, trainer: str, settings: Any, manifest: Manifest) -> Iterator[RunFolder]:
    """Open or continue the folder of a training with these settings (a dataclass) and this data.

    Raises `CheckpointMismatch` when the folder is of another training, and `UsageError` when it holds
    something else or another process trains there.
    """
    from filelock import FileLock, Timeout

    stated = {"trainer": trainer, "settings": asdict(settings), "data": manifest.digest()}
    fingerprint = hashlib.sha256(json.dumps(stated, sort_keys=True, default=str).encode()).hexdigest()
    identity = path / "run.json"
    if not distributed.is_first():
        yield RunFolder(path, trainer, fingerprint)
        return
    try:
        path.mkdir(parents=True, exist_ok=True)
        with FileLock(path / _LOCK, timeout=0):
            try:
                if identity.is_file():
                    known = json.loads(identity.read_text(encoding="utf-8"))
                    if known.get("fingerprint") != fingerprint:
                        raise CheckpointMismatch(
                            f"{path}: holds a training with other settings or data; give another folder"
                        )
                elif any(p.name != _LOCK for p in path.iterdir()):
                    raise UsageError(f"{path}: is not empty and no run folder; give another one")
                else:
                    _begin(path, trainer, settings, manifest)
                    write_json(identity, {"trainer": trainer, "fingerprint": fingerprint})
                yield RunFolder(path, trainer, fingerprint)
            finally:
                (path / _LOCK).unlink(missing_ok=True)
    except Timeout:
        raise UsageError(f"{path}: another training is running there") from None
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror or error}") from error


def _begin(path: Path, trainer: str, settings: Any, manifest: Manifest) -> None:
    import tomli_w

    with replacing(path / CONFIG) as file:
        file.write(f"# lineament train {trainer} DATA --out FOLDER --config THIS\n")
        file.write(tomli_w.dumps(_told(asdict(settings))))
    write_json(path / "environment.json", environment())
    manifest.save(path / "manifest.jsonl")


def _told(values: Any) -> Any:
    """Values as TOML can hold them: what is None is left out."""
    if isinstance(values, Mapping):
        return {k: _told(v) for k, v in values.items() if v is not None}
    if isinstance(values, (list, tuple)):
        return [_told(v) for v in values]
    return str(values) if isinstance(values, Path) else values


def environment() -> dict[str, Any]:
    """Versions and hardware that a figure depends on; no names of machines, users or folders."""
    import cv2
    import numpy
    import torchvision

    import lineament

    return {
        "lineament": lineament.__version__,
        "git_commit": _commit(),
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "torch": torch.__version__,
        "torchvision": torchvision.__version__,
        "numpy": numpy.__version__,
        "opencv": cv2.__version__,
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
    """Write a JSON file atomically."""
    with replacing(path) as file:
        json.dump(values, file, indent=1, sort_keys=True, default=str)
        file.write("\n")
