"""Several data sets as one."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from lineament.cli.main import app
from lineament.datasets.exporting import classes_of, export_labels
from lineament.datasets.importing.labels import import_labels
from lineament.datasets.joining.agreeing import Differing, together
from lineament.datasets.joining.manifests import Source, join
from lineament.errors import UsageError
from lineament.io.manifest import Manifest, ManifestRow, Provenance

SIZE = (64, 48)


def drawn(path: Path, seed: int) -> Path:
    """A picture of noise that no other seed gives."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(0, 255, (SIZE[1], SIZE[0], 3), np.uint8)
    Image.fromarray(noise).save(path)
    return path


def labelme(picture: Path, *shapes: tuple[str, list[float]], **fields: Any) -> None:
    """A LabelMe file beside a picture, of rectangles with their class."""
    document = {
        "shapes": [
            {"label": kind, "points": [box[:2], box[2:]], "shape_type": "rectangle", **fields}
            for kind, box in shapes
        ],
        "imagePath": picture.name,
        "imageWidth": SIZE[0],
        "imageHeight": SIZE[1],
    }
    picture.with_suffix(".json").write_text(json.dumps(document))


def yolo(picture: Path, *lines: str, names: list[str]) -> None:
    """A YOLO label beside a picture, and the data file of its folder."""
    picture.with_suffix(".txt").write_text("\n".join(lines))
    (picture.parent / "data.yaml").write_text(f"train: .\nnames: {names}\n")


def run(*arguments: object) -> dict[str, Any]:
    """What a command says as JSON."""
    result = CliRunner().invoke(app, ["dataset", *map(str, arguments), "--json", "-"])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout.splitlines()[0])  # type: ignore[no-any-return]


def rows_of(folder: Path) -> dict[str, list[ManifestRow]]:
    """Rows of a folder's manifest by path; each usable picture lies there with the bytes it had."""
    manifest = Manifest.load(folder / "manifest.jsonl")
    found: dict[str, list[ManifestRow]] = {}
    for row in manifest:
        found.setdefault(row.path, []).append(row)
        assert (folder / row.path).is_file() == (row.outcome != "refused")
    return found


def test_equal_names_do_not_meet_and_equal_pictures_are_one(tmp_path: Path) -> None:
    """Pictures of one name are kept apart, also of folders of one name; a picture in both sets under any
    name is one row, counted, whichever format its labels come in and however its tool rounds."""
    a, b = tmp_path / "x" / "set", tmp_path / "y" / "set"
    labelme(drawn(a / "1.png", 1), ("face", [10, 10, 30, 30]))
    labelme(drawn(a / "2.png", 2), ("face", [5, 5, 20, 20]))
    yolo(drawn(b / "1.png", 3), f"0 {15 / 64} {15 / 48} {10 / 64} {10 / 48}", names=["face"])
    shutil.copy(a / "1.png", b / "other.png")
    yolo(b / "other.png", f"0 {20.5 / 64} {20 / 48} {21 / 64} {20 / 48}", names=["face"])
    told = run("import", a, b, "--out", tmp_path / "out")
    assert sorted(rows_of(tmp_path / "out")) == ["set/1.png", "set/2.png", "set~2/1.png"]
    assert told["problems"]["picture_in_two_sets"]["count"] == 1
    assert told["sources"][1]["in_an_earlier_source"] == 1
    assert told["boxes"] == {"face": 3}


@pytest.mark.parametrize(
    ("one", "other", "said"),
    [
        (
            [("face", [10, 10, 30, 30])],
            [("face", [10, 10, 40, 40])],
            "boxes of the class face at other places",
        ),
        ([("face", [10, 10, 30, 30])], [], "1 and 0 boxes of the class face"),
        ([("mask", [10, 10, 30, 30])], [("bare", [10, 10, 30, 30])], "0 and 1 box of the class bare"),
    ],
)
def test_contradicting_labels_are_refused_with_both_words(
    one: list[Any], other: list[Any], said: str, tmp_path: Path
) -> None:
    """Where two sets contradict each other the picture is a refused row that names both; with ``first`` the
    set named first counts. Either way it is counted, and no picture stands twice."""
    labelme(drawn(tmp_path / "a" / "1.png", 1), *one)
    labelme(drawn(tmp_path / "b" / "2.png", 1), *other)
    # Both sets know every class.
    for seed, kind in enumerate(("face", "mask", "bare"), 2):
        for folder in ("a", "b"):
            labelme(drawn(tmp_path / folder / f"{kind}.png", seed), (kind, [1, 1, 9, 9]))
    told = run("import", tmp_path / "a", tmp_path / "b", "--out", tmp_path / "out")
    (row,) = rows_of(tmp_path / "out")["a/1.png"]
    assert row.outcome == "refused" and row.error is not None
    assert said in row.error and "a/1.png and b/2.png" in row.error
    assert told["problems"]["labelled_differently"]["count"] == 1
    first = run(
        "merge", tmp_path / "a", tmp_path / "b", "--out", tmp_path / "first", "--differing", "first"
    )
    assert [r.box for r in rows_of(tmp_path / "first")["a/1.png"]] == [tuple(box) for _, box in one]
    assert first["problems"]["labelled_differently"]["count"] == 1
    assert "b/2.png" not in rows_of(tmp_path / "first")


