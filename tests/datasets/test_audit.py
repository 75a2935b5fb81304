"""The audit finds what leaks, stays silent on what does not, and shows the price of a leaky order."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from lineament.cli import main as cli
from lineament.datasets.audit.figures import histogram, origins
from lineament.datasets.audit.flattery import compare
from lineament.datasets.audit.leaks import find_leaks
from lineament.datasets.audit.page import render
from lineament.datasets.audit.run import Audit, audit
from lineament.datasets.cleaning.linking import linked
from lineament.datasets.opening import open_dataset
from lineament.io import images
from lineament.io.manifest import Manifest, ManifestRow, Provenance
from lineament.types import UInt8
from page_tags import Tags

SAMPLES = Path(__file__).parents[2] / "samples"


def row(name: str, split: str | None, **more: object) -> ManifestRow:
    digest = hashlib.sha256(name.encode()).hexdigest()
    return ManifestRow(**{"id": name, "path": f"{name}.jpg", "sha256": digest, "split": split} | more)  # type: ignore[arg-type]


def kinds(*rows: ManifestRow, groups: list[set[str]] | None = None, **more: bool) -> list[str]:
    return [leak.kind for leak in find_leaks(Manifest(rows), groups or [], **more)]


def test_a_clean_split_has_no_leak() -> None:
    """Linked rows of one split, rows without a split and shared subjects in a closed set are no leak."""
    rows = (
        row("a", "train", subject="x"),
        row("b", "train", parent="a", step="augment", subject="x"),
        row("c", "test", subject="x"),
        row("d", None, sha256=row("c", None).sha256),
        row("e", "test", parent="photo"),
        row("f", "test", parent="photo"),
    )
    assert kinds(*rows, groups=[{"a", "b"}, {"c", "d"}]) == []


def test_each_kind_of_leak_is_found_once() -> None:
    """Every kind is told under its own name, with the rows and splits concerned, and only once."""
    same = row("a", "train").sha256
    assert kinds(row("a", "train"), row("b", "test", sha256=same), groups=[{"a", "b"}]) == ["identical"]
    assert kinds(row("a", "train"), row("b", "val"), groups=[{"a", "b"}]) == ["near_duplicate"]
    crops = (row("a", "train", parent="p"), row("b", "test", parent="p"))
    assert kinds(*crops, groups=[{"a", "b"}]) == ["same_photo"]
    assert kinds(*crops, row("p", None)) == ["same_photo"]
    copy = row("c", "test", parent="a", step="augment")
    assert kinds(row("a", "train"), copy, groups=[{"a", "c"}]) == ["augmented"]
    assert kinds(
        row("c", "test", parent="a", step="augment"), row("d", "train", parent="a", step="augment")
    ) == ["augmented"]
    [leak] = find_leaks(Manifest((row("a", "train"), copy)))
    assert (leak.rows, leak.splits) == (("a", "c"), ("test", "train"))
    assert "a.jpg" in leak.detail and "c.jpg" in leak.detail


def test_a_crop_of_a_crop_leaks_through_the_photo() -> None:
    """Descent is followed to the first ancestor, even through rows that have no split."""
    photo, face = row("p", None), row("f", None, parent="p")
    assert kinds(photo, face, row("a", "train", parent="f"), row("b", "test", parent="p")) == ["same_photo"]


def test_a_subject_in_two_splits_leaks_only_where_they_are_apart() -> None:
    """Asked for, or read from how the manifest was split; and it can be overruled."""
    rows = (row("a", "train", subject="x"), row("b", "test", subject="x"))
    assert kinds(*rows) == []
    assert kinds(*rows, subjects_apart=True) == ["subject"]
    by_subject = Manifest(rows, ({"step": "split", "by": "subject"},))
    assert [leak.kind for leak in find_leaks(by_subject)] == ["subject"]
    assert find_leaks(by_subject, subjects_apart=False) == ()


def textured(seed: int) -> UInt8:
    noise = np.random.default_rng(seed).integers(0, 256, (12, 12, 3), np.uint8)
    return np.asarray(cv2.resize(noise, (96, 96), interpolation=cv2.INTER_CUBIC), np.uint8)


def test_near_duplicates_are_linked(tmp_path: Path) -> None:
    """Resized, mirrored and recompressed copies are linked to their picture, other pictures to none."""
    rows = []

    def add(name: str, pixels: UInt8) -> None:
        images.save(tmp_path / f"{name}.png", pixels)
        rows.append(row(name, None, path=f"{name}.png"))

    for seed in range(12):
        add(f"plain {seed}", textured(seed))
    add("small", np.asarray(cv2.resize(textured(0), (60, 60), interpolation=cv2.INTER_AREA), np.uint8))
    add("mirrored", np.ascontiguousarray(textured(1)[:, ::-1]))
    (tmp_path / "squeezed.jpg").write_bytes(images.encode_jpeg(textured(2), quality=40))
    rows.append(row("squeezed", None, outcome="no_face"))  # two empty pictures may be one, too
    (tmp_path / "broken.jpg").write_bytes(b"nothing")
    rows.append(row("broken", None))
    rows.append(row("copy", None, path="plain 3.png", parent="plain 3", step="augment"))
    found = linked(Manifest(tuple(rows), folder=tmp_path), workers=1)
    assert sorted(map(sorted, found)) == [
        ["mirrored", "plain 1"],
        ["plain 0", "small"],
        ["plain 2", "squeezed"],
    ]


def test_noise_labels_show_the_flattery() -> None:
    """On labels that mean nothing the leaky order scores near 100 %, the right one at chance."""
    rng = np.random.default_rng(0)
    base = rng.standard_normal((100, 1, 64))
    features = base + 0.05 * rng.standard_normal((100, 10, 64))
    features /= np.linalg.norm(features, axis=2, keepdims=True)
    result = compare(features.astype(np.float32), [f"s{i % 5}" for i in range(100)])
    assert result.noise.leaky.value > 0.99
    assert result.noise.honest.low <= 0.1 <= result.noise.honest.high and result.noise.chance == 0.1
    assert result.subjects is not None and result.subjects.leaky.value > 0.99
    assert result.subjects.honest.low <= 0.2 <= result.subjects.honest.high
    assert compare(features.astype(np.float32), [None] * 100).subjects is None


def test_histogram_holds_every_value() -> None:
    """No value falls out, not even one on or beyond the last edge."""
    bars = histogram([0, 0.999, 1, 2, 99], (0, 1, 2))
    assert [bar.count for bar in bars] == [2, 3]


def test_origins_are_inherited() -> None:
    """A crop without provenance counts under that of its photo; what nobody states is said so."""
    photo = row(
        "p", None, provenance=Provenance(url="https://example.org/a.jpg", licence="CC0", author="A")
    )
    found = origins(Manifest((photo, row("c", None, parent="p"), row("x", None))))
    assert [(o.licence, o.site, o.authors, o.rows) for o in found] == [
        ("CC0", "example.org", 1, 2),
        ("none stated", "none stated", 0, 1),
    ]


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty pictures of three people: the samples and textures."""
    folder = tmp_path_factory.mktemp("people")
    for i in range(30):
        file = folder / "abc"[i % 3] / f"{i}.png"
        file.parent.mkdir(exist_ok=True)
        images.save(file, textured(i))
    for sample in ("biden_2013_portrait.jpg", "obama_2012_portrait.jpg"):
        shutil.copy(SAMPLES / sample, folder / "a")
    return folder


