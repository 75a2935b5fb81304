"""Multi-task training: a tiny real case from pictures to ONNX and back into analyze; and bad input."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner

from lineament.cli.main import app
from lineament.cli.train.options import settings_from
from lineament.errors import ConfigError, NotEnoughSamples, SplitError, UndeclaredLabel
from lineament.io import images
from lineament.io.digests import sha256_of
from lineament.io.manifest import Manifest, ManifestRow
from lineament.io.trained import open_trained
from lineament.training.attributes.heads import Attribute, bin_names, bin_of, resolve
from lineament.training.attributes.multi_task import sample_losses
from lineament.training.attributes.result import AttributesResult
from lineament.training.attributes.settings import AttributesSettings, HeadSettings, parse
from lineament.training.attributes.trainer import Data, overfitting, train_attributes
from lineament.training.settings import FineTuning, LoopSettings

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
SIDE = 36
UNNAMED = {"clip_norm", "stop_at", "threads", "kind", "classes"}
"""Settings whose default is none, or what the data say."""
HEADS = (
    HeadSettings("tint", class_weights="balanced"),
    HeadSettings("level", unit="grey levels"),
    HeadSettings("band", label="level", edges=(90.0, 140.0), weight=0.5),
)
SETTINGS = AttributesSettings(
    architecture="reference",
    method="scratch",
    heads=HEADS,
    size=32,
    augment=("flip",),
    dropout=0.0,
    loop=LoopSettings(epochs=12, batch_size=16, learning_rate=3e-3, patience=None, threads=1, seed=1),
)


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def picture(random: np.random.Generator, tint: str, level: float) -> np.ndarray[Any, Any]:
    """Noise of a grey level, with one colour channel raised."""
    pixels = random.normal(level, 6, (SIDE, SIDE, 3))
    pixels[..., ("red", "green", "blue").index(tint)] += 45
    return np.asarray(pixels.clip(0, 255), np.uint8)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    """150 pictures; every fifth has no tint, every seventh no level, and one file is broken."""
    folder = tmp_path_factory.mktemp("pictures")
    random = np.random.default_rng(0)
    rows = []
    for i in range(150):
        tint, level = ("red", "green", "blue")[i % 3], float(random.integers(50, 180))
        path = folder / f"{i:03}.png"
        images.save(path, picture(random, tint, level))
        labels: dict[str, str | float] = {}
        if i % 5:
            labels["tint"] = tint
        if i % 7:
            labels["level"] = level
        split = "train" if i < 90 else "val" if i < 120 else "test"
        rows.append(ManifestRow(f"{i:03}", path.name, sha256_of(path), split=split, labels=labels))
    (folder / "002.png").write_bytes(b"broken")
    manifest = Manifest(tuple(rows), folder=folder)
    manifest.save(folder / "split.jsonl")
    return manifest


@pytest.fixture(scope="module")
def trained(pictures: Manifest, tmp_path_factory: pytest.TempPathFactory) -> tuple[AttributesResult, Path]:
    run = tmp_path_factory.mktemp("runs") / "attr"
    return train_attributes(pictures, run, SETTINGS), run


def test_what_can_be_learned_is_learned(trained: tuple[AttributesResult, Path]) -> None:
    """Tint, level and the band of the level are plain to see: far above guessing on the held-out split."""
    heads = trained[0].attributes
    assert heads["tint"].test["accuracy"]["value"] > 0.9
    assert heads["tint"].test["macro_auc"]["value"] > 0.95
    assert heads["band"].test["accuracy"]["value"] > 0.7
    level = heads["level"].test
    assert level["mean_absolute_error"]["value"] < 0.6 * level["guessing"]["median"]["value"]
    assert heads["tint"].test["guessing"]["chance"] == pytest.approx(1 / 3)


def test_missing_labels_and_pictures_are_counted(trained: tuple[AttributesResult, Path]) -> None:
    """Each head's figures rest on the rows that have its label; what is left out is told."""
    result, run = trained
    has_tint = [i for i in range(150) if i % 5]
    has_level = [i for i in range(150) if i % 7]
    heads = result.attributes
    assert heads["tint"].labelled == {
        "train": sum(i < 90 for i in has_tint),
        "val": sum(90 <= i < 120 for i in has_tint),
        "test": sum(i >= 120 for i in has_tint),
    }
    assert heads["tint"].test["accuracy"]["n"] == sum(i >= 120 for i in has_tint)
    assert heads["level"].test["mean_absolute_error"]["n"] == sum(i >= 120 for i in has_level)
    neither = [i for i in range(150) if not i % 35]
    assert sum(result.unlabelled.values()) == len(neither)
    assert result.refused == {"train": 1, "val": 0, "test": 0}
    assert "002.png" in (run / "refused.txt").read_text()


