"""The gallery commands, on the sample photos with the real models."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from lineament.cli import main as cli
from lineament.gallery.searching import measured_threshold, smallest_fmr
from lineament.io import catalog, images
from lineament.types import ModelId

SAMPLES = Path(__file__).parents[2] / "samples"


class Run:
    """What one command line printed, and how it ended."""

    def __init__(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, folder: Path
    ) -> None:
        self.capsys, self.monkeypatch = capsys, monkeypatch
        self.gallery = f"sqlite:{folder}/people.db"

    def __call__(self, *words: str, status: int = 0) -> str:
        line = ["lineament", "gallery", *words]
        if "--gallery" not in words:
            line += ["--gallery", self.gallery]
        self.monkeypatch.setattr("sys.argv", line)
        with pytest.raises(SystemExit) as end:
            cli.main()
        captured = self.capsys.readouterr()
        assert (end.value.code or 0) == status, captured
        return captured.out if status != 2 else captured.err

    def lines(self, *words: str) -> list[dict[str, object]]:
        return [json.loads(line) for line in self(*words, "--json", "-").splitlines()]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    return Run(capsys, monkeypatch, tmp_path)


@pytest.fixture(scope="module")
def two_people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A gallery of two people, one enrolled from a folder a person, one by name."""
    folder = tmp_path_factory.mktemp("two")
    person = folder / "people" / "[red]Barack"
    person.mkdir(parents=True)
    shutil.copy(SAMPLES / "obama_2012_portrait.jpg", person)
    photo = str(SAMPLES / "biden_2013_portrait.jpg")
    for words in ([str(folder / "people")], [photo, "--subject", "../../Joe"]):
        line = ["enrol", *words, "--gallery", f"sqlite:{folder}/people.db", "--strict"]
        assert CliRunner().invoke(cli.app, ["gallery", *line]).exit_code == 0
    return folder / "people.db"


@pytest.fixture
def enrolled(run: Run, two_people: Path, tmp_path: Path) -> Run:
    shutil.copy(two_people, tmp_path / "people.db")
    return run


def test_enrol_and_identify(enrolled: Run, tmp_path: Path) -> None:
    """People enrolled from one photo are found in others, a stranger is no match, JSON says why."""
    lines = enrolled.lines("identify", str(SAMPLES), "--draw", str(tmp_path / "drawn"))
    found = {}
    for line in lines:
        assert line["outcome"] == "ok"
        [face] = line["faces"]  # type: ignore[misc]
        best = face["candidates"][0]  # type: ignore[index]
        assert best["rank"] == 1
        assert face["threshold"]["measured_on"]  # type: ignore[index]
        name = Path(str(line["source"])).name.split("_")[0]
        found.setdefault(name, set()).add(best["subject"] if face["decision"] == "match" else None)  # type: ignore[index]
    assert found == {"obama": {"[red]Barack"}, "biden": {"../../Joe"}, "collins": {None}}
    assert len(list((tmp_path / "drawn").iterdir())) == 6


def test_tables_show_names_exactly(enrolled: Run) -> None:
    """Markup in a name is text, on every table."""
    for words in (
        ["list"],
        ["show", "[red]Barack"],
        ["identify", str(SAMPLES / "obama_2010_white_house.jpg")],
    ):
        assert "[red]Barack" in enrolled(*words)
    assert "../../Joe" in enrolled("list")
    assert "decided by threshold" in enrolled("identify", str(SAMPLES / "collins_nasa.png"))


