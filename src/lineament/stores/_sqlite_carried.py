"""Connections that a fork carried into this process although it must not use them, nor close them.

SQLite keeps the locks of a file in the memory of the process. A child has a copy of that memory but none
of the locks, so what it does through a carried connection, or through another one to the same file, can
destroy the file; closing would too (https://sqlite.org/howtocorrupt.html, section 2.6).
"""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

import apsw

from lineament.errors import StoreError

_files: set[str] = set()


def abandon(path: Path, connection: apsw.Connection) -> None:
    """Keep a connection from ever being closed in this process, and its file from being used in it."""
    _files.add(os.path.realpath(path))
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(connection))


def is_carried(path: Path) -> bool:
    """Whether a connection to this file was carried into this process."""
    return bool(_files) and os.path.realpath(path) in _files


def require_none(path: Path) -> None:
    """Raise `StoreError` where a connection to this file was carried into this process."""
    if is_carried(path):
        raise StoreError(
            f"{path}: was being read or written when this process was forked, and cannot be used in it; "
            "fork while nothing is under way, or start the process anew (the spawn method)"
        )
