"""``lineament evaluate``: the promised JSON keys, tables that respect the rule of 30, exit status."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lineament.cli.evaluate import app
from lineament.errors import ConfigError, UsageError

SAMPLES = Path(__file__).parents[2] / "samples"
PAIRS = """fold,image1,image2,same
1,obama_2012_portrait.jpg,obama_2010_white_house.jpg,1
1,obama_2012_portrait.jpg,biden_2013_portrait.jpg,0
2,biden_2013_portrait.jpg,biden_2010_white_house.jpg,1
2,obama_2010_white_house.jpg,{last},0
"""


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    path = tmp_path / "pairs.csv"
    path.write_text(PAIRS.format(last="collins_nasa.png"))
    return path


@pytest.fixture
def people(tmp_path: Path) -> Path:
    root = tmp_path / "people"
    for path in SAMPLES.iterdir():
        if path.suffix != ".md":
            (root / path.name.split("_")[0]).mkdir(parents=True, exist_ok=True)
            shutil.copy(path, root / path.name.split("_")[0] / path.name)
    return root


def test_verification_writes_one_json_object_with_the_promised_keys(pairs: Path) -> None:
    """With --json - stdout carries JSON and nothing else."""
    run = CliRunner().invoke(
        app, ["verification", "--pairs", str(pairs), "--images", str(SAMPLES), "--json", "-"]
    )
    assert run.exit_code == 0, run.output
    (line,) = run.stdout.splitlines()
    found = json.loads(line)
    keys = {"pairs", "failures_to_acquire", "accuracy", "accuracy_se", "auc", "eer", "fnmr_at_fmr"}
    assert keys <= set(found)
    assert set(found["fnmr_at_fmr"]) == {"1e-2", "1e-3"}
    assert (found["pairs"], found["failures_to_acquire"]) == (4, 0)
    assert found["accuracy"] == {"value": 1.0, "low": pytest.approx(0.158, abs=1e-3), "high": 1.0, "n": 4}
    assert (found["detector"], found["precision"]) == ("yunet", "balanced")


def test_the_table_says_what_the_pairs_cannot_carry(pairs: Path) -> None:
    """Two non-mated pairs support no rate: the table says what would."""
    run = CliRunner().invoke(app, ["verification", "--pairs", str(pairs), "--images", str(SAMPLES)])
    assert run.exit_code == 0, run.output
    assert "needs 3,000 non-mated comparisons, you have 2" in run.stdout
    assert "accuracy 1.0000" in run.stdout


def test_figures_are_written_where_asked(pairs: Path, tmp_path: Path) -> None:
    """Three PNG files, in a folder made for them."""
    folder = tmp_path / "new" / "figures"
    command = ["verification", "--pairs", str(pairs), "--images", str(SAMPLES), "--plots", str(folder)]
    assert CliRunner().invoke(app, command).exit_code == 0
    assert sorted(p.name for p in folder.iterdir()) == ["det.png", "roc.png", "scores.png"]


@pytest.mark.parametrize(("strict", "status"), [(False, 0), (True, 1)])
def test_a_refused_picture_is_named_and_fails_only_when_strict(
    tmp_path: Path, strict: bool, status: int
) -> None:
    """A missing picture is printed and counted; --strict turns it into status 1."""
    listing = tmp_path / "pairs.csv"
    listing.write_text(PAIRS.format(last="gone.jpg"))
    command = ["verification", "--pairs", str(listing), "--images", str(SAMPLES)]
    run = CliRunner().invoke(app, command + ["--strict"] * strict)
    assert run.exit_code == status
    assert "gone.jpg: PictureNotFound" in run.stdout
    assert "1 failure to acquire in 1 pair" in run.stdout


def test_identification_gives_the_promised_keys_and_repeats_itself(people: Path) -> None:
    """Same folder and seed, same answer."""
    command = ["identification", "--images", str(people), "--hold-back", "0.3", "--json", "-"]
    first, second = (CliRunner().invoke(app, command) for _ in range(2))
    assert first.exit_code == 0, first.output
    assert first.stdout == second.stdout
    found = json.loads(first.stdout)
    keys = {"enrolled", "mated_probes", "non_mated_probes", "rank1", "fnir_at_fpir", "threshold"}
    assert keys <= set(found)
    assert found["rank1"]["value"] == 1.0
    assert found["enrolled"] + found["mated_probes"] + found["non_mated_probes"] == 6


def test_wrong_usage_has_a_name(tmp_path: Path, pairs: Path, people: Path) -> None:
    """A pairs file that is none, a folder that is none, a share out of range: UsageError, status 2."""
    bad = tmp_path / "bad.txt"
    bad.write_text("hello\n")
    for command, kind in (
        (["verification", "--pairs", str(bad), "--images", str(SAMPLES)], ConfigError),
        (["verification", "--pairs", str(pairs), "--images", str(tmp_path / "no")], UsageError),
        (["identification", "--images", str(tmp_path / "no")], UsageError),
        (["identification", "--images", str(people), "--hold-back", "2.5"], ConfigError),
    ):
        run = CliRunner().invoke(app, command)
        assert isinstance(run.exception, kind), command


def test_exit_status_of_wrong_usage_is_two(tmp_path: Path) -> None:
    """The installed command ends with one line on stderr and status 2."""
    command = ["evaluate", "verification", "--pairs", str(tmp_path / "none"), "--images", str(tmp_path)]
    run = subprocess.run(
        [sys.executable, "-m", "lineament", *command], capture_output=True, text=True, check=False
    )
    assert run.returncode == 2
    assert run.stderr.startswith("ConfigError: cannot read the pairs file")
    assert len(run.stderr.splitlines()) == 1


def test_all_comparisons_print_what_the_data_support(people: Path, tmp_path: Path) -> None:
    """--all writes the promised keys; six pictures support no rate, and each says what it needs."""
    out = tmp_path / "found.json"
    command = ["verification", "--all", str(people), "--flip", "--json", str(out)]
    run = CliRunner().invoke(app, [*command, "--plots", str(tmp_path / "plots"), "--workers", "1"])
    assert run.exit_code == 0, run.output
    assert "FMR 0.1 needs 300 non-mated comparisons, you have" in run.stdout
    assert "thresholds were chosen on these very comparisons" in run.stdout
    found = json.loads(out.read_text())
    assert found["fnmr_at_fmr"] == {}
    assert list(found["unsupported"]) == ["1e-1", "1e-2", "1e-3", "1e-4", "1e-5", "1e-6"]
    assert set(found["eer"]) == {"value", "low", "high", "n"}
    assert found["system"].startswith("sum of the embeddings of a face and its mirror image")
    assert found["model"].startswith("light+mirror@")
    assert sorted(p.name for p in (tmp_path / "plots").iterdir()) == ["det.png", "roc.png", "scores.png"]


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--pairs", "p.csv"],
        ["--pairs", "p.csv", "--images", ".", "--all", "."],
        ["--all", ".", "--images", "."],
        ["--all", ".", "--templates", "t.csv"],
        ["--pairs", "p.csv", "--images", ".", "--split", "test"],
    ],
)
def test_verification_wants_pairs_or_a_folder(options: list[str]) -> None:
    """Neither, both, or options of the other one."""
    assert isinstance(CliRunner().invoke(app, ["verification", *options]).exception, UsageError)
