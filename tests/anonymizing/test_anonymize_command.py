"""``lineament anonymize`` of photos."""

from __future__ import annotations

import io
import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result
from PIL import Image as pillow
from typer.testing import CliRunner

from lineament.analyzer import Analyzer
from lineament.cli.main import app
from lineament.errors import UnknownSubject, UsageError
from lineament.gallery.gallery import Gallery
from lineament.io import images

SAMPLES = Path(__file__).parents[2] / "samples"
OBAMA, BIDEN = SAMPLES / "obama_2009_congress.jpg", SAMPLES / "biden_2010_white_house.jpg"


@cache
def analyzer() -> Analyzer:
    return Analyzer("yunet", workers=1)


def run(*words: object) -> Result:
    return CliRunner().invoke(app, ["anonymize", *map(str, words), "--workers", "1"])


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> str:
    url = f"sqlite:{tmp_path_factory.mktemp('g') / 'g.db'}"
    with Gallery(url, analyzer()) as opened:
        for name, photo in (("Obama", "obama_2012_portrait.jpg"), ("Biden", "biden_2013_portrait.jpg")):
            assert opened.enrol(name, [SAMPLES / photo])[0].error is None
    return url


def with_thumbnail(path: Path) -> Path:
    """A photo on its side, with a place, an author, and its face in an EXIF thumbnail."""
    with pillow.open(OBAMA) as photo:
        small, upright = photo.copy(), photo.convert("RGB")
    small.thumbnail((320, 320))
    data = io.BytesIO()
    small.save(data, "JPEG", quality=95)
    exif = pillow.Exif()
    exif[0x0112], exif[0x013B] = 6, "An Author"  # to be turned by a quarter
    exif.get_ifd(0x8825)[1] = "N"
    first = exif.tobytes()
    # IFD1 with the thumbnail: written by hand, as Pillow keeps none.
    body = bytearray(first[6:])
    little = body[:2] == b"II"
    order = "little" if little else "big"
    at = int.from_bytes(body[4:8], order)
    count = int.from_bytes(body[at : at + 2], order)
    link, ifd1 = at + 2 + 12 * count, len(body)
    body[link : link + 4] = ifd1.to_bytes(4, order)
    where = ifd1 + 2 + 12 * 2 + 4

    def entry(tag: int, value: int) -> bytes:
        kind, one = (4).to_bytes(2, order), (1).to_bytes(4, order)
        return tag.to_bytes(2, order) + kind + one + value.to_bytes(4, order)

    body += (2).to_bytes(2, order) + entry(0x0201, where) + entry(0x0202, len(data.getvalue())) + bytes(4)
    body += data.getvalue()
    upright.transpose(pillow.Transpose.ROTATE_90).save(
        path, "JPEG", quality=95, exif=b"Exif\0\0" + bytes(body)
    )
    return path


def test_neither_metadata_nor_thumbnail_survive(tmp_path: Path) -> None:
    """The EXIF thumbnail of a masked photo would show the face; the orientation is in the pixels."""
    photo = with_thumbnail(tmp_path / "turned.jpg")
    at = photo.read_bytes().rindex(b"\xff\xd8\xff")
    assert at > 0
    [inside] = analyzer().detector.detect([images.load(photo.read_bytes()[at:])])
    assert len(inside) == 1, "the thumbnail of the test shows a face"
    done = run(photo, "--out", tmp_path / "out")
    assert done.exit_code == 0, done.output
    data = (tmp_path / "out" / "turned.jpg").read_bytes()
    assert b"Exif" not in data and b"Author" not in data and data.rindex(b"\xff\xd8\xff") == 0
    written = images.load(data)
    assert written.size_wh == images.load(OBAMA).size_wh
    [found] = analyzer().detector.detect([written])
    [before] = analyzer().detector.detect([images.load(OBAMA)])
    assert len(found) < len(before)