def test_what_one_leaves_out_is_no_contradiction(tmp_path: Path) -> None:
    """A folder a person names who is on a picture, labels say where the only face is: one row with both.
    Boxes of a class that the other set does not have at all stand beside its own."""
    ann = drawn(tmp_path / "people" / "Ann" / "1.png", 1)
    drawn(tmp_path / "people" / "Bob" / "2.png", 2)
    faces = tmp_path / "faces"
    faces.mkdir()
    shutil.copy(ann, faces / "a.png")
    labelme(faces / "a.png", ("face", [10, 10, 30, 30]))
    heads = tmp_path / "heads"
    heads.mkdir()
    shutil.copy(ann, heads / "h.png")
    labelme(heads / "h.png", ("head", [5, 2, 35, 40]))
    told = run("merge", tmp_path / "people", faces, heads, "--out", tmp_path / "out")
    rows = rows_of(tmp_path / "out")["people/Ann/1.png"]
    assert {(row.subject, row.box, row.labels.get("class")) for row in rows} == {
        ("Ann", (10, 10, 30, 30), None),
        (None, (5, 2, 35, 40), "head"),
    }
    assert told["boxes"] == {"face": 1, "head": 1}
    assert "labelled_differently" not in told["problems"]


def row(path: str, sha256: str = "s", **fields: Any) -> ManifestRow:
    """A row of a manifest; ids differ by path and box."""
    return ManifestRow(f"{path}{fields.get('box')}", path, sha256, step="import", **fields)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ({"subject": "Ann"}, {"subject": "Bob"}, "subject Ann and Bob"),
        ({"labels": {"emotion": "sad"}}, {"labels": {"emotion": "glad"}}, "emotion sad and glad"),
        ({"labels": {"emotion": "sad"}}, {"labels": {"age": 3.0}}, {"emotion": "sad", "age": 3.0}),
        ({"labels": {"age": 3.0}}, {"labels": {"age": "3"}}, {"age": 3.0}),
        ({"labels": {"source_name": "a"}}, {"labels": {"source_name": "b"}}, {"source_name": "a"}),
        ({"subject": "Ann"}, {"outcome": "no_face"}, "subject Ann and no face"),
        ({}, {"outcome": "no_face"}, {}),
        ({"outcome": "no_face"}, {"outcome": "no_face"}, {}),
        ({"outcome": "refused", "error": "LabelFileError: x"}, {"subject": "Ann"}, {}),
        ({"box": (1.0, 1.0, 9.0, 9.0)}, {"outcome": "no_face"}, "1 and 0 boxes"),
        ({"box": (1.0, 1.0, 9.0, 9.0)}, {"box": (1.0, 1.0, 9.0, 10.4)}, {}),
        ({"box": (1.0, 1.0, 9.0, 9.0)}, {"box": (1.0, 1.0, 9.0, 10.6)}, "other places"),
        ({"box": (0.0, 0.0, 200.0, 200.0)}, {"box": (3.0, 3.0, 197.0, 200.0)}, {}),
    ],
)
def test_what_two_rows_say_together(
    one: dict[str, Any], other: dict[str, Any], expected: str | dict[str, Any]
) -> None:
    """The same or more is one row with all that is told; another thing is a difference that is named."""
    a, b = [row("a", **one)], [row("b", **other)]
    if isinstance(expected, str):
        with pytest.raises(Differing, match=expected):
            together(a, b, {"face"}, {"face"})
        return
    (found,) = together(a, b, {"face"}, {"face"}).rows
    assert found.path == "a"
    assert dict(found.labels) == expected


def test_a_name_is_of_the_only_face() -> None:
    """Whatever else has a box, in either order; of two faces nobody knows whose it is."""
    box = (1.0, 1.0, 9.0, 9.0)
    named, face = row("a", subject="Ann"), row("b", box=box)
    head = row("b", box=(0.0, 0.0, 10.0, 12.0), labels={"class": "head"})
    for first, second in (([named], [head, face]), ([head, face], [named])):
        found = together(first, second, {"face", "head"}, {"face", "head"})
        assert {(r.subject, r.box) for r in found.rows} == {("Ann", box), (None, head.box)}
        assert {r.path for r in found.rows} == {first[0].path}
        assert set(found.taken) <= {r.id for r in second}
    with pytest.raises(Differing, match="subject Ann and 2 boxes"):
        together([named], [face, row("b", box=(20.0, 20.0, 30.0, 30.0))], {"face"}, {"face"})


