"""What follows on cleaning: named once, for the terminal, the page and the commands before."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lineament.cli.main import app
from lineament.datasets.cleaning.proposals import save
from lineament.datasets.next_steps import NextSteps, of_manifest, spoken
from lineament.io.manifest import Manifest

SAMPLES = Path(__file__).parents[2] / "samples"
PHOTOS = {"Ann": "obama_2012_portrait.jpg", "Bo": "biden_2013_portrait.jpg"}


@pytest.fixture
def people(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder a person, and no server: a page that is opened all the same fails the test."""

    def unwanted(*_: object, **__: object) -> None:
        raise AssertionError("a page was opened")

    served = pytest.importorskip("lineament.service.review", reason="not installed: lineament[serve]")
    monkeypatch.setattr(served, "serve", unwanted)
    monkeypatch.chdir(tmp_path)
    for name, photo in PHOTOS.items():
        Path("people", name).mkdir(parents=True)
        shutil.copy(SAMPLES / photo, Path("people", name))
    return Path("people")


def next_of(output: str) -> list[str]:
    """The commands that an output ends with."""
    found = [line for line in output.splitlines() if line.startswith(("next: ", "then: "))]
    assert found == output.splitlines()[-len(found) :], "they stand last"
    assert [line[:4] for line in found] == ["next", *["then"] * (len(found) - 1)]
    return [line[6:] for line in found]


def said(*words: str, status: int = 0) -> str:
    done = CliRunner().invoke(app, ["dataset", *words])
    assert done.exit_code == status, (done.output, done.exception)
    return done.output


@pytest.mark.parametrize(
    ("left", "remove", "move", "expected"),
    [
        (0, 0, 0, ["split d 70/20/10"]),
        (3, 0, 0, ["review d", "review d --apply r.jsonl", "split r.jsonl 70/20/10"]),
        (0, 1, 0, ["review d --apply r.jsonl", "split r.jsonl 70/20/10"]),
        (0, 0, 2, ["review d --apply r.jsonl", "split r.jsonl 70/20/10"]),
        (1, 1, 1, ["review d", "review d --apply r.jsonl", "split r.jsonl 70/20/10"]),
    ],
)
def test_the_steps_are_those_that_are_left(left: int, remove: int, move: int, expected: list[str]) -> None:
    """To decide what is left, to apply what is decided, to split what then is: none that does nothing."""
    steps = NextSteps(Path("d")).after({"left": left, "remove": remove, "move": move})
    assert steps == [f"lineament dataset {one.replace('r.jsonl', 'reviewed.jsonl')}" for one in expected]


def test_names_are_quoted_and_no_manifest_is_written_over(tmp_path: Path) -> None:
    """A command can be pasted whatever a folder is called, and names another file than it reads."""
    folder = tmp_path / "our album"
    folder.mkdir()
    steps = NextSteps(folder, tmp_path / "p q.jsonl")
    assert steps.review == f"lineament dataset review '{folder}' --proposals '{tmp_path / 'p q.jsonl'}'"
    assert NextSteps(folder / "reviewed.jsonl").reviewed == folder / "reviewed-again.jsonl"
    assert of_manifest(folder / "manifest.jsonl").review.endswith(f"'{folder}'")
    assert of_manifest(folder / "split.jsonl").review.endswith("split.jsonl'")
    assert spoken([]) == []


def test_clean_leads_to_the_review_and_on(people: Path) -> None:
    """Without a file of proposals the next command writes one; review goes on with what clean named."""
    shutil.copy(SAMPLES / PHOTOS["Ann"], people / "Bo")
    first = next_of(said("clean", "people", "--check", "duplicates"))
    assert first[0] == "lineament dataset clean people --out people/proposals.jsonl"
    written = next_of(said("clean", "people", "--check", "duplicates", "--out", "people/proposals.jsonl"))
    assert written == first[1:]
    assert next_of(said("review", "people", "--auto", "1")) == written
    assert next_of(said("duplicates", "people"))[0].startswith("lineament dataset duplicates people --out")
    applied = said("review", "people", "--apply", "people/reviewed.jsonl")
    assert next_of(applied) == written[-1:]
    elsewhere = next_of(said("clean", "people", "--check", "duplicates", "--out", "elsewhere.jsonl"))
    assert elsewhere[0] == "lineament dataset review people --proposals elsewhere.jsonl"


def test_no_page_is_opened_for_nothing(people: Path) -> None:
    """Nothing proposed, everything decided, or nothing cleaned yet: each is said, with the next command,
    and ends with status 0."""
    never = said("review", "people")
    assert "nothing is proposed yet: there is no people/proposals.jsonl" in never
    assert next_of(never) == ["lineament dataset clean people --out people/proposals.jsonl"]
    cleaned = said("clean", "people", "--check", "duplicates", "--out", "people/proposals.jsonl")
    assert next_of(cleaned) == ["lineament dataset split people 70/20/10"]
    nothing = said("review", "people")
    assert "nothing is left to decide: nothing is proposed" in nothing
    assert next_of(nothing) == ["lineament dataset split people 70/20/10"]
    save(Path("people/proposals.jsonl"), [])
    assert "nothing is proposed;" in said("review", "people", "--proposals", "people/proposals.jsonl")
    looked = CliRunner().invoke(app, ["dataset", "review", "people", "--look"])
    assert isinstance(looked.exception, AssertionError), "--look opens it all the same"


def test_enrolling_names_the_same_review(people: Path, tmp_path: Path) -> None:
    """The warning of undecided proposals names the manifest that was given."""
    shutil.copy(SAMPLES / PHOTOS["Ann"], people / "Bo")
    said("import", "people")
    said("clean", "people", "--check", "duplicates", "--out", "people/proposals.jsonl")
    manifest = Manifest.load(people / "manifest.jsonl")
    manifest.save(people / "again.jsonl")
    for path, named in (("people", "people"), ("people/again.jsonl", "people/again.jsonl")):
        done = CliRunner().invoke(
            app, ["gallery", "enrol", path, "--gallery", f"sqlite:{tmp_path / 'g.db'}"]
        )
        assert f"as they are: lineament dataset review {named}\n" in done.output
