"""Implementations that other packages bring."""

from __future__ import annotations

from pathlib import Path

import pytest

from lineament.errors import UnknownName
from lineament.registry import detectors

CODE = """
from dataclasses import dataclass
from lineament.registry import detectors

@dataclass(frozen=True)
class Config:
    score: float = 0.5

@detectors.register("{name}", Config)
class Brought:
    def __init__(self, config):
        self.score = config.score
"""


@pytest.mark.parametrize("name", ["brought", "made-by-them", "x2"])
def test_a_package_brings_a_detector_by_an_entry_point(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A package that is on the path names its class in its metadata; before that the name is unknown."""
    with pytest.raises(UnknownName, match=name):
        detectors.create(name)
    module = f"plugin_{name.replace('-', '_')}"
    (tmp_path / f"{module}.py").write_text(CODE.format(name=name))
    about = tmp_path / f"{module}-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(f"[lineament.detectors]\n{name} = {module}:Brought\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(detectors, "_factories", dict(detectors._factories))
    assert name in detectors.names()
    assert detectors.create(f"{name}:score=0.25").score == 0.25  # type: ignore[attr-defined]
