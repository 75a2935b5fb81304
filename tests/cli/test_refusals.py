"""What stands at the end of a command on many pictures: refusals by kind, and what to do about each."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from lineament import errors
from lineament.cli.main import app
from lineament.cli.refusals import STEPS, no_face_step, step_for
from lineament.errors import CollectError, FaceError, LineamentError, PictureError

SAMPLES = Path(__file__).parents[2] / "samples"
ANN, BO = "obama_2012_portrait.jpg", "biden_2013_portrait.jpg"
HEADING = "why, by kind, and what to do:"


def below(kind: type[LineamentError]) -> list[type[LineamentError]]:
    return [one for sub in kind.__subclasses__() for one in (sub, *below(sub))]


@pytest.fixture
def album(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two people with a good photo each, and one of every way to fail."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LINEAMENT_GALLERY", "sqlite:people.db")
    for person, photo in (("Ann", ANN), ("Bo Chen", BO)):
        Path("album", person).mkdir(parents=True)
        shutil.copy(SAMPLES / photo, Path("album", person, "good.jpg"))
    bo = Path("album/Bo Chen")
    shutil.copy(SAMPLES / "obama_2010_white_house.jpg", bo / "it's Ann.jpg")
    shutil.copy(SAMPLES / ANN, bo / "very.jpg")
    (bo / "cut.jpg").write_bytes((SAMPLES / BO).read_bytes()[:3000])
    (bo / "empty.jpg").touch()
    cv2.imwrite(str(bo / "wall.png"), np.full((200, 200, 3), 120, np.uint8))
    pair = [cv2.resize(cv2.imread(str(SAMPLES / name)), (400, 500)) for name in (ANN, BO)]
    cv2.imwrite(str(bo / "two.jpg"), np.hstack(pair))
    return tmp_path


def said(*words: str, status: int = 0) -> str:
    done = CliRunner().invoke(app, list(words))
    assert done.exit_code == status, done.output
    return done.output


def kinds(output: str) -> dict[str, str]:
    """What to do by kind, as the end of the output tells it."""
    lines = output[output.index(HEADING) :].splitlines()[1:]
    told = {}
    for kind, step in pairwise(lines):
        if step.startswith("    next: "):
            count, name = kind.split(maxsplit=1)
            assert count.isdigit()
            told[name.partition(":")[0].partition(", the first ")[0]] = step.removeprefix("    next: ")
    return told


@pytest.mark.parametrize("kind", [*below(PictureError), *below(FaceError), *below(CollectError)])
def test_every_refusal_has_a_next_step_of_its_own(kind: type[LineamentError]) -> None:
    """An error that a picture may end in says what to do, each its own thing, not that of all errors."""
    assert kind.__name__ in STEPS, f"{kind.__name__}: say in STEPS what to do about it"
    assert step_for(kind.__name__) == STEPS[kind.__name__] != STEPS["LineamentError"]


def test_steps_are_of_errors_that_there_are() -> None:
    """None is left behind when an error is renamed; an unknown name has the step of all."""
    for name in STEPS:
        assert issubclass(getattr(errors, name), LineamentError)
    assert step_for("Gone") == step_for("annotations") == STEPS["LineamentError"]
    assert step_for("DigestMismatch") == STEPS["LineamentError"]


def test_the_next_step_without_a_face_is_never_what_was_done() -> None:
    """Who looked with retries already is not told to."""
    assert no_face_step(None).endswith("--detector retry:yunet")
    assert no_face_step("haar").endswith("--detector retry:haar")
    assert "--detector" not in no_face_step("retry:yunet")


def _import_first(_: Path) -> None:
    said("dataset", "import", "album")


@pytest.mark.parametrize(
    ("words", "no_face"),
    [
        (["detect", "album"], True),
        (["analyze", "album"], True),
        (["gallery", "enrol", "album"], True),
        (["gallery", "identify", "album"], True),
        (["dataset", "extract", "album", "crops"], True),
        (["dataset", "import", "album"], False),
        (["dataset", "merge", "album", "other", "--out", "all"], False),
        (["dataset", "clean", "album"], False),
        (["dataset", "collect", "names.txt", "--source", "folder", "--from", "album", "--out", "got",
          "--purpose", "x"], False),
    ],
    ids=lambda words: "-".join(words[:2]) if isinstance(words, list) else "",
)  # fmt: skip
def test_every_command_on_many_pictures_ends_with_its_refusals(
    album: Path, words: list[str], no_face: bool
) -> None:
    """After the table and the counts: each kind with its number, the first of it and the next step."""
    if words[1] == "identify":
        said("gallery", "enrol", "album/Ann/good.jpg", "--subject", "Ann")
    Path("other/Cy").mkdir(parents=True)
    shutil.copy(SAMPLES / "obama_2009_congress.jpg", "other/Cy/0.jpg")
    Path("names.txt").write_text("Ann\nBo Chen\n", encoding="utf-8")
    output = said(*words)
    assert output.count(HEADING) == 1
    end = output[output.index(HEADING) :]
    for name, file in (("CorruptPicture", "cut.jpg"), ("EmptyPicture", "empty.jpg")):
        assert kinds(output)[name] == STEPS[name]
        [line] = [line for line in end.splitlines() if f" {name}" in line and line.startswith("  1 ")]
        assert line.endswith(file)
    assert ("NoFaceFound" in kinds(output)) == no_face
    if no_face:
        assert "retry:yunet" in kinds(output)["NoFaceFound"] and "wall.png" in end


def test_augmenting_ends_with_them_too(album: Path) -> None:
    """A picture that broke since it was imported is refused then."""
    said("dataset", "import", "album")
    Path("album/Ann/good.jpg").write_bytes((SAMPLES / ANN).read_bytes()[:3000])
    output = said("dataset", "augment", "album", "--unsplit", "--factor", "2", "--out", "grown.jsonl")
    assert kinds(output) == {"CorruptPicture": STEPS["CorruptPicture"]}


@pytest.mark.parametrize("words", [["detect"], ["analyze"], ["gallery", "enrol"], ["dataset", "import"]])
def test_nothing_is_told_where_nothing_was_refused(album: Path, words: list[str]) -> None:
    """No heading over nothing; what is enrolled already is no refusal."""
    shutil.rmtree("album/Bo Chen")
    assert HEADING not in said(*words, "album")
    if words[0] == "gallery":
        again = said(*words, "album")
        assert "1 already enrolled, 0 refused" in again and HEADING not in again


def _command(step: str) -> list[str]:
    """The first command that a step names."""
    return shlex.split(step[step.index("lineament ") :].partition(";")[0])[1:]


@pytest.mark.parametrize(
    ("kind", "pasted"),
    [
        ("SeveralFaces", lambda step: [*_command(step.partition(" --face N")[0]), "--largest"]),
        ("SeveralFaces", lambda step: [*_command(step.partition(" --face N")[0]), "--face", "2"]),
        ("FaceOfAnotherSubject (looks alike)", _command),
        ("FaceOfAnotherSubject (looks alike)", lambda step: _command(step.partition("; if it is ")[2])),
        ("LowQuality", _command),
    ],
)  # fmt: skip
def test_what_enrolling_names_works_when_it_is_pasted(
    album: Path, kind: str, pasted: Callable[[str], list[str]]
) -> None:
    """The command at the end enrols the very photo, whatever signs its name has."""
    low = ["--min-quality", "1"] if kind == "LowQuality" else []
    step = kinds(said("gallery", "enrol", "album", *low))[kind]
    output = said(*pasted(step), *low)
    assert "1 enrolled, 0 already enrolled, 0 refused" in output, step


def test_a_face_that_is_there_under_another_name_is_removed_or_merged(album: Path) -> None:
    """Both commands are named with the id and the names they need."""
    output = said("gallery", "enrol", "album")
    step = kinds(output)["FaceOfAnotherSubject (the very face)"]
    removing, merging = (part[part.index("lineament ") :] for part in step.split("; "))
    removing = removing.partition(", then")[0]
    assert shlex.split(merging)[1:] == [
        *("gallery", "merge", "Bo Chen", "--into", "Ann"),
        *("--gallery", "sqlite:people.db"),
    ]
    said(*shlex.split(removing)[1:], "--yes")
    assert "1 enrolled" in said("gallery", "enrol", "album/Bo Chen/very.jpg", "--subject", "Bo Chen")


def test_a_manifest_is_told_as_folders_are(album: Path) -> None:
    """Its rows come from the same photos, and the command names the file from here."""
    Path("album/Bo Chen/cut.jpg").unlink()
    said("dataset", "import", "album")
    output = said("gallery", "enrol", "album", "--gallery", "sqlite:other one.db")
    assert "1 row is not enrolled: refused before" in output
    step = kinds(output)["SeveralFaces"]
    assert "--gallery 'sqlite:other one.db'" in step
    said(*_command(step.partition(" --face N")[0]), "--largest")
