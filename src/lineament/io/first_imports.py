"""What the work of threads imports, imported before there are threads.

A module that is being imported is half made, and a second thread may meet it so: OpenCV's package replaces
itself meanwhile. So whoever starts threads calls `import_first` before, and what they run imports nothing.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module

from lineament.io.opencv import import_cv2


def import_first(*further: str) -> None:
    """Import all that reading, cutting and finding take, and modules that only this work needs."""
    _import_all()
    for module in further:
        import_module(module)


@cache
def _import_all() -> None:
    from lineament.io import raster

    import_cv2()
    raster.import_plugins()
