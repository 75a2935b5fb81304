"""A gallery belongs to one pipeline: two are never mixed, and whoever is refused is told how to go on."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from lineament import pipelines
from lineament.cli.commands import app
from lineament.errors import ModelMismatch
from lineament.gallery import pipeline
from lineament.gallery.gallery import Gallery
from lineament.io import catalog
from lineament.settings import AnalyzerSettings
from lineament.types import Decision, ModelId

SAMPLES = Path(__file__).parents[2] / "samples"
JOE = SAMPLES / "biden_2013_portrait.jpg"
LIGHT, CLASSIC = (pipelines.card(name).model_id for name in ("light", "classic"))


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A gallery as it was made before there were pipelines: YuNet's points and SFace."""
    url = f"sqlite:{tmp_path_factory.mktemp('gallery') / 'people.db'}"
    settings = AnalyzerSettings("yunet", "sface", landmarks=None, pipeline="classic")
    with Gallery(url, settings) as gallery:
        [done] = gallery.enrol("Joe", JOE)
        assert done.error is None
        assert gallery.store.model() == catalog.card("sface").model_id
    return url


def test_a_gallery_made_before_opens_and_goes_on(before: str) -> None:
    """Where nobody names a pipeline, faces are measured by the one that it belongs to."""
    with Gallery(before, AnalyzerSettings("retry:yunet")) as gallery:
        [found] = gallery.identify(JOE)
        assert found.matches[0].decision is Decision.MATCH
        assert found.matches[0].threshold.model == CLASSIC


def test_another_pipeline_is_refused_and_both_are_named(before: str) -> None:
    """The error says which is which, how to open the gallery, and how people come into a new one."""
    with Gallery(before, AnalyzerSettings(pipeline="light")) as gallery:
        asked = [
            lambda: list(gallery.identify(JOE)),
            lambda: gallery.enrol("Jim", JOE),
            lambda: gallery.verify(JOE, "Joe"),
            lambda: gallery.dispute(JOE, "Joe"),
        ]
        for ask in asked:
            with pytest.raises(ModelMismatch) as caught:
                ask()
            text = str(caught.value)
            assert f"classic ({CLASSIC})" in text and f"light ({LIGHT})" in text
            assert "--pipeline classic" in text and "enrol PHOTOS --gallery" in text
        assert gallery.people == 1


def test_a_new_gallery_keeps_the_id_of_its_pipeline(tmp_path: Path) -> None:
    """What `light` enrols is `light`'s, in answers, thresholds and the file."""
    with Gallery(f"sqlite:{tmp_path / 'people.db'}", AnalyzerSettings(pipeline="light")) as gallery:
        assert gallery.enrol("Joe", JOE)[0].error is None
        assert gallery.store.model() == LIGHT
        with pytest.raises(ModelMismatch, match="--pipeline light"):
            Gallery(gallery.store, AnalyzerSettings(pipeline="classic")).enrol("Joe", JOE)


def test_commands_say_to_which_pipeline_a_gallery_belongs(before: str) -> None:
    """`gallery status` names it; `gallery identify --pipeline` of another one ends with the way out."""
    told = CliRunner().invoke(app, ["gallery", "status", "--gallery", before])
    assert told.exit_code == 0 and f"pipeline classic ({CLASSIC})" in " ".join(told.stdout.split())
    asked = ["gallery", "identify", str(JOE), "--gallery", before, "--pipeline", "light"]
    refused = CliRunner().invoke(app, asked)
    assert isinstance(refused.exception, ModelMismatch)


def test_how_to_move_is_said_of_an_older_pipeline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where another is the default, what was made before says so; other galleries have nothing to move."""
    monkeypatch.setattr(pipelines, "DEFAULT", "light")
    [text] = pipeline.belongs(CLASSIC)
    assert text.startswith(f"the gallery belongs to the older pipeline classic ({CLASSIC}) and goes on")
    assert "light errs less" in text and "enrol PHOTOS" in text and text.endswith("--pipeline light")
    assert pipeline.belongs(LIGHT) == [f"it belongs to the pipeline light ({LIGHT})"]
    assert pipeline.older(LIGHT) == [] and pipeline.belongs(None) == []
    own = ModelId("mine", "0" * 64)
    assert pipeline.belongs(own) == [f"it belongs to {own}"]
    with pytest.raises(ModelMismatch, match="open it with what made it"):
        pipeline.require(own, LIGHT)