def test_the_run_folder_holds_what_a_run_promises(trained: tuple[AttributesResult, Path]) -> None:
    """Card, weights, ONNX, metrics, curves, and a figure or two a head."""
    result, run = trained
    names = {path.name for path in run.iterdir()}
    assert names >= {
        "card.json",
        "model.onnx",
        "best.safetensors",
        "metrics.csv",
        "curves.png",
        "config.toml",
        "confusion_tint.png",
        "roc_tint.png",
        "confusion_band.png",
        "numbers_level.png",
        "result.json",
    }
    card = open_trained(run, "attributes").card
    assert [(h.name, h.kind, h.unit) for h in card.heads][1] == ("level", "number", "grey levels")
    assert card.heads[2].classes == ("under 90", "90-139", "140 and over")
    assert card.measured["tint"]["accuracy"]["n"] == result.attributes["tint"].test["accuracy"]["n"]
    assert json.loads((run / "result.json").read_text())["attributes"].keys() == {"tint", "level", "band"}
    assert "tint" in (run / "config.toml").read_text()


def test_settings_survive_the_run_folder_and_the_example_is_complete(
    trained: tuple[AttributesResult, Path],
) -> None:
    """A run's config.toml gives its settings again; the example config names every setting."""
    assert settings_from(AttributesSettings, trained[1] / "config.toml", None) == SETTINGS
    example = Path(__file__).resolve().parents[2] / "configs" / "attributes.toml"
    told = settings_from(AttributesSettings, example, None)
    assert [head.name for head in told.heads] == ["gender", "age", "age_group"]
    text = example.read_text()
    for cls in (AttributesSettings, HeadSettings, FineTuning, LoopSettings):
        for one in fields(cls):
            assert one.name in text or one.name in UNNAMED, one.name


def test_the_network_answers_in_analyze(trained: tuple[AttributesResult, Path], tmp_path: Path) -> None:
    """The exported network opens without the training libraries' help and answers for a real face."""
    words = ["analyze", str(SAMPLES / "collins_nasa.png"), "--attributes", str(trained[1]), "--json", "-"]
    result = CliRunner().invoke(app, words, catch_exceptions=False)
    (face,) = json.loads(result.stdout)["faces"]
    assert set(face["attributes"]) == {"tint", "level", "band"}
    assert set(face["probabilities"]) == {"tint", "band"}
    # The sample's face region is neither black nor white, and numbers come back in their own unit.
    assert 30 < face["attributes"]["level"] < 230


def test_onnx_and_pictures_agree_with_the_reported_figure(
    trained: tuple[AttributesResult, Path], pictures: Manifest
) -> None:
    """The test accuracy, computed again from the files with the exported network alone."""
    model = open_trained(trained[1], "attributes")
    rows = [row for row in pictures if row.split == "test" and "tint" in row.labels]
    right = 0
    for row in rows:
        pixels = images.load(pictures.file(row)).pixels
        import cv2

        small = np.asarray(cv2.resize(pixels, (32, 32), interpolation=cv2.INTER_AREA), np.uint8)
        answer = model.run(small[None])["tint"]
        right += model.card.heads[0].classes[int(answer[0].argmax())] == row.labels["tint"]
    stated = trained[0].attributes["tint"].test["accuracy"]
    assert right / len(rows) == pytest.approx(stated["value"]) and stated["n"] == len(rows)


