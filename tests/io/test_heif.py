"""HEIC, by the extra `heif`: the same gate as every other format. `heif/make.py` made the files."""

from __future__ import annotations

import random
import threading
from pathlib import Path

import numpy as np
import pytest

from hostile.pictures import chart
from lineament.errors import (
    CorruptPicture,
    PictureError,
    PictureTooLarge,
    PictureTooSmall,
    UnsupportedFormat,
)
from lineament.io import heif, images
from lineament.io.formats import Format, sniff

FOLDER = Path(__file__).parent / "heif"
FILES = {path.stem: path.read_bytes() for path in sorted(FOLDER.glob("*.heic"))}
WHOLE = [name for name in FILES if name != "alpha"]
installed = pytest.mark.skipif(not heif.available(), reason="the extra 'heif' is not installed")


def shown(data: bytes) -> float:
    """By how much the picture differs from the chart, on average."""
    pixels = images.load(data).pixels
    assert pixels.shape == chart().shape
    return float(np.abs(pixels.astype(int) - chart()).mean())


@installed
@pytest.mark.parametrize("name", WHOLE)
def test_every_kind_shows_the_picture(name: str) -> None:
    """Still, grid, ten bits, the primary of several, turned all eight ways (EXIF repeats it)."""
    assert shown(FILES[name]) < 1
    header = images.probe(FILES[name])
    assert (header.format, header.size_wh, header.orientation) == (Format.HEIF, (96, 64), 1)
    assert header.several == (name == "primary_second")


@installed
def test_alpha_is_laid_over_white() -> None:
    """As in every other format."""
    pixels = images.load(FILES["alpha"]).pixels
    assert np.abs(pixels[:, :48].astype(int) - chart()[:, :48]).mean() < 1
    assert (pixels[:, 48:] == 255).all()


@installed
def test_exif_neither_turns_nor_costs_the_picture() -> None:
    """The container tells how it lies; EXIF that contradicts it, or is garbage, changes nothing."""
    data = FILES["turned_6"]
    at = data.index(b"MM\0*")
    entry = data.index(b"\x01\x12\0\x03\0\0\0\x01\0\x06", at) + 9
    for value in (1, 3, 8, 200):
        assert shown(data[:entry] + bytes([value]) + data[entry + 1 :]) < 1
    assert shown(data[:at] + bytes(range(200, 250)) + data[at + 50 :]) < 1


@installed
@pytest.mark.parametrize("open_end", [False, True], ids=["sized", "to the end"])
@pytest.mark.parametrize("name", FILES)
def test_no_cut_file_becomes_a_picture(name: str, open_end: bool) -> None:
    """Cut at any percent it is refused, never half shown: not even where only a tile is missing."""
    whole = FILES[name]
    if open_end:  # a last box of length zero reaches to the end, however far that is
        at = whole.index(b"mdat") - 4
        whole = whole[:at] + bytes(4) + whole[at + 4 :]
        assert np.array_equal(images.load(whole).pixels, images.load(FILES[name]).pixels)
    for percent in range(1, 100):
        with pytest.raises((CorruptPicture, UnsupportedFormat)):
            images.load(whole[: len(whole) * percent // 100])


@installed
def test_damage_ends_in_a_picture_or_a_named_error() -> None:
    """400 damaged files."""
    chance = random.Random(8)
    refused = 0
    for _ in range(400):
        data = bytearray(FILES[chance.choice(list(FILES))])
        for _ in range(chance.choice((1, 3, 20))):
            data[chance.randrange(12, len(data))] = chance.randrange(256)
        try:
            images.load(bytes(data))
        except PictureError:
            refused += 1
    assert 50 < refused < 400


@installed
def test_limits_hold_before_decoding() -> None:
    """Size, bytes and sides are judged by the header, at exactly the limit."""
    data = FILES["plain"]
    tight = images.Limits(max_pixels=64 * 96, max_bytes=len(data), min_side_px=64)
    assert images.load(data, limits=tight).hw == (64, 96)
    for limits, error in (
        (images.Limits(max_pixels=64 * 96 - 1), PictureTooLarge),
        (images.Limits(max_side_px=95), PictureTooLarge),
        (images.Limits(max_bytes=len(data) - 1), PictureTooLarge),
        (images.Limits(min_side_px=65), PictureTooSmall),
    ):
        with pytest.raises(error):
            images.probe(data, limits=limits)
    at = data.index(b"ispe") + 8
    huge = data[:at] + (30_000).to_bytes(4, "big") * 2 + data[at + 8 :]
    with pytest.raises(PictureTooLarge, match="30000x30000"):
        images.load(huge)


@installed
def test_a_film_without_a_still_is_refused_by_name() -> None:
    """An image sequence of tracks only has no primary picture."""
    film = (
        b"\0\0\0\x18ftypmsf1\0\0\0\0msf1hevc" + b"\0\0\0\x10moov" + bytes(8) + b"\0\0\0\x10mdat" + bytes(8)
    )
    with pytest.raises(UnsupportedFormat, match="film without a still"):
        images.load(film)


@installed
def test_threads_decode_at_once_and_agree() -> None:
    """Eight threads give what one gives."""
    alone = {name: images.load(data).pixels for name, data in FILES.items()}
    wrong: list[object] = []

    def work() -> None:
        try:
            for _ in range(5):
                wrong.extend(
                    n for n, d in FILES.items() if not np.array_equal(images.load(d).pixels, alone[n])
                )
        except Exception as error:
            wrong.append(error)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.parametrize("brand", ["heic", "heix", "heim", "heis", "hevc", "hevx", "mif1", "msf1"])
def test_every_brand_is_known(brand: str) -> None:
    """Told by the first bytes, major brand or compatible; AVIF, which shares some brands, stays AVIF."""
    major = b"\0\0\0\x18ftyp" + brand.encode() + b"\0\0\0\0miafMiHB"
    compatible = b"\0\0\0\x18ftypmiaf\0\0\0\0MiHB" + brand.encode()
    assert sniff(major) is sniff(compatible) is Format.HEIF
    assert sniff(b"\0\0\0\x18ftyp" + brand.encode() + b"\0\0\0\0avifmiaf") is Format.AVIF
    assert sniff(b"\0\0\0\x18ftypisom\0\0\0\0isommp42") is None


@pytest.mark.parametrize(
    "error", [ImportError("blocked"), ModuleNotFoundError("none"), OSError("libheif.so.1")]
)
def test_a_decoder_that_does_not_load_is_an_absent_one(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not installed, hidden, or of libraries that this machine lacks: the refusal names the extra."""

    def load(name: str) -> object:
        raise error

    monkeypatch.setattr(heif, "import_module", load)
    assert not heif.available()
    with pytest.raises(UnsupportedFormat, match=r"lineament\[heif\]"):
        images.load(FILES["plain"])
