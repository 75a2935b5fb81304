"""Refined landmarks in the analyzer: before alignment, told of, and by another name of the model."""

from __future__ import annotations

import dataclasses
import pickle
from pathlib import Path

import numpy as np
import pytest

from lineament import pipelines
from lineament.analyzer import Analyzer
from lineament.errors import ConfigError, InsufficientData, UsageError
from lineament.io import images
from lineament.landmarkers.mesh import Mesh
from lineament.settings import AnalyzerSettings
from lineament.types import Faces, Image, Outcome, Refinement

SAMPLES = sorted(p for p in (Path(__file__).parents[2] / "samples").iterdir() if p.suffix != ".md")


@pytest.fixture(scope="module")
def outcomes() -> tuple[list[Outcome], list[Outcome]]:
    """The samples without and with refined points."""
    with Analyzer(landmarks=None) as plain, Analyzer(landmarks="mesh") as refined:
        return list(plain.analyze(SAMPLES[:3])), list(refined.analyze(SAMPLES[:3]))


def test_the_points_are_refined_before_anything_uses_them(
    outcomes: tuple[list[Outcome], list[Outcome]],
) -> None:
    """Landmarks, pose and embeddings change, boxes and scores do not, and each face says by what."""
    for before, after in zip(*outcomes, strict=True):
        np.testing.assert_array_equal(before.faces.boxes, after.faces.boxes)
        for old, new in zip(before.faces, after.faces, strict=True):
            assert new.refinement is not None and new.refinement.by == "mesh" and new.refinement.used
            assert new.dense is not None and new.dense.shape == (468, 2)
            assert old.quality is not None and new.quality is not None
            assert old.quality.yaw_deg != new.quality.yaw_deg
            assert old.embedding is not None and new.embedding is not None
            assert 0.7 < float(old.embedding.vector @ new.embedding.vector) < 0.9999
            assert old.refinement is None and old.dense is None


def test_embeddings_of_refined_faces_are_another_models(
    outcomes: tuple[list[Outcome], list[Outcome]],
) -> None:
    """Thresholds move with the points: those of other points are not used, and the two are not compared."""
    before, after = outcomes
    assert str(before[0].faces.model).startswith("sface@")
    assert after[0].faces.model is not None and after[0].faces.model == pipelines.card("light").model_id
    with Analyzer(landmarks="mesh") as analyzer:
        assert analyzer.model == after[0].faces.model
        assert analyzer.verify(SAMPLES[0], SAMPLES[1]).threshold.model == analyzer.model
    with Analyzer(landmarks="mean:mesh") as analyzer:
        assert analyzer.model is not None and analyzer.model.name == "sface+mean:mesh"
        with pytest.raises(InsufficientData, match=r"sface\+mean:mesh.*lineament calibrate"):
            analyzer.verify(SAMPLES[0], SAMPLES[1])


def test_the_mesh_lies_in_the_box(outcomes: tuple[list[Outcome], list[Outcome]]) -> None:
    """Both are in the picture's own pixels, whatever scale it was looked at."""
    for outcome in outcomes[1]:
        for face in outcome.faces:
            assert face.dense is not None
            middle = face.dense.mean(axis=0)
            assert (middle > face.box[:2]).all() and (middle < face.box[2:]).all()


def test_the_setting_travels() -> None:
    """It is written down, read and pickled with the others, and an evaluation states it where it is set."""
    settings = AnalyzerSettings(landmarks="mesh")
    assert AnalyzerSettings.from_json(settings.to_json()) == settings
    assert settings.measured()["landmarks"] == "mesh"
    assert "landmarks" not in AnalyzerSettings(landmarks=None).measured()
    with Analyzer(embedder=None, landmarks="mesh") as analyzer:
        assert pickle.loads(pickle.dumps(analyzer)).settings == analyzer.settings
    with pytest.raises(ConfigError, match="landmarks"):
        AnalyzerSettings(landmarks=Mesh()).to_json()
    with pytest.raises(UsageError, match="refine"):
        Analyzer(landmarks=object())  # type: ignore[arg-type]


def test_a_detector_without_points_gets_some_first() -> None:
    """Haar's boxes are given points by YuNet, which the mesh then refines."""
    with Analyzer("haar", None, quality=False, landmarks="mesh") as analyzer:
        outcome = analyzer.analyze_one(SAMPLES[2])
    assert outcome.faces.refinements is not None and outcome.faces.refinements[0].used


def test_one_picture_that_a_landmarker_refuses_stops_no_other() -> None:
    """Its named error is that picture's alone."""
    from lineament.errors import NoLandmarks

    class Refuses:
        name = "refuses"

        def refine(self, images: list[Image], faces: list[Faces]) -> list[Faces]:
            if any(image.source == str(SAMPLES[1]) for image in images):
                raise NoLandmarks("not this one")
            said = [tuple(Refinement("refuses", used=False) for _ in one) for one in faces]
            return [dataclasses.replace(f, refinements=s) for f, s in zip(faces, said, strict=True)]

    pictures = [images.load(path) for path in SAMPLES[:3]]
    with Analyzer(embedder=None, quality=False, landmarks=Refuses(), workers=1) as analyzer:
        found = list(analyzer.analyze(pictures))
    assert [type(outcome.error).__name__ for outcome in found] == ["NoneType", "NoLandmarks", "NoneType"]
