"""Strange names made safe to show. A name is stored exactly as it is; only its display is escaped."""

from __future__ import annotations

import unicodedata


def shown(name: str, limit: int | None = 200) -> str:
    """A name on one line of a terminal or log: what would move the cursor, colour or reorder is escaped.

    Control, format (bidirectional overrides, zero-width), line-separator and surrogate characters become
    ``\\xNN`` or ``\\uNNNN``, a backslash doubles so that no two names look alike. Longer than ``limit``
    characters, the middle is left out. Escaping for HTML or CSV is up to whoever writes those.
    """
    text = "".join(_escaped(c) for c in name)
    if limit is None or len(text) <= limit:
        return text
    half = (limit - 1) // 2
    return f"{text[:half]}…{text[len(text) - half :]}"


def _escaped(character: str) -> str:
    if character == "\\":
        return "\\\\"
    if unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Zl", "Zp", "Co", "Cn"):
        return character
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte of a file name that is not UTF-8
        return f"\\x{code - 0xDC00:02x}"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
