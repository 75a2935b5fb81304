"""Public names of a package, imported when they are first used: importing the package costs nothing."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any


def lazily(
    package: str, homes: Mapping[str, tuple[str, ...]]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """``__getattr__`` and ``__dir__`` of a package (PEP 562) for names by the module that is their home.

    ``"evaluate as evaluate_pairs"`` makes a name of the home public under another. A sub-module is imported
    when it is asked for. A public name must not be that of a sub-module: Python sets that one in its place.
    """
    found: dict[str, tuple[str, str]] = {}
    for home, names in homes.items():
        for name in names:
            own, _, public = name.partition(" as ")
            found[public or own] = (home, own)

    def get(name: str) -> Any:
        if name in found:
            home, own = found[name]
            return getattr(importlib.import_module(home), own)
        if not name.startswith("_"):
            module = f"{package}.{name}"
            try:
                return importlib.import_module(module)
            except ModuleNotFoundError as error:
                if error.name != module:
                    raise
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    def names_of() -> list[str]:
        return sorted({*vars(sys.modules[package]), *found})

    return get, names_of
