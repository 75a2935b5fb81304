"""What figures may depend on besides data and models; no names of machines, users or folders."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any


def environment() -> dict[str, Any]:
    """Versions of lineament and of what computes for it."""
    names = ("lineament", "numpy", "scipy", "openvino", "opencv-python-headless", "pillow", "simplejpeg")
    return {
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        **{name: _version(name) for name in names},
    }


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:  # a vendored copy, or one that is not installed
        return "unknown"
