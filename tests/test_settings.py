"""Settings of analyzers and galleries: the same by keyword, TOML and JSON, and they never change."""

from __future__ import annotations

import dataclasses
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lineament import Analyzer, Gallery
from lineament.config import from_mapping, from_toml
from lineament.detectors.haar import Haar
from lineament.errors import ConfigError
from lineament.io import calibration_file
from lineament.settings import AnalyzerSettings, GallerySettings
from lineament.stores.memory import MemoryLedger
from lineament.testing import FakeAnalyzer, threshold

SAMPLES = Path(__file__).resolve().parents[1] / "samples"
PHOTO = str(SAMPLES / "obama_2012_portrait.jpg")

ANALYZERS = {
    "defaults": AnalyzerSettings(),
    "a detector": AnalyzerSettings("retry:yunet:score=0.8"),
    "no embedder": AnalyzerSettings("haar", None, quality=False),
    "attributes": AnalyzerSettings(attributes=("age", "gender"), workers=3, batch_size=2),
    "another system": AnalyzerSettings(embedder="sface:precision=exact", precision="fast", flip=True),
    "a folder": AnalyzerSettings("runs/det", "runs/emb:flip=1", ("runs/a, b:c",), keep_images=True),
}
GALLERIES = {
    "defaults": GallerySettings(),
    "a threshold": GallerySettings("sqlite:people.db", threshold=threshold(0.4), fusion="best"),
    "a rate": GallerySettings("memory:", ANALYZERS["a folder"], target_fmr=1e-4, min_quality=0.25),
    "an old one": GallerySettings("sqlite:/srv/ä b.db", create=False),
}


@pytest.mark.parametrize("name", ANALYZERS)
def test_analyzer_settings_through_json(name: str) -> None:
    """What is written as JSON text comes back equal, and so does what is pickled."""
    settings = ANALYZERS[name]
    assert AnalyzerSettings.from_json(json.loads(json.dumps(settings.to_json()))) == settings
    assert pickle.loads(pickle.dumps(settings)) == settings


@pytest.mark.parametrize("name", GALLERIES)
def test_gallery_settings_through_json(name: str) -> None:
    """The threshold goes along with its provenance, the analyzer with all its settings."""
    settings = GALLERIES[name]
    assert GallerySettings.from_json(json.loads(json.dumps(settings.to_json()))) == settings
    assert pickle.loads(pickle.dumps(settings)) == settings


def test_every_setting_is_in_the_json() -> None:
    """A setting that is added later cannot be left out of what travels."""
    for settings in (*ANALYZERS.values(), *GALLERIES.values()):
        names = {field.name for field in dataclasses.fields(settings)}
        assert set(settings.to_json()) == names


