"""The hostile set through the one decoder: each picture is read, or refused by its right name."""

from __future__ import annotations

import os
import random
import resource
import socket
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from hostile.pictures import OK, bomb_png, encoded, files, frames, make_hostile_folder
from lineament.errors import NotAPicture, PictureError, PictureTooLarge, PictureUnreadable
from lineament.io import images
from peak import peak_mb


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    path = tmp_path_factory.mktemp("hostile")
    return path, make_hostile_folder(path)


def ending(source: str | bytes) -> str:
    try:
        image = images.load(source)
    except PictureError as error:
        assert str(error), "a refusal says why"
        return type(error).__name__
    assert image.pixels.flags.c_contiguous and image.pixels.dtype == np.uint8
    return OK


def test_every_picture_ends_as_it_must(folder: tuple[Path, dict[str, str]]) -> None:
    """Each of the hostile files is read or refused by the error that names its fault; none hangs."""
    path, expected = folder
    assert len(expected) > 90
    assert {name: ending(str(path / name)) for name in expected} == expected


def test_probe_refuses_by_the_same_names(folder: tuple[Path, dict[str, str]]) -> None:
    """Whatever `probe` refuses, `load` refuses with the same error: there is one gate."""
    path, expected = folder
    refused = 0
    for name, ends in expected.items():
        try:
            images.probe(str(path / name))
        except PictureError as error:
            assert type(error).__name__ == ends, name
            refused += 1
    assert refused > 20


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "PPM"])
def test_no_cut_file_becomes_a_picture(format: str) -> None:
    """A file cut at any percent is refused: never a half picture, grey below."""
    whole = encoded(format)
    assert ending(whole) == OK
    for percent in range(1, 100):
        assert ending(whole[: len(whole) * percent // 100]) in ("CorruptPicture", "UnsupportedFormat"), (
            percent
        )


@pytest.mark.parametrize("options", [{"progressive": True}, {"optimize": True, "subsampling": 0}])
def test_no_cut_jpeg_variant_becomes_another_picture(options: dict[str, object]) -> None:
    """The same for progressive JPEGs, whose first scan alone would give a blurred picture.

    The last bytes are an exception that loses nothing: without its end mark a picture is whole.
    """
    whole = encoded("JPEG", quality=95, **options)
    pixels = images.load(whole).pixels
    for cut in {*range(4, len(whole), max(len(whole) // 200, 1)), len(whole) - 1, len(whole) - 2}:
        if ending(whole[:cut]) == OK:
            assert cut > len(whole) * 0.99
            assert np.array_equal(images.load(whole[:cut]).pixels, pixels), cut
        else:
            assert ending(whole[:cut]) == "CorruptPicture", cut


def mutated(data: bytes, chance: random.Random) -> bytes:
    out = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 5, 20))):
        at = chance.randrange(len(out)) if chance.random() < 0.5 else chance.randrange(min(len(out), 200))
        what = chance.random()
        if what < 0.5:
            out[at] = chance.randrange(256)
        elif what < 0.7:
            out[at] ^= 1 << chance.randrange(8)
        elif what < 0.8:
            out[at : at + 4] = chance.choice((b"\xff\xff\xff\xff", bytes(4), b"\x7f\xff\xff\xff"))
        elif what < 0.9:
            del out[at : at + chance.randrange(1, 20)]
        else:
            out[at:at] = out[: chance.randrange(1, 30)]
    return bytes(out)


def mutate_and_load() -> None:
    """Run in a process of its own, whose memory is bounded and whose stderr is watched."""
    resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
    chance = random.Random(20)
    whole = [encoded("JPEG"), encoded("JPEG", progressive=True), encoded("PNG"), encoded("WEBP")]
    whole += [
        encoded("WEBP", lossless=True),
        frames("WEBP"),
        frames("PNG"),
        encoded("GIF"),
        encoded("AVIF"),
    ]
    endings = [ending(mutated(data, chance)) for data in whole for _ in range(60)]
    print(endings.count(OK), len(endings), round(peak_mb()))


def test_mutated_files_are_read_or_refused_and_nothing_else() -> None:
    """540 damaged files: a picture or a `PictureError`, no word on stderr, under a gigabyte of memory."""
    code = "from hostile.test_pictures import mutate_and_load; mutate_and_load()"
    path = os.pathsep.join([str(Path(__file__).parents[1]), *sys.path])
    done = subprocess.run(
        [sys.executable, "-W", "always", "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": path},
    )
    assert (done.returncode, done.stderr) == (0, "")
    read, total, peak_mb = map(int, done.stdout.split())
    assert 0 < read < total == 540
    assert peak_mb < 1024


def test_a_flipped_bit_never_passes_in_a_png() -> None:
    """PNG carries checksums, so any change to what makes its pixels is refused."""
    whole = encoded("PNG")
    chance = random.Random(4)
    for _ in range(200):
        at = chance.randrange(8, len(whole))
        damaged = whole[:at] + bytes([whole[at] ^ 1 << chance.randrange(8)]) + whole[at + 1 :]
        assert ending(damaged) != OK, at


def test_a_bomb_is_refused_before_it_unfolds() -> None:
    """A 30000x30000 PNG of 110 KB costs a few times its own size, not gigabytes."""
    bomb = bomb_png()
    assert len(bomb) < 200_000
    images.probe(encoded("PNG"))  # whatever is imported late is imported now
    tracemalloc.start()
    try:
        with pytest.raises(PictureTooLarge, match="30000x30000"):
            images.load(bomb)
        assert tracemalloc.get_traced_memory()[1] < 10 * len(bomb)
    finally:
        tracemalloc.stop()


def test_a_socket_is_no_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A socket is refused without being opened."""
    monkeypatch.chdir(tmp_path)  # socket paths are short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("s.jpg")
        with pytest.raises(NotAPicture, match="socket"):
            images.load("s.jpg")


def test_a_file_that_may_not_be_read_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system's refusal is not told as "no such file"."""
    path = tmp_path / "locked.jpg"
    path.write_bytes(encoded("JPEG"))
    path.chmod(0)
    if os.access(path, os.R_OK):  # root reads everything: let the system call itself refuse

        def refuse(*_: object) -> int:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(PictureUnreadable, match="Permission denied"):
        images.load(path)


@pytest.mark.parametrize("path", ["", "a\0b.jpg", "x" * 5000, "nowhere/at/all.jpg", "setup.cfg/x.jpg"])
def test_paths_that_cannot_exist_are_not_found(path: str) -> None:
    """An impossible path is a refusal of that one picture, not an exception of the system's."""
    assert ending(path) == "PictureNotFound"


def test_the_set_holds_no_picture_of_a_person() -> None:
    """Everything here is made in code, so the set costs the repository nothing."""
    assert sum(len(data) for data, _ in files().values()) < 5_000_000
    assert {p.suffix for p in Path(__file__).parent.iterdir() if p.is_file()} == {".py"}
