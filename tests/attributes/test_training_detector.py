"""Faces for a model trained here are found by the detector that cut its training pictures."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lineament.analyzer import Analyzer
from lineament.cli.main import app
from lineament.geometry.crop_style import CropStyle
from lineament.io.manifest import Manifest
from lineament.io.trained import TrainedCard
from lineament.training.runs.cards import data_of, detector_of
from tiny_models import people_run, several_run, variant

PORTRAIT = str(Path(__file__).resolve().parents[2] / "samples" / "obama_2012_portrait.jpg")


def cut_by(detector: str | None, **more: object) -> Manifest:
    step = {"step": "extract", "settings": {"detector": detector, "size": 96, **more}}
    return Manifest((), ({"step": "folder"}, step, {"step": "split"}))


@pytest.mark.parametrize(
    ("manifest", "detector"),
    [
        (cut_by("haar"), "haar"),
        (cut_by("yunet:score=0.8", rotate=None), "yunet:score=0.8"),
        (cut_by("haar", rotate=15.0), "retry:step_deg=15.0,haar"),
        (cut_by("retry:haar:cascade=alt", rotate=15.0), "retry:step_deg=15.0,haar:cascade=alt"),
        (cut_by("yunet", from_boxes=True), None),
        (Manifest((), ({"step": "import"},)), None),
        (Manifest((), ({"step": "extract"},)), None),
    ],
)
def test_the_card_keeps_the_detector_that_cut_the_faces(manifest: Manifest, detector: str | None) -> None:
    """Of the step extract, with the turning it was told; none where the labels' boxes were cut by."""
    assert detector_of(manifest) == data_of(manifest).detector == detector


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cut")
    people, several = people_run(tmp_path_factory), several_run(tmp_path_factory)
    style = CropStyle(32)
    for name in ("haar", "yunet", "runs/gone"):
        data = {"digest": "", "detector": name}
        variant(people, folder / f"cls-{Path(name).name}", crop=style, data=data)
    variant(several, folder / "attr-haar", crop=style, data={"digest": "", "detector": "haar"})
    variant(people, folder / "cls-old", crop=style)
    card = json.loads((folder / "cls-old" / "card.json").read_text())
    del card["data"]["detector"]
    (folder / "cls-old" / "card.json").write_text(json.dumps(card))
    return folder


@pytest.mark.parametrize(
    ("models", "asked", "used", "told"),
    [
        (["cls-haar"], None, "haar", "as for the training of"),
        (["attr-haar"], None, "haar", "as for the training of"),
        (["cls-yunet"], None, "yunet", "as for the training of"),
        (["attr-haar", "cls-yunet"], None, "yunet", "warning"),
        (["cls-old"], None, "yunet", ""),
        ([], None, "yunet", ""),
        (["cls-gone"], None, "yunet", "cannot be had"),
        (["cls-haar"], "haar", "haar", ""),
        (["cls-haar"], "retry:haar", "retry:haar", ""),
        (["cls-haar"], "haar:neighbours=4", "haar:neighbours=4", ""),
        (["cls-yunet"], "haar", "haar", "warning"),
        (["cls-haar"], "yunet", "yunet", "warning"),
        (["cls-old"], "haar", "haar", ""),
    ],
)
def test_it_is_used_unless_another_is_named(
    runs: Path, models: list[str], asked: str | None, used: str, told: str
) -> None:
    """Told either way; another one is warned of where its boxes differ. Older cards say nothing."""
    with Analyzer(asked, None, [str(runs / name) for name in models if name], quality=False) as analyzer:
        assert analyzer.detector_spec == used
        said = " | ".join(analyzer.told)
        assert told in said if told else not said


def test_a_haar_classifier_is_given_haars_boxes(runs: Path) -> None:
    """`analyze --classifier RUN` has the boxes of --detector haar, and says so; YuNet's are others."""

    def boxes(*words: str) -> tuple[list[object], str]:
        run = CliRunner().invoke(app, ["analyze", PORTRAIT, *words, "--json", "-"])
        assert run.exit_code == 0, run.output
        return [face["box"] for face in json.loads(run.stdout)["faces"]], run.stderr

    model = ("--classifier", str(runs / "cls-haar"))
    own, said = boxes(*model)
    assert own == boxes(*model, "--detector", "haar")[0] != boxes("--detector", "yunet")[0]
    assert "faces are found by haar" in said and "takes every face for one of its 3 people" in said
    assert "warning" in boxes(*model, "--detector", "yunet")[1]


def test_a_card_without_the_field_loads(runs: Path) -> None:
    """Cards written before it existed are as good as ever."""
    assert TrainedCard.load(runs / "cls-old").data.detector is None
