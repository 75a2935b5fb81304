"""The folder of one training: what it was told, what it saw, how it went, and what came of it.

``config.toml`` (usable as ``--config``), ``environment.json``, ``manifest.jsonl`` (the rows it was given),
``metrics.csv`` and ``events/`` (TensorBoard), ``last.ckpt``, ``best.safetensors``, ``model.onnx``,
``card.json``, figures, ``refused.txt``, and ``result.json``, which is written last and says that the
training is finished.

Nothing is written before a training begins: what fails earlier, for want of weights or of pictures, leaves
no folder, and a folder in which nothing was trained yet is taken over by the next training.
"""

from __future__ import annotations

import errno
import importlib.util
import json
import math
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from lineament.documents import read_object
from lineament.errors import CheckpointMismatch, MissingExtra, OutputError, UsageError
from lineament.io import environment as versions
from lineament.io import spreadsheets
from lineament.io.manifest import Manifest
from lineament.io.names import shown
from lineament.io.own_files import OWN
from lineament.io.permissions import file_mode
from lineament.io.writing import LEFTOVER, make_folder, replacing, target_of, unwritable
from lineament.training import distributed
from lineament.training.answers import REFUSED, RESULT
from lineament.training.runs import identity as run_identity

CONFIG = "config.toml"
METRICS = "metrics.csv"
CHECKPOINT = "last.ckpt"
BEST = "best.safetensors"
FEATURES = "features"
MANIFEST = "manifest.jsonl"
_LOCK = ".training.lock"
_DISK_IS_FULL = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)
_NEEDED = ("matplotlib", "onnxscript", "safetensors", "tensorboard", "tomli_w", "torchvision")
"""What a training imports only once it is under way."""


class RunFolder:
    """An open run folder; see `open_run`. ``goes_on``: a training there is to go on beyond its end."""

    def __init__(self, path: Path, trainer: str, fingerprint: str) -> None:
        self.path = path
        self.trainer = trainer
        self.fingerprint = fingerprint
        self.goes_on = False
        self.on_begin: Callable[[], None] | None = None

    def begin(self) -> None:
        """Write what says whose folder this is; the loop calls it once nothing is left to be checked.

        Raises `UsageError` when another process trains there, and `OutputError`.
        """
        begin, self.on_begin = self.on_begin, None
        if begin is not None:
            begin()

    def result(self) -> dict[str, Any] | None:
        """What a finished training said of itself; None while unfinished, or to go on."""
        path = self.path / RESULT
        if self.goes_on or not path.is_file():
            return None
        return read_object(path, CheckpointMismatch)

    def finish(self, result: Mapping[str, Any]) -> None:
        """Write the result; the checkpoint stays, so that more epochs can follow."""
        self.begin()
        write_json(self.path / RESULT, {"trainer": self.trainer, **result})

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
        self.begin()
        names = list(dict.fromkeys(name for row in history for name in row))
        with _written(self.path / METRICS), replacing(self.path / METRICS, OWN) as file:
            spreadsheets.write(file, [names, *([row.get(name) for name in names] for row in history)])

    def write_refused(self, manifest: Manifest, refused: Mapping[str, Mapping[str, str]]) -> None:
        """Write ``refused.txt``: split, path and reason of each; ``refused``: reason by row id by split."""
        self.begin()
        paths = {row.id: row.path for row in manifest}
        with replacing(self.path / REFUSED, OWN) as file:
            for split, reasons in refused.items():
                for row, reason in sorted(reasons.items()):
                    file.write(f"{shown(split)}\t{shown(paths[row], None)}\t{shown(reason, None)}\n")

    def replace(self, name: str, write: Callable[[Path], object]) -> None:
        """Let ``write(path)`` write beside ``name`` and move that there; raises `OutputError`."""
        self.begin()
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
        raise OutputError(unwritable(path, reason, "the last one is kept")) from error


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

    Nothing is written until `RunFolder.begin`. With a later end (more epochs, another patience) the
    training that is there goes on. Raises `CheckpointMismatch` when the folder is of another training,
    `UsageError` when it holds something else or another process trains there, `OutputError` when it cannot
    be written, and `MissingExtra` without the libraries that a training needs in the end.
    """
    if any(importlib.util.find_spec(name) is None for name in _NEEDED):
        raise MissingExtra("training", "train")
    stated = run_identity.stated(trainer, settings, manifest)
    with ExitStack() as held:
        first = distributed.is_first()
        locked = first and path.exists()
        if locked:
            held.enter_context(_locked(path))
        known = _require_ours(path, stated)
        run = RunFolder(path, trainer, run_identity.fingerprint(stated))
        run.goes_on = known is not None and run_identity.ends_differ(known, stated)

        def begin() -> None:
            if not locked:
                held.enter_context(_locked(path))
                _require_ours(path, stated)
            with _written(path):
                _write_beginning(path, trainer, settings, manifest, stated)

        if first:
            run.on_begin = begin
        try:
            yield run
        except OSError as error:
            if error.errno not in _DISK_IS_FULL:
                raise
            raise OutputError(unwritable(path, error, "what is whole is kept")) from error


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the folder, made where it is missing; raises `UsageError` while another training does."""
    from filelock import FileLock, Timeout

    lock = FileLock(path / _LOCK, timeout=0, mode=file_mode())
    try:
        make_folder(path)
        lock.acquire()
    except Timeout:
        raise UsageError(f"{path}: another training is running there") from None
    except OSError as error:
        raise OutputError(unwritable(path, error)) from error
    try:
        yield
    finally:
        (path / _LOCK).unlink(missing_ok=True)
        lock.release()


def _require_ours(path: Path, stated: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """What the folder says of a training that can go on; None for one in which nothing was trained.

    Raises `CheckpointMismatch` for another training, and `UsageError` for a folder of something else.
    """
    known = run_identity.known(path)
    if known is None:
        if path.is_dir() and any(
            not LEFTOVER.fullmatch(p.name) and p.name != _LOCK for p in path.iterdir()
        ):
            raise UsageError(f"{path}: is not empty and no run folder; give another one")
        return None
    if not any((path / name).exists() for name in (CHECKPOINT, BEST, RESULT)):
        return None
    run_identity.require_same(path, known, stated)
    return known


def _write_beginning(
    path: Path, trainer: str, settings: Any, manifest: Manifest, stated: Mapping[str, Any]
) -> None:
    """Write whose folder it is, over what was written for a training that never was, or ended earlier."""
    known = run_identity.known(path)
    _sweep(path)
    if known is not None and known != stated:
        (path / RESULT).unlink(missing_ok=True)
        if run_identity.fingerprint(known) != run_identity.fingerprint(stated):
            shutil.rmtree(path / FEATURES, ignore_errors=True)
            (path / MANIFEST).unlink(missing_ok=True)
        (path / CONFIG).unlink(missing_ok=True)
    # The identity comes first: a folder left by a kill at any moment can be gone on with.
    if known != stated:
        write_json(path / run_identity.IDENTITY, stated)
    if not (path / CONFIG).is_file():
        _save_config(path / CONFIG, trainer, settings)
    if not (path / "environment.json").is_file():
        write_json(path / "environment.json", environment())
    if not (path / MANIFEST).is_file():
        manifest.save(path / MANIFEST)


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
