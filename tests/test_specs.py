"""Specs: which setting goes to which of several nested names, and run folders among them."""

from __future__ import annotations

import dataclasses
import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from lineament.errors import ConfigError, UnknownName
from lineament.registry import Registry, attributes, detectors, embedders

YUNET = {"score": "0.8", "long_side": "1024", "tiles": "false"}
RETRY = {"step_deg": "30", "level": "false", "quarter_turns": "false"}


def made(spec: str) -> Any:
    return detectors.create(spec)


def chain(spec: str) -> list[dict[str, Any]]:
    """The settings that were given, of the one made and of those it wraps."""
    detector, found = made(spec), []
    while detector is not None:
        config = detector.config
        found.append(
            {
                f.name: getattr(config, f.name)
                for f in dataclasses.fields(config)
                if f.name != "base" and getattr(config, f.name) != f.default
            }
        )
        detector = getattr(detector, "base", None)
    return found


@pytest.mark.parametrize(
    ("spec", "settings"),
    [
        ("yunet", [{}]),
        ("yunet:score=0.8", [{"score": 0.8}]),
        ("yunet: score = 0.8 , tiles=no", [{"score": 0.8, "tiles": False}]),
        ("yunet:long-side=1024", [{"long_side": 1024}]),
        ("retry", [{}, {}]),
        ("retry:yunet", [{}, {}]),
        ("retry:yunet:", [{}, {}]),
        ("retry:base=yunet", [{}, {}]),
        ("retry:yunet:score=0.8", [{}, {"score": 0.8}]),
        ("retry:base=yunet:score=0.8", [{}, {"score": 0.8}]),
        ("retry:yunet:score=0.8,long_side=1024", [{}, {"score": 0.8, "long_side": 1024}]),
        ("retry:yunet,score=0.8", [{"score": 0.8}, {}]),
        ("retry:score=0.7,yunet:score=0.8", [{"score": 0.7}, {"score": 0.8}]),
        ("retry:score=0.7,base=yunet:score=0.8", [{"score": 0.7}, {"score": 0.8}]),
        ("retry:yunet:score=0.8,step_deg=30", [{"step_deg": 30}, {"score": 0.8}]),
        ("retry:yunet,step_deg=30", [{"step_deg": 30}, {}]),
        ("retry:padding=0.1,0.2,yunet:score=0.8", [{"padding": (0.1, 0.2)}, {"score": 0.8}]),
        ("retry:haar:cascade=alt,step=1.2", [{}, {"cascade": "alt", "step": 1.2}]),
        ("landmarked:haar:score=0.2", [{}, {"score": 0.2}]),
        ("landmarked:retry:haar:score=0.2", [{}, {}, {"score": 0.2}]),
        ("landmarked:retry:haar,score=0.2", [{}, {"score": 0.2}, {}]),
        (
            "landmarked:score=0.4,retry:score=0.5,haar:score=0.2",
            [{"score": 0.4}, {"score": 0.5}, {"score": 0.2}],
        ),
    ],
)
def test_a_setting_goes_to_the_name_it_follows(spec: str, settings: list[dict[str, Any]]) -> None:
    """After a colon settings belong to the name before it; what that lacks, to the one that wraps it."""
    assert chain(spec) == settings


def test_every_order_and_way_of_writing_means_the_same() -> None:
    """Settings that only one of two names has reach it wherever they stand; scores follow the colon."""
    for count in range(3):
        for own in itertools.permutations(RETRY.items(), count):
            for inner in itertools.permutations(YUNET.items(), 2):
                before = [f"{k}={v}" for k, v in own]
                after = [f"{k}={v}" for k, v in inner]
                for base in ("yunet", "base=yunet"):
                    expected = _expected(dict(own), dict(inner))
                    first = "retry:" + ",".join([*before, f"{base}:{after[0]}", *after[1:]])
                    last = "retry:" + ",".join([f"{base}:{after[0]}", *before, *after[1:]])
                    assert _read(first) == _read(last) == expected, (first, last)


def _expected(own: dict[str, str], inner: dict[str, str]) -> list[tuple[str, dict[str, str]]]:
    return [("retry", own), ("yunet", inner)]


def _read(spec: str) -> list[tuple[str, dict[str, str]]]:
    return [(named.name, named.settings) for named in detectors._chain(spec)]


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("yunet:scroe=0.8", "unknown setting 'scroe'; did you mean 'score'"),
        ("retry:yunet:scroe=0.8", "yunet or retry: unknown setting 'scroe'; did you mean 'score'"),
        ("retry:yunet:step_dge=30", "did you mean 'step_deg'"),
        ("retry:yunet,long_side=1024", "retry: unknown setting 'long_side'"),
        ("retry:yunet:score=0.8,score=0.7", "score is given twice to yunet"),
        ("retry:yunet:score=high", "expected float, got 'high'"),
        ("retry:yunet,haar", "wraps one detector"),
        ("retry:yunet:haar", "wraps one detector"),
        ("retry:retry:yunet", "cannot wrap itself"),
        ("yunet:haar", "yunet wraps no other detector"),
        ("yunet,score=0.8", "settings follow a colon: yunet:score=0.8"),
        ("nowhere/at/all:score=0.5", "there is no folder nowhere/at/all; detectors here: centerface, haar"),
        (r"C:\runs\det:score=0.5", r"there is no folder C:\runs\det; detectors"),
        (r"retry:C:\runs\det", r"there is no folder C:\runs\det; detectors"),
    ],
)
def test_what_is_written_wrong_is_named(spec: str, words: str) -> None:
    """A misspelt, repeated or misplaced setting is refused with what was meant."""
    with pytest.raises(ConfigError) as caught:
        made(spec)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    "spec", ["yunett", "retry:yunett", "retry:base=yunett:score=0.8", "retry:step_deg=30,yunett"]
)
def test_a_misspelt_name_is_named(spec: str) -> None:
    """Wherever a name stands, the nearest one is suggested."""
    with pytest.raises(UnknownName, match="no detector named 'yunett'; did you mean 'yunet'"):
        made(spec)


