"""A PIL picture gives the pixels that its file gives."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as pillow
from PIL import ImageOps

from hostile.pictures import exif_block
from lineament.errors import CorruptPicture, PictureUnreadable, UnsupportedFormat
from lineament.io import images
from lineament.types import Image

NOISE = np.random.default_rng(3).integers(0, 256, (23, 31, 4), np.uint8)


def drawn(mode: str) -> Any:
    """Noise in any mode."""
    if mode.startswith("I;16"):
        deep = NOISE[:, :, 0].astype(np.uint16) * 257
        return pillow.frombytes(mode, (31, 23), deep.astype(">u2" if mode == "I;16B" else "<u2").tobytes())
    if mode in ("I", "F"):
        return pillow.fromarray(NOISE[:, :, 0]).convert(mode)
    if mode in ("LA", "PA", "RGBA", "RGBa", "La"):
        picture = pillow.fromarray(NOISE)
        via = {"PA": "P", "RGBa": "RGBA", "La": "LA"}.get(mode, mode)
        return picture.convert(via) if via == mode else picture.convert(via).convert(mode)
    return pillow.fromarray(NOISE[:, :, :3]).convert(mode)


def saved(picture: Any, format: str, **options: Any) -> bytes:
    out = io.BytesIO()
    picture.save(out, format, **options)
    return out.getvalue()


KINDS = [
    *(("PNG", mode) for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")),
    *(("TIFF", mode) for mode in ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr")),
    *(("TIFF", mode) for mode in ("I;16", "I;16B", "RGBX")),
    *(("JPEG", mode) for mode in ("L", "RGB", "CMYK", "YCbCr")),
    *(("BMP", mode) for mode in ("1", "L", "P", "RGB", "RGBA")),
    *(("GIF", mode) for mode in ("1", "L", "P", "RGB", "RGBA")),
    *(("WEBP", mode) for mode in ("RGB", "RGBA")),
    *(("PPM", mode) for mode in ("L", "RGB", "I;16")),
]


@pytest.mark.parametrize(("format", "mode"), KINDS)
def test_an_opened_picture_equals_its_file(format: str, mode: str) -> None:
    """Opened by PIL, before its pixels were read or after, and copied or not: as `images.load` reads it."""
    data = saved(drawn(mode), format)
    wanted = images.load(data).pixels.astype(int)
    loaded = pillow.open(io.BytesIO(data))
    loaded.load()
    for picture in (pillow.open(io.BytesIO(data)), loaded):
        assert np.abs(Image.from_pil(picture).pixels - wanted).max() <= (2 if format == "JPEG" else 0)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I;16", "PA"])
def test_a_picture_in_memory_equals_the_file_it_would_be_saved_as(mode: str) -> None:
    """A picture that never was a file is seen as if it had been saved without loss."""
    picture = drawn(mode)
    assert (Image.from_pil(picture).pixels == images.load(saved(picture, "TIFF")).pixels).all()


@pytest.mark.parametrize("mode", ["HSV", "RGBX", "RGBa", "La", "I;16B", "I;16L"])
def test_modes_that_few_files_have(mode: str) -> None:
    """Modes that exist in memory alone come out in their colours."""
    picture = drawn(mode)
    if mode.startswith("I;16"):
        wanted = np.dstack([NOISE[:, :, 0]] * 3)
        assert (Image.from_pil(picture).pixels == wanted).all()
        return
    plain = (
        picture.convert("RGBA") if mode in ("RGBa",) else picture.convert("LA" if mode == "La" else "RGB")
    )
    assert (Image.from_pil(picture).pixels == Image.from_pil(plain).pixels).all()


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_is_applied_once(format: str, orientation: int) -> None:
    """A picture is turned as its file is, also after ``load`` and ``copy``, and not twice."""
    exif = pillow.Exif()
    exif[274] = orientation
    data = saved(pillow.fromarray(NOISE[:, :, :3]), format, exif=exif)
    wanted = images.load(data).pixels.astype(int)
    opened = pillow.open(io.BytesIO(data))
    copied = pillow.open(io.BytesIO(data)).copy()
    turned = ImageOps.exif_transpose(pillow.open(io.BytesIO(data)))
    for picture in (opened, copied, turned):
        found = Image.from_pil(picture).pixels
        assert found.shape == wanted.shape and np.abs(found - wanted).max() <= (
            2 if format == "JPEG" else 0
        )


def test_an_orientation_set_in_memory_counts() -> None:
    """EXIF that was set on the picture itself turns it, as Pillow's own ``exif_transpose`` does."""
    picture = pillow.fromarray(NOISE[:, :, :3])
    picture.getexif()[274] = 6
    assert (Image.from_pil(picture).pixels == np.rot90(NOISE[:, :, :3], -1)).all()