def test_a_finished_run_answers_at_once(trained: tuple[AttributesResult, Path], pictures: Manifest) -> None:
    """The same training asked again is not run again."""
    again = train_attributes(pictures, trained[1], SETTINGS)
    assert again == trained[0] and again.to_json() == json.loads((trained[1] / "result.json").read_text())


def test_features_are_cached_and_trained_on(
    trained: tuple[AttributesResult, Path], pictures: Manifest, tmp_path: Path
) -> None:
    """feature-extraction from an earlier training's weights learns from features on disk.

    The backbone ends as it began, bit for bit.
    """
    settings = replace(
        SETTINGS,
        method="feature-extraction",
        weights=str(trained[1]),
        heads=(HeadSettings("tint"),),
        variants=2,
        loop=replace(SETTINGS.loop, epochs=10, learning_rate=2e-2),
    )
    result = train_attributes(pictures, tmp_path / "run", settings)
    assert result.attributes["tint"].test["accuracy"]["value"] > 0.8
    assert len(list((tmp_path / "run" / "features" / "fit").glob("*.npy"))) == 2
    assert "the training attr" in open_trained(tmp_path / "run", "attributes").card.trained_from
    before, after = (load_file(run / "best.safetensors") for run in (trained[1], tmp_path / "run"))
    kept = [name for name in before if name.startswith("backbone.")]
    assert kept and all(torch.equal(before[name], after[name]) for name in kept)


def rows(*values: object, split: str = "train") -> list[ManifestRow]:
    return [
        ManifestRow(f"{split}{i}", "x.png", "", split=split, labels={} if v is None else {"a": v})  # type: ignore[dict-item]
        for i, v in enumerate(values)
    ]


def match(head: HeadSettings, train: Sequence[object], val: Sequence[object]) -> Attribute:
    return resolve([head], {"train": rows(*train), "val": rows(*val, split="val")})[0]


def test_a_label_nobody_declared_has_a_name() -> None:
    """Another class in any split, and a word where numbers are, are undeclared labels."""
    with pytest.raises(UndeclaredLabel, match=r"1 row of the split 'val' .* 'c'"):
        match(HeadSettings("a"), ["b", "d", "b", "d"], ["b", "c"])
    with pytest.raises(UndeclaredLabel, match="not declared"):
        match(HeadSettings("a", classes=("b", "d")), ["b", "d", "e"], ["b"])
    with pytest.raises(UndeclaredLabel, match="to be a number"):
        match(HeadSettings("a", kind="number"), [1.0, "old"], [2.0])
    assert match(HeadSettings("a", classes=("d", "b")), ["b", "d"], ["b"]).classes == ("d", "b")
    assert match(HeadSettings("a", kind="classes"), [0.0, 1.0, 1.0], [1.0]).classes == ("0", "1")


@pytest.mark.parametrize(
    ("head", "values", "kind"),
    [
        (HeadSettings("a"), [0.0, 1.0, 1.0], "classes"),
        (HeadSettings("a"), [-1.0, 1.0, 1.0], "classes"),
        (HeadSettings("a"), [0.5, 1.0, 1.0], "number"),
        (HeadSettings("a"), [float(i) for i in range(11)], "number"),
        (HeadSettings("a", unit="years"), [20.0, 21.0, 21.0], "number"),
        (HeadSettings("a", unit="years"), ["20", "NA", "21.5"], "number"),
        (HeadSettings("a", kind="classes"), [1.0, 2.0, 3.0], "classes"),
        (HeadSettings("a", classes=("1", "2")), [1.0, 2.0], "classes"),
        (HeadSettings("a"), ["01", "02"], "classes"),
        (HeadSettings("a"), [1.0, 2.0, 3.0], None),
    ],
)
def test_what_is_declared_decides_what_a_head_is(
    head: HeadSettings, values: list[object], kind: str | None
) -> None:
    """A unit makes numbers of text too, and unknown ones missing; few whole numbers have to be declared."""
    if kind is None:
        with pytest.raises(ConfigError, match=r"1, 2, 3: classes or a number\? .*kind=classes"):
            match(head, values, values)
        return
    found = match(head, values, values)
    assert found.kind == kind
    assert found.labelled["train"] == sum(value != "NA" for value in values)


