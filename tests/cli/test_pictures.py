"""``detect``, ``analyze`` and ``verify`` as a user runs them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hostile.pictures import make_hostile_folder
from lineament.cli.main import app
from lineament.errors import InsufficientData, NoFaceFound, UnknownName
from lineament.io import images

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
PORTRAIT = str(SAMPLES / "obama_2012_portrait.jpg")
STANDING = str(SAMPLES / "obama_2010_white_house.jpg")
ASTRONAUT = str(SAMPLES / "collins_nasa.png")


def run(*words: str) -> tuple[int, list[dict[str, object]], str]:
    """Exit status, the JSON lines on stdout, and everything on stderr."""
    result = CliRunner().invoke(app, [*words, "--json", "-"])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, [json.loads(line) for line in result.stdout.splitlines()], result.stderr


def test_detect_writes_the_promised_object_for_each_picture() -> None:
    """One JSON object a picture, in order, with every promised key, and nothing else on stdout."""
    status, (first, second), _ = run("detect", PORTRAIT, ASTRONAUT)
    assert status == 0
    assert set(first) == {"source", "width", "height", "outcome", "error", "faces"}
    assert (first["source"], first["width"], first["height"]) == (PORTRAIT, 910, 1137)
    assert (first["outcome"], first["error"], second["source"]) == ("ok", None, ASTRONAUT)
    faces = first["faces"]
    assert isinstance(faces, list)
    (face,) = faces
    assert set(face) >= {"box", "score", "landmarks", "quality", "attempt", "candidates", "decision"}
    x1, y1, x2, y2 = face["box"]
    assert 0 <= x1 < x2 <= 910 and 0 <= y1 < y2 <= 1137
    assert len(face["landmarks"]) == 5
    assert (face["candidates"], face["decision"]) == ([], None)


def test_analyze_measures_what_was_asked() -> None:
    """Quality is always there, age and gender only on request."""
    _, (plain,), _ = run("analyze", PORTRAIT)
    _, (asked,), _ = run("analyze", PORTRAIT, "--age", "--gender")
    assert plain["faces"][0]["quality"]["score"] > 0.5  # type: ignore[index]
    assert "attributes" not in plain["faces"][0]  # type: ignore[index]
    attributes = asked["faces"][0]["attributes"]  # type: ignore[index]
    assert set(attributes) == {"age", "gender"} and 20 < attributes["age"] < 80


def test_a_mesh_is_told_and_drawn(tmp_path: Path) -> None:
    """With --landmarks each face has 468 points in JSON, says by what, and white dots in its drawing."""
    _, (plain,), _ = run("detect", ASTRONAUT, "--draw", str(tmp_path / "plain"))
    _, (asked,), _ = run("analyze", ASTRONAUT, "--landmarks", "mesh", "--draw", str(tmp_path / "mesh"))
    (before,), (face,) = plain["faces"], asked["faces"]  # type: ignore[misc]
    assert "dense" not in before and "refinement" not in before
    assert face["box"] == before["box"] and face["landmarks"] != before["landmarks"]
    assert face["refinement"]["by"] == "mesh" and face["refinement"]["used"] is True
    assert len(face["dense"]) == 468 and all(len(point) == 2 for point in face["dense"])
    without, dotted = (images.load(next((tmp_path / d).iterdir())).pixels for d in ("plain", "mesh"))
    spots = [(round(x - 0.5), round(y - 0.5)) for x, y in face["dense"]]
    lighter = [dotted[y, x].mean() > without[y, x].mean() + 10 for x, y in spots]
    assert sum(lighter) > 300


def test_draw_writes_a_picture_for_each_one_read(tmp_path: Path) -> None:
    """Annotated copies have the original's size and differ from it where the face is."""
    status, _, _ = run("detect", ASTRONAUT, "--draw", str(tmp_path / "out"))
    (drawn,) = (tmp_path / "out").iterdir()
    before, after = images.load(ASTRONAUT), images.load(drawn)
    assert status == 0 and before.size_wh == after.size_wh
    assert (before.pixels[62:178, 176:180] != after.pixels[62:178, 176:180]).mean() > 0.5


