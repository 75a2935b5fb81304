"""What ``--draw`` and ``--sheet`` write at a face, and what videos are told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from lineament.cli.drawing import said_of, with_scores
from lineament.cli.main import app
from lineament.errors import UsageError
from lineament.io import images
from lineament.plots.annotate import annotate
from lineament.plots.named_sheet import CELL, COLUMNS, MOST, NamedSheet
from lineament.types import AttributeScores, Faces, Image, Outcome, Status

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
PIXELS = np.full((200, 300, 3), 120, np.uint8)
BOX = np.array([[100, 80, 160, 150]], np.float32)


def _faces(**answers: tuple[str | float, float | None]) -> Faces:
    attributes = {}
    for name, (value, p) in answers.items():
        classes = () if p is None else (str(value), "other")
        scores = np.zeros((1, 0), np.float32) if p is None else np.array([[p, 1 - p]], np.float32)
        attributes[name] = AttributeScores(name, (value,), classes, scores)
    return Faces(boxes=BOX, scores=np.array([0.94], np.float32), attributes=attributes)


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ({}, ""),
        ({"subject": ("Ann", 0.91)}, "Ann 0.91"),
        ({"gender": ("male", 0.98), "subject": ("Bob", 0.5)}, "Bob 0.50\ngender male 0.98"),
        ({"age": (34.2, None)}, "age 34"),
        ({"class": ("mask", 0.93), "age": (7.0, None)}, "mask 0.93\nage 7"),
        ({"glasses": ("yes", 0.88)}, "glasses yes 0.88"),
        ({"subject": ("nobody known", None)}, "nobody known"),
    ],
)
def test_every_answer_with_its_probability_and_the_score_only_if_asked(
    answers: dict[str, tuple[str | float, float | None]], said: str
) -> None:
    """Who it is first; the detection's score is called one, so that it is not read as that of a name."""
    faces = _faces(**answers)
    assert said_of(faces.face(0)) == said
    outcome = Outcome("a.jpg", Status.OK, (300, 200), faces)
    assert with_scores([said], outcome, False) == [said]
    assert with_scores([said], outcome, True) == [f"{said}\nface 0.94".strip()]


def test_nothing_to_say_is_no_label_and_lines_stand_below_each_other() -> None:
    """A box alone; each further line makes the label higher, and it never leaves the picture."""
    image = Image(PIXELS)

    def coloured(label: str) -> int:
        drawn = annotate(image, _faces(), [label])
        return int((drawn[:79, :, 2] > 150).sum())

    assert coloured("") == 0 < coloured("one") < coloured("one\ntwo") < coloured("one\ntwo\nthree")
    top = Faces(boxes=np.array([[0, 0, 40, 40]], np.float32), scores=np.ones(1, np.float32))
    assert annotate(image, top, ["\n".join("abcdefgh")]).shape == PIXELS.shape


def test_the_sheet_has_a_cell_a_face_and_counts_what_has_no_room() -> None:
    """Six in a row; a name that no font can draw is its cell's number, and the legend tells which."""
    sheet = NamedSheet()
    for number in range(MOST + 2):
        sheet.add(Image(PIXELS), BOX[0].tolist(), "\U0001f9ff" if number == 3 else "Ann 0.9", "a.jpg")
    assert (len(sheet), sheet.beyond) == (MOST, 2)
    h, w = sheet.picture().shape[:2]
    assert w >= COLUMNS * CELL and h >= MOST // COLUMNS * CELL
    assert [line.partition(" ")[0] for line in sheet.legend] in (["4"], [])


def test_analyze_draws_its_answers_and_a_sheet(tmp_path: Path) -> None:
    """By the command, marked as its own so that a second run may write over them."""
    words = ["analyze", str(SAMPLES / "obama_2012_portrait.jpg"), "--gender", "--draw", str(tmp_path / "d")]
    for _ in range(2):
        done = CliRunner().invoke(app, [*words, "--sheet", str(tmp_path / "sheet.png")])
        assert done.exit_code == 0, done.output
        assert "1 face" in done.output
    assert images.load(tmp_path / "sheet.png").hw[1] >= CELL
    wrong = CliRunner().invoke(app, [*words, "--sheet", str(tmp_path / "sheet.bmp")])
    assert isinstance(wrong.exception, UsageError)


VIDEOS = {
    "mp4": b"\0\0\0\x18ftypmp42\0\0\0\0isommp42",
    "mov": b"\0\0\0\x08wide\0\0\0\0mdat",
    "mkv": b"\x1a\x45\xdf\xa3\x01\0\0\0",
    "avi": b"RIFF\0\0\0\0AVI LIST",
    "flv": b"FLV\x01\x05\0\0\0\x09",
    "wmv": b"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9",
    "mpg": b"\0\0\x01\xba\x44\0\x04\0",
    "ts": (b"\x47" + b"\0" * 187) * 3,
    "jpg": b"\0\0\0\x18ftypqt  \0\0\0\0qt  ",
}


@pytest.mark.parametrize("suffix", VIDEOS)
def test_a_video_ends_with_1_and_the_command_that_takes_it(tmp_path: Path, suffix: str) -> None:
    """Whatever it is called, alone or among pictures, which are worked on all the same."""
    (tmp_path / f"clip.{suffix}").write_bytes(VIDEOS[suffix] + b"\0" * 600)
    images.save(tmp_path / "plain.png", PIXELS)
    given = [str(tmp_path / f"clip.{suffix}"), str(tmp_path / "plain.png")]
    done = CliRunner().invoke(app, ["detect", *given, "--detector", "haar", "--workers", "1"])
    assert done.exit_code == 1
    assert "dataset collect" in done.output and "--source video" in done.output
    assert "2 pictures" in done.output
