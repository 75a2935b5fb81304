"""JPEG as cameras, phones and programs write it: what costs no pixel is no reason to refuse."""

from __future__ import annotations

import random
import re
import struct
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import simplejpeg

from hostile.pictures import chart, encoded, exif_block, turned_jpeg, with_exif
from lineament.errors import CorruptPicture, PictureError, UnsupportedFormat
from lineament.io import images

PLAIN = encoded("JPEG", quality=90)
PROGRESSIVE = encoded("JPEG", quality=90, progressive=True)
RESTARTS = encoded("JPEG", quality=90, restart_marker_blocks=2)
CMYK = encoded("JPEG", mode="CMYK", quality=90)
GREY = encoded("JPEG", mode="L", quality=90)
KINDS = {"plain": PLAIN, "progressive": PROGRESSIVE, "restarts": RESTARTS, "cmyk": CMYK, "grey": GREY}
# Real clips lie beside the repository on some machines; they may not be in it.
CLIPS = [
    path
    for parent in Path(__file__).parents
    for path in sorted((parent / "shared" / "data" / "videos").glob("*.*"))
    if path.suffix in (".mp4", ".mov", ".avi")
]


def archive() -> bytes:
    out = BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        file.writestr("a.jpg", PLAIN)
    return out.getvalue()


def clip(size: int) -> bytes:
    """Bytes as of compressed video, with the marks that a JPEG has in them, too."""
    noise = random.Random(5).randbytes(size)
    marks = (b"\xff\xda", b"\xff\xd8", b"\xff\xd9", b"\xff\xc4", b"\xff\xc0\0\x11\x08")
    return b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + noise + b"".join(mark + noise[:7] for mark in marks * 60)


MICRO_VIDEO = (
    b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta GCamera:MicroVideo='1' GCamera:MicroVideoOffset='9'/>"
)
TAILS = {
    "Samsung motion photo": b"\0\0\x01\x0a\x0e\0\0\0Image_UTC_Data1699"
    + b"MotionPhoto_Data"
    + clip(100_000),
    "Samsung's index": clip(9) + b"SEFH\x6b\0\0\0\x01\0\0\0\0\0\x30\x0a" + bytes(8) + b"\x18\0\0\0SEFT",
    "Pixel motion photo": clip(4 << 20),
    "second view of a stereo camera": PLAIN + PROGRESSIVE,
    "gain map after padding": bytes(3_000) + GREY,
    "turned preview": turned_jpeg(6),
    "archive": archive(),
    "web page": b"<!doctype html><script>\xff\xda</script>",
    "zeros up to a sector": bytes(4_096 - len(PLAIN) % 4_096),
    "FF up to a sector": b"\xff" * 5_000,
    "end mark twice": b"\xff\xd9\xff\xd9",
    "sixty scan marks": b"MotionPhoto_Data" + b"\0\xff\xda\0" * 60,
    "line feed": b"\r\n",
    "half a picture": PLAIN[: len(PLAIN) // 2],
}


def same(changed: bytes, original: bytes) -> bool:
    return np.array_equal(images.load(changed).pixels, images.load(original).pixels)


@pytest.mark.parametrize("tail", TAILS.values(), ids=TAILS.keys())
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())
def test_what_follows_the_picture_never_counts(kind: bytes, tail: bytes) -> None:
    """Whatever lies behind the end mark: pixels, size and orientation are the first picture's."""
    assert same(kind + tail, kind)
    assert images.probe(kind + tail) == images.probe(kind)


@pytest.mark.parametrize("kind", [turned_jpeg(6), PROGRESSIVE], ids=["turned", "progressive"])
def test_real_clips_behind_a_picture_never_count(kind: bytes) -> None:
    """Phones append real video; these clips hold up to hundreds of scan marks."""
    if not CLIPS:
        pytest.skip("no folder shared/data/videos above this one: real clips may not be in the repository")
    for path in CLIPS:
        assert same(kind + path.read_bytes(), kind), path.name


def segments(data: bytes) -> list[int]:
    """Where each segment of the header begins, and the end mark."""
    found, at = [], 2
    while data[at + 1] != 0xDA:
        found.append(at)
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return [*found, at]


def at_each_segment(data: bytes, stray: bytes) -> bytes:
    for at in reversed(segments(data)):
        data = data[:at] + stray + data[at:]
    return data


