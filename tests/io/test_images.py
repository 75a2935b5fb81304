"""The one decoder: what the pixels are, and that they are the same as everybody's."""

from __future__ import annotations

import io
import os
import struct
import threading
import warnings
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
import simplejpeg
from PIL import Image as pillow

from hostile.pictures import (
    chart,
    deep_png,
    encoded,
    exif_block,
    frames,
    looping_exif,
    png_chunk,
    turned_jpeg,
    with_exif,
)
from lineament.errors import (
    CorruptPicture,
    InvalidArray,
    OutputError,
    PictureTooLarge,
    PictureTooSmall,
    UnsupportedFormat,
    UsageError,
)
from lineament.io import images
from lineament.io.formats import Format
from lineament.io.orientation import from_exif
from lineament.types import UInt8

SAMPLES = sorted((Path(__file__).parents[2] / "samples").glob("*.*g"))


def opencv(data: bytes) -> UInt8:
    """OpenCV's pixels, upright, as RGB."""
    decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert decoded is not None
    return np.ascontiguousarray(decoded[:, :, ::-1])


def difference(a: UInt8, b: UInt8) -> int:
    assert a.shape == b.shape
    return int(np.abs(a.astype(int) - b).max())


@pytest.mark.parametrize("path", SAMPLES, ids=lambda p: p.name)
def test_photos_equal_opencv_to_the_last_bit(path: Path) -> None:
    """Published models were measured on OpenCV's pixels; ours are the same, in RGB."""
    assert difference(images.load(path).pixels, opencv(path.read_bytes())) == 0


@pytest.mark.parametrize("subsampling", ["444", "422", "420", "440", "411", "Gray"])
def test_jpeg_of_every_subsampling_equals_opencv(subsampling: str) -> None:
    """Chroma is upsampled as OpenCV does it; grey becomes three equal channels."""
    noise = np.random.default_rng(1).integers(0, 256, (61, 83, 3), np.uint8)
    grey = subsampling == "Gray"
    data = simplejpeg.encode_jpeg(
        noise[:, :, :1].copy() if grey else noise,
        colorspace="GRAY" if grey else "RGB",
        colorsubsampling=subsampling,
    )
    assert difference(images.load(data).pixels, opencv(data)) == 0


@pytest.mark.parametrize("options", [{}, {"progressive": True}])
def test_cmyk_jpeg_equals_opencv(options: dict[str, bool]) -> None:
    """Adobe's inverted CMYK comes out in its colours, not as a negative."""
    data = encoded("JPEG", mode="CMYK", quality=98, **options)
    pixels = images.load(data).pixels
    assert difference(pixels, opencv(data)) == 0
    assert difference(pixels, chart()) < 12


@pytest.mark.parametrize("format", ["PNG", "BMP", "TIFF", "PPM"])
def test_lossless_formats_give_back_what_was_drawn(format: str) -> None:
    """Exact values in exact channel order: red at the top left stays red."""
    assert difference(images.load(encoded(format)).pixels, chart()) == 0


@pytest.mark.parametrize(
    ("data", "bound"),
    [
        (encoded("WEBP", lossless=True), 0),
        (encoded("WEBP", quality=95), 30),
        (encoded("AVIF", quality=95), 30),
        (encoded("JPEG", quality=95, subsampling=0), 12),
        (encoded("TIFF", compression="tiff_lzw"), 0),
        (encoded("TIFF", compression="tiff_adobe_deflate"), 0),
        (encoded("TIFF", compression="packbits"), 0),
        (encoded("TIFF", mode="CMYK"), 1),
    ],
)
def test_other_formats_keep_the_colours(data: bytes, bound: int) -> None:
    """Lossy codecs may blur a little; none swaps red and blue (which would differ by 180)."""
    pixels = images.load(data).pixels
    assert difference(pixels[6:10, 6:10], chart()[6:10, 6:10]) <= max(bound, 0)
    assert np.abs(pixels.astype(int) - chart()).mean() <= bound / 4


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(orientation: int) -> None:
    """All eight ways a camera may lie end in the same upright picture, as in OpenCV."""
    data = turned_jpeg(orientation)
    pixels = images.load(data).pixels
    assert difference(pixels, chart()) < 12
    assert difference(pixels, opencv(data)) == 0
    assert images.probe(data).orientation == orientation


