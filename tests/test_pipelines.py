"""Pipelines: complete cards, ids that tell them apart, parts given beside them, commands that name them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from lineament import pipelines
from lineament.analyzer import Analyzer
from lineament.cli import options
from lineament.cli.commands import app
from lineament.errors import InsufficientData, ModelMismatch, UnknownName
from lineament.io import assets, catalog
from lineament.registry import detectors, embedders, landmarkers
from lineament.settings import AnalyzerSettings
from lineament.types import ModelId
from weights import pinned_or_skip

CARDS = list(pipelines.cards().values())
SAMPLES = sorted(p for p in (Path(__file__).parents[1] / "samples").iterdir() if p.suffix != ".md")


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.name)
def test_every_pipeline_is_made_of_what_there_is(card: pipelines.PipelineCard) -> None:
    """Its parts can be created by name, and it names the models whose files they need."""
    assert card.title and card.models
    assert detectors.settings(card.detector) and embedders.settings(card.embedder)
    assert card.landmarks is None or landmarkers.settings(card.landmarks)
    assert card.cards == tuple(catalog.card(name) for name in card.models)
    assert card.embeds_by(card.landmarks, card.embedder) and card.finds_by(f"retry:{card.detector}")


def test_names_are_their_files_and_no_models() -> None:
    """A card is found by its name, and `models pull NAME` means one thing."""
    files = {p.stem for p in (pipelines.files("lineament.catalog") / "pipelines").iterdir()}
    assert files == set(pipelines.cards())
    assert not files & set(catalog.cards())


def test_ids_tell_pipelines_apart() -> None:
    """No two share an id: other points or another network move the similarities."""
    assert len({card.model_id for card in CARDS}) == len(CARDS)
    assert len({(card.landmarks, card.embedder) for card in CARDS}) == len(CARDS)
    assert all(pipelines.of(card.model_id) is card for card in CARDS)
    light = pipelines.card("light")
    assert light.model_id == light.model_id
    for changed in (
        replace(light, landmarks="mean:mesh"),
        replace(light, recipe=2),
        replace(light, models=("yunet", "sface")),
    ):
        assert changed.model_id != light.model_id
    another = replace(light, detector="centerface", models=("centerface", "mesh", "sface"))
    assert another.model_id == light.model_id


def test_classic_keeps_the_id_of_galleries_made_before() -> None:
    """What was enrolled before there were pipelines is of SFace alone, and stays valid with it."""
    card = pipelines.card("classic")
    assert card.model_id == catalog.card("sface").model_id
    assert pipelines.measured(card.model_id).rows == catalog.card("sface").thresholds


def test_a_pipeline_is_an_analyzer() -> None:
    """One word makes detector, points and embedder, and the embeddings carry its id."""
    with Analyzer(pipeline="light") as analyzer:
        assert analyzer.model == pipelines.card("light").model_id
        faces = analyzer.analyze_one(SAMPLES[0]).faces
    assert faces.model == analyzer.model and faces.embeddings is not None
    assert faces.embeddings.shape[1] == 128 and faces.refinements is not None
    assert faces.dense is None  # 468 points a face are for whoever names the landmarks
    settings = AnalyzerSettings(pipeline="light")
    assert Analyzer.from_settings(AnalyzerSettings.from_json(settings.to_json())).model == analyzer.model
    assert settings.measured()["pipeline"] == "light" and settings.measured()["landmarks"] == "mesh"


def test_the_points_move_the_similarities() -> None:
    """The same embedder with other points gives other vectors: their ids may not be equal."""
    with Analyzer(pipeline="classic") as classic, Analyzer(pipeline="light") as light:
        one, other = (a.analyze_one(SAMPLES[0]).faces for a in (classic, light))
    assert one.embeddings is not None and other.embeddings is not None
    np.testing.assert_allclose(one.boxes, other.boxes)
    assert not np.allclose(one.embeddings, other.embeddings, atol=1e-3)


@pytest.mark.parametrize("name", [card.name for card in CARDS if card.embedder == "combined"])
def test_the_larger_pipelines_run(name: str) -> None:
    """Vectors of 384 numbers, of the pipeline's id."""
    for model in pipelines.card(name).models:
        pinned_or_skip(model)
    with Analyzer(pipeline=name, quality=False) as analyzer:
        faces = analyzer.analyze_one(SAMPLES[0]).faces
    assert faces.model == pipelines.card(name).model_id
    assert faces.embeddings is not None and faces.embeddings.shape[1] == 384


def test_any_detector_may_find_the_faces_of_a_pipeline() -> None:
    """A face is one person's whichever detector found it: the id stays, and another detector is told."""
    light = pipelines.card("light").model_id
    for detector in ("yunet", "yunet:score=0.8", "retry:yunet", "pipeline"):
        with Analyzer(detector, pipeline="light") as analyzer:
            assert analyzer.model == light and analyzer.told == ()
            assert analyzer.settings.measured()["pipeline"] == "light"
    with Analyzer("haar", pipeline="light") as other:
        assert other.model == light
        assert other.told == (
            "not the detector of the pipeline light: its thresholds were measured with yunet",
        )
        assert "pipeline" not in other.settings.measured()


