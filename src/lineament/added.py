"""Models that the user added by name: a folder each, with card and ONNX file as a training leaves them.

They lie in the folder ``added`` of ``LINEAMENT_CACHE``, where that is set, or else among the user's data:
unlike what a cache holds they cannot be fetched again.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lineament.errors import OutputError, UnknownName, UsageError

CARD = "card.json"
RUN = "run.json"
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")


def folder() -> Path:
    """Where added models are; it may not exist yet."""
    chosen = os.environ.get("LINEAMENT_CACHE")
    if chosen:
        return Path(chosen).expanduser() / "added"
    import platformdirs

    return platformdirs.user_data_path("lineament") / "added"


def names() -> list[str]:
    """Every added model, sorted."""
    try:
        found = [path.name for path in folder().iterdir() if _NAME.fullmatch(path.name)]
    except OSError:
        return []
    return sorted(name for name in found if (folder() / name / CARD).is_file())


def path_of(name: str) -> Path | None:
    """The folder of an added model, None when none is called so."""
    if not _NAME.fullmatch(name):
        return None
    path = folder() / name
    return path if (path / CARD).is_file() else None


def require_path_of(name: str) -> Path:
    """The folder of an added model; raises `UnknownName`."""
    path = path_of(name)
    if path is None:
        raise UnknownName(f"no added model named {name!r}; added are: {', '.join(names()) or 'none'}")
    return path


def require_name(name: str) -> None:
    """Raise `UsageError` for what cannot be a model's name in a spec, or in a folder without case."""
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r:.80}: a model's name is a letter, then letters, digits, '.', '_' and '-'"
        )
    for other in names():
        if other != name and other.lower() == name.lower():
            raise UsageError(f"{name!r} differs only in capitals from the added model {other!r}")


@contextmanager
def adding(name: str, *, replace: bool) -> Iterator[Path]:
    """An empty folder to fill, which takes the model's place when the block ends without an error.

    Raises `UsageError` where there is one already and ``replace`` is not said, and `OutputError`.
    """
    from filelock import FileLock, Timeout

    require_name(name)
    there = folder() / name
    new, old = folder() / f".{name}.new", folder() / f".{name}.old"
    try:
        folder().mkdir(parents=True, exist_ok=True)
        with FileLock(folder() / f".{name}.lock", timeout=0):
            if path_of(name) is not None and not replace:
                raise UsageError(f"a model {name!r} is added already: --replace, or another name")
            shutil.rmtree(new, ignore_errors=True)
            new.mkdir()
            try:
                yield new
                shutil.rmtree(old, ignore_errors=True)
                if there.exists():
                    there.rename(old)
                new.rename(there)
            finally:
                shutil.rmtree(new, ignore_errors=True)
                shutil.rmtree(old, ignore_errors=True)
    except Timeout:
        raise UsageError(f"{name}: another process is adding it") from None
    except OSError as error:
        raise OutputError(
            f"{folder()}: cannot be written: {error.strerror or error}; LINEAMENT_CACHE names another"
        ) from error


def remove(name: str) -> Path:
    """Delete an added model; returns where it was. Raises `UnknownName` and `OutputError`."""
    path = require_path_of(name)
    try:
        shutil.rmtree(path)
    except OSError as error:
        raise OutputError(f"{path}: cannot be removed: {error.strerror or error}") from error
    return path


def without_card(folder: Path) -> str:
    """What to say of a folder without a card: a training that did not end, or none."""
    if (folder / RUN).exists():
        return f"{folder}: no {CARD}: this training did not end; the command that began it goes on"
    return f"{folder}: no {CARD}; is it the folder of a finished training?"