@pytest.mark.parametrize("format", ["PNG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied_once_in_every_format(format: str, orientation: int) -> None:
    """Pillow itself turns some formats and not others; the result is upright in all of them."""
    stored = opencv_undo(orientation)
    exif = pillow.Exif()
    exif[274] = orientation
    options = {"lossless": True} if format == "WEBP" else {"quality": 95} if format == "AVIF" else {}
    out = io.BytesIO()
    pillow.fromarray(stored).save(out, format, exif=exif, **options)
    pixels = images.load(out.getvalue()).pixels
    assert pixels.shape == chart().shape
    assert np.abs(pixels.astype(int) - chart()).mean() < (4 if format == "AVIF" else 0.01)


def opencv_undo(orientation: int) -> UInt8:
    """The chart as a camera held that way would store it, from the JPEG generator's own turn."""
    header = with_exif(turned_jpeg(orientation), exif_block(1))
    decoded = cv2.imdecode(
        np.frombuffer(header, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    )
    assert decoded is not None
    flat = np.ascontiguousarray(decoded[8::16, 8::16, ::-1])
    exact = {tuple(c): c for c in chart()[8::16, 8::16].reshape(-1, 3)}
    table = np.array(list(exact.values()))
    nearest = table[np.abs(flat[:, :, None].astype(int) - table).sum(-1).argmin(-1)]
    return np.ascontiguousarray(nearest.astype(np.uint8).repeat(16, 0).repeat(16, 1))


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        (exif_block(6), 6),
        (exif_block(6, order=">"), 6),
        (exif_block(6, next_directory=8), 6),
        (looping_exif(), 6),
        (exif_block(0), 1),
        (exif_block(9), 1),
        (exif_block(6)[:15], 1),
        (b"", 1),
        (b"II*\0\xff\xff\xff\xff", 1),
        (b"Exif\0\0" + exif_block(3), 3),
        (struct.pack("<4sIHHHIHH", b"II*\0", 8, 1, 274, 2, 1, 6, 0), 1),  # a text
        (struct.pack("<4sIHHHIHH", b"II*\0", 8, 1, 274, 3, 0, 6, 0), 1),  # no value
        (struct.pack("<4sIHHHIHH", b"II*\0", 8, 1, 274, 3, 2, 6, 3), 6),  # of two the first
        (struct.pack("<4sIHHHII2I", b"II*\0", 8, 1, 274, 4, 2, 22, 8, 3), 8),  # too long for the entry
        (struct.pack("<4sIHHHII", b"II*\0", 8, 1, 274, 4, 2, 2**31), 1),  # behind the end
        (struct.pack("<4sIHHHIi", b"II*\0", 8, 1, 274, 9, 1, -6), 1),
    ],
)
def test_exif_is_read_without_trust(block: bytes, expected: int) -> None:
    """Loops, cuts, wrong types and values outside 1-8 mean "upright", and raise nothing."""
    assert from_exif(block) == expected


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", [1, 3, 4, 6, 8, 9])
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_orientation_may_be_of_any_integer_type(format: str, kind: int, order: str) -> None:
    """BYTE, SHORT, LONG and their signed twins, in either byte order and in every format that has EXIF."""
    mark = b"II*\0" if order == "<" else b"MM\0*"
    value = struct.pack(order + {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i"}[kind], 6).ljust(4, b"\0")
    block = mark + struct.pack(order + "IHHHI", 8, 1, 274, kind, 1) + value + bytes(4)
    if format == "JPEG":
        data = with_exif(encoded("JPEG"), block)
    else:
        data = encoded(format, exif=b"Exif\0\0" + block)
    assert images.probe(data).orientation == 6
    assert images.load(data).hw == (96, 64)


def test_xmp_does_not_turn_a_picture() -> None:
    """XMP repeats the EXIF value or contradicts it; only EXIF counts."""
    words = b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta tiff:Orientation='6'/>"
    data = encoded("JPEG")
    data = data[:2] + b"\xff\xe1" + struct.pack(">H", len(words) + 2) + words + data[2:]
    assert images.probe(data).orientation == 1


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "AVIF"])
def test_garbage_exif_does_not_cost_the_picture(format: str) -> None:
    """Metadata that makes no sense is ignored."""
    title = struct.pack(">HHII", 0x010E, 2, 9, 26)  # a block of nothing but orientation would be dropped
    block = struct.pack(">2sHIH", b"MM", 42, 8, 1) + title + bytes(4) + b"abcdefgh\0"
    data = encoded(format, exif=b"Exif\0\0" + block)
    assert block in data
    damaged = data.replace(block, bytes(range(200, 200 + len(block))))
    if format == "PNG":
        damaged = data.replace(block, block[::-1])  # with a wrong checksum besides
    assert images.load(damaged).hw == (64, 96)


@pytest.mark.parametrize("colour", [0, 2, 4, 6])
def test_sixteen_bits_are_scaled(colour: int) -> None:
    """A 16-bit ramp keeps its greys: 0 is black, half is grey, 65535 is white; nothing clips."""
    ramp = np.linspace(0, 65535, 256).round().astype(np.uint16)
    channels = {0: 1, 2: 3, 4: 2, 6: 4}[colour]
    samples = np.repeat(np.tile(ramp, (8, 1))[:, :, None], channels, axis=2)
    if colour >= 4:
        samples[:, :, -1] = 65535
    pixels = images.load(deep_png(samples, colour)).pixels
    assert np.array_equal(pixels[0, :, 0], np.arange(256))
    assert (pixels == pixels[:1, :, :1]).all()


@pytest.mark.parametrize("order", ["<", ">"])
def test_sixteen_bit_tiff_is_scaled(order: str) -> None:
    """The same for TIFF, in either byte order."""
    ramp = np.tile(np.arange(256, dtype=np.uint16) * 257, (8, 1))
    data = tiff(ramp.astype(order + "u2").tobytes(), 256, 8, 16, order)
    assert np.array_equal(images.load(data).pixels[3, :, 1], np.arange(256))


def test_twelve_bit_tiff_is_scaled() -> None:
    """Twelve bits are scaled by four, not by eight: white stays white."""
    white = tiff(b"\xff" * (16 * 8 * 12 // 8), 16, 8, 12, "<")
    assert images.load(white).pixels.min() == 255


def tiff(pixels: bytes, width: int, height: int, bits: int, order: str) -> bytes:
    """A minimal uncompressed grey TIFF."""
    tags = [(256, width), (257, height), (258, bits), (259, 1), (262, 1), (273, 8)]
    tags += [(277, 1), (278, height), (279, len(pixels))]
    body = b"".join(struct.pack(order + "HHII", tag, 4, 1, value) for tag, value in tags)
    start = 8 + len(pixels)
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", start)
    return head + pixels + struct.pack(order + "H", len(tags)) + body + bytes(4)


def test_alpha_is_laid_over_white() -> None:
    """Opaque stays exact, clear becomes white whatever hides beneath, half is half way."""
    rgba = np.zeros((12, 12, 4), np.uint8)
    rgba[:4] = (200, 100, 50, 255)
    rgba[4:8] = (200, 100, 50, 0)
    rgba[8:] = (200, 100, 50, 128)
    for data in (
        encoded("PNG", rgba, mode="RGBA"),
        encoded("WEBP", rgba, mode="RGBA", lossless=True, exact=True),
    ):
        pixels = images.load(data).pixels
        assert pixels[0, 0].tolist() == [200, 100, 50]
        assert pixels[5, 0].tolist() == [255, 255, 255]
        assert pixels[9, 0].tolist() == [227, 177, 152]


def test_transparent_palette_and_grey_are_laid_over_white() -> None:
    """The transparent colour of a palette, and of 8- and 16-bit grey, becomes white."""
    indices = pillow.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8) % 2).convert("P")
    indices.putpalette([10, 20, 30, 40, 50, 60])
    out = io.BytesIO()
    indices.save(out, "PNG", transparency=0)
    assert images.load(out.getvalue()).pixels[0, :2].tolist() == [[255, 255, 255], [40, 50, 60]]
    deep = np.full((8, 8, 1), 30 * 256, np.uint16)
    deep[0, 0] = 40 * 256
    keyed = deep_png(deep, 0, (png_chunk(b"tRNS", struct.pack(">H", 30 * 256)),))
    assert images.load(keyed).pixels[0, :2, 0].tolist() == [40, 255]


def test_one_bit_is_black_and_white() -> None:
    """A bilevel picture has values 0 and 255, not 0 and 1."""
    pixels = images.load(encoded("PNG", mode="1")).pixels
    assert set(np.unique(pixels)) == {0, 255}


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG", "TIFF", "AVIF"])
def test_of_several_frames_the_first_is_read(format: str) -> None:
    """The first frame or page is the picture, and the header tells that there are more."""
    options = {"lossless": True} if format == "WEBP" else {}
    data = frames(format, **options)
    assert np.abs(images.load(data).pixels.astype(int) - chart()).mean() < 20  # its negative differs by 90
    assert images.probe(data).several
    assert not images.probe(encoded(format)).several


def test_colour_profiles_are_ignored() -> None:
    """Models were trained on values as stored, so a profile changes no pixel and may be damaged."""
    assert difference(images.load(encoded("PNG", icc_profile=b"no profile at all")).pixels, chart()) == 0


def test_jpeg_shrinks_while_decoding() -> None:
    """`min_side` bounds the shorter side from below; `scale` maps coordinates back to the file."""
    data = simplejpeg.encode_jpeg(np.ascontiguousarray(chart(1600, 960)), quality=95)
    full, small = images.load(data), images.load(data, min_side=200)
    assert (full.scale, full.size_wh) == (1.0, (1600, 960))
    assert min(small.size_wh) >= 200
    assert small.scale == 4.0
    assert np.allclose(np.multiply(small.size_wh, small.scale), (1600, 960), atol=small.scale)
    middle = [int((8 + 16 * k) / small.scale) for k in range(50)]
    assert np.abs(small.pixels[middle[3], middle].astype(int) - full.pixels[8 + 48, 8:808:16]).mean() < 12
    assert images.load(data, min_side=5000).scale == 1.0
    assert images.load(data, min_side=500).scale == 1.0  # 5/8 would do, and take longer than the whole
    assert images.load(data, min_side=300).scale == 8 / 3
    assert images.load(encoded("PNG"), min_side=8).scale == 1.0


def test_shrunken_pictures_are_turned_too() -> None:
    """Orientation and DCT scaling combine: width and height are those of the upright picture."""
    image = images.load(turned_jpeg(6), min_side=30)
    assert image.size_wh == (48, 32)
    assert image.scale == 2.0


def test_limits_are_the_callers() -> None:
    """Pixels, side and bytes are bounded from above, the side from below, at exactly the limit."""
    data = encoded("PNG")
    tight = images.Limits(max_pixels=64 * 96, max_side_px=96, max_bytes=len(data), min_side_px=64)
    assert images.load(data, limits=tight).size_wh == (96, 64)
    for limits, error in [
        (images.Limits(max_pixels=64 * 96 - 1), PictureTooLarge),
        (images.Limits(max_side_px=95), PictureTooLarge),
        (images.Limits(max_bytes=len(data) - 1), PictureTooLarge),
        (images.Limits(min_side_px=65), PictureTooSmall),
    ]:
        with pytest.raises(error):
            images.load(data, limits=limits)


def test_webp_may_have_half_as_many_pixels() -> None:
    """Its decoder needs twice the memory of the others, so the limit keeps memory alike."""
    data = encoded("WEBP")
    assert images.load(data, limits=images.Limits(max_pixels=2 * 64 * 96)).size_wh == (96, 64)
    with pytest.raises(PictureTooLarge):
        images.load(data, limits=images.Limits(max_pixels=2 * 64 * 96 - 1))


def test_limits_above_pillows_own_hold_without_a_warning() -> None:
    """Our limit decides, not Pillow's: 100 megapixels pass in silence."""
    row = zlib.compress(bytes((1 + 12_500) * 8_000), 1)
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", 100_000, 8_000, 1, 0, 0, 0, 0))
    data = b"\x89PNG\r\n\x1a\n" + header + png_chunk(b"IDAT", row) + png_chunk(b"IEND", b"")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(PictureTooLarge):
            images.probe(data)
        wide = images.Limits(max_pixels=10**9, max_side_px=10**6)
        assert images.probe(data, limits=wide).size_wh == (100_000, 8_000)


def test_bytes_path_and_stream_agree(tmp_path: Path) -> None:
    """Wherever the bytes come from, the picture is the same; `source` says where, or what it is told."""
    data = encoded("JPEG")
    path = tmp_path / "a.jpg"
    path.write_bytes(data)
    with path.open("rb") as stream:
        streamed = images.load(stream)
    for image in (images.load(path), images.load(str(path)), images.load(memoryview(data)), streamed):
        assert np.array_equal(image.pixels, images.load(data).pixels)
    assert images.load(path).source == str(path)
    assert images.load(data).source == "<memory>"
    assert images.load(data, name="upload 7").source == "upload 7"


def test_a_stream_is_read_no_further_than_the_limit() -> None:
    """An endless upload ends at the limit."""
    endless = io.BytesIO(encoded("JPEG") + bytes(10_000))
    with pytest.raises(PictureTooLarge):
        images.load(endless, limits=images.Limits(max_bytes=5_000))
    assert endless.tell() == 5_001


def test_probe_tells_the_format_by_content() -> None:
    """The file's name plays no part."""
    for format in ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "PPM"):
        header = images.probe(encoded(format))
        assert (header.format, header.size_wh, header.orientation) == (Format(format), (96, 64), 1)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"%!PS-Adobe", "PostScript"),
        (b"<svg>", "SVG"),
        (b"\xef\xbb\xbf<!doctype html>", "HTML"),
        (b"hello, world\n", "text"),
        ("Grüße aus Köln".encode(), "text"),
        (b"%PDF-1.4", "PDF"),
        (b"\0\0\0\x18ftypisom\0\0\0\0isommp42", "video"),
        (bytes(100), "zero bytes"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS"),
        (b"\x93\x81\x07\xfe\xff", "unknown"),
    ],
)
def test_refusals_say_what_it_looks_like(data: bytes, words: str) -> None:
    """A wrong file is named for what it is, so that its owner can find out how it got there."""
    with pytest.raises(UnsupportedFormat, match=words):
        images.load(data)


