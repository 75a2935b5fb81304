"""Bytes of a label file as text, in the encodings that tools of different platforms write."""

from __future__ import annotations

import codecs
import re

_DECLARED = re.compile(rb"<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([A-Za-z0-9._-]{1,40})[\"']")
# Codecs whose cost or result a file could choose (punycode, unicode_escape ...) are left out.
_ACCEPTED = re.compile(
    r"(iso-?8859-\d+|latin-?1|windows-?125\d|cp125\d|gb2312|gbk|gb18030|big5|shift_jis|euc-\w+|koi8-[ru])",
    re.I,
)
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
CERTAIN = ("utf-8", "utf-8-sig", "utf-16", "utf-32", "utf-16-le", "utf-16-be")
"""Encodings that bytes prove; any other is declared by the file, or an assumption."""


def decode(data: bytes) -> tuple[str, str]:
    """The text and the encoding it was in; raises `UnicodeDecodeError` when none fits.

    A byte order mark decides, then UTF-16 by its zero bytes, UTF-8, what an XML file declares, cp1252.
    """
    for mark, name in _MARKS:
        if data.startswith(mark):
            return data.decode(name), name
    head = data[:64]
    if len(head) >= 4 and 0 in head:
        for name, zeros in (("utf-16-le", head[1::2]), ("utf-16-be", head[0::2])):
            if zeros.count(0) > 0.8 * len(zeros):
                return data.decode(name), name
    try:
        return data.decode("utf-8"), "utf-8"
    except UnicodeDecodeError as not_utf8:
        declared = _DECLARED.match(data)
        wanted = declared[1].decode("ascii") if declared else "cp1252"
        try:
            return data.decode(wanted if _ACCEPTED.fullmatch(wanted) else "cp1252"), wanted
        except (UnicodeDecodeError, LookupError):
            raise not_utf8 from None


def readable(data: bytes) -> str:
    """The beginning of a file as text for a guess: what cannot be decoded is replaced."""
    for mark, name in _MARKS:
        if data.startswith(mark):
            return data.decode(name, "replace")
    if len(data) >= 4 and data[:64][1::2].count(0) > 0.4 * len(data[:64]):
        return data.decode("utf-16-le", "replace")
    return data.decode("utf-8", "replace")
