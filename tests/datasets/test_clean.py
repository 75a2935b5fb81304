"""Cleaning: who is wrong is found however many are, what cannot be judged is said, nothing is changed."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from sample_people import beside, empty, people, photo, varied
from typer.testing import CliRunner

from lineament.cli.main import app
from lineament.datasets.belonging.identity import Identities, judge
from lineament.datasets.cleaning import proposals
from lineament.datasets.cleaning.clean import Cleaning, CleanSettings, clean
from lineament.datasets.cleaning.proposals import Proposal
from lineament.datasets.opening import open_dataset
from lineament.errors import ConfigError, ManifestError, UsageError
from lineament.io import catalog, images
from lineament.io.journal import Journal
from lineament.types import Float32

MODEL = catalog.card("sface").model_id


class Cast:
    """Made-up people whose photos are as alike as those of real ones: cosine about 0.65 within a person."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.faces: dict[str, Float32] = {}

    def photo(self, person: str, spread: float = 0.73) -> Float32:
        """One face ``(1, 128)``."""
        if person not in self.faces:
            self.faces[person] = self._unit(self.rng.normal(size=128))
        noise = self._unit(self.rng.normal(size=128))
        return self._unit(self.faces[person] + spread * noise)[None]

    def photos(self, person: str, count: int) -> list[Float32]:
        return [self.photo(person) for _ in range(count)]

    @staticmethod
    def _unit(vector: Float32) -> Float32:
        return np.asarray(vector / np.linalg.norm(vector), np.float32)


def accused(found: Identities, subject: str) -> list[int]:
    (judged,) = (j for j in found.judgements if j.subject == subject)
    return [i for i, verdict in enumerate(judged.verdicts) if verdict is not None and verdict.wrong >= 0.5]


@pytest.mark.parametrize("wrong", [1, 4, 8])
@pytest.mark.parametrize("who", ["one person", "strangers"])
def test_wrong_faces_are_found_whatever_their_share(wrong: int, who: str) -> None:
    """With 12 right photos, 1, 4 or 8 wrong ones are exactly those accused, strangers or all one person."""
    cast = Cast(wrong)
    folder = cast.photos("Ann", 12)
    places = cast.rng.choice(12 + wrong, wrong, replace=False)
    for place in sorted(places):
        folder.insert(place, cast.photo("Bob" if who == "one person" else f"stranger {place}"))
    found = judge({"Ann": folder, "Cy": cast.photos("Cy", 5)}, MODEL)
    assert accused(found, "Ann") == sorted(places.tolist())
    assert accused(found, "Cy") == []


def test_a_lookalike_does_not_bridge_two_people() -> None:
    """Faces that look like both do not merge a minority of another person into the consensus."""
    cast = Cast(3)
    cast.photo("Ann"), cast.photo("Bob")
    cast.faces["Bob"] = cast._unit(cast.faces["Bob"] + 0.35 * cast.faces["Ann"])
    cast.faces["both"] = cast._unit(cast.faces["Bob"] + cast.faces["Ann"])
    folder = cast.photos("Ann", 12) + cast.photos("Bob", 7) + cast.photos("both", 1)
    found = judge({"Ann": folder}, MODEL)
    assert set(accused(found, "Ann")) - {19} == set(range(12, 19))


def test_a_wrong_face_is_sent_to_the_folder_it_matches() -> None:
    """A photo filed under somebody else is told whose folder it looks like; a stranger's is not."""
    cast = Cast(1)
    folders = {"Ann": cast.photos("Ann", 6), "Bob": cast.photos("Bob", 6)}
    folders["Ann"] += [cast.photo("Bob"), cast.photo("stranger")]
    judged = judge(folders, MODEL).judgements[0]
    assert [v.looks_like for v in judged.verdicts if v is not None][-2:] == ["Bob", None]


def test_one_person_under_two_names_is_told() -> None:
    """Two folders whose consensus matches are one person's, whoever is right about the name."""
    cast = Cast(2)
    folders = {"Ann": cast.photos("Ann", 5), "Bob": cast.photos("Bob", 5), "A.": cast.photos("Ann", 4)}
    ((first, second, similarity),) = judge(folders, MODEL).same_person
    assert (first, second) == ("Ann", "A.") and similarity > 0.7