def test_the_same_parts_are_the_same_pipeline() -> None:
    """However they are written, so that two ways to say one thing can be compared."""
    with Analyzer("yunet", "sface", landmarks="mesh", pipeline="classic") as analyzer:
        assert analyzer.model == pipelines.card("light").model_id
        assert analyzer.told == (
            f"not the pipeline classic, a part is another: embeddings are of {analyzer.model}",
        )
    assert Analyzer("yunet", "sface", landmarks=None).model == pipelines.card("classic").model_id


def test_another_embedder_gets_the_detectors_points() -> None:
    """A pipeline's points go with its embedder: one trained here was trained without them."""
    parts = pipelines.parts("light", None, pipelines.OWN, "trained:model=somewhere")
    assert parts.landmarks is None and parts.of is None
    assert pipelines.parts("light", None, "mesh", "combined").landmarks == "mesh"
    assert pipelines.parts("light", None, "none", "sface").landmarks is None
    assert pipelines.parts("light", None, pipelines.OWN, None).landmarks is None


def test_parts_that_are_no_pipeline_decide_nothing() -> None:
    """Their id is of embedder and points, and a threshold has to be measured first."""
    with Analyzer(landmarks="mean:mesh") as analyzer:
        assert analyzer.model == ModelId("sface+mean:mesh", catalog.card("sface").sha256)
    for model in (analyzer.model, ModelId("mine", "0" * 64)):
        with pytest.raises(InsufficientData, match="no threshold was measured"):
            pipelines.measured(model)
    with pytest.raises(ModelMismatch, match="not those of this version"):
        pipelines.measured(ModelId("light", "0" * 64))


def test_a_misspelt_pipeline_is_told_the_nearest() -> None:
    """The error lists them all."""
    with pytest.raises(UnknownName, match=r"did you mean 'light'\?; pipelines: light, "):
        Analyzer(pipeline="lihgt")
    with pytest.raises(UnknownName, match=r"no model or pipeline named 'acurate'.*'accurate'"):
        pipelines.model_cards(["acurate"])


def _commands(found: Any, name: str = "") -> dict[str, Any]:
    if hasattr(found, "commands"):
        below = [_commands(one, f"{name} {key}") for key, one in found.commands.items()]
        return {key: one for part in below for key, one in part.items()}
    return {name: found}


def test_every_command_with_a_part_takes_a_pipeline() -> None:
    """Where a detector or an embedder can be named, so can a pipeline; the option is declared once."""
    told = {
        name: {option for one in command.params for option in one.opts}
        for name, command in _commands(typer.main.get_command(app)).items()
    }
    with_parts = {name for name, opts in told.items() if opts & {"--detector", "--embedder"}}
    assert len(with_parts) > 12
    assert {name for name in with_parts if "--pipeline" not in told[name]} == set()
    assert options.OWN == pipelines.OWN


def test_a_pipeline_is_had_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`models pull NAME` brings what its parts need, or says by name what is missing and what to do."""
    monkeypatch.setenv("LINEAMENT_CACHE", str(tmp_path))
    monkeypatch.setenv("LINEAMENT_OFFLINE", "1")
    monkeypatch.delenv("LINEAMENT_MODELS", raising=False)
    done = CliRunner().invoke(app, ["models", "pull", "accurate", "--json", "-"])
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["name"] for row in rows] == list(pipelines.card("accurate").models)
    assert done.exit_code == 1 and all(row["outcome"] == "unavailable" for row in rows)
    assert all("--models-dir" in row["error"]["message"] for row in rows)


def test_a_models_folder_serves_a_pipeline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With every file in one folder a machine without a network runs it, and the cache gets no copy."""
    cards = pipelines.card("accurate").cards
    for card in cards:
        pinned_or_skip(card.name)
    folder = tmp_path / "stick"
    folder.mkdir()
    for number, file in enumerate(file for card in cards for file in card.files):
        path = assets.fetch(file)
        (folder / f"{number}{Path(file.file).suffix}").write_bytes(path.read_bytes())
    monkeypatch.setenv("LINEAMENT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("LINEAMENT_OFFLINE", "1")
    monkeypatch.setenv("LINEAMENT_MODELS", "")
    photo = str(SAMPLES[0])
    asked = ["--models-dir", str(folder), "detect", "--pipeline", "accurate", photo]
    assert CliRunner().invoke(app, asked).exit_code == 0
    pulled = CliRunner().invoke(
        app, ["--models-dir", str(folder), "models", "pull", "accurate", "--json", "-"]
    )
    rows = [json.loads(line) for line in pulled.stdout.splitlines()]
    assert pulled.exit_code == 0 and all(row["path"].startswith(str(folder)) for row in rows)
    kept = {p.name for p in (tmp_path / "cache").iterdir() if not p.name.startswith(".")}
    assert not kept & {file.file for card in cards for file in card.files}
