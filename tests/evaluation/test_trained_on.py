"""No trained model is judged on what it was trained on."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lineament.cli.main import app
from lineament.errors import SplitError
from lineament.evaluation.people import LabelledPictures
from lineament.evaluation.trained_on import require_people_unseen
from lineament.io.catalog import InputContract
from lineament.io.manifest import Manifest, ManifestRow
from lineament.io.trained import Head, TrainedCard, TrainedData


def _run(folder: Path, job: str, trained: dict[str, tuple[str, bytes]]) -> Path:
    """A run folder as far as the check looks: its card, and the manifest with splits and digests."""
    folder.mkdir()
    rows = [
        ManifestRow(name, f"{name}.jpg", hashlib.sha256(data).hexdigest(), subject=name, split=split)
        for name, (split, data) in trained.items()
    ]
    Manifest(tuple(rows)).save(folder / "manifest.jsonl")
    head = Head("embedding", "embedding")
    card = TrainedCard(
        "m", job, "tiny", "model.onnx", "0", InputContract("RGB", 32), (head,), TrainedData("0")
    )  # type: ignore[arg-type]
    card.save(folder)
    return folder


def _people(folder: Path, pictures: dict[str, bytes]) -> LabelledPictures:
    paths = []
    for name, data in pictures.items():
        path = folder / f"photo of {name}.jpg"
        path.write_bytes(data)
        paths.append(path)
    n = len(paths)
    return LabelledPictures(
        tuple(paths), tuple(p.name for p in paths), tuple(pictures), (None,) * n, "people"
    )


@pytest.mark.parametrize("split", ["train", "val"])
def test_a_picture_of_the_training_is_refused(tmp_path: Path, split: str) -> None:
    """The same bytes under another name and person: found, whether they trained the model or chose it."""
    run = _run(tmp_path / "run", "classifier", {"ann": (split, b"one"), "bob": ("test", b"two")})
    people = _people(tmp_path, {"somebody": b"one", "else": b"three"})
    with pytest.raises(SplitError, match="1 of these pictures"):
        require_people_unseen(people, "yunet", f"retry:{run}")


def test_a_person_of_the_training_is_no_stranger_to_an_embedder(tmp_path: Path) -> None:
    """New pictures of a trained person are refused for an embedder; for a classifier they are the task."""
    people = _people(tmp_path, {"ann": b"new"})
    embedder = _run(tmp_path / "emb", "embedding", {"ann": ("train", b"one")})
    with pytest.raises(SplitError, match="1 of these people"):
        require_people_unseen(people, str(embedder))
    classifier = _run(tmp_path / "cls", "classifier", {"ann": ("train", b"one")})
    assert require_people_unseen(people, str(classifier)) == {"cls": 1}


SAMPLES = Path(__file__).parents[2] / "samples"
BIDEN = "biden_2013_portrait.jpg"


@pytest.fixture
def planted(tmp_path: Path) -> Path:
    """A folder of two people, lists over it, and a run that was trained on one of its pictures."""
    for name in ("obama_2012_portrait.jpg", "obama_2010_white_house.jpg", BIDEN):
        folder = tmp_path / "people" / name.split("_")[0]
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(SAMPLES / name, folder)
    (tmp_path / "pairs.csv").write_text(
        "fold,image1,image2,same\n"
        "1,obama/obama_2012_portrait.jpg,obama/obama_2010_white_house.jpg,1\n"
        f"1,obama/obama_2012_portrait.jpg,biden/{BIDEN},0\n"
    )
    (tmp_path / "templates.csv").write_text(
        "template_id,subject,file\n1,obama,obama/obama_2012_portrait.jpg\n"
        f"2,obama,obama/obama_2010_white_house.jpg\n3,biden,biden/{BIDEN}\n"
    )
    (tmp_path / "listed.csv").write_text("template1,template2\n1,2\n1,3\n")
    (tmp_path / "boxes.csv").write_text(f"image,x1,y1,x2,y2\nbiden/{BIDEN},300,200,900,1000\n")
    (tmp_path / "groups.csv").write_text("subject,side\nobama,left\nbiden,right\n")
    _run(tmp_path / "run", "detection", {"somebody": ("train", (SAMPLES / BIDEN).read_bytes())})
    return tmp_path


@pytest.mark.parametrize(
    "command",
    [
        "evaluate verification --all people",
        "evaluate verification --pairs pairs.csv --images people",
        "evaluate verification --pairs listed.csv --templates templates.csv --images people",
        "evaluate identification --images people",
        "evaluate detection --images people --labels boxes.csv",
        "evaluate quality --images people",
        "evaluate fairness people --by side --groups groups.csv",
        "calibrate people --target-fmr 0.1",
    ],
)
def test_every_command_checks_for_a_leak_before_it_measures(
    planted: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """A picture of the model's training set was planted among those to measure: refused and counted."""
    monkeypatch.chdir(planted)
    run = CliRunner().invoke(app, [*command.split(), "--detector", "run"])
    assert isinstance(run.exception, SplitError), run.output
    assert "run was trained on 1 of these pictures" in str(run.exception)


def test_listed_people_of_the_training_are_no_strangers_either(planted: Path) -> None:
    """A list of pairs names its people by their folders, a list of templates by subject."""
    _run(planted / "emb", "embedding", {"biden": ("train", b"another picture")})
    lists = (["--pairs", "pairs.csv"], ["--pairs", "listed.csv", "--templates", "templates.csv"])
    for one in lists:
        given = [str(planted / word) if word.endswith("csv") else word for word in one]
        command = ["evaluate", "verification", *given, "--images", str(planted / "people")]
        run = CliRunner().invoke(app, [*command, "--embedder", str(planted / "emb")])
        assert isinstance(run.exception, SplitError), run.output
        assert "0 of these pictures and 1 of these people" in str(run.exception)


def test_the_test_split_may_be_judged(tmp_path: Path) -> None:
    """What the training held back is what figures are for, and shipped models have nothing to compare."""
    run = _run(tmp_path / "run", "embedding", {"ann": ("train", b"one"), "bob": ("test", b"two")})
    people = _people(tmp_path, {"bob": b"two"})
    assert require_people_unseen(people, str(run)) == {"run": 1}
    assert require_people_unseen(people, "yunet", "sface") == {}
