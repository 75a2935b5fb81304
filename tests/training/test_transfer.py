from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from picture_classes import CLASSES, SIDE, pictures
from torch import nn

from lineament.datasets.augment.pipeline import Pipeline
from lineament.errors import ConfigError, NotEnoughSamples
from lineament.training import features, transfer
from lineament.training.architectures import build
from lineament.training.classification.settings import ClassifierSettings
from lineament.training.classification.trainer import Classifier
from lineament.training.data import Batches, Pictures, in_order, normalised
from lineament.training.settings import FineTuning

torch.set_num_threads(1)


def classifier(method: transfer.Method, tuning: FineTuning | None = None) -> Classifier:
    torch.manual_seed(0)
    settings = ClassifierSettings("reference", method, weights="random", fine_tuning=tuning or FineTuning())
    return Classifier(build("reference"), 3, settings)


def trained(model: Classifier, steps: int = 2) -> dict[str, set[str]]:
    """Train on noise; the tensors that changed, by the number of their stage or ``head``."""
    settings = ClassifierSettings("reference", "fine-tuning")
    method: transfer.Method = (
        "fine-tuning" if any(p.requires_grad for p in model.backbone.parameters()) else "feature-extraction"
    )
    groups = transfer.groups(model.backbone, [model.head], method, settings.fine_tuning)
    optimiser = torch.optim.SGD([{**g, "lr": 0.1} for g in groups])
    before = {name: value.clone() for name, value in model.state_dict().items()}
    model.train()
    for _ in range(steps):
        optimiser.zero_grad()
        nn.functional.cross_entropy(model(torch.randn(8, 3, 32, 32)), torch.randint(0, 3, (8,))).backward()
        optimiser.step()
    changed: dict[str, set[str]] = {}
    for name, value in model.state_dict().items():
        if not torch.equal(before[name], value):
            part = name.split(".")[2] if name.startswith("backbone.") else "head"
            changed.setdefault(part, set()).add(name.rsplit(".", 1)[1])
    return changed


def test_feature_extraction_leaves_the_backbone_as_it_is() -> None:
    """Rule: neither weights nor batch-norm statistics of the backbone move, only the class layer."""
    assert set(trained(classifier("feature-extraction"))) == {"head"}


def test_frozen_stages_stay_and_the_others_learn() -> None:
    """Rule: the first stages, with their batch-norm statistics, are untouched; all others change."""
    changed = trained(classifier("fine-tuning", FineTuning(frozen_stages=2)))
    assert set(changed) == {"2", "3", "head"}
    assert {"weight", "running_mean"} <= changed["3"]


def test_kept_batch_norm_learns_scale_but_not_statistics() -> None:
    """Rule: ``keep`` holds running means and variances still, and still trains every stage's weights."""
    changed = trained(classifier("fine-tuning", FineTuning(batch_norm="keep")))
    assert set(changed) == {"0", "1", "2", "3", "head"}
    assert not any("running" in name for names in changed.values() for name in names)
    assert "running_mean" in trained(classifier("fine-tuning"))["0"]


def test_rates_fall_evenly_from_the_last_stage_to_the_first() -> None:
    """Rule: neighbouring stages differ by one factor; the ends are the settings'; the head has 1."""
    backbone = build("mobilenet_v2")
    head = nn.Linear(backbone.dimension, 3)
    groups = transfer.groups(backbone, [head], "fine-tuning", FineTuning(last_stage=0.5, first_stage=0.01))
    *scales, of_head = [g["scale"] for g in groups]
    assert scales[0] == pytest.approx(0.01)
    assert scales[-1] == pytest.approx(0.5)
    assert np.ptp(np.diff(np.log(scales))) < 1e-9
    assert of_head == 1.0
    assert groups[-1]["params"] == list(head.parameters())


@pytest.mark.parametrize("name", ["reference", "vit_b_16"])
@pytest.mark.parametrize("method", ["scratch", "fine-tuning"])
def test_every_parameter_is_trained_once(name: str, method: transfer.Method) -> None:
    """Rule: parameters of the network itself (a transformer's class token) are in a group too."""
    with torch.device("meta"):
        backbone = build(name)
        head = nn.Linear(backbone.dimension, 3)
    groups = transfer.groups(backbone, [head], method, FineTuning())
    taken = [id(p) for group in groups for p in group["params"]]
    assert sorted(taken) == sorted(id(p) for p in [*backbone.parameters(), *head.parameters()])


def test_the_new_layers_are_those_of_the_whole() -> None:
    """Rule: training them alone changes the whole, and the whole's weights can be put into them."""
    whole = classifier("feature-extraction")
    new = transfer.NewLayers(whole)
    assert set(new.state_dict()) == {"head.weight", "head.bias"}
    with torch.no_grad():
        new.get_parameter("head.bias").fill_(7.0)
    assert whole.head.bias.tolist() == [7.0] * 3
    other = classifier("feature-extraction")
    new.load_state_dict(other.state_dict())
    assert torch.equal(whole.head.weight, other.head.weight)
    vectors = torch.randn(4, whole.backbone.dimension)
    new.eval()
    whole.eval()
    assert torch.equal(new(vectors), whole.answer(vectors))


def test_settings_that_train_nothing_are_refused() -> None:
    """Rule: freezing every stage, or rates that rise towards the input, end in ConfigError."""
    with pytest.raises(ConfigError, match="4 stages"):
        classifier("fine-tuning", FineTuning(frozen_stages=4))
    with pytest.raises(ConfigError, match="first_stage"):
        FineTuning(last_stage=0.1, first_stage=0.2)


