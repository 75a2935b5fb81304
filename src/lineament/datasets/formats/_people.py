"""The person that a picture's own name tells: ``Ann_Bee/Ann_Bee_0001.jpg``, as LFW names them."""

from __future__ import annotations

import re
from pathlib import PurePosixPath


def is_named_after(stem: str, folder: str) -> bool:
    """Whether a picture is called by its folder and a number."""
    return re.fullmatch(re.escape(folder) + r"_\d{4,}", stem) is not None


def person_of(path: str) -> str | None:
    """The folder of a picture below a root when the picture is called after it."""
    folder = PurePosixPath(path).parent.name
    return folder if folder and is_named_after(PurePosixPath(path).stem, folder) else None
