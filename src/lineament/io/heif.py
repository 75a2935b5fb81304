"""HEIC and HEIF, what iPhones write: read where the extra ``heif`` is installed.

The library that decodes it (pi-heif, with libheif and libde265 inside) is imported when the first such
picture comes. It applies the rotation and mirroring that the container tells; the EXIF orientation beside
them repeats it and is ignored, as the standard asks (ISO/IEC 23000-22, 7.3.6.7).
"""

from __future__ import annotations

from importlib.util import find_spec

from lineament.errors import UnsupportedFormat


def available() -> bool:
    """Whether HEIC and HEIF can be read here; imports nothing."""
    return find_spec("pi_heif") is not None


def require() -> None:
    """Raise `UnsupportedFormat` with the command that installs the decoder, unless it is there."""
    if not available():
        raise UnsupportedFormat(
            "HEIC/HEIF is read with an optional extra: pip install 'lineament[heif]' (or convert it to JPEG)"
        )