def test_a_word_where_a_number_is_declared_names_its_row() -> None:
    """The picture, the split and the word are told."""
    with pytest.raises(UndeclaredLabel, match=r"\(split 'val'\) has 'old'"):
        match(HeadSettings("a", unit="years"), [1.0, 2.0], ["old"])


def test_too_little_data_has_a_name() -> None:
    """No label in a split, one class, a declared class without a row, a constant: not enough samples."""
    for head, train, val in (
        (HeadSettings("a"), ["b", "d"], [None]),
        (HeadSettings("a"), ["b", "b"], ["b"]),
        (HeadSettings("a", classes=("b", "d", "e")), ["b", "d"], ["b"]),
        (HeadSettings("a"), [3.0, 3.0], [3.0]),
        (HeadSettings("a", edges=(5.0,)), [3.0, 3.0], [3.0]),
        (HeadSettings("tint", label="nothing"), ["b", "d"], ["b"]),
    ):
        with pytest.raises(NotEnoughSamples):
            match(head, train, val)
    one = match(HeadSettings("a"), ["b", "d", "d"], ["d"])
    assert (one.single, one.unseen) == (1, {"train": 0, "val": 1})


def test_heads_that_make_no_sense_are_refused(pictures: Manifest) -> None:
    """No heads (the labels there are named), two of one name, classes of a number, edges that fall."""
    with pytest.raises(ConfigError, match=r"level .*tint"):
        Data.of(pictures, replace(SETTINGS, heads=()))
    with pytest.raises(ConfigError, match="same name"):
        Data.of(pictures, replace(SETTINGS, heads=(HeadSettings("tint"), HeadSettings("tint"))))
    for values in (
        {"name": "pixels"},
        {"name": "a", "kind": "number", "classes": ("b", "c")},
        {"name": "a", "edges": (3.0, 2.0)},
        {"name": "a", "weight": 0.0},
        {"name": "a", "classes": ("b", "b")},
    ):
        with pytest.raises(ConfigError):
            HeadSettings(**values)  # type: ignore[arg-type]


def test_heads_are_read_from_text() -> None:
    """Name, then settings; lists with a slash between; what is not known is refused."""
    assert parse("gender") == HeadSettings("gender")
    assert parse("g:label=age,edges=18/30.5/60,weight=0.5") == HeadSettings(
        "g", label="age", edges=(18.0, 30.5, 60.0), weight=0.5
    )
    assert parse("mask:classes=no/yes").classes == ("no", "yes")
    for bad in ("a:labl=b", "a:18/30", "a:kind=word"):
        with pytest.raises(ConfigError):
            parse(bad)


def test_groups_of_numbers_hold_what_their_names_say() -> None:
    """An edge belongs to the group above it; every whole number lies in the group whose name spans it."""
    edges = (13.0, 20.0, 21.0, 60.0)
    names = bin_names(edges)
    assert names == ("under 13", "13-19", "20", "21-59", "60 and over")
    assert [names[bin_of(v, edges)] for v in (12.9, 13, 19, 20, 21, 59, 60, 200)] == [
        "under 13",
        "13-19",
        "13-19",
        "20",
        "21-59",
        "21-59",
        "60 and over",
        "60 and over",
    ]
    assert bin_names((0.5, 1.0))[1] == "0.5 to 1"