def test_enrolling_again_and_for_somebody_else(enrolled: Run) -> None:
    """Again is not a refusal, even when strict; the photo of somebody else is one, counted and printed."""
    photo = str(SAMPLES / "obama_2012_portrait.jpg")
    [line] = enrolled.lines("enrol", photo, "--subject", "[red]Barack", "--strict")
    assert line["error"]["type"] == "AlreadyEnrolled"  # type: ignore[index]
    out = enrolled("enrol", str(SAMPLES / "obama_2009_congress.jpg"), "--subject", "Bob")
    assert "FaceOfAnotherSubject" in out
    assert "0 enrolled, 0 already enrolled, 1 refused" in out
    enrolled("enrol", str(SAMPLES / "obama_2009_congress.jpg"), "--subject", "Bob", "--strict", status=1)
    assert [line["subject"] for line in enrolled.lines("list")] == ["../../Joe", "[red]Barack"]


def test_bad_pictures_are_refused_and_the_rest_goes_on(run: Run, tmp_path: Path) -> None:
    """A text file and a missing one are refused by name; the good photo is enrolled."""
    text = tmp_path / "note.jpg"
    text.write_text("not a picture")
    photo = str(SAMPLES / "collins_nasa.png")
    lines = run.lines("enrol", str(text), str(tmp_path / "none.jpg"), photo, "--subject", "Eileen")
    kinds = [line["error"] and line["error"]["type"] for line in lines]  # type: ignore[index]
    assert kinds == ["UnsupportedFormat", "PictureNotFound", None]
    assert [line["outcome"] for line in lines] == ["refused", "refused", "ok"]
    assert lines[2]["sample"] == run.lines("show", "Eileen")[0]["samples"][0]["id"]  # type: ignore[index]


def test_dispute_rename_merge_remove(enrolled: Run) -> None:
    """Corrections by command reach later searches."""
    photo = str(SAMPLES / "obama_2009_congress.jpg")

    def decision() -> tuple[object, object]:
        [line] = enrolled.lines("identify", photo)
        [face] = line["faces"]  # type: ignore[misc]
        return face["decision"], [c["subject"] for c in face["candidates"]]  # type: ignore[index]

    enrolled("rename", "[red]Barack", "Barack")
    assert decision()[0] == "match"
    [line] = enrolled.lines("dispute", photo, "Barack")
    assert decision() == ("no_match", ["../../Joe"])
    enrolled("remove", "--id", str(line["id"]), "--yes")
    assert decision()[0] == "match"
    enrolled("merge", "../../Joe", "--into", "Barack", "--yes")
    assert [line["samples"] for line in enrolled.lines("list")] == [2]
    enrolled("remove", "Barack", "--yes")
    assert enrolled.lines("list") == []


def test_the_receipt_of_a_removal(enrolled: Run, tmp_path: Path) -> None:
    """Other photos of the person, disputed under another name, go by likeness; a photo enrolled stays."""
    again = str(tmp_path / "again.png")
    images.save(Path(again), images.load(SAMPLES / "obama_2009_congress.jpg").pixels[::2, ::2])
    wrong = str(SAMPLES / "obama_2010_white_house.jpg")
    disputed = {enrolled.lines("dispute", p, "../../Joe")[0]["id"] for p in (again, wrong)}
    enrolled(
        "enrol", str(SAMPLES / "obama_2009_congress.jpg"), "--subject", "Rob", "--allow", "other-subject"
    )
    [line] = enrolled.lines("remove", "[red]Barack", "--yes")
    assert {t["id"] for t in line["traces"] if t["why"] == "alike" and t["outcome"] == "erased"} == disputed  # type: ignore[attr-defined]
    [kept] = [t for t in line["traces"] if t["outcome"] == "kept"]  # type: ignore[attr-defined]
    assert (kept["subject"], kept["kind"], line["to_decide"]) == ("Rob", "sample", 1)
    assert line["threshold"]["target_rate"] == 0.001 and line["not_looked_at"]  # type: ignore[index]
    content = b"".join(file.read_bytes() for file in tmp_path.glob("people.db*"))
    assert b"Barack" not in content and b"again.png" not in content and b"2010_white" not in content
    told = enrolled("remove", "--id", kept["id"], "--yes", "--alike", "list")
    assert "files wiped" in told and "not looked at: backups" in told
    enrolled("remove", "../../Joe", "--yes", "--alike", "some", status=2)
    assert [line["subject"] for line in enrolled.lines("list")] == ["../../Joe"]