def before_end(data: bytes, extra: bytes) -> bytes:
    assert data.endswith(b"\xff\xd9")
    return data[:-2] + extra + data[-2:]


def segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def after_start(data: bytes, *extra: bytes) -> bytes:
    return data[:2] + b"".join(extra) + data[2:]


def version(data: bytes, major: int) -> bytes:
    at = data.index(b"JFIF\0") + 5
    return data[:at] + bytes([major]) + data[at + 1 :]


def adobe(data: bytes, transform: int) -> bytes:
    """With Adobe's segment in place of JFIF's (or its own), telling that transform."""
    at = segments(data)[0]
    end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return data[:at] + segment(0xEE, b"Adobe\0\x64\0\0\0\0" + bytes([transform])) + data[end:]


HARMLESS: dict[str, tuple[Callable[[bytes], bytes], tuple[str, ...]]] = {
    "a zero before each segment": (lambda d: at_each_segment(d, b"\0"), tuple(KINDS)),
    "text before each segment": (lambda d: at_each_segment(d, b"\r\nx" * 40), tuple(KINDS)),
    "FF before each segment": (lambda d: at_each_segment(d, b"\xff" * 9), tuple(KINDS)),
    "stuffed zeros before each segment": (lambda d: at_each_segment(d, b"\xff\0\0"), tuple(KINDS)),
    "JFIF 2.01": (lambda d: version(d, 2), ("plain", "progressive", "grey")),
    "JFIF 0": (lambda d: version(d, 0), ("plain",)),
    "JFIF 255": (lambda d: version(d, 255), ("plain",)),
    "no end mark": (lambda d: d[:-2], tuple(KINDS)),
    "half an end mark": (lambda d: d[:-1], tuple(KINDS)),
    "no end mark, then a picture": (lambda d: d[:-2] + PLAIN, tuple(KINDS)),
    "a zero before the end": (lambda d: before_end(d, b"\0"), tuple(KINDS)),
    "a word before the end": (lambda d: before_end(d, b"\x12\x34\x56\x78"), tuple(KINDS)),
    "zeros before the end": (lambda d: before_end(d, bytes(1_000)), tuple(KINDS)),
    "FF before the end": (lambda d: before_end(d, b"\xff" * 1_000), tuple(KINDS)),
    "zeros before each restart": (
        lambda d: re.sub(rb"\xff[\xd0-\xd7]", lambda mark: bytes(5) + mark[0], d),
        ("restarts",),
    ),
    "unknown colour transform": (lambda d: adobe(d, 7), ("plain",)),
    "MJPEG's segment": (lambda d: after_start(d, segment(0xE0, b"AVI1\0\0\0\0\0\0\0\0\0\0")), ("plain",)),
    "empty segments": (lambda d: after_start(d, segment(0xFE, b""), segment(0xE5, b"")), tuple(KINDS)),
    "a length of zero": (lambda d: after_start(d, b"\xff\xe9\0\0"), tuple(KINDS)),
    "a thousand segments": (lambda d: after_start(d, segment(0xE1, b"x" * 50) * 1_000), tuple(KINDS)),
    "a broken profile": (lambda d: after_start(d, segment(0xE2, b"ICC_PROFILE\0\x07\x02x")), tuple(KINDS)),
    "a preview in its metadata": (lambda d: after_start(d, segment(0xE2, b"MPF\0" + GREY)), tuple(KINDS)),
    "metadata behind the scan": (lambda d: before_end(d, segment(0xE1, MICRO_VIDEO)), tuple(KINDS)),
}


@pytest.mark.parametrize(
    ("change", "kind"), [(c, k) for c, (_, kinds) in HARMLESS.items() for k in kinds], ids=str
)
def test_what_loses_no_pixel_is_no_reason_to_refuse(change: str, kind: str) -> None:
    """What libjpeg only warns about, and every viewer shows, gives the very pixels of the clean file."""
    made = HARMLESS[change][0](KINDS[kind])
    assert made != KINDS[kind]
    assert same(made, KINDS[kind])


def test_an_unknown_transform_of_four_inks_is_adobes_own() -> None:
    """Every decoder takes it for YCCK, so do we; both canonical ones keep their meaning."""
    at = CMYK.index(b"Adobe") + 11
    unknown, ycck = (CMYK[:at] + bytes([value]) + CMYK[at + 1 :] for value in (9, 2))
    assert same(unknown, ycck)
    assert not same(unknown, CMYK)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())
