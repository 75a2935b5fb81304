"""Whose run folder it is: which training ``run.json`` names, and whether another may go on there."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lineament import added
from lineament.documents import json_of, read_object
from lineament.errors import CheckpointMismatch
from lineament.io.manifest import Manifest

IDENTITY = added.RUN
_NO_MATTER = ("workers", "threads", "device", "checkpoint_minutes")
"""Settings of the loop that say where and how fast, not what: one may go on with others."""
_ENDS = ("epochs", "patience", "stop_at")
"""Settings of the loop that say when to end: with a later end a training goes on."""

Stated = Mapping[str, Any]


def stated(trainer: str, settings: Any, manifest: Manifest) -> Stated:
    """What makes a training this one, as JSON gives it back."""
    told = asdict(settings)
    loop = told.get("loop")
    if isinstance(loop, dict):
        told["loop"] = {name: value for name, value in loop.items() if name not in _NO_MATTER}
    values = {"trainer": trainer, "settings": told, "data": manifest.digest()}
    plain: dict[str, Any] = json_of(json.dumps(values, default=str))
    return plain


def fingerprint(stated: Stated) -> str:
    """SHA-256 of what is trained, whenever it ends."""
    return hashlib.sha256(json.dumps(_without_end(stated), sort_keys=True).encode()).hexdigest()


def known(path: Path) -> Stated | None:
    """What the folder says of its training, None where it says nothing; raises `CheckpointMismatch`."""
    identity = path / IDENTITY
    if not identity.is_file():
        return None
    return read_object(identity, CheckpointMismatch)


def require_same(path: Path, known: Stated, stated: Stated) -> None:
    """Raise `CheckpointMismatch`, naming what differs, unless the one can go on as the other."""
    other = differences(_without_end(known), _without_end(stated))
    before, after = (_end(told).get("epochs") for told in (known, stated))
    if before is not None and after is not None and after < before:
        other.append(f"loop.epochs ({before}, which can only grow)")
    if other:
        raise CheckpointMismatch(
            f"{path}: holds a training with other {', '.join(other[:4])}; give another folder"
        )


def ends_differ(known: Stated, stated: Stated) -> bool:
    """Whether the two end at different times."""
    return _end(known) != _end(stated)


def differences(known: Any, stated: Any, name: str = "") -> list[str]:
    """Dotted names of what two nested mappings do not share."""
    if not isinstance(known, Mapping) or not isinstance(stated, Mapping):
        return [] if known == stated else [name or "trainer"]
    found = []
    for key in sorted({*known, *stated}):
        here = key if name in ("", "settings") else f"{name}.{key}"
        found += differences(known.get(key), stated.get(key), here)
    return found


def _end(stated: Stated) -> dict[str, Any]:
    loop = _loop(stated)
    return {name: loop[name] for name in _ENDS if name in loop}


def _without_end(stated: Stated) -> dict[str, Any]:
    loop = {name: value for name, value in _loop(stated).items() if name not in _ENDS}
    settings = stated.get("settings")
    kept = {**settings, "loop": loop} if isinstance(settings, Mapping) and "loop" in settings else settings
    return {**stated, "settings": kept}


def _loop(stated: Stated) -> Mapping[str, Any]:
    settings = stated.get("settings")
    loop = settings.get("loop") if isinstance(settings, Mapping) else None
    return loop if isinstance(loop, Mapping) else {}