class Run:
    """One command line: its status and its JSON."""

    def __init__(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self.capsys, self.monkeypatch = capsys, monkeypatch

    def __call__(self, *words: str | Path, status: int = 0) -> dict[str, object]:
        line = ["lineament", "dataset", *map(str, words), "--json", "-"]
        self.monkeypatch.setattr("sys.argv", line)
        with pytest.raises(SystemExit) as end:
            cli.main()
        captured = self.capsys.readouterr()
        assert (end.value.code or 0) == status, captured.err
        return json.loads(captured.out) if captured.out else {"error": captured.err}


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    return Run(capsys, monkeypatch)


def test_from_folder_to_audit(run: Run, people: Path, tmp_path: Path) -> None:
    """Split, balance, augment, audit in this order leaks nothing; one row moved is a leak and status 1."""
    shutil.copytree(people, tmp_path, dirs_exist_ok=True)
    split = run("split", tmp_path, "60/20/20", "--exact")
    counts = split["counts"]
    assert isinstance(counts, dict) and set(counts) == {"train", "val", "test"}
    assert sum(sum(by.values()) for by in counts.values()) == 32
    assert all(set(by) == {"a", "b", "c"} for by in counts.values())
    again = run("split", tmp_path, "60/20/20", "--exact", "--keep", tmp_path / "split.jsonl")
    assert again["counts"] == counts and again["moved"] == []
    balanced = run("balance", tmp_path / "split.jsonl", "--at-least", "5", "--per-subject", "8")
    assert balanced["subjects"] == {
        s: {"samples": 8, "rows": min(8, counts["train"][s])} for s in ("a", "b", "c")
    }
    augmented = run(
        "augment", tmp_path / "balanced.jsonl", "--factor", "3", "--preview", tmp_path / "p.png"
    )
    assert augmented["made"] == int(str(augmented["rows"])) - len(
        Manifest.load(tmp_path / "balanced.jsonl")
    )
    assert images.load(tmp_path / "p.png").pixels.std() > 10
    assert not list(tmp_path.glob(".*journal"))
    clean = run("audit", tmp_path / "augmented.jsonl")
    assert clean["leaks"] == []
    assert clean["flattery"] is not None
    manifest = Manifest.load(tmp_path / "augmented.jsonl")
    copy = next(one for one in manifest if one.step == "augment")
    rows = [replace(one, split="test") if one is copy else one for one in manifest]
    manifest.with_rows(rows, step="edit").save(tmp_path / "leaky.jsonl")
    leaky = run(
        "audit", tmp_path / "leaky.jsonl", "--no-experiment", "--out", tmp_path / "x.html", status=1
    )
    [leak] = leaky["leaks"]  # type: ignore[misc]
    assert (
        leak["kind"] == "augmented" and copy.id in leak["rows"] and set(leak["splits"]) == {"train", "test"}
    )
    assert (tmp_path / "x.html").is_file()


def test_the_command_splits_pictures_without_a_face_and_counts_them(
    run: Run, people: Path, tmp_path: Path
) -> None:
    """They are told beside the rows of subjects, and the audit finds no leak among them."""
    shutil.copytree(people, tmp_path, dirs_exist_ok=True)
    found = open_dataset(tmp_path)
    rows = [replace(one, outcome="no_face") if one.subject == "c" else one for one in found]
    found.with_rows(rows, step="edit").save(tmp_path / "manifest.jsonl")
    answer = run("split", tmp_path, "50/50")
    counts, empty = answer["counts"], answer["empty"]
    assert isinstance(counts, dict) and isinstance(empty, dict)
    assert sum(empty.values()) == 10 and not answer["unassigned"]
    assert {name for own in counts.values() for name in own} == {"a", "b"}
    assert run("audit", tmp_path / "split.jsonl", "--no-experiment")["leaks"] == []


def test_a_near_duplicate_across_splits_fails_the_command(run: Run, people: Path, tmp_path: Path) -> None:
    """Planted by hand across two splits it is a leak; split keeps the two together."""
    shutil.copytree(people, tmp_path, dirs_exist_ok=True)
    half = cv2.resize(textured(4), (70, 70), interpolation=cv2.INTER_AREA)
    images.save(tmp_path / "b" / "again.jpg", np.asarray(half, np.uint8))
    for seed in range(5):
        run("split", tmp_path, "50/50", "--seed", str(seed))
        found = {one.path: one.split for one in Manifest.load(tmp_path / "split.jsonl")}
        assert found["b/again.jpg"] == found["b/4.png"]
    manifest = Manifest.load(tmp_path / "split.jsonl")
    other = {"train": "val", "val": "train"}
    rows = [
        replace(one, split=other[one.split or ""]) if one.path == "b/again.jpg" else one for one in manifest
    ]
    manifest.with_rows(rows, step="edit").save(tmp_path / "leaky.jsonl")
    leaky = run("audit", tmp_path / "leaky.jsonl", "--no-experiment", status=1)
    assert [leak["kind"] for leak in leaky["leaks"]] == ["near_duplicate"]  # type: ignore[attr-defined]
    assert run("audit", tmp_path / "leaky.jsonl", "--no-experiment", "--no-near")["leaks"] == []


def test_files_missing_and_changed_are_told(run: Run, people: Path, tmp_path: Path) -> None:
    """The audit hashes every file again."""
    shutil.copytree(people, tmp_path, dirs_exist_ok=True)
    run("split", tmp_path, "--no-near")
    (tmp_path / "a" / "0.png").unlink()
    (tmp_path / "a" / "3.png").write_bytes(b"other")
    found = run("audit", tmp_path / "split.jsonl", "--no-experiment")
    assert (found["missing"], found["changed"]) == (["a/0.png"], ["a/3.png"])


def test_too_few_pictures_are_told(run: Run, tmp_path: Path) -> None:
    """Without enough pictures the experiment is left out with its reason; no splits, no leak."""
    (tmp_path / "x").mkdir()
    shutil.copy(SAMPLES / "biden_2013_portrait.jpg", tmp_path / "x")
    found = run("audit", tmp_path)
    assert found["leaks"] == [] and found["flattery"] is None
    page = (tmp_path / "audit.html").read_text("utf-8")
    assert "the experiment needs 20 different pictures, you have 1" in page
    assert "The data has no splits" in page


HOSTILE = "</title><script>alert(1)</script><img src=x onerror=alert(2)>\u202egpj\udcff\x1b[2J"


def hostile_audit(folder: Path) -> Audit:
    images.save(folder / "a.png", textured(1))
    provenance = Provenance(
        url="http://[bad", licence=HOSTILE, author=HOSTILE, purpose=HOSTILE, consent=HOSTILE
    )
    rows = tuple(
        row(f"r{i}", split, path="a.png", subject=HOSTILE, provenance=provenance, quality=0.5)
        for i, split in enumerate(["train", HOSTILE])
    )
    manifest = Manifest(rows, ({"step": HOSTILE, HOSTILE: HOSTILE},), folder)
    return audit(manifest, [{"r0", "r1"}], subjects_apart=True)


def test_hostile_names_stay_text(tmp_path: Path) -> None:
    """Names, licences, splits and steps with HTML, control or bidirectional characters stay text."""
    page = render(hostile_audit(tmp_path), HOSTILE)
    page.encode("utf-8")
    tags = Tags(page).found
    assert not [tag for tag, _ in tags if tag in ("script", "iframe", "object", "link", "form")]
    assert not [name for _, attributes in tags for name in attributes if name.startswith("on")]
    assert "\u202e" not in page and "\x1b" not in page


def test_the_page_needs_nothing_else(tmp_path: Path) -> None:
    """Every picture is inside the page, nothing is fetched, and its policy forbids scripts."""
    page = render(hostile_audit(tmp_path), "x")
    tags = Tags(page).found
    sources = [attributes["src"] or "" for _, attributes in tags if "src" in attributes]
    assert sources and all(source.startswith("data:image/jpeg;base64,") for source in sources)
    assert not re.search(r"url\(|@import|href=", page)
    [policy] = [a["content"] for _, a in tags if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy == "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def test_notes_tell_what_is_no_leak(tmp_path: Path) -> None:
    """Augmented or repeated rows in a held-out split, and usable rows without any, are told."""
    rows = (
        row("a", "test"),
        row("b", "test", parent="a", step="augment"),
        row("c", "test", repeats=3),
        row("d", None),
    )
    result = audit(Manifest(rows, folder=tmp_path), None, experiment=False)
    assert [note.split(" row ")[0] for note in result.notes] == ["1 augmented", "1", "1 usable"]
    assert not result.leaks and len(result.files.missing) == 4
    assert "near-duplicates were not looked for" in render(result, "x")
