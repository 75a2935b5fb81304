"""Names on pictures are never empty boxes: a font that has the glyphs, or the face's number."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from fontTools.ttLib import TTFont
from matplotlib.text import Text
from PIL import ImageFont, features
from typer.testing import CliRunner

from lineament.cli.main import app
from lineament.io import images
from lineament.plots import canvas, lettering
from lineament.plots.annotate import annotate
from lineament.plots.confusion import confusion_figure
from lineament.plots.contact_sheet import contact_sheet, sheet_legend
from lineament.plots.lettering import figure_font, legible, letters
from lineament.types import Faces, Image

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
DEJAVU = Path(mpl.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
IN_DEJAVU = ["Дмитрий", "Ελένη", "Żółć", "Nguyễn Văn", "გიორგი", "Հայկ", "José", "N\u0303andu\u0301", "😀"]
SHAPED = ["محمد علي", "משה כהן", "x\u0301y\u0323"]
NOT_IN_DEJAVU = [
    "王小明",
    "देवी",
    "สมชาย",
    "한글",
    "さくら",
    "தமிழ்",
    "ሰላም",
    "👩\u200d👩\u200d👧",
    "\U00010348",
]


@pytest.fixture(autouse=True)
def only_dejavu(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same fonts on every machine: Pillow's own and DejaVu Sans."""
    monkeypatch.setattr(lettering, "_font_files", lambda: (DEJAVU,))


def drawn(label: str) -> np.ndarray:
    faces = Faces(np.float32([[20, 60, 120, 160]]), np.float32([1]))
    return annotate(Image(np.full((200, 600, 3), 210, np.uint8)), faces, [label])


def empty_boxes(label: str) -> np.ndarray:
    """The label as it is drawn by Pillow's own font, which has none of these glyphs."""
    font = ImageFont.load_default(16)
    mask = font.getmask(label)
    return np.asarray(mask, np.uint8).reshape(mask.size[::-1])


@pytest.mark.parametrize("name", IN_DEJAVU + SHAPED)
def test_a_name_is_written_where_a_font_has_its_glyphs(name: str) -> None:
    """Every character has ink of its own that is not the font's box for missing glyphs."""
    if name in SHAPED and not (features.check("raqm") and features.check("fribidi")):
        pytest.skip("this Pillow cannot shape")
    assert legible([name, f"{name} 0.79"]) == (name, f"{name} 0.79")
    found = letters(name, 32)
    assert found is not None
    for text, font in found.parts:
        missing = bytes(font.getmask("\U0010ffff"))
        inks = {bytes(font.getmask(c)) for c in set(text) if not c.isspace()}
        assert missing not in inks and len(inks) > len({c.casefold() for c in text if c.isalpha()}) // 2
    assert (drawn(name) != drawn("1")).any()


@pytest.mark.parametrize("name", NOT_IN_DEJAVU)
def test_a_name_without_glyphs_is_a_number(name: str) -> None:
    """What no font here has is the face's number, pixel for pixel, and no row of boxes."""
    assert legible(["Anna", name, f"{name} 0.79"]) == ("Anna", "2", "3")
    np.testing.assert_array_equal(drawn(name), drawn("1"))
    assert empty_boxes(name).any()  # what it would have been


@pytest.mark.parametrize("name", [*SHAPED, "देवी", "สมชาย"])
def test_what_must_be_shaped_is_not_drawn_unshaped(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without Raqm, scripts that join, stack or run from the right give way to the number."""
    monkeypatch.setattr(features, "check", lambda feature: False)
    assert legible([name, "Дмитрий"]) == ("1", "Дмитрий")
    assert figure_font(name) is None  # matplotlib shapes nothing


def test_glyphs_are_those_that_fonttools_reads() -> None:
    """The tables read here map what fontTools says they map, in formats 4 and 12, and nothing else."""
    [glyphs] = lettering._glyphs_of(DEJAVU)
    known = TTFont(DEJAVU).getBestCmap()
    codes = [*range(0x3000), *range(0xFB00, 0x10000), *range(0x1D400, 0x1D500), *range(0x1F600, 0x1F650)]
    wrong = [code for code in codes if glyphs.has_all(frozenset([code])) != (code in known)]
    assert not wrong and len(known) > 5000


@pytest.mark.parametrize(
    "data", [b"", b"\0\1\0\0", b"ttcf\0\1\0\0\0\0\0\x09", b"\0\1\0\0\0\1" + b"\xff" * 40]
)
def test_a_damaged_font_is_passed_over(
    data: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is no font, or a cut one, has no glyphs; the next one is asked."""
    bad = tmp_path / "a.ttf"
    bad.write_bytes(data)
    cut = tmp_path / "b.ttf"
    cut.write_bytes(DEJAVU.read_bytes()[:20_000])
    monkeypatch.setattr(lettering, "_font_files", lambda: (bad, cut, DEJAVU))
    assert legible(["Дмитрий", "王"]) == ("Дмитрий", "2")
    assert figure_font("Дмитрий") == DEJAVU


def test_identify_tells_whose_the_numbers_are(tmp_path: Path) -> None:
    """The drawing's number is the face's in the table and in the JSON, and the text says so."""
    gallery = f"sqlite:{tmp_path / 'g.db'}"
    portrait, standing = (str(SAMPLES / f"obama_{n}.jpg") for n in ("2012_portrait", "2010_white_house"))

    def run(*words: str) -> Any:
        return CliRunner().invoke(app, ["gallery", *words, "--gallery", gallery])

    assert run("enrol", "--subject", "王小明", portrait).exit_code == 0
    answer = run("identify", standing, "--draw", str(tmp_path / "out"), "--json", "-")
    [line] = [json.loads(text) for text in answer.stdout.splitlines()]
    [face] = line["faces"]
    assert face["label"] == "1" and face["candidates"][0]["subject"] == "王小明"
    assert "1 name cannot be written with the fonts of this system" in answer.stderr
    [file] = (tmp_path / "out").iterdir()
    assert images.load(file).size_wh == images.load(standing).size_wh
    assert run("enrol", "--subject", "Дмитрий", str(SAMPLES / "biden_2013_portrait.jpg")).exit_code == 0
    other = run("identify", str(SAMPLES / "biden_2010_white_house.jpg"), "--draw", str(tmp_path / "two"))
    assert "cannot be written" not in other.output


def test_sheets_and_figures_have_no_empty_boxes(tmp_path: Path) -> None:
    """A contact sheet numbers its rows, with a legend; figures number classes and escape what is left."""
    people = {name: [SAMPLES / "collins_nasa.png"] for name in ("Anna", "王小明", "Дмитрий")}
    assert sheet_legend(people) == ["2\t王小明"]
    numbered = dict.fromkeys(("Anna", "2", "Дмитрий"), people["Anna"])
    np.testing.assert_array_equal(contact_sheet(people), contact_sheet(numbered))
    figure = confusion_figure(np.eye(3, dtype=int), list(people), title="测试")
    canvas.save(figure, tmp_path / "confusion.png")
    written = {text.get_text() for text in figure.findobj(Text)}
    assert {"Anna", "2", "Дмитрий", "\\u6d4b\\u8bd5"} <= written
    assert all(figure_font(text) is not None for text in written)