def test_a_hostile_folder_is_handled_picture_by_picture(tmp_path: Path) -> None:
    """Every file ends as expected, in a line of its own; the batch goes on and the exit status is 0."""
    expected = make_hostile_folder(tmp_path)
    status, lines, errors = run("detect", *(str(tmp_path / name) for name in expected))
    assert status == 0
    # A folder given by name is walked, so it has no line of its own.
    files = {name: want for name, want in expected.items() if not (tmp_path / name).is_dir()}
    ended = {Path(str(line["source"])).name: line for line in lines}
    assert set(ended) >= set(files)
    for name, want in files.items():
        outcome, error = ended[name]["outcome"], ended[name]["error"]
        if want == "ok":
            assert outcome in ("ok", "no_face"), (name, error)
        else:
            assert (outcome, error and error["type"]) == ("refused", want), name  # type: ignore[index]
    refused = sum(want != "ok" for want in files.values())
    assert f"{refused} refused" in errors


def test_strict_turns_a_refusal_into_status_1(tmp_path: Path) -> None:
    """--strict fails on a refusal, and only then."""
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"no picture")
    assert run("detect", PORTRAIT, str(bad))[0] == 0
    assert run("detect", PORTRAIT, str(bad), "--strict")[0] == 1
    assert run("detect", PORTRAIT, "--strict")[0] == 0


def test_verify_says_what_decided() -> None:
    """The answer holds similarity, decision and a threshold with its provenance."""
    _, (same,), _ = run("verify", PORTRAIT, STANDING)
    _, (other,), _ = run("verify", PORTRAIT, ASTRONAUT, "--target-fmr", "1e-4")
    assert (same["decision"], other["decision"]) == ("match", "no_match")
    assert same["similarity"] > 0.6 and other["similarity"] < 0.3  # type: ignore[operator]
    threshold = other["threshold"]
    assert isinstance(threshold, dict) and threshold["target_rate"] == 1e-4
    assert threshold["comparisons"] > 1_000_000 and "LFW" in threshold["measured_on"]
    assert threshold["interval"]["low"] < threshold["rate"] < threshold["interval"]["high"]


def test_wrong_words_end_in_named_errors(tmp_path: Path) -> None:
    """A misspelt detector, a rate nobody measured and a photo without a face each have a name."""
    with pytest.raises(UnknownName, match="did you mean 'yunet'"):
        run("detect", PORTRAIT, "--detector", "yunett")
    with pytest.raises(InsufficientData, match="measured: "):
        run("verify", PORTRAIT, STANDING, "--target-fmr", "0.123")
    images.save(tmp_path / "sky.png", images.load(PORTRAIT).pixels[:60, :60].copy())
    with pytest.raises(NoFaceFound):
        run("verify", PORTRAIT, str(tmp_path / "sky.png"))


@pytest.mark.parametrize(
    "words",
    [
        ("dataset", "split", "{}", "50/50"),
        ("dataset", "split", "{}", "nonsense"),
        ("gallery", "enrol", "{}", "--gallery", "sqlite:{}/g.db"),
        ("evaluate", "verification", "--all", "{}"),
    ],
    ids=lambda words: " ".join(words[:2]),
)
def test_what_was_left_out_is_told_by_a_command_that_fails(tmp_path: Path, words: tuple[str, ...]) -> None:
    """What a walk left out before an error is told, once; a command that ends before its walk has none."""
    (tmp_path / "ann").mkdir()
    (tmp_path / "ann" / "IMG_1.jxl").write_bytes(b"\xff\x0a" + bytes(40))
    result = CliRunner().invoke(app, [word.format(tmp_path) for word in words])
    assert result.output.count("JPEG XL") == ("nonsense" not in words)
