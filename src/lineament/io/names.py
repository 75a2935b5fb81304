"""Foreign text made safe to show. A name is stored exactly as it is; only its display is escaped.

Whatever people read goes through here: the terminal and its tables, pages (`lineament.io.pages`), figures
(`lineament.plots.canvas`), tables for spreadsheets (`lineament.io.spreadsheets`) and Markdown
(`lineament.io.markdown`), each of which adds what its own format needs.
"""

from __future__ import annotations

import re
import unicodedata

# Letters and marks that are drawn as nothing (Default_Ignorable_Code_Point), beside the category Cf.
_UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0000-\U000e0fff]"
)


def shown(name: str, limit: int | None = 200) -> str:
    """A name on one line: what would move the cursor, colour, reorder or hide is escaped.

    Control, format (bidirectional overrides and isolates, zero-width), line-separator, unseen and surrogate
    characters become ``\\xNN`` or ``\\uNNNN``, a backslash doubles so that no two names look alike. Longer
    than ``limit`` characters, the middle is left out. Escaping for HTML or CSV is up to who writes those.
    """
    text = visible(name.replace("\\", "\\\\"))
    if limit is None or len(text) <= limit:
        return text
    half = (limit - 1) // 2
    return f"{text[:half]}…{text[len(text) - half :]}"


def visible(text: str) -> str:
    """As `shown`, whole and without doubling backslashes: done twice, it is as done once."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_escaped, text))


def _escaped(character: str) -> str:
    hidden = unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp", "Co", "Cn")
    if not hidden and not _UNSEEN.match(character):
        return character
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte of a file name that is not UTF-8
        return f"\\x{code - 0xDC00:02x}"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