@pytest.mark.parametrize(
    ("registry", "spec", "words"),
    [
        (detectors, "runs/localiser", "there is no folder runs/localiser; detectors here: "),
        (detectors, "runs/localiser:score=0.5", "finished training; did you mean 'runs/localizer'?"),
        (detectors, "retry:runs/localiser", "finished training; did you mean 'runs/localizer'?"),
        (detectors, "./yunet", "finished training; did you mean 'yunet'?"),
        (detectors, "elsewhere/det", "or the folder of a finished training"),
        (
            detectors,
            "photo.jpg",
            "photo.jpg is a file; `lineament models add` makes one",
        ),
        (detectors, "runs/localizer/model.onnx", "is a file; give the folder it lies in, runs/localizer;"),
        (embedders, "runs/emb", "there is no folder runs/emb; embedders here: combined, "),
        (attributes, "runs/localize", "finished training; did you mean 'runs/localizer'?"),
        (attributes, "runs/attr,age", "there is no folder runs/attr,age; attribute classifiers here: age"),
    ],
)
def test_a_folder_that_is_not_there_is_said_in_plain_words(
    registry: Registry[Any], spec: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is to be created: what was looked for, what is nearest to it, and what may be given."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "localizer").mkdir(parents=True)
    for file in ("photo.jpg", "runs/localizer/model.onnx", "runs/localizer/card.json"):
        (tmp_path / file).write_text("{}")
    with pytest.raises(ConfigError) as caught:
        registry.create(spec)
    assert words in str(caught.value)


FOLDERS = [
    "runs/det",
    r"C:\runs\det",
    r"D:\a b\det,v2",
    "runs/score=0.5",
    "runs/a:b",
    "./yunet",
    "/abs,x=1:y",
]


@pytest.mark.parametrize("folder", FOLDERS)
@pytest.mark.parametrize(
    ("outer", "inner", "own", "score"),
    [
        ("", "", {}, None),
        ("", ":score=0.5", {}, "0.5"),
        ("retry:", "", {}, None),
        ("retry:", ":score=0.5", {}, "0.5"),
        ("retry:base=", ":score=0.5,level=no", {"level": "no"}, "0.5"),
        ("retry:level=no,", ":score=0.5", {"level": "no"}, "0.5"),
        ("retry:", ",score=0.5", {"score": "0.5"}, None),
    ],
)
def test_run_folders_are_names(
    folder: str,
    outer: str,
    inner: str,
    own: dict[str, str],
    score: str | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A folder stands wherever a name may, whatever colons, commas, drives and spaces its path holds."""
    monkeypatch.chdir(tmp_path)
    path = str(tmp_path) + folder if folder.startswith("/") else folder
    Path(path).mkdir(parents=True)
    (Path(path) / "card.json").write_text(json.dumps({"job": "detection"}))
    expected: list[tuple[str, dict[str, str]]] = [("retry", own)] if outer else []
    expected.append(("yolo", {"model": path} | ({} if score is None else {"score": score})))
    assert _read(f"{outer}{path}{inner}") == expected


def test_a_folder_and_its_settings_are_handed_on(tmp_path: Path) -> None:
    """What a wrapper gets as its base is a spec that reads as the part it was written as."""

    @dataclasses.dataclass(frozen=True)
    class Settings:
        base: str = ""
        own: int = 0

    registry: Registry[Any] = Registry("detector", "lineament.detectors", {"detection": "run"})

    @dataclasses.dataclass(frozen=True)
    class Run:
        model: str = ""
        score: float = 0.0
        nms: float = 0.0

    registry.register("wrapper", Settings)(lambda config: config)
    registry.register("run", Run)(lambda config: config)
    folder = tmp_path / "a,b:c"
    folder.mkdir()
    (folder / "card.json").write_text(json.dumps({"job": "detection"}))
    config = registry.create(f"wrapper:{folder}:score=0.5,own=3,nms=0.4")
    assert config == Settings(f"{folder}:score=0.5,nms=0.4", 3)
    assert registry.create(config.base) == Run(str(folder), 0.5, 0.4)


def test_keyword_arguments_add_to_the_first() -> None:
    """Arguments set the outermost one; what the spec says comes first."""
    detector = detectors.create("retry:yunet:score=0.8", step_deg=20.0)
    assert (detector.config.step_deg, detector.base.config.score) == (20.0, 0.8)  # type: ignore[attr-defined]
