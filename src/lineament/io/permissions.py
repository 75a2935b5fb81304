"""Who may read what is written: faces and names are the user's alone, unless the user says otherwise.

Files get 0600 and folders 0700 from the moment they are there, whatever the umask. With `SHARED` set to 1
they get what the umask leaves, as with other programs. What is there already keeps its permissions.
"""

from __future__ import annotations

import os
from pathlib import Path

SHARED = "LINEAMENT_SHARED"
"""The environment variable for folders that several people work in."""


def file_mode() -> int:
    """The permission bits a new file is asked to have, before the umask."""
    return 0o666 if _shared() else 0o600


def opener(path: str, flags: int) -> int:
    """For ``open(..., opener=opener)``: a new file is private from its first moment."""
    return os.open(path, flags, file_mode())


def make_folders(path: Path) -> None:
    """Make a folder and all that are missing above it; raises `OSError`, also when it is no folder."""
    mode = 0o777 if _shared() else 0o700
    missing = []
    while not path.is_dir():
        missing.append(path)
        if path.parent == path:
            break
        path = path.parent
    for folder in reversed(missing):
        # Path.mkdir gives those above the last one other permissions.
        folder.mkdir(mode, exist_ok=True)


def _shared() -> bool:
    return os.environ.get(SHARED, "").strip().lower() in ("1", "true", "yes", "on")