def test_a_look_alike_is_told_with_what_it_is_worth(enrolled: Run, tmp_path: Path) -> None:
    """What stays to be decided after an erasure says why it is there, how rare such a likeness is between
    different people, and what that means; without any, nothing is explained."""
    other = str(SAMPLES / "obama_2010_white_house.jpg")
    enrolled("enrol", other, "--subject", "Bo", "--allow", "other-subject")
    enrolled("backup", str(tmp_path / "before.db"))
    told = enrolled("remove", "[red]Barack", "--yes")
    assert (
        "1 record of another person looks alike at the threshold for two faces (0.362, FMR 0.001)" in told
    )
    assert "probably of other people; look at the photos" in told
    assert "as at most 1 in 100,000 pairs of different people do" in told
    kept = f"sqlite:{tmp_path / 'before.db'}"
    near = enrolled("remove", "[red]Barack", "--yes", "--target-fmr", "0.00001", "--gallery", kept)
    assert "as at most 1 in 100,000 pairs" in near
    alone = enrolled("remove", "../../Joe", "--yes")
    assert "to decide" not in alone and "probably" not in alone


@pytest.mark.parametrize(("similarity", "rate"), [(0.37, 1e-3), (0.42, 1e-4), (0.47, 1e-5), (0.99, 1e-5)])
def test_a_likeness_is_as_rare_as_was_measured(similarity: float, rate: float) -> None:
    """The smallest measured rate that it reaches; of a model that was not measured, the threshold's own."""
    threshold = measured_threshold(catalog.cards()["sface"].model_id, 1e-3)
    assert smallest_fmr(threshold, similarity) == pytest.approx(rate)
    foreign = replace(threshold, model=ModelId("mine", "0" * 64))
    assert smallest_fmr(foreign, similarity) == 1e-3


@pytest.mark.parametrize(
    "words", [["remove", "[red]Barack"], ["merge", "[red]Barack", "--into", "../../Joe"]]
)
def test_destruction_asks(enrolled: Run, words: list[str]) -> None:
    """With nobody to ask and no --yes, nothing is destroyed and the status is 2."""
    assert "--yes" in enrolled(*words, status=2)
    assert len(enrolled.lines("list")) == 2


def test_backup(enrolled: Run, tmp_path: Path) -> None:
    """The copy is a gallery; a second backup to the same file is refused."""
    copy = tmp_path / "copy.db"
    enrolled("backup", str(copy))
    assert len(enrolled.lines("list", "--gallery", f"sqlite:{copy}")) == 2
    enrolled("backup", str(copy), status=1)


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["list"], 1),
        (["identify", "x.jpg"], 1),
        (["enrol", "x.jpg"], 2),
        (["enrol", "x.jpg", "--subject", "a\tb"], 1),
        (["enrol", str(SAMPLES), "--subject", "x", "--allow", "anything"], 2),
        (["remove"], 2),
        (["list", "--gallery", "sqlit:x"], 2),
    ],
)
def test_wrong_calls(run: Run, words: list[str], status: int, tmp_path: Path) -> None:
    """Wrong usage is 2, a gallery that is not there 1, and neither leaves a gallery with anybody in it."""
    run(*words, status=status)
    left = [p.name for p in tmp_path.iterdir()]
    assert left == [] or run.lines("list") == []


def test_control_characters_do_not_reach_the_terminal(enrolled: Run) -> None:
    """A direction override in a name is stored as it is and printed escaped."""
    name = "photo\u202egpj"
    enrolled("rename", "[red]Barack", name)
    assert name in [line["subject"] for line in enrolled.lines("list")]
    table = enrolled("list")
    assert "\u202e" not in table
    assert re.search(r"photo\\u202egpj", table)