def test_a_refusal_of_one_set_is_told() -> None:
    """What the other says counts, and that one could not use it does not get lost."""
    refused = row("a", outcome="refused", error="LabelFileError: labelled differently")
    sources = [Source("a", Manifest((refused,))), Source("b", Manifest((row("b", subject="Ann"),)))]
    joined = join(sources)
    assert [(r.subject, r.path) for r in joined.manifest] == [("Ann", "a/a")]
    assert joined.problems["refused_in_one_set"] == 1


@pytest.mark.parametrize(
    ("one", "other", "kept"),
    [("train", "test", "test"), ("val", "train", "val"), (None, "train", "train"), ("test", None, "test")],
)
def test_the_most_held_out_split_counts(one: str | None, other: str | None, kept: str) -> None:
    """A picture that one set tests on is no training picture of the joined one; the clash is counted."""
    sources = [
        Source(n, Manifest((row("p.png", split=split, subject="Ann"),)))
        for n, split in (("a", one), ("b", other))
    ]
    joined = join(sources)
    assert [r.split for r in joined.manifest] == [kept]
    assert joined.problems["in_two_splits"] == (None not in (one, other))


def test_classes_are_joined_by_name_and_survive_an_export(tmp_path: Path) -> None:
    """Number 0 of one set is another class than of the other: names decide, the first set's numbers stay,
    a changed number is told, and an export has the joined list."""
    yolo(drawn(tmp_path / "a" / "1.png", 1), "0 .5 .5 .2 .2", "1 .2 .2 .2 .2", names=["face", "head"])
    yolo(drawn(tmp_path / "b" / "1.png", 2), "0 .5 .5 .2 .2", "1 .2 .2 .2 .2", names=["head", "hat"])
    told = run("import", tmp_path / "a", tmp_path / "b", "--out", tmp_path / "out")
    assert told["classes"] == {"0": "face", "1": "head", "2": "hat"}
    assert told["boxes"] == {"face": 1, "hat": 1, "head": 2}
    assert told["problems"]["class_has_another_number"]["examples"] == [
        "b: head was 0, is 1",
        "b: hat was 1, is 2",
    ]
    manifest = Manifest.load(tmp_path / "out" / "manifest.jsonl")
    assert classes_of(manifest) == {0: "face", 1: "head", 2: "hat"}
    done = export_labels(manifest, tmp_path / "yolo", "yolo")
    assert not done.losses["class number"] and not done.losses["row"]
    assert import_labels(tmp_path / "yolo").manifest.steps[0]["classes"] == {
        "0": "face",
        "1": "head",
        "2": "hat",
    }


def test_terms_and_groups_go_along(tmp_path: Path) -> None:
    """Licences stay with their rows, both where two sets state two; parents are found under the ids that
    they have now; what lies in the folders about terms is copied; equal rows do not get equal ids."""
    drawn(tmp_path / "a" / "p.png", 1)
    drawn(tmp_path / "a" / "q.png", 2)
    (tmp_path / "a" / "LICENSE").write_text("CC BY 4.0")
    (tmp_path / "a" / "README.dataset.txt").write_text("License: CC BY 4.0")
    cc, nc = Provenance(licence="CC BY 4.0", author="Ann"), Provenance(licence="CC BY-NC 4.0", page="p")
    whole = Manifest(
        (
            ManifestRow("1", "p.png", "s", subject="Ann", provenance=cc),
            ManifestRow("2", "q.png", "t", subject="Ann", parent="1", step="augment", provenance=cc),
        ),
        ({"step": "import", "format": "x"},),
        tmp_path / "a",
    )
    whole.save(tmp_path / "a" / "manifest.jsonl")
    second = Manifest(
        (
            ManifestRow("1", "p.png", "u", subject="Bob", provenance=nc),
            ManifestRow("9", "z.png", "s", subject="Ann", provenance=nc),
            ManifestRow("3", "r.png", "v", subject="Bob", parent="1", step="augment", provenance=nc),
            ManifestRow("4", "y.png", "w", subject="Ann", parent="9", step="augment", provenance=nc),
        ),
        ({"step": "import", "format": "y"},),
        tmp_path / "b",
    )
    for name in "przy":
        drawn(tmp_path / "b" / f"{name}.png", ord(name))
    second.save(tmp_path / "b" / "manifest.jsonl")
    told = run("merge", tmp_path / "a", tmp_path / "b" / "manifest.jsonl", "--out", tmp_path / "out")
    rows = {path: found[0] for path, found in rows_of(tmp_path / "out").items()}
    assert rows["a/q.png"].parent == rows["a/p.png"].id == rows["b/y.png"].parent
    assert rows["b/r.png"].parent == rows["b/p.png"].id != rows["a/p.png"].id
    assert rows["a/p.png"].provenance == Provenance(
        licence="CC BY 4.0 and CC BY-NC 4.0", author="Ann", page="p"
    )
    assert told["licences"] == {"CC BY 4.0 and CC BY-NC 4.0": 1, "CC BY 4.0": 1, "CC BY-NC 4.0": 3}
    assert told["problems"]["two_licences"]["count"] == 1
    assert (tmp_path / "out" / "a" / "LICENSE").read_text() == "CC BY 4.0"
    (step,) = Manifest.load(tmp_path / "out" / "manifest.jsonl").steps
    assert [one["steps"][0]["format"] for one in step["sources"]] == ["x", "y"]