def test_only_the_named_stay(tmp_path: Path, gallery: str) -> None:
    """Obama is kept where he is surely recognised; Biden, who is enrolled and not named, is masked."""
    done = run(
        *(OBAMA, BIDEN, "--out", tmp_path / "out", "--keep", "Obama", "--gallery", gallery),
        *("--json", tmp_path / "m.jsonl", "--review", tmp_path / "r.html"),
    )
    assert done.exit_code == 0, done.output
    one, other = lines(tmp_path / "m.jsonl")
    assert [kept["subject"] for kept in one["kept"]] == ["Obama"] and not other["kept"] and other["masks"]
    left, top, right, bottom = (int(edge) for edge in one["kept"][0]["box"])
    before, after = images.load(OBAMA).pixels, images.load(one["written"]).pixels
    middle = np.s_[top + 20 : bottom - 20, left + 20 : right - 20]
    assert np.abs(before[middle].astype(int) - after[middle]).mean() < 4
    page = (tmp_path / "r.html").read_text()
    assert page.count("data:image/jpeg") == 2 and "1 kept" in page


def test_unsure_is_masked(tmp_path: Path, gallery: str) -> None:
    """A match that is no clearer than the margin over its threshold is not kept."""
    from lineament.anonymizing import Keeping

    with Gallery(gallery, analyzer()) as opened:
        [found] = opened.identify([OBAMA])
        assert found.matches[0].subject == "Obama"
        spare = found.matches[0].candidates[0].similarity - found.matches[0].threshold.value
        assert Keeping(opened, ["Obama"], spare - 0.01).faces(found.matches) == [0]
        assert Keeping(opened, ["Obama"], spare + 0.01).faces(found.matches) == []
        assert Keeping(opened, ["Obama"]).faces(found.matches[:1] * 2) == [0], "nobody is there twice"
        with pytest.raises(UnknownSubject):
            Keeping(opened, ["Nobody"])


def test_nothing_of_the_user_is_written_over(tmp_path: Path) -> None:
    """A file that is there is left as it is, and told of; the others are written. A second run may."""
    out = tmp_path / "out"
    out.mkdir()
    own = out / BIDEN.name
    own.write_bytes(BIDEN.read_bytes())
    for _ in range(2):
        done = run(OBAMA, BIDEN, "--out", out)
        assert done.exit_code == 1 and "WouldOverwrite" in done.output
        assert own.read_bytes() == BIDEN.read_bytes() and (out / OBAMA.name).exists()
    within = run(tmp_path, "--out", out)
    assert isinstance(within.exception, UsageError)
    assert isinstance(run(OBAMA, "--out", out, "--method", "blur").exception, UsageError)


def test_every_picture_ends_somewhere(tmp_path: Path) -> None:
    """Without a face it is written and told of by name; what is no picture is refused by name."""
    photos = tmp_path / "photos" / "deep"
    photos.mkdir(parents=True)
    images.save(photos / "grey.png", np.full((64, 64, 3), 128, np.uint8))
    (photos / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0")
    with pillow.open(OBAMA) as photo:
        photo.resize((200, 250)).save(photos / "a.webp")
        photo.resize((200, 250)).save(photos / "a.webp.jpg")
    page, out = tmp_path / "r.html", tmp_path / "out"
    done = run(tmp_path / "photos", "--out", out, "--review", page, "--json", tmp_path / "m.jsonl")
    assert done.exit_code == 0, done.output
    assert "4 pictures: 2 ok, 1 no_face, 1 refused; 2 faces masked" in done.output
    names = sorted(path.relative_to(out).as_posix() for path in out.rglob("*.*"))
    assert names == ["deep/a.webp-2.jpg", "deep/a.webp.jpg", "deep/grey.png"]
    assert "grey.png" in page.read_text() and "CorruptPicture" in done.output
    assert run(tmp_path / "photos", "--out", out, "--strict").exit_code == 1
