"""Small files of every kind, damaged and blown up at random: each ends soon, in a result or a named error.

The run is seeded and short; a longer one by hand: ``--fuzz-rounds 5000``.
"""

from __future__ import annotations

import io
import random
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from growth import seconds
from hostile.pictures import encoded, frames
from hostile.test_growth import GUESSED, LISTS, READERS
from lineament.datasets.archives import unpack
from lineament.datasets.collect import robots
from lineament.datasets.formats import Problems, roboflow
from lineament.datasets.importing import guessing
from lineament.errors import LineamentError
from lineament.io import images

_SECONDS = 2.0
COMPRESSIONS = ("tiff_lzw", "packbits", "jpeg", "tiff_adobe_deflate")
_MOST_BYTES = 200_000


def mutated(data: bytes, chance: random.Random) -> bytes:
    """A few bytes changed, pieces taken out, and often one piece repeated many times."""
    out = bytearray(data)
    for _ in range(chance.choice((0, 1, 3))):
        at = chance.randrange(len(out))
        out[at] = chance.choice((0, 1, 32, 48, 255, chance.randrange(256)))
    if chance.random() < 0.3:
        at = chance.randrange(len(out))
        del out[at : at + chance.randrange(1, 20)]
    if chance.random() < 0.7:
        at = chance.randrange(len(out) or 1)
        piece = out[at : at + chance.choice((1, 2, 3, 4, 8, 40))]
        out[at:at] = piece * (chance.choice((100, _MOST_BYTES)) // max(len(piece), 1))
    return bytes(out or b"a")


def archive(suffix: str) -> bytes:
    out = io.BytesIO()
    if suffix == ".zip":
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
            packed.writestr("a/b.txt", b"0 0.5 0.5 0.1 0.1\n" * 50)
    else:
        with tarfile.open(fileobj=out, mode="w") as tar:
            for name in ("a/b.txt", "c" * 120):
                tar.addfile(tarfile.TarInfo(name))
    return out.getvalue()


def read_labels(path: Path) -> None:
    guessing.detect(path.parent)
    for reader in GUESSED:
        try:
            list(reader.read(path.parent, path.parent, Problems()))
        except LineamentError:
            continue


def picture(path: Path) -> None:
    images.load(path)


TEXTS: list[Callable[[], bytes]] = [lambda k=k: LISTS[k](200).encode() for k in LISTS]  # type: ignore[misc]
KINDS: dict[str, tuple[str, list[Callable[[], bytes]], Callable[[Path], object]]] = {
    **{
        format: ("a.bin", [lambda f=format: encoded(f)], picture)  # type: ignore[misc]
        for format in ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "PPM")
    },
    "progressive JPEG": ("a.bin", [lambda: encoded("JPEG", progressive=True)], picture),
    "several frames": ("a.bin", [lambda f=f: frames(f) for f in ("GIF", "WEBP", "PNG", "TIFF")], picture),  # type: ignore[misc]
    "coded TIFF": ("a.bin", [lambda c=c: encoded("TIFF", compression=c) for c in COMPRESSIONS], picture),  # type: ignore[misc]
    "robots.txt": ("a.txt", [lambda: b"User-agent: *\nDisallow: /*a$\nAllow: /b\nCrawl-delay: 2\n"],
                   lambda path: robots.parse(path.read_bytes(), "lineament").allows("/a/b?c")),
    "README": ("README.dataset.txt", [lambda: b"License: CC BY 4.0\nhttps://universe.roboflow.com/a/b\n"],
               lambda path: roboflow._provenance(path.parent)),
    "zip": ("a.zip", [lambda: archive(".zip")], lambda path: unpack(path, path.parent / "out")),
    "tar": ("a.tar", [lambda: archive(".tar")], lambda path: unpack(path, path.parent / "out")),
    **{
        f"labels {suffix}": (f"labels{suffix}", TEXTS, read_labels)
        for suffix in (".txt", ".json", ".xml", ".csv", ".yaml")
    },
    **{
        reader: (name, TEXTS, read)
        for reader, (read, name) in READERS.items()
    },
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_mutated_files_end_soon(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """In less than two seconds of processor time for 200 kB, by a result or an error with a name."""
    name, makers, act = KINDS[kind]
    chance = random.Random(kind)
    for round in range(request.config.getoption("--fuzz-rounds")):
        folder = tmp_path / str(round)
        folder.mkdir()
        data = mutated(chance.choice(makers)(), chance)
        (folder / name).write_bytes(data)
        took = seconds(lambda path=folder / name: act(path))  # type: ignore[misc]
        assert took < _SECONDS, (round, took, data[:200])