@pytest.fixture
def group(tmp_path: Path) -> Path:
    """Two people side by side in one picture."""
    left, right = (
        images.load(SAMPLES / name).pixels for name in ("obama_2012_portrait.jpg", "collins_nasa.png")
    )
    height = min(len(left), len(right))
    path = tmp_path / "group.png"
    images.save(path, np.concatenate([left[:height], right[:height]], axis=1))
    return path


def test_one_person_of_a_group_photo(run: Run, group: Path) -> None:
    """Of several faces one says which: number, point or size; the answer tells which it was, and why."""
    refusal = run("enrol", str(group), "--subject", "Ann")
    assert "SeveralFaces: the picture has 2 faces (1:" in refusal.replace("\n", " ")
    [line] = run.lines("enrol", str(group), "--subject", "Ann", "--face", "1")
    assert (line["error"], line["face"]) == (None, 1)
    taken = line["taken"]
    assert isinstance(taken, dict)
    assert (taken["face"], taken["faces"], taken["chosen"]) == (1, 2, "asked")
    assert taken["box"] == line["faces"][0]["box"]  # type: ignore[index]
    # The middle of the other face.
    x1, y1, x2, y2 = line["faces"][1]["box"]  # type: ignore[index]
    point = f"{(x1 + x2) / 2:.0f},{(y1 + y2) / 2:.0f}"
    assert "2 of 2 (asked)" in run("enrol", str(group), "--subject", "Bob", "--face", point)
    assert [line["subject"] for line in run.lines("list")] == ["Ann", "Bob"]
    for subject, face in {"Ann": "2", "Bob": "1"}.items():
        [line] = run.lines(
            "enrol", str(group), "--subject", subject, "--face", face, "--allow", "other-subject"
        )
        assert line["error"]["type"] == "FaceOfAnotherSubject"  # type: ignore[index]
    [shown] = run.lines("show", "Ann")
    [sample] = shown["samples"]  # type: ignore[misc]
    assert [sample[key] for key in ("box", "width", "height")] == [
        taken["box"],
        line["width"],
        line["height"],
    ]
    [largest] = run.lines("enrol", str(group), "--subject", "Ann", "--largest")
    [allowed] = run.lines("enrol", str(group), "--subject", "Ann", "--allow", "several-faces")
    assert largest["taken"] == allowed["taken"]
    assert largest["taken"]["chosen"] == "largest"  # type: ignore[index]
    [line] = run.lines("dispute", str(group), "Ann", "--face", point)
    assert line["disputed"] == "Ann"
    run("dispute", str(group), "Ann", status=1)


@pytest.mark.parametrize(
    "words",
    [
        ["enrol", str(SAMPLES), "--subject", "x", "--face", "0"],
        ["enrol", str(SAMPLES), "--subject", "x", "--face", "left"],
        ["enrol", str(SAMPLES), "--subject", "x", "--face", "1", "--largest"],
        ["enrol", str(SAMPLES.parent), "--face", "1"],
        ["list", "--gallery", "people.db"],
        ["list", "--gallery", ""],
    ],
)
def test_options_that_name_no_face_or_gallery(run: Run, words: list[str], tmp_path: Path) -> None:
    """What names no face or no gallery is refused with what to write instead, before anything is opened."""
    run(*words, status=2)
    assert list(tmp_path.iterdir()) == []


def test_detector_twins(enrolled: Run) -> None:
    """The face of one photo stays one person's whichever detector is named; erasing leaves none of it."""
    photo = str(SAMPLES / "biden_2013_portrait.jpg")
    for detector in ("yunet", "retry:yunet", "centerface"):
        words = ["enrol", photo, "--subject", "Bob", "--allow", "other-subject", "--detector", detector]
        [line] = enrolled.lines(*words)
        assert line["error"]["type"] == "FaceOfAnotherSubject"  # type: ignore[index]
    enrolled("remove", "../../Joe", "--yes")
    assert [line["subject"] for line in enrolled.lines("list")] == ["[red]Barack"]
