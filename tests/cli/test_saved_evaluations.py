"""``lineament evaluate fairness``, ``report``, ``compare`` and ``gate`` as commands."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from lineament.cli.main import app
from lineament.errors import OutputError, ProtocolMismatch
from lineament.evaluation.record import EvaluationRecord, anonymous

SAMPLES = Path(__file__).parents[2] / "samples"


def run(*words: object) -> Result:
    return CliRunner().invoke(app, ["evaluate", *map(str, words)])


def saved(path: Path, fnmr: float, data: str = "abc") -> Path:
    """A record of 100 people of four comparisons each."""
    people = {anonymous(f"p{i}"): (float(i < fnmr * 100), 4.0) for i in range(100)}
    half = {"low": max(0.0, fnmr / 4 - 0.02), "high": fnmr / 4 + 0.02, "n": 400}
    answer = {
        "fnmr_at_fmr": {"1e-3": {"value": fnmr / 4, **half}},
        "thresholds_chosen_on": "the thresholds were chosen on these very comparisons",
    }
    clusters = {"fnmr_at_fmr.1e-3": people}
    EvaluationRecord(
        "verification", "people", {"data": data}, {"embedder": "sface"}, answer, clusters
    ).save(path)
    return path


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of the six sample photos, three people; and a list of two pairs."""
    root = tmp_path_factory.mktemp("people")
    for path in SAMPLES.iterdir():
        if path.suffix != ".md":
            folder = root / path.name.split("_")[0]
            folder.mkdir(exist_ok=True)
            shutil.copy(path, folder)
    return root


PAIRS = """fold,image1,image2,same
1,obama/obama_2012_portrait.jpg,obama/obama_2010_white_house.jpg,1
1,obama/obama_2012_portrait.jpg,biden/biden_2013_portrait.jpg,0
"""


@pytest.mark.parametrize(
    "words", ["--all {people}", "--pairs {pairs} --images {people}", "--images {people}"]
)
def test_thresholds_chosen_on_the_data_they_judge_stand_in_red(
    people: Path, tmp_path: Path, words: str
) -> None:
    """All comparisons, listed pairs and searches: the page says so above the figures."""
    (tmp_path / "pairs.csv").write_text(PAIRS)
    kind = "identification" if words.startswith("--images") else "verification"
    given = words.format(people=people, pairs=tmp_path / "pairs.csv").split()
    result = run(kind, *given, "--save", tmp_path / "a.json")
    assert result.exit_code == 0, result.output
    page = tmp_path / "page.html"
    assert run("report", tmp_path / "a.json", "--out", page).exit_code == 0
    text = page.read_text()
    assert text.index('class="red"') < text.index("<th>figure")
    assert "chosen on these very" in text.split('class="red">')[1].split("</p>")[0]


@pytest.mark.parametrize(
    ("fnmr", "status", "said"), [(0.2, 0, "passed"), (0.1, 0, "passed"), (0.3, 1, "failed")]
)
def test_the_gate_ends_with_one_only_when_clearly_worse(
    tmp_path: Path, fnmr: float, status: int, said: str
) -> None:
    """The same, and better, pass with status 0; worse beyond the interval fails a build."""
    base, new = saved(tmp_path / "a.json", 0.2), saved(tmp_path / "b.json", fnmr)
    result = run("gate", base, new)
    assert result.exit_code == status, result.output
    assert said in result.stdout
    found = json.loads(run("gate", base, new, "--json", "-").stdout)
    assert (found["passed"], list(found["worse"])) == (not status, ["fnmr_at_fmr.1e-3"] * status)


def test_a_changed_protocol_ends_compare_and_gate(tmp_path: Path) -> None:
    """Other data: refused by name, whichever of the two commands, and no page is written."""
    base, other = saved(tmp_path / "a.json", 0.2), saved(tmp_path / "b.json", 0.2, data="other")
    page = tmp_path / "page.html"
    for words in (("compare", base, other, "--out", page), ("gate", base, other)):
        assert isinstance(run(*words).exception, ProtocolMismatch)
    assert not page.exists()


def test_compare_pairs_people_and_says_what_its_intervals_leave_out(tmp_path: Path) -> None:
    """The table is paired, its verdict stands on the page too, and fixed thresholds are told."""
    base, new = saved(tmp_path / "a.json", 0.2), saved(tmp_path / "b.json", 0.3)
    page = tmp_path / "page.html"
    result = run("compare", base, new, "--out", page)
    assert result.exit_code == 0, result.output
    assert "paired" in result.stdout and "worse" in result.stdout
    assert "not that of the thresholds" in result.stdout
    assert '<td class="worse">worse' in page.read_text()


def test_a_page_that_cannot_be_written_is_a_named_error(tmp_path: Path) -> None:
    """A folder that is a file: OutputError."""
    (tmp_path / "file").write_text("")
    record = saved(tmp_path / "a.json", 0.2)
    result = run("report", record, "--out", tmp_path / "file" / "page.html")
    assert isinstance(result.exception, OutputError)


def test_fairness_refuses_rates_of_groups_that_are_too_small(people: Path, tmp_path: Path) -> None:
    """Six sample photos in two groups: every rate says what it would take; no ratio; a page is drawn."""
    (tmp_path / "groups.csv").write_text("subject,side\nobama,left\nbiden,left\ncollins,right\n")
    words = ["fairness", people, "--by", "side", "--groups", tmp_path / "groups.csv"]
    result = run(*words, "--save", tmp_path / "f.json", "--json", tmp_path / "answer.json")
    assert result.exit_code == 0, result.output
    found = json.loads((tmp_path / "answer.json").read_text())
    assert {name: group["subjects"] for name, group in found["groups"].items()} == {"left": 2, "right": 1}
    for group in found["groups"].values():
        assert group["fmr"] is None and group["fnmr"] is None
        assert set(group["unsupported"]) == {"fmr", "fnmr"}
    assert found["fmr_worst_over_best"] is None
    assert "no ratio, fewer than two groups are large enough" in result.stdout
    assert "obama" not in (tmp_path / "f.json").read_text()
    page = tmp_path / "page.html"
    assert run("report", tmp_path / "f.json", "--out", page).exit_code == 0
    assert "<tr><th>groups.left.subjects" in page.read_text()