@pytest.mark.parametrize(
    "block", [b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\xff", exif_block(9), exif_block(0)]
)
def test_damaged_exif_costs_nothing(block: bytes) -> None:
    """An EXIF block that makes no sense leaves the picture as it is."""
    data = saved(pillow.fromarray(NOISE[:, :, :3]), "PNG", exif=block)
    assert (Image.from_pil(pillow.open(io.BytesIO(data))).pixels == NOISE[:, :, :3]).all()


def test_of_several_frames_the_current_one() -> None:
    """The first frame until somebody seeks, then the one sought."""
    frames = [pillow.new("RGB", (20, 20), color) for color in ("red", "lime", "blue")]
    data = saved(frames[0], "TIFF", save_all=True, append_images=frames[1:])
    picture = pillow.open(io.BytesIO(data))
    assert Image.from_pil(picture).pixels[0, 0].tolist() == [255, 0, 0]
    picture.seek(2)
    assert Image.from_pil(picture).pixels[0, 0].tolist() == [0, 0, 255]


@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF", "BMP", "GIF", "PPM"])
@pytest.mark.parametrize("how", ["with", "file closed", "loaded, then closed"])
def test_a_closed_picture_is_refused_by_name(tmp_path: Path, format: str, how: str) -> None:
    """Pixels that were never read before the file was closed are gone: the error says what to do."""
    path = tmp_path / "a"
    path.write_bytes(saved(pillow.fromarray(NOISE[:, :, :3]), format))
    if how == "with":
        with pillow.open(path) as picture:
            pass
    elif how == "file closed":
        with path.open("rb") as file:
            picture = pillow.open(file)
    else:
        picture = pillow.open(path)
        picture.load()
        picture.close()
    with pytest.raises(PictureUnreadable, match="closed"):
        Image.from_pil(picture)


def test_a_truncated_file_is_damaged_not_closed() -> None:
    """What PIL only finds while it reads the pixels is the error that the file gives."""
    data = saved(pillow.fromarray(NOISE[:, :, :3]), "PNG")
    with pytest.raises(CorruptPicture):
        Image.from_pil(pillow.open(io.BytesIO(data[: len(data) // 2])))


@pytest.mark.parametrize("mode", ["I", "F"])
def test_a_mode_without_white_is_refused_with_the_call_that_helps(mode: str) -> None:
    """32-bit samples do not say which value is white."""
    with pytest.raises(UnsupportedFormat, match=r"white="):
        Image.from_pil(drawn(mode))


def test_the_source_is_the_file_it_was_opened_from(tmp_path: Path) -> None:
    """A picture keeps its file's name; one in memory has none."""
    path = tmp_path / "a.png"
    path.write_bytes(saved(pillow.fromarray(NOISE), "PNG"))
    assert Image.from_pil(pillow.open(path)).source == str(path)
    assert Image.from_pil(pillow.fromarray(NOISE)).source == "<memory>"
    assert Image.from_pil(pillow.fromarray(NOISE), source="scan 3").source == "scan 3"


def test_lab_is_refused_like_its_file(tmp_path: Path) -> None:
    """CIE Lab, which readers turn into colours in different ways, is refused by name in both."""
    picture = pillow.new("LAB", (31, 23))
    picture.save(tmp_path / "a.tif")
    for source in (picture, tmp_path / "a.tif"):
        with pytest.raises(UnsupportedFormat, match="Lab"):
            images.load(source)
