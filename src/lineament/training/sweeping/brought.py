"""Weights that were brought along for a sweep: which file is whose, and whether each can be loaded."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from lineament.errors import ConfigError, LineamentError, WeightsUnavailable
from lineament.training.architectures import build, weights
from lineament.training.runs.folder import BEST

_SUFFIXES = (".pth", ".pt", ".safetensors")


def weights_for(architecture: str, brought: Sequence[str]) -> str | None:
    """What was brought for a network, None for nothing.

    Each of ``brought`` is ``NETWORK=FILE`` (or a run folder, ``imagenet``, ``none``, ``random``), which
    comes first, or a folder of files named as they are published: ``resnet50.pth``,
    ``resnet50-11ad3fa6.pth``, a run folder ``resnet50``. Raises `ConfigError` for one that is neither, or a
    folder with two for a network.
    """
    folders = []
    for entry in brought:
        name, equals, path = entry.partition("=")
        if equals and name.strip() == architecture:
            return path.strip()
        if not equals:
            folders.append(_folder(entry))
    found = [
        str(path) for folder in folders for path in sorted(folder.iterdir()) if _is_of(path, architecture)
    ]
    if len(found) > 1:
        raise ConfigError(f"weights: {', '.join(found)} are all of {architecture}; say which: NETWORK=FILE")
    return found[0] if found else None


def require_loadable(wanted: Iterable[tuple[str, str]]) -> None:
    """Load each network's weights once, those of torchvision from the network where they are not here.

    ``wanted`` are networks and weights. Raises `WeightsUnavailable` with a line for each that fails.
    """
    failed = []
    for architecture, start in dict.fromkeys(wanted):
        try:
            weights.load(build(architecture), start)
        except LineamentError as error:
            failed.append(f"{architecture}: {error}")
    if failed:
        raise WeightsUnavailable("no weights to begin with, so nothing was trained:\n" + "\n".join(failed))


def _folder(entry: str) -> Path:
    folder = Path(entry)
    if not folder.is_dir() or (folder / BEST).is_file():
        raise ConfigError(f"weights: {entry!r} is no folder of weights; of one network: NETWORK={entry}")
    return folder


def _is_of(path: Path, architecture: str) -> bool:
    if path.is_dir():
        return path.name == architecture and (path / BEST).is_file()
    if path.suffix not in _SUFFIXES:
        return False
    named = re.fullmatch(rf"{re.escape(architecture)}(-.*)?", path.stem, re.IGNORECASE) is not None
    return named or path.name == weights.published_name(architecture)