def test_a_cut_gives_the_whole_picture_or_none(kind: bytes) -> None:
    """At every byte, with and without an end mark, zeros or both behind the cut."""
    whole = images.load(kind).pixels
    refused = 0
    for cut in range(3, len(kind), 1 if len(kind) < 2_000 else 3):
        for filled in (b"", b"\xff\xd9", bytes(len(kind) - cut), bytes(3_000), bytes(500) + b"\xff\xd9"):
            try:
                pixels = images.load(kind[:cut] + filled).pixels
            except PictureError:
                refused += 1
                continue
            lost = int((pixels != whole).any(-1).sum())
            # The end mark that stands behind a cut says "this is all": where a scan is missing by then,
            # nothing in the file tells, and every decoder shows what there is.
            assert not lost or filled.endswith(b"\xff\xd9"), (cut, filled[-2:], lost)
    assert refused > len(kind) // 3


def test_a_damaged_scan_is_refused_as_strictly_as_by_libjpeg() -> None:
    """Nothing that is put right lets damage through: of 400 damaged files no verdict is weaker."""
    chance = random.Random(3)
    weaker = refused = 0
    for number in range(400):
        whole = KINDS[chance.choice(["plain", "progressive", "restarts"])]
        data = bytearray(whole)
        at = chance.randrange(data.index(b"\xff\xda") + 20, len(data) - 20)
        match number % 4:
            case 0:
                data[at] ^= 1 << chance.randrange(8)
            case 1:
                del data[at : at + chance.randrange(1, 20)]
            case 2:
                data[at:at] = chance.randbytes(chance.randrange(1, 20))
            case _:
                data[at : at + 16] = bytes(16)
        try:
            pixels = images.load(bytes(data)).pixels
        except PictureError:
            refused += 1
            continue
        try:
            simplejpeg.decode_jpeg(bytes(data))
        except ValueError:  # bytes put between two segments cost nothing
            weaker += not np.array_equal(pixels, images.load(whole).pixels)
    assert refused > 100
    assert weaker == 0


def frame(data: bytes, marker: int, bits: int = 8) -> bytes:
    at = data.index(b"\xff\xc0")
    return data[: at + 1] + bytes([marker]) + data[at + 2 : at + 4] + bytes([bits]) + data[at + 5 :]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (frame(PLAIN, 0xC3), "lossless"),
        (frame(PLAIN, 0xC9), "arithmetic"),
        (frame(PLAIN, 0xCA), "arithmetic"),
        (frame(PLAIN, 0xC5), "hierarchical"),
        (frame(PLAIN, 0xC1, 12), "12 bits"),
    ],
)
def test_rare_kinds_are_refused_by_name(data: bytes, words: str) -> None:
    """They are no damage, and their owner is told what they are."""
    with pytest.raises(UnsupportedFormat, match=words):
        images.load(data)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (after_start(PLAIN, segment(0xFE, b"") * 21_000), "segments"),
        (PROGRESSIVE[:-2] + PROGRESSIVE[PROGRESSIVE.rindex(b"\xff\xda") :] * 60, "scans"),
        (b"\xff\xd8" + b"\xff" * 100_000, "ends early"),
        (b"\xff\xd8\xff" + bytes(100_000), "ends early"),
        (b"\xff\xd8\xff\xd9", "damaged"),
        (PLAIN[:2] + PLAIN, "damaged"),
    ],
    ids=["segments", "scans", "FF", "zeros", "nothing", "start mark twice"],
)
def test_files_without_end_are_given_up(data: bytes, words: str) -> None:
    """Whoever repeats something a million times is refused by a count, not by patience."""
    if words == "scans":
        data = PROGRESSIVE[:-2] + PROGRESSIVE[PROGRESSIVE.rindex(b"\xff\xda") : -2] * 60 + b"\xff\xd9"
    with pytest.raises(CorruptPicture, match=words):
        images.load(data)


def test_the_first_exif_counts_and_none_behind_the_picture() -> None:
    """Orientation comes from the picture that is read, whatever later segments and pictures say."""
    data = with_exif(with_exif(PLAIN, exif_block(8)), exif_block(6))
    assert images.probe(before_end(data, segment(0xE1, b"Exif\0\0" + exif_block(3)))).orientation == 6
    assert images.probe(PLAIN + turned_jpeg(6)).orientation == 1
    assert images.load(turned_jpeg(6) + PLAIN).pixels.shape == chart().shape