def test_a_row_without_a_label_pulls_nothing() -> None:
    """Its loss and its gradient are 0, for classes and for a number; the others' are those without it."""
    for attribute, truth in (
        (Attribute("a", "a", "classes", ("x", "y"), class_weights=(1.0, 2.0)), torch.tensor([1, -1, 0])),
        (Attribute("a", "a", "number", middle=5.0, scale=2.0), torch.tensor([7.0, float("nan"), 1.0])),
    ):
        width = max(1, len(attribute.classes))
        output = torch.randn(3, width, generator=torch.Generator().manual_seed(0), requires_grad=True)
        each = sample_losses(attribute, output, truth)
        each.sum().backward()
        assert output.grad is not None and torch.isfinite(output.grad).all()
        assert each[1] == 0 and not output.grad[1].any() and output.grad[0].any() and output.grad[2].any()
        alone = sample_losses(attribute, output[[0, 2]].detach(), truth[[0, 2]])
        assert torch.allclose(each[[0, 2]].detach(), alone)


def test_balanced_weights_make_classes_count_the_same() -> None:
    """Weight times rows is equal for all classes, repeats counted; the mean weight of a row is 1."""
    train = rows("b", "b", "b", "d")
    train.append(replace(train[3], id="again", repeats=2))
    head = HeadSettings("a", class_weights="balanced")
    found = resolve([head], {"train": train, "val": rows("b", split="val")})[0]
    assert found.class_weights == pytest.approx((6 / (2 * 3), 6 / (2 * 3)))
    found = resolve([head], {"train": rows("b", "b", "b", "d"), "val": rows("b", split="val")})[0]
    assert found.class_weights == pytest.approx((4 / 6, 4 / 2))


def test_overfitting_is_named_by_head() -> None:
    """The head whose validation loss turned is named with its epoch; one that still falls is not."""
    history = [
        {
            "epoch": e + 1,
            "train_loss": 3.0 - 0.2 * e,
            "val_loss": 3.0 - 0.1 * e,
            "train_loss_a": 1.0 - 0.1 * e,
            "val_loss_a": (0.9, 0.7, 0.8, 0.9, 1.0)[e],
            "train_loss_b": 1.0 - 0.1 * e,
            "val_loss_b": 1.0 - 0.05 * e,
        }
        for e in range(5)
    ]
    heads = [Attribute(name, name, "classes", ("x", "y")) for name in "ab"]
    assert overfitting(history, heads) == {"all": None, "a": 2, "b": None}


def test_a_leak_between_splits_is_refused(pictures: Manifest, tmp_path: Path) -> None:
    """The same file in train and test ends before anything is trained."""
    twice = replace(pictures.rows[0], id="twice", split="test")
    with pytest.raises(SplitError):
        train_attributes(replace(pictures, rows=(*pictures.rows, twice)), tmp_path / "run", SETTINGS)
    assert not (tmp_path / "run").exists()


def test_the_command_trains_from_a_table(pictures: Manifest, tmp_path: Path) -> None:
    """``lineament train attributes`` with labels from a CSV file: tables for people, the result as JSON."""
    bare = replace(pictures, rows=tuple(replace(row, labels={}) for row in pictures if row.id != "002"))
    bare.save(pictures.folder / "bare.jsonl")
    lines = [f"{row.path},{row.labels.get('tint', '')}" for row in pictures]
    table = tmp_path / "labels.csv"
    table.write_text("\n".join(["image,tint", *lines, "unknown.png,red"]))
    words = ["train", "attributes", str(pictures.folder / "bare.jsonl"), "--out", str(tmp_path / "run")]
    words += [
        "--labels",
        str(table),
        "--head",
        "tint",
        "--architecture",
        "reference",
        "--method",
        "scratch",
    ]
    words += ["--size", "32", "--epochs", "2", "--batch-size", "16", "--set", "loop.threads=1"]
    result = CliRunner().invoke(app, [*words, "--json", str(tmp_path / "out.json")], catch_exceptions=False)
    assert result.exit_code == 0
    record = json.loads((tmp_path / "out.json").read_text())
    assert record["table"] == {
        "labelled": 149,
        "without_line": 0,
        "lines_without_row": 2,
        "missing": sum("tint" not in row.labels for row in pictures),
    }
    assert record["epochs"] == 2 and set(record["attributes"]) == {"tint"}
    assert "precision" in result.stdout and "labels from the table: 149 rows" in result.stdout
