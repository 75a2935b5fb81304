"""Nothing is imported for the first time by a thread, whichever command it works for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
STARTS = 50

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="cold starts are forked here"),
]


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two people in small photos of every format that is read without an extra, and damaged ones."""
    root = tmp_path_factory.mktemp("cold") / "people"
    formats = {
        "obama_2012_portrait.jpg": ("jpg", "png", "tif"),
        "biden_2013_portrait.jpg": ("webp", "gif", "bmp"),
    }
    for name, suffixes in formats.items():
        with PillowImage.open(SAMPLES / name) as picture:
            small = picture.convert("RGB")
        small.thumbnail((260, 260))
        folder = root / name.partition("_")[0]
        folder.mkdir(parents=True)
        for number, suffix in enumerate(suffixes):
            turned = PillowImage.fromarray(np.roll(np.asarray(small), number, axis=1))
            turned.save(folder / f"{number}.{suffix}")
    return root


def test_fifty_cold_starts(people: Path, tmp_path: Path) -> None:
    """Python's own event for imports is heard in no thread, and every command ends well.

    Half made modules showed themselves in four of six runs of `analyze --detector haar`.
    """
    gallery = f"sqlite:{tmp_path / 'people.db'}"
    commands: list[list[str]] = [
        [
            "analyze",
            str(people),
            "--detector",
            "yunet",
            "--workers",
            "4",
            "--draw",
            str(tmp_path / "drawn"),
        ],
        ["analyze", str(people), "--detector", "retry:haar", "--age", "--gender", "--workers", "4"],
        ["detect", str(people), "--detector", "centerface", "--workers", "4"],
        ["gallery", "enrol", str(people), "--gallery", gallery, "--workers", "4"],
        ["gallery", "identify", str(people), "--gallery", gallery, "--workers", "4"],
        [
            "dataset",
            "extract",
            str(people),
            str(tmp_path / "crops"),
            "--detector",
            "haar",
            "--workers",
            "4",
        ],
        ["dataset", "clean", str(people), "--workers", "4"],
        ["dataset", "split", str(people), "train=100", "--out", str(people / "split.jsonl")],
        ["evaluate", "verification", "--all", str(people), "--workers", "4"],
    ]
    again = ["detect", str(people), "--detector", "haar", "--workers", "4"]
    commands += [again] * (STARTS - len(commands))
    (tmp_path / "commands.json").write_text(json.dumps(commands))
    script = Path(__file__).with_name("cold_workers.py")
    run = subprocess.run(
        [sys.executable, str(script), str(tmp_path / "commands.json")],
        capture_output=True,
        text=True,
        check=True,
    )
    answers = [json.loads(line) for line in run.stdout.splitlines()]
    assert len(answers) == STARTS
    for command, answer in zip(commands, answers, strict=True):
        assert answer["imports"] == [], command
        assert "No module named" not in answer["said"] and "Traceback" not in answer["said"], answer["said"]
        assert answer["code"] == 0, (command, answer["said"])
