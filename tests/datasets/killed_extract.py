"""Extract in a process that kills itself: ``python killed_extract.py PHOTOS OUT WRITES``.

SIGKILL lands when so many crops and other files were renamed into place, in the middle of the next one: its
bytes are written, its name is not there yet.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from lineament.datasets.extraction.extract import ExtractSettings, extract
from lineament.datasets.opening import open_dataset


def main(photos: str, out: str, writes: str) -> None:
    left = int(writes)
    replace = Path.replace

    def counted(self: Path, target: Path) -> Path:
        nonlocal left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return replace(self, target)

    source = open_dataset(photos)
    if left:
        Path.replace = counted  # type: ignore[method-assign,assignment]
    result = extract(source, Path(out), ExtractSettings(), workers=2)
    print(result.resumed)


if __name__ == "__main__":
    main(*sys.argv[1:])