def test_crops_that_were_cut_alike_stay_crops() -> None:
    """The step that says how crops were cut is kept where all sets agree on it, and told where not."""
    cut = {"step": "extract", "settings": {"size": 112, "detector": "yunet"}}
    other = {"step": "extract", "settings": {"size": 224, "detector": "yunet"}}
    sources = [Source(name, Manifest((row("p.png", name, subject="Ann"),), (cut,))) for name in ("a", "b")]
    assert join(sources).manifest.steps[0] == cut
    mixed = join([sources[0], Source("c", Manifest((row("p.png", "c"),), (other,)))])
    assert [step["step"] for step in mixed.manifest.steps] == ["join"]
    assert mixed.problems["cut_in_different_ways"] == 2


def test_names_that_may_be_one_are_told() -> None:
    """Classes and people are joined by their exact names; those that differ only in case or in what stands
    between words are told."""
    rows = [
        row("1", "a", subject="Ann Lee", box=(1.0, 1.0, 9.0, 9.0), labels={"class": "Head"}),
        row("1", "b", subject="ann_lee", box=(1.0, 1.0, 9.0, 9.0), labels={"class": "head"}),
    ]
    joined = join([Source(name, Manifest((one,))) for name, one in zip("ab", rows, strict=True)])
    assert joined.problems["class_names_alike"] == joined.problems["subject_names_alike"] == 1


def test_what_cannot_be_joined_is_named(tmp_path: Path) -> None:
    """One set, several without a folder to join them in, formats that do not fit their number, and a rule
    that there is not: each a refusal that says what to do."""
    labelme(drawn(tmp_path / "a" / "1.png", 1), ("face", [1, 1, 9, 9]))
    with pytest.raises(UsageError, match="two data sets or more"):
        join([Source("a", Manifest(()))])
    for arguments, said in (
        (["import", "a", "a"], "need --out"),
        (
            ["import", "a", "a", "a", "--format", "coco", "--format", "yolo", "--out", "o"],
            "2 formats for 3",
        ),
        (["merge", "a", "a", "--differing", "last", "--out", "o"], "refuse or first"),
    ):
        given = [str(tmp_path / one) if one in ("a", "o") else one for one in arguments]
        result = CliRunner().invoke(app, ["dataset", *given])
        assert result.exit_code != 0
        assert said in str(result.exception)
    assert not (tmp_path / "o").exists()


def test_archives_and_formats_of_their_own(tmp_path: Path) -> None:
    """Each source may be packed, and its format named, or found out with ``guess``; nothing but the joined
    folder is left."""
    labelme(drawn(tmp_path / "a" / "1.png", 1), ("face", [1, 1, 9, 9]))
    drawn(tmp_path / "a" / "2.png", 2)
    yolo(drawn(tmp_path / "b" / "1.png", 3), "0 .5 .5 .2 .2", names=["face"])
    shutil.make_archive(str(tmp_path / "packed"), "zip", tmp_path / "a")
    told = run(
        *("import", tmp_path / "packed.zip", tmp_path / "b", "--out", tmp_path / "out"),
        *("--format", "labelme:empty=true", "--format", "guess"),
    )
    assert {path: [r.outcome for r in rows] for path, rows in rows_of(tmp_path / "out").items()} == {
        "packed/1.png": ["ok"],
        "packed/2.png": ["no_face"],
        "b/1.png": ["ok"],
    }
    assert [one["read"] for one in told["sources"]] == ["labelme:empty=true", "yolo"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "out", "packed.zip"]