def prepared(pixels: torch.Tensor) -> torch.Tensor:
    return normalised(pixels, (128.0,), (64.0,))


def cached(data: Pictures, folder: Path, variants: int, calls: list[int]) -> features.Features:
    torch.manual_seed(4)
    return features.cached(
        build("reference"),
        data,
        folder,
        variants=variants,
        batch_size=4,
        device=torch.device("cpu"),
        prepare=prepared,
        advance=calls.append,
    )


def data_set(folder: Path, steps: tuple[str, ...]) -> Pictures:
    manifest = pictures(folder, {"train": 3})
    (folder / "train-4.png").write_bytes(b"\x89PNG\r\n\x1a\n damaged")

    def target(row: Any, _view: Any) -> dict[str, Any]:
        return {"class": CLASSES.index(row.labels["lines"])}

    return Pictures(
        manifest, manifest.rows, target, size=SIDE, augment=Pipeline(steps, seed=1) if steps else None
    )


def test_cached_features_are_those_of_the_pictures(tmp_path: Path) -> None:
    """Rule: epoch e holds the features of each picture as augmented for epoch e modulo the variants.

    Targets and refused pictures are those of the pictures as well.
    """
    data = data_set(tmp_path / "data", ("flip", "noise"))
    found = cached(data, tmp_path / "kept", 3, [])
    torch.manual_seed(4)
    backbone = build("reference").eval()
    plan = in_order(len(data), 4)
    for epoch in (0, 1, 2, 4):
        wanted = list(Batches(data, plan).epoch(epoch % 3))
        for got, direct in zip(Batches(found, plan).epoch(epoch), wanted, strict=True):
            with torch.inference_mode():
                vectors = backbone(prepared(direct.pixels))
            torch.testing.assert_close(got.pixels, vectors)
            assert torch.equal(got.targets["class"], direct.targets["class"])
            assert torch.equal(got.index, direct.index)
            assert got.refused == direct.refused
    assert len(found.refused) == 1


def test_pictures_that_are_not_augmented_are_computed_once(tmp_path: Path) -> None:
    """Rule: without augmentation every variant would be the same, so there is one."""
    calls: list[int] = []
    cached(data_set(tmp_path / "data", ()), tmp_path / "kept", 5, calls)
    assert len(calls) == 3
    assert [p.name for p in (tmp_path / "kept").glob("*.npy")] == ["000.npy"]


def test_passes_say_what_they_are(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Rule: one line says why there are several passes, each is announced, and kept ones are not."""
    data = data_set(tmp_path / "data", ("flip", "noise"))
    with caplog.at_level(logging.INFO, "lineament.training"):
        cached(data, tmp_path / "kept", 2, [])
        told = [record.message for record in caplog.records]
        cached(data, tmp_path / "kept", 2, [])
    assert len(caplog.records) == len(told) == 3
    assert "2 times now, augmented otherwise each time" in told[0]
    assert [line.rpartition(", ")[2] for line in told[1:]] == ["variant 1 of 2", "variant 2 of 2"]


def test_a_long_pass_says_how_far_it_is(caplog: pytest.LogCaptureFixture) -> None:
    """Rule: after 15 seconds without a line one says what of the pass is done and how long all take."""
    clock = iter((0.0, 7.0, 14.0, 20.0, 30.0))
    telling = features.Telling("training pictures", 100, 4, clock=lambda: next(clock))
    with caplog.at_level(logging.INFO, "lineament.training"):
        telling.begin(1)
        before = len(caplog.records)
        for _ in range(4):
            telling.seen(10)
    assert [record.message for record in caplog.records[before:]] == [
        "features of 30 of 100 pictures, variant 2 of 4, 1.5 pictures/s, at most 3 min left"
    ]


def test_an_interrupted_computation_goes_on_with_its_variant(tmp_path: Path) -> None:
    """Rule: finished variants are not computed again, and the result is that of an undisturbed run."""
    data = data_set(tmp_path / "data", ("flip", "noise"))
    kept = tmp_path / "kept"

    def interrupt(_count: int) -> None:
        calls.append(1)
        if len(calls) == 5:  # in the second of three batches of the second variant
            raise KeyboardInterrupt

    calls: list[int] = []
    with pytest.raises(KeyboardInterrupt):
        torch.manual_seed(4)
        features.cached(
            build("reference"),
            data,
            kept,
            variants=3,
            batch_size=4,
            device=torch.device("cpu"),
            prepare=prepared,
            advance=interrupt,
        )
    assert sorted(p.name for p in kept.iterdir()) == ["000.json", "000.npy", "000.npz"]
    first = (kept / "000.npy").stat().st_mtime_ns
    cached(data, kept, 3, [])
    assert (kept / "000.npy").stat().st_mtime_ns == first
    cached(data, tmp_path / "undisturbed", 3, [])
    for number in range(3):
        name = f"{number:03}.npy"
        assert (kept / name).read_bytes() == (tmp_path / "undisturbed" / name).read_bytes()
    assert json.loads((kept / "002.json").read_text())["refused"]


def test_features_of_nothing_are_an_error(tmp_path: Path) -> None:
    """Rule: a split of which no picture can be read ends in NotEnoughSamples."""
    data = data_set(tmp_path / "data", ())
    for path in (tmp_path / "data").glob("*.png"):
        path.write_bytes(b"")
    with pytest.raises(NotEnoughSamples, match="not one of 9 pictures"):
        cached(data, tmp_path / "kept", 1, [])
