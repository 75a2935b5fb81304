"""Which format a file is in, judged by its first bytes alone: its name proves nothing."""

from __future__ import annotations

from enum import StrEnum


class Format(StrEnum):
    """The accepted formats; the value is the decoder's own name for it."""

    JPEG = "JPEG"
    PNG = "PNG"
    WEBP = "WEBP"
    GIF = "GIF"
    BMP = "BMP"
    TIFF = "TIFF"
    AVIF = "AVIF"
    PNM = "PPM"
    HEIF = "HEIF"


SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".webp", ".gif", ".bmp", ".dib", ".tif", ".tiff"}
    | {".avif", ".ppm", ".pgm", ".pnm"}
)
"""Lower-case suffixes by which a folder walk picks files (the content still decides)."""

HEIF_SUFFIXES = frozenset({".heic", ".heif", ".hif", ".heics", ".heifs"})
"""Lower-case suffixes of what the extra ``heif`` reads (`lineament.io.heif.available`)."""

_MAGIC: tuple[tuple[bytes, Format], ...] = (
    (b"\xff\xd8", Format.JPEG),
    (b"\x89PNG\r\n\x1a\n", Format.PNG),
    (b"GIF87a", Format.GIF),
    (b"GIF89a", Format.GIF),
    (b"BM", Format.BMP),
    (b"II*\0", Format.TIFF),
    (b"MM\0*", Format.TIFF),
)

_AVIF_BRANDS = {b"avif", b"avis"}
_HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"}

_RAW = "a raw camera picture; develop it, or export its JPEG, and use that"

# Only to tell people what they handed in; order matters, the first hit names it.
_REFUSED: tuple[tuple[bytes, str], ...] = (
    (b"%!PS", "PostScript (EPS)"),
    (b"\xc5\xd0\xd3\xc6", "PostScript (EPS) with a preview"),
    (b"%PDF", "a PDF document"),
    (b"8BPS", "a Photoshop document"),
    (b"\0\0\0\x0cjP  ", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"\0\0\0\x0cJXL ", "JPEG XL"),
    (b"\xff\x0a", "JPEG XL"),
    (b"IIRO", _RAW),
    (b"IIRS", _RAW),
    (b"MMOR", _RAW),
    (b"IIU\0", _RAW),
    (b"FUJIFILMCCD-RAW", _RAW),
    (b"FOVb", _RAW),
    (b"\0MRM", _RAW),
    (b"II+\0", "BigTIFF"),
    (b"MM\0+", "BigTIFF"),
    (b"SIMPLE  =", "FITS"),
    (b"\x76\x2f\x31\x01", "OpenEXR"),
    (b"\0\0\x01\0", "a Windows icon"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"PK\x05\x06", "a ZIP archive"),
    (b"\x1f\x8b", "a gzip file"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"Rar!", "a RAR archive"),
    (b"SQLite format 3\0", "an SQLite database"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
    (b"\x1a\x45\xdf\xa3", "a Matroska or WebM video"),
    (b"\0\0\x01\xba", "an MPEG video"),
    (b"\0\0\x01\xb3", "an MPEG video"),
    (b"FLV\x01", "a Flash video"),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "a Windows Media video"),
    (b"OggS", "an Ogg video"),
    (b"RIFF", "a RIFF file, but no WebP"),
    (b"\x80\x02", "a Python pickle"),
    (b"\x80\x04", "a Python pickle"),
)


def sniff(data: bytes) -> Format | None:
    """The accepted format that ``data`` (the first 64 bytes suffice) starts like, or None."""
    for magic, found in _MAGIC:
        if data.startswith(magic):
            return found
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return Format.WEBP
    if data[:2] in (b"P5", b"P6") and data[2:3] in (b" ", b"\t", b"\n", b"\r"):
        return Format.PNM
    brands = _brands(data)
    if brands & _AVIF_BRANDS:
        return Format.AVIF
    return Format.HEIF if brands & _HEIF_BRANDS else None


def looks_like(data: bytes) -> str:
    """What refused content seems to be, in words, for the error message."""
    if data[:4] == b"RIFF" and data[8:12] == b"AVI ":
        return "an AVI video"
    if data[:1] == b"\x47" == data[188:189]:
        return "an MPEG video"
    if data[4:8] in (b"moov", b"mdat", b"wide"):
        return "an MP4 or QuickTime video"
    for magic, words in _REFUSED:
        if data.startswith(magic):
            return words
    brands = _brands(data)
    if b"crx " in brands:
        return _RAW
    if brands:
        return "an MP4 or QuickTime video"
    head = data[:1024].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if not any(head):
        return "nothing but zero bytes"
    if b"<svg" in head:
        return "an SVG drawing"
    if head.startswith((b"<!doctype html", b"<html", b"<head", b"<body")):
        return "an HTML page"
    if head.startswith(b"<?xml"):
        return "an XML document"
    if head.startswith((b"version https://git-lfs",)):
        return "a Git LFS pointer, not the picture itself"
    if _is_text(data[:1024]):
        return "text"
    return "unknown binary data"


def _brands(data: bytes) -> set[bytes]:
    """Brands of an ISO base media file (HEIF, AVIF, MP4), empty for anything else."""
    if data[4:8] != b"ftyp":
        return set()
    end = min(int.from_bytes(data[:4], "big"), 256, len(data))
    return {data[8:12]} | {data[i : i + 4] for i in range(16, end - 3, 4)}


def _is_text(head: bytes) -> bool:
    if b"\0" in head:
        return False
    try:
        # A character may be cut at the end of the head.
        text = (
            head.decode("utf-8", errors="strict")
            if len(head) < 1024
            else head[:-4].decode("utf-8", "ignore")
        )
    except UnicodeDecodeError:
        return False
    return sum(c.isprintable() or c in "\r\n\t" for c in text) >= 0.95 * max(len(text), 1)
