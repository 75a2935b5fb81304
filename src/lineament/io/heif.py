"""HEIC and HEIF, what iPhones write: read where the extra ``heif`` is installed."""

from __future__ import annotations

from importlib.util import find_spec


def available() -> bool:
    """Whether HEIC and HEIF can be read here; imports nothing."""
    return find_spec("pi_heif") is not None