def test_what_cannot_be_judged_is_said() -> None:
    """One photo, two that differ, a folder of strangers and one split evenly are judged by nobody."""
    cast = Cast(4)
    folders = {
        "one": cast.photos("one", 1),
        "two": cast.photos("a", 1) + cast.photos("b", 1),
        "two alike": cast.photos("c", 2),
        "strangers": [cast.photo(f"s{i}") for i in range(6)],
        "even": cast.photos("d", 5) + cast.photos("e", 5),
        "faceless": [np.zeros((0, 128), np.float32)] * 3,
    }
    found = judge(folders, MODEL)
    reasons = {j.subject: j.unjudged for j in found.judgements}
    assert "nothing to compare" in reasons["one"] and "nothing to compare" in reasons["faceless"]
    assert reasons["two"] == reasons["strangers"] == "no two photos agree"
    assert reasons["even"] == "5 photos agree on one person and 5 on another"
    assert reasons["two alike"] == ""
    assert all(accused(found, name) == [] for name in folders)


def test_any_face_of_a_group_may_be_the_subject() -> None:
    """A group photo is right when one of its faces is, wherever that stands in the list."""
    cast = Cast(5)
    group = np.concatenate([cast.photo("x"), cast.photo("Ann"), cast.photo("y")])
    assert accused(judge({"Ann": [*cast.photos("Ann", 5), group]}, MODEL), "Ann") == []


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample people, with one of Biden's among Obama's, a copy, and a face of few pixels."""
    folder = people(tmp_path_factory.mktemp("mixed"))
    images.save(folder / "Obama" / "stray.jpg", varied(photo("biden_2013_portrait"), 1))
    (folder / "Biden" / "copy.jpg").write_bytes((folder / "Biden" / "a.jpg").read_bytes())
    tiny = np.full((120, 120, 3), 90, np.uint8)
    tiny[40:80, 40:70] = photo("collins_nasa", 160)[10:50, 50:80]
    images.save(folder / "Collins" / "tiny.png", tiny)
    return folder


@pytest.fixture(scope="module")
def cleaned(mixed: Path) -> Cleaning:
    before = {p: p.read_bytes() for p in mixed.rglob("*") if p.is_file()}
    done = clean(open_dataset(mixed), workers=2)
    assert {p: p.read_bytes() for p in mixed.rglob("*") if p.is_file()} == before
    return done


def by_path(done: Cleaning) -> Mapping[str, Proposal]:
    return {proposal.path: proposal for proposal in done.proposals}


def test_each_fault_is_proposed_with_its_reason(cleaned: Cleaning) -> None:
    """A stray, a copy, a picture without a face and a broken file each end in their own proposal."""
    found = by_path(cleaned)
    stray = found["Obama/stray.jpg"]
    # It need not be moved where it is already.
    assert (stray.action, stray.reason, stray.of) == ("remove", "near duplicate", "Biden/a.jpg")
    copy = found["Biden/copy.jpg"]
    assert (copy.action, copy.reason, copy.of, copy.score) == (
        "remove",
        "exact duplicate",
        "Biden/a.jpg",
        1,
    )
    assert (found["Collins/none.jpg"].action, found["Collins/none.jpg"].reason) == ("remove", "not a face")
    assert (found["Biden/broken.jpg"].action, found["Biden/broken.jpg"].reason) == ("review", "refused")
    # The group was made with this very photo, as a cut-out has its original.
    assert (found["Obama/a.jpg"].reason, found["Obama/a.jpg"].of) == ("near duplicate", "Obama/group.jpg")
    assert set(found) - {"Collins/tiny.png"} == {
        "Obama/stray.jpg", "Obama/a.jpg", "Biden/copy.jpg", "Collins/none.jpg", "Biden/broken.jpg",
    }  # fmt: skip
    assert (cleaned.refused, cleaned.without_face) == (1, 1)


def test_a_stray_is_moved_to_its_folder(mixed: Path) -> None:
    """Without a copy there, a wrong picture is to be moved to the folder whose person it shows."""
    done = clean(open_dataset(mixed), CleanSettings(checks=("identity",)), workers=2)
    stray = by_path(done)["Obama/stray.jpg"]
    assert (stray.action, stray.reason, stray.to) == ("move", "wrong person", "Biden")
    assert stray.score > 0.9


def test_copies_have_one_vote(tmp_path: Path) -> None:
    """A wrong picture that is there four times does not outvote three right ones."""
    (tmp_path / "Obama").mkdir()
    for number, name in enumerate(("obama_2012_portrait", "obama_2009_congress", "obama_2010_white_house")):
        images.save(tmp_path / "Obama" / f"{number}.jpg", photo(name))
    for number in range(4):
        images.save(
            tmp_path / "Obama" / f"wrong-{number}.jpg", photo("biden_2013_portrait"), quality=80 + number
        )
    done = clean(open_dataset(tmp_path), CleanSettings(checks=("identity", "duplicates")), workers=2)
    assert {p.path for p in done.proposals if p.reason == "wrong person"} == {
        f"Obama/wrong-{number}.jpg" for number in range(4)
    }


def test_proposals_survive_their_file(cleaned: Cleaning, tmp_path: Path) -> None:
    """A file of proposals gives back what was saved; a line that is wrong is named."""
    file = tmp_path / "proposals.jsonl"
    proposals.save(file, reversed(cleaned.proposals))
    assert proposals.load(file) == list(cleaned.proposals)
    file.write_text(file.read_text() + '{"path": "x", "surprise": 1}\n')
    with pytest.raises(ManifestError, match=f"line {len(cleaned.proposals) + 1}: .*surprise"):
        proposals.load(file)
    with pytest.raises(ManifestError, match="moves it to nobody"):
        Proposal("x", "a", "move", "wrong person", 1.0)


def test_an_interrupted_run_goes_on(mixed: Path, cleaned: Cleaning, tmp_path: Path) -> None:
    """With a journal no picture is looked at twice, the result is the same, and the journal goes."""

    class Stop(Exception):
        pass

    def stop(count: int) -> None:
        nonlocal seen
        seen += count
        if seen == 6:
            raise Stop

    seen, journal = 0, tmp_path / "journal"
    manifest = open_dataset(mixed)
    with pytest.raises(Stop):
        clean(manifest, workers=1, advance=stop, journal=journal)
    with Journal(journal) as log:
        assert len(log.done) == 1 + 6
    with pytest.raises(UsageError, match="other settings"):
        clean(manifest, CleanSettings(detector="yunet"), journal=journal)
    counts: list[int] = []
    done = clean(manifest, workers=1, advance=counts.append, journal=journal)
    assert counts[0] == 6 and done == cleaned
    assert not journal.exists()


def test_a_crops_box_says_whose_face_counts(tmp_path: Path) -> None:
    """A row with a box speaks of that face: its neighbour in the picture neither saves nor damns it."""
    (tmp_path / "Obama").mkdir()
    for number, name in enumerate(("obama_2012_portrait", "obama_2009_congress", "obama_2010_white_house")):
        images.save(tmp_path / "Obama" / f"{number}.jpg", photo(name, 500))
    pair = beside(photo("biden_2013_portrait"), photo("obama_2012_portrait"))
    images.save(tmp_path / "Obama" / "pair.jpg", pair)
    manifest = open_dataset(tmp_path)
    settings = CleanSettings(checks=("identity",))
    assert clean(manifest, settings).proposals == ()
    biden = (140.0, 40.0, 310.0, 280.0)  # a person's box: a little more than the detector's

    rows = [dataclasses.replace(r, box=biden) if r.path.endswith("pair.jpg") else r for r in manifest]
    boxed = dataclasses.replace(manifest, rows=tuple(rows))
    (found,) = clean(boxed, settings).proposals
    assert (found.path, found.reason, found.action) == ("Obama/pair.jpg", "wrong person", "remove")


def test_the_command_writes_one_proposal_a_line(mixed: Path, cleaned: Cleaning, tmp_path: Path) -> None:
    """`--json` and `--out` hold the library's proposals, one a line; checks can be chosen by name."""
    out = tmp_path / "proposals.jsonl"
    answer = CliRunner().invoke(app, ["dataset", "clean", str(mixed), "--json", "-", "--out", str(out)])
    assert answer.exit_code == 0
    lines = [json.loads(line) for line in answer.stdout.splitlines()]
    assert lines == [proposal.to_json() for proposal in cleaned.proposals]
    assert proposals.load(out) == list(cleaned.proposals)
    assert {"path", "subject", "action", "reason", "score", "to"} <= set(lines[0])
    with pytest.raises(ConfigError, match="did you mean 'identity'"):
        CleanSettings(checks=("identty",))


def test_settings_that_do_nothing_are_refused() -> None:
    """A cleaning without a check, or with a quality beyond its range, is a mistake."""
    with pytest.raises(ConfigError, match="no check"):
        CleanSettings(checks=())
    with pytest.raises(ConfigError, match="min_quality"):
        CleanSettings(min_quality=2)


def test_empty_pictures_have_no_face() -> None:
    """The picture these tests use for 'no face' has none for the default detector either."""
    from lineament import registry
    from lineament.types import Image

    assert len(registry.detectors.create(CleanSettings().detector).detect([Image(empty())])[0]) == 0