def test_from_toml(tmp_path: Path) -> None:
    """A file of a service: a gallery with its analyzer in a table, ``none`` where there is nothing."""
    calibration = tmp_path / "ours.json"
    calibration_file.save(calibration, calibration_file.Calibration(threshold(0.42), None, {}))
    file = tmp_path / "service.toml"
    file.write_text(
        f'store = "sqlite:people.db"\nthreshold-file = "{calibration.as_posix()}"\nmin_quality = 0\n'
        '[analyzer]\ndetector = "retry:yunet"\nattributes = ["age"]\nworkers = 2\nkeep-images = false\n'
    )
    settings = from_toml(GallerySettings, file)
    assert settings == GallerySettings(
        "sqlite:people.db",
        AnalyzerSettings("retry:yunet", attributes=("age",), workers=2),
        threshold=threshold(0.42),
        min_quality=0,
    )
    calibration.unlink()
    assert GallerySettings.from_json(settings.to_json()).threshold == threshold(0.42)
    file.write_text('embedder = "none"\nquality = "off"\nattributes = "age,gender"\n')
    assert from_toml(AnalyzerSettings, file) == AnalyzerSettings(
        embedder=None, quality=False, attributes=("age", "gender")
    )


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"detektor": "yunet"}, "did you mean 'detector'"),
        ({"batch": 3}, "did you mean 'batch_size'"),
        ({"flipped": True}, "did you mean 'flip'"),
        ({"detector": 5}, "detector: expected str"),
        ({"embedder": ["sface"]}, "embedder: expected str"),
        ({"attributes": {"age": True}}, "attributes: expected a list"),
        ({"attributes": [3]}, "attributes: expected str"),
        ({"workers": 0}, "workers"),
        ({"workers": 1.5}, "workers"),
        ({"batch_size": "many"}, "batch_size"),
        ({"precision": "exakt"}, "did you mean 'exact'"),
        ({"quality": "perhaps"}, "quality"),
        ({"keep_images": 3}, "keep_images"),
    ],
    ids=str,
)
def test_wrong_analyzer_settings(values: dict[str, Any], says: str) -> None:
    """An unknown key or a value of the wrong kind is a `ConfigError` that names it, and the nearest key."""
    with pytest.raises(ConfigError, match=says):
        AnalyzerSettings.from_json(values)
    with pytest.raises(ConfigError, match=f"(?s)my file.*{says}"):
        from_mapping(GallerySettings, {"analyzer": values}, where="my file")


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"stores": "memory:"}, "did you mean 'store'"),
        ({"store": 5}, "expected a URL"),
        ({"fusion": "median"}, "fusion"),
        ({"min_quality": 2}, "min_quality"),
        ({"target_fmr": 0}, "target_fmr"),
        ({"threshold": 0.4}, "threshold"),
        ({"threshold": {"value": 0.4}}, "threshold"),
        ({"threshold_file": "nowhere.json"}, "nowhere.json"),
        ({"analyzer": "yunet"}, "analyzer"),
        ({"analyzer": None}, "analyzer"),
        ({"create": "maybe"}, "create"),
    ],
    ids=str,
)
def test_wrong_gallery_settings(values: dict[str, Any], says: str) -> None:
    """The same of a gallery's."""
    with pytest.raises(ConfigError, match=says):
        GallerySettings.from_json(values)


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        (AnalyzerSettings(Haar()), "detector"),
        (AnalyzerSettings("haar", FakeAnalyzer), "embedder"),  # type: ignore[arg-type]
        (AnalyzerSettings("haar", attributes=("age", object())), "attributes"),  # type: ignore[arg-type]
        (GallerySettings(MemoryLedger()), "store"),
        (GallerySettings("memory:", FakeAnalyzer({})), "analyzer"),
        (GallerySettings("memory:", AnalyzerSettings(Haar())), "detector"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_objects_cannot_be_written_down(settings: Any, names: str) -> None:
    """A part given as an object has no name to make it anew by, which is said by a named error."""
    with pytest.raises(ConfigError, match=f"^{names}: .*as an object"):
        settings.to_json()


def test_paths_are_written_as_text(tmp_path: Path) -> None:
    """A path names a folder of a training, or a SQLite file of exactly that name."""
    settings = AnalyzerSettings(tmp_path / "det", attributes=[tmp_path / "a"])  # type: ignore[arg-type]
    assert settings.to_json()["detector"] == str(tmp_path / "det")
    assert settings.to_json()["attributes"] == [str(tmp_path / "a")]
    assert AnalyzerSettings(attributes=tmp_path).attributes == (str(tmp_path),)  # type: ignore[arg-type]
    for name in ("people.db", "memory:", "a:b c.db"):
        path = tmp_path / name
        with Gallery(path, FakeAnalyzer({})) as gallery:
            again = gallery.settings.changed(create=False)
        assert path.exists()
        Gallery.from_settings(again).close()
    assert GallerySettings(Path("~/x.db")).store == "sqlite:./~/x.db"


def test_analyzers_are_made_of_settings_and_give_them() -> None:
    """By keyword or by settings, it is the same analyzer; its settings are what was given."""
    settings = AnalyzerSettings("yunet:score=0.8", "sface", workers=2, batch_size=3, precision="exact")
    given = Analyzer("yunet:score=0.8", "sface", workers=2, batch_size=3, precision="exact")
    with given, Analyzer.from_settings(settings) as made:
        assert made.settings == given.settings == settings
        assert (made.workers, made.batch_size, made.quality, made.keep_images) == (2, 3, True, False)
        one, other = given.analyze_one(PHOTO).faces, made.analyze_one(PHOTO).faces
    assert one.boxes.tolist() == other.boxes.tolist()
    assert one.embeddings is not None and other.embeddings is not None
    assert one.embeddings.tolist() == other.embeddings.tolist()


def test_changed_settings_are_checked_as_well() -> None:
    """Changing what there is not is a `ConfigError`, as is a wrong value; numbers of NumPy are numbers."""
    with pytest.raises(ConfigError, match="did you mean 'keep_images'"):
        AnalyzerSettings().changed(keep_image=True)
    with pytest.raises(ConfigError, match="did you mean 'target_fmr'"):
        GallerySettings().changed(target_fnmr=0.1)
    with pytest.raises(ConfigError, match="workers"):
        AnalyzerSettings().changed(workers=0)
    for settings in (
        AnalyzerSettings(workers=np.int64(2), batch_size=np.int32(4)),  # type: ignore[arg-type]
        GallerySettings(min_quality=np.float32(0.5), target_fmr=np.float64(1e-3)),  # type: ignore[arg-type]
    ):
        assert type(settings).from_json(json.loads(json.dumps(settings.to_json()))) == settings


@pytest.mark.parametrize("given", [[], "yunet", None, 5], ids=str)
def test_settings_are_a_table(given: Any) -> None:
    """What is no table of keys is a `ConfigError`."""
    for kind in (AnalyzerSettings, GallerySettings):
        with pytest.raises(ConfigError, match="expected a table"):
            kind.from_json(given)


def test_flip_is_a_setting() -> None:
    """The sum of a face and its mirror image is another model, and travels with the settings."""
    with Analyzer(flip=True, quality=False) as analyzer:
        assert analyzer.model is not None and analyzer.model.name == "light+mirror"
        assert pickle.loads(pickle.dumps(analyzer)).model == analyzer.model
        assert analyzer.settings.measured()["system"].startswith("sum of the embeddings")
    assert AnalyzerSettings("yunet", pipeline="classic").measured() == {
        "pipeline": "classic",
        "detector": "yunet",
        "embedder": "sface",
        "precision": "balanced",
        "system": "one embedding a face",
    }


@pytest.mark.parametrize("name", ["keep_images", "workers", "batch_size", "quality"])
def test_an_analyzer_does_not_change(name: str) -> None:
    """Its settings say what it does for as long as it lives: another one is made of changed settings."""
    analyzer = Analyzer("haar", None, quality=False, workers=1)
    with pytest.raises(AttributeError):
        setattr(analyzer, name, 5)
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(analyzer.settings, name, 5)
    changed = Analyzer.from_settings(analyzer.settings.changed(**{name: 5 if name != "quality" else False}))
    assert getattr(changed, name) == (5 if name != "quality" else False)


@pytest.mark.parametrize("name", ["fusion", "min_quality", "target_fmr"])
def test_a_gallery_does_not_change(name: str) -> None:
    """Nor does a gallery."""
    gallery = Gallery("memory:", FakeAnalyzer({}))
    with pytest.raises(AttributeError):
        setattr(gallery, name, 0.5)


def test_galleries_are_made_of_settings_and_give_them(tmp_path: Path) -> None:
    """A gallery opened by settings makes their analyzer; the settings of one opened by hand lead back."""
    url = f"sqlite:{tmp_path}/people.db"
    analyzer = Analyzer("yunet", workers=1)
    with analyzer, Gallery(url, analyzer, target_fmr=1e-4, fusion="best") as gallery:
        assert gallery.enrol("Obama", PHOTO)[0].error is None
        settings = GallerySettings.from_json(json.loads(json.dumps(gallery.settings.to_json())))
    assert settings == GallerySettings(url, analyzer.settings, target_fmr=1e-4, fusion="best")
    with Gallery.from_settings(settings) as again:
        assert isinstance(again.analyzer, Analyzer) and again.analyzer.settings == analyzer.settings
        (found,) = again.identify(PHOTO)
        assert found.matches[0].subject == "Obama" and again.settings == settings
