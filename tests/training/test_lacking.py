"""What is said where a split lacks what a training needs."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from lineament.errors import LineamentError, NotEnoughSamples
from lineament.io.manifest import Manifest, ManifestRow
from lineament.training.attributes.settings import AttributesSettings, HeadSettings
from lineament.training.attributes.trainer import train_attributes
from lineament.training.classification.baseline import embedding_baseline
from lineament.training.classification.settings import ClassifierSettings
from lineament.training.classification.trainer import train_classifier
from lineament.training.detection.localizer import train_localizer
from lineament.training.detection.trainer import train_detector
from lineament.training.lacking import BOX
from lineament.training.recognition.settings import EmbedderSettings
from lineament.training.recognition.trainer import train_embedder
from lineament.training.splits import rows_of, splits_of

Train = Callable[[Manifest, Path], object]


def row(number: int, split: str | None, **fields: object) -> ManifestRow:
    box = (0.0, 0.0, 9.0, 9.0) if fields.get("outcome", "ok") == "ok" else None
    values = {"box": box, "size_wh": (9, 9), "subject": f"person {number % 3}", "split": split, **fields}
    return ManifestRow(f"{number:03}", f"{number}.png", f"{number:064x}", **values)  # type: ignore[arg-type]


def data(val: dict[str, object], *steps: dict[str, object]) -> Manifest:
    """Twelve good pictures in train, three in val that lack something, three good ones in test."""
    parts = [row(i, "train") for i in range(12)] + [row(i, "test") for i in range(20, 23)]
    parts += [row(i, "train", outcome="no_face") for i in range(30, 34)]
    return Manifest((*parts, *(row(i, "val", **val) for i in range(40, 43))), tuple(steps))


OWN = {
    "step": "split",
    "shares": [["train", 0.7], ["val", 0.15], ["test", 0.15]],
    "exact": False,
    "given": [],
}
MOOD = AttributesSettings(heads=(HeadSettings("mood"),))
NO_FACE: dict[str, object] = {"outcome": "no_face"}


@pytest.mark.parametrize(
    ("train", "val", "what"),
    [
        (train_localizer, NO_FACE, "a face|a box"),
        (train_localizer, {"box": None}, "a box"),
        (train_detector, NO_FACE, "a box"),
        (train_detector, {"box": None}, "a box"),
        (lambda m, out: train_classifier(m, out, ClassifierSettings()), NO_FACE, "a face"),
        (lambda m, out: train_classifier(m, out, ClassifierSettings()), {"subject": None}, "a 'subject'"),
        (lambda m, out: train_classifier(m, out, ClassifierSettings(label="mood")), {}, "a 'mood'"),
        (lambda m, out: train_attributes(m, out, MOOD), {}, "a label 'mood'"),
        (lambda m, out: train_embedder(m, out, EmbedderSettings(aligned=True)), NO_FACE, "a face"),
        (lambda m, _out: embedding_baseline(m), NO_FACE, "a face"),
    ],
)
def test_every_trainer_says_what_is_missing_where_and_what_helps(
    train: Train, val: dict[str, object], what: str, tmp_path: Path
) -> None:
    """The split's pictures are counted, so are those of every split that would do, and a step is named."""
    rows = [
        replace(r, labels={"mood": str(n % 2)}) if r.split != "val" else r
        for n, r in enumerate(data(val, OWN))
    ]
    with pytest.raises(NotEnoughSamples) as refused:
        train(Manifest(tuple(rows), (OWN,)), tmp_path / "run")
    text = str(refused.value)
    assert re.search(rf"split 'val' holds 3 pictures, none with ({what}) \(", text), text
    assert re.search(r"train 12 of 1[26], val 0 of 3, test 3 of 3", text), text
    assert "no rows" not in text and not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("steps", "said", "unsaid"),
    [
        ((OWN,), "split DATA train=70,val=15,test=15 --exact;", "--resplit"),
        (({**OWN, "exact": True},), "--exact shared them out.*other sittings", "lineament dataset split"),
        (({**OWN, "given": ["val"]},), "--exact --resplit", "85/15"),
        ((), "70/20/10 --exact --resplit", "85/15"),
        ((OWN, {"step": "augment"}), "train=70,val=15,test=15 --exact;", "--resplit"),
    ],
    ids=["by chance", "exact already", "a given val", "no split of ours", "augmented since"],
)
def test_the_step_is_one_that_helps(steps: tuple[dict[str, object], ...], said: str, unsaid: str) -> None:
    """What was done already is not advised again, and given splits are only moved by --resplit."""
    with pytest.raises(NotEnoughSamples) as refused:
        rows_of(data(NO_FACE, *steps), "val")
    assert re.search(said, str(refused.value)), str(refused.value)
    assert unsaid not in str(refused.value)


def test_too_few_for_every_split_and_none_at_all() -> None:
    """Where faces are fewer than splits no ratio helps; where there is none, labels do."""
    few = Manifest((row(1, "train"), *(row(i, "val", outcome="no_face") for i in range(2, 6)),
                    row(9, "test", outcome="no_face")))  # fmt: skip
    with pytest.raises(NotEnoughSamples, match="1 cannot be in 3 splits: add photos of other sittings"):
        rows_of(few, "val")
    with pytest.raises(NotEnoughSamples, match="no picture of the data has a box: label some"):
        rows_of(Manifest(tuple(replace(r, box=None) for r in few)), "train", BOX)


def test_a_test_without_faces_is_no_exam_and_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """Figures then are of val; the log says why."""
    rows = [replace(r, outcome="no_face", box=None) if r.split == "test" else r for r in data({})]
    with caplog.at_level("INFO", logger="lineament.training"):
        assert splits_of(Manifest(tuple(rows))) == ("train", "val")
    assert "none of 3 pictures of the split test has a face: the figures are of val" in caplog.text
    assert splits_of(data({})) == ("train", "val", "test")


def test_an_embedder_says_how_many_people_each_split_has(tmp_path: Path) -> None:
    """One person in val is too few to compare with another."""
    rows = [row(i, "train", subject=f"t{i % 4}") for i in range(12)]
    rows += [row(i, "val", subject="one") for i in range(20, 24)]
    with pytest.raises(LineamentError, match=r"subjects by split: train 4, val 1\); add people"):
        train_embedder(Manifest(tuple(rows)), tmp_path / "run", EmbedderSettings(aligned=True))


def test_a_split_that_lies_beside_is_named(tmp_path: Path) -> None:
    """Who split the data and gives the folder, whose manifest is the one before, is told which file to
    give; other lines of JSON beside it are no manifests."""
    unsplit = Manifest((row(1, None), row(2, None)), folder=tmp_path)
    unsplit.save(tmp_path / "manifest.jsonl")
    (tmp_path / "decisions.jsonl").write_text('{"id": "x"}\n', encoding="utf-8")
    with pytest.raises(NotEnoughSamples, match="run first: lineament dataset split"):
        rows_of(unsplit, "train")
    split = tmp_path / "split.jsonl"
    Manifest((row(1, "train"), row(2, "val")), folder=tmp_path).save(split)
    with pytest.raises(NotEnoughSamples) as caught:
        rows_of(unsplit, "train")
    assert f"but {split} has: give that file" in str(caught.value)