def test_threads_decode_at_once_and_agree() -> None:
    """Eight threads over every format give what one thread gives."""
    data = [encoded(f) for f in ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "AVIF")] + [turned_jpeg(6)]
    alone = [images.load(d).pixels for d in data]
    wrong: list[object] = []

    def work() -> None:
        try:
            for _ in range(10):
                for expected, d in zip(alone, data, strict=True):
                    if not np.array_equal(images.load(d).pixels, expected):
                        wrong.append(d[:10])
        except Exception as error:
            wrong.append(error)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".JPEG"])
def test_saved_pictures_read_back(tmp_path: Path, suffix: str) -> None:
    """PNG is exact, JPEG close; channels stay in order; nothing else is left in the folder."""
    path = tmp_path / f"out{suffix}"
    images.save(path, chart())
    images.save(path, chart())  # over itself
    assert difference(images.load(path).pixels, chart()) <= (0 if suffix == ".png" else 12)
    assert os.listdir(tmp_path) == [path.name]  # noqa: PTH208


def test_a_failed_save_leaves_the_old_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is replaced whole or not at all."""
    path = tmp_path / "a.png"
    images.save(path, chart())

    def fail(*_: object) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OutputError, match="No space"):
        images.save(path, 255 - chart())
    monkeypatch.undo()
    assert difference(images.load(path).pixels, chart()) == 0
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


def test_only_rgb_arrays_and_known_suffixes_are_written(tmp_path: Path) -> None:
    """A wrong array or suffix is the caller's mistake, told before anything is written."""
    with pytest.raises(InvalidArray):
        images.encode_jpeg(chart()[:, :, 0])
    with pytest.raises(InvalidArray):
        images.encode_png(chart().astype(np.float32))  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="webp"):
        images.save(tmp_path / "a.webp", chart())
    assert not list(tmp_path.iterdir())


def test_a_damaged_chunk_of_metadata_is_no_reason_to_refuse() -> None:
    """Only chunks that make pixels must have a right checksum."""
    plain = encoded("PNG")
    wrong = png_chunk(b"eXIf", exif_block(6))[:-4] + b"\0\0\0\0"
    assert images.load(plain[:33] + wrong + plain[33:]).size_wh == (96, 64)
    critical = png_chunk(b"ABCD", b"x")
    with pytest.raises(CorruptPicture):
        images.load(plain[:33] + critical + plain[33:])
