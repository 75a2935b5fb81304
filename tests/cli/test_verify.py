"""``verify`` with several faces in a picture: which was compared is always told, and can be asked for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from lineament.analyzer import Analyzer
from lineament.cli.main import app
from lineament.errors import ConfigError, NoSuchFace
from lineament.io import images
from lineament.types import Decision, Match, Reason

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
STANDING = str(SAMPLES / "obama_2010_white_house.jpg")
OTHER = str(SAMPLES / "biden_2010_white_house.jpg")


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Obama large at the left, Biden of 110 pixels in the very centre."""
    subject = images.load(SAMPLES / "obama_2012_portrait.jpg").pixels
    passer = images.load(SAMPLES / "biden_2013_portrait.jpg").pixels[150:760, 350:900]
    pixels = np.full((1137, 1800, 3), 120, np.uint8)
    pixels[:, : subject.shape[1]] = subject
    pixels[480:602, 845:955] = cv2.resize(passer, (110, 122), interpolation=cv2.INTER_AREA)
    path = tmp_path_factory.mktemp("verify") / "scene.png"
    images.save(path, pixels)
    return str(path)


def run(*words: str) -> tuple[dict[str, Any], str]:
    """The JSON object on stdout and the words on stderr."""
    result = CliRunner().invoke(app, ["verify", *words, "--json", "-"])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return json.loads(result.stdout), result.stderr


def test_a_passer_by_in_the_middle_is_not_who_is_compared(scene: str) -> None:
    """Of several faces the large one is taken, and the answer tells how many, which, where and why."""
    answer, words = run(scene, STANDING)
    assert answer["decision"] == "match"
    a, b = answer["a"], answer["b"]
    assert (a["source"], a["faces"], a["chosen"]) == (scene, 2, "centre")
    x1, y1, x2, y2 = a["box"]
    assert x1 < 490 < x2 and y1 < 250 < y2
    assert (b["source"], b["faces"], b["face"], b["chosen"]) == (STANDING, 1, 1, "only")
    assert f"face {a['face']} of 2, nearest the centre of the large ones, box" in words
    assert f"{STANDING}: its only face, box" in words
    assert "--face or --largest takes another" in words


def test_the_face_asked_for_is_compared(scene: str) -> None:
    """By number, by point or as the largest, for either picture; one request is for the group photo."""
    number = 3 - run(scene, STANDING)[0]["a"]["face"]
    for words in (
        (scene, OTHER, "--face", str(number)),
        (scene, OTHER, "--face", "900,545"),
        (scene, OTHER, "--face", "900,545", "--face", "1"),
        (scene, OTHER, "--face", "900,545", "--largest"),
    ):
        answer, said = run(*words)
        assert (answer["decision"], answer["a"]["face"]) == ("match", number), words
        assert answer["a"]["chosen"] == "asked" and "as asked" in said
        assert "takes another" not in said
    turned, _ = run(OTHER, scene, "--face", str(number))
    assert (turned["decision"], turned["b"]["face"], turned["a"]["chosen"]) == ("match", number, "only")
    both, _ = run(scene, scene, "--face", str(number), "--face", "490,250")
    assert both["decision"] == "no_match" and {both["a"]["face"], both["b"]["face"]} == {1, 2}
    large, said = run(scene, STANDING, "--largest")
    assert (large["decision"], large["a"]["chosen"]) == ("match", "largest")
    assert "face 1 of 2, the largest" in said or "face 2 of 2, the largest" in said


@pytest.mark.parametrize(
    ("asked", "error", "words"),
    [
        (("--face", "3"), NoSuchFace, "scene.png: there is no face 3; the picture has 2 faces"),
        (("--face", "5,5"), NoSuchFace, "scene.png: no face at 5,5 of 1800 x 1137 pixels"),
        (("--face", "left"), ConfigError, "'left' names no face"),
        (("--face", "1") * 3, ConfigError, "only two photos"),
    ],
)
def test_a_face_that_is_not_there(
    scene: str, asked: tuple[str, ...], error: type[Exception], words: str
) -> None:
    """A request that fits no face is refused and never replaced by another face."""
    with pytest.raises(error) as caught:
        run(scene, STANDING, *asked)
    assert words in str(caught.value)


def test_one_request_for_two_group_photos_is_refused(scene: str) -> None:
    """Where both pictures show several faces it is not guessed whose the number is."""
    with pytest.raises(ConfigError, match="give --face twice"):
        run(scene, scene, "--face", "1")


def test_an_answer_has_no_truth_value(scene: str) -> None:
    """`if analyzer.verify(...)` would let strangers in, so it raises; `.accepted` is the answer."""
    with Analyzer() as analyzer:
        same = analyzer.verify(scene, STANDING)
        other = analyzer.verify(scene, STANDING, face_a=(900, 545))
    assert same.accepted is True and other.accepted is False
    assert other.a is not None and (other.a.faces, other.a.chosen) == (2, Reason.ASKED)
    matches = [Match((), decision, same.threshold) for decision in Decision]
    assert [match.accepted for match in matches] == [True, False]
    for answer in (same, other, *matches):
        with pytest.raises(TypeError, match=r"use \.accepted"):
            bool(answer)
