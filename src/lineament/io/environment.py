"""What figures may depend on besides data and models; no names of machines, users or folders."""

from __future__ import annotations

import platform
from importlib.metadata import version
from typing import Any


def environment() -> dict[str, Any]:
    """Versions of lineament and of what computes for it."""
    names = ("lineament", "numpy", "scipy", "openvino", "opencv-python-headless", "pillow", "simplejpeg")
    return {
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        **{name: version(name) for name in names},
    }
