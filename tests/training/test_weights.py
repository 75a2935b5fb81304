from __future__ import annotations

import functools
import hashlib
import http.server
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torchvision import models

from lineament.errors import DigestMismatch, WeightsMismatch, WeightsUnavailable
from lineament.io import assets, catalog
from lineament.training.architectures import Backbone, build, weights


def state(backbone: Backbone) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in backbone.state_dict().items()}


def test_imagenet_puts_the_catalogue_weights_into_mobilenet() -> None:
    """Rule: the tensors are those of the pinned file, and the card is told which file that was."""
    backbone = build("mobilenet_v2")
    said = weights.load(backbone, "imagenet")
    card = catalog.card("mobilenet_v2")
    pinned = torch.load(assets.fetch(card), weights_only=True)
    for name, value in backbone.body.state_dict().items():
        assert torch.equal(value, pinned[name])
    assert said is not None
    assert card.sha256 in said
    assert card.licence in said


def test_none_leaves_the_random_weights() -> None:
    """Rule: without weights nothing is changed, and nothing is claimed."""
    backbone = build("reference")
    before = state(backbone)
    assert weights.load(backbone, "none") is None
    assert all(torch.equal(before[name], value) for name, value in backbone.state_dict().items())


def test_offline_names_the_file_to_bring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rule: weights that are not cached end, offline, in an error with the file's exact name."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("LINEAMENT_OFFLINE", "1")
    with pytest.raises(WeightsUnavailable, match=r"--weights PATH/resnet18-f37072fd\.pth"):
        weights.load(build("resnet18"), "imagenet")
    monkeypatch.setenv("LINEAMENT_CACHE", str(tmp_path / "none"))
    with pytest.raises(WeightsUnavailable, match=r"--weights PATH/mobilenet_v2-b0353104\.pth"):
        weights.load(build("mobilenet_v2"), "imagenet")


def test_an_unreachable_host_names_the_file_to_bring(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rule: a network that does not answer is told as such, with the same way out."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    with pytest.raises(WeightsUnavailable, match=r"could not be downloaded.*resnet18-f37072fd\.pth"):
        weights.load(build("resnet18"), "imagenet", offline=False)
    assert not list(tmp_path.rglob("*.pth"))


def test_an_own_network_has_no_published_weights() -> None:
    """Rule: asking ImageNet weights of the reference network says what to do instead."""
    with pytest.raises(WeightsUnavailable, match="scratch"):
        weights.load(build("reference"), "imagenet")


@pytest.fixture
def published(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A file served as torchvision's are, its name holding the head of its digest."""
    folder = tmp_path / "served"
    folder.mkdir()
    content = b"weights" * 1000
    name = f"tiny-{hashlib.sha256(content).hexdigest()[:8]}.pth"
    (folder / name).write_bytes(content)
    handler = functools.partial(_Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/{name}", folder / name
        server.shutdown()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


def test_a_download_is_kept_and_checked(
    published: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rule: a file is fetched once, is used offline afterwards, and a damaged one is refused."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    url, original = published
    kept = weights.hub_file(url, offline=False)
    assert kept.read_bytes() == original.read_bytes()
    original.unlink()
    assert weights.hub_file(url, offline=True) == kept
    kept.write_bytes(b"damaged")
    with pytest.raises(DigestMismatch):
        weights.hub_file(url, offline=True)


def test_a_download_of_other_bytes_is_not_kept(
    published: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rule: what does not have the digest in its name never enters the cache."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    url, original = published
    original.write_bytes(b"something else")
    with pytest.raises(WeightsUnavailable, match="hash"):
        weights.hub_file(url, offline=False)
    assert not list((tmp_path / "home").rglob("*.pth"))


@pytest.mark.parametrize("name", ["squeezenet1_0", "mobilenet_v2"])
@pytest.mark.parametrize("form", ["pth", "safetensors", "parallel", "wrapped"])
def test_a_file_of_the_whole_network_fills_its_backbone(name: str, form: str, tmp_path: Path) -> None:
    """Rule: torchvision's own files, of any number of classes and as any trainer saves them, fit."""
    torch.manual_seed(1)
    whole = models.get_model(name, weights=None, num_classes=7)
    tensors: Any = whole.state_dict()
    path = tmp_path / ("w.safetensors" if form == "safetensors" else "w.pth")
    if form == "safetensors":
        save_file(tensors, path)
    else:
        if form == "parallel":
            tensors = {f"module.{key}": value for key, value in tensors.items()}
        torch.save({"state_dict": tensors, "epoch": 3} if form == "wrapped" else tensors, path)
    torch.manual_seed(2)
    backbone = build(name)
    said = weights.load(backbone, path)
    wanted = whole.state_dict()
    for key, value in backbone.body.state_dict().items():
        assert torch.equal(value, wanted[key])
    assert said is not None
    assert hashlib.sha256(path.read_bytes()).hexdigest() in said
    assert str(tmp_path) not in said


def test_densenet_files_with_old_layer_names_fit(tmp_path: Path) -> None:
    """Rule: norm.1 and conv.2 of torchvision's published DenseNet files are norm1 and conv2."""
    whole = models.get_model("densenet121", weights=None)
    old = {
        re.sub(r"(denselayer\d+\.(?:norm|conv))(?=[12]\.)", r"\1.", key): value
        for key, value in whole.state_dict().items()
    }
    assert "features.denseblock1.denselayer1.norm.1.weight" in old
    torch.save(old, tmp_path / "old.pth")
    backbone = build("densenet121")
    weights.load(backbone, tmp_path / "old.pth")
    assert torch.equal(backbone.body.features.conv0.weight, whole.features.conv0.weight)


@pytest.mark.parametrize(
    ("source", "target", "said"),
    [
        (
            "shufflenet_v2_x0_5",
            "shufflenet_v2_x1_0",
            r"another shape: .* is \(24, 24, 1, 1\), not \(58, 24",
        ),
        ("squeezenet1_0", "resnet18", r"not weights of resnet18: 100 of 100 tensors missing.*conv1"),
        ("resnet18", "resnet34", r"tensors missing, among them layer1\.2"),
    ],
)
def test_weights_of_another_network_are_told_by_tensor(
    source: str, target: str, said: str, tmp_path: Path
) -> None:
    """Rule: what does not fit is refused, naming tensors, and the network stays as it was."""
    torch.save(models.get_model(source, weights=None).state_dict(), tmp_path / "w.pth")
    backbone = build(target)
    before = state(backbone)
    with pytest.raises(WeightsMismatch, match=said):
        weights.load(backbone, tmp_path / "w.pth")
    assert all(torch.equal(before[name], value) for name, value in backbone.state_dict().items())


def test_nan_in_a_file_is_refused(tmp_path: Path) -> None:
    """Rule: weights of a training that diverged do not spread."""
    backbone = build("reference")
    broken = {f"backbone.{name}": value for name, value in state(backbone).items()}
    broken["backbone.body.0.0.weight"][0] = torch.nan
    save_file(broken, tmp_path / "w.safetensors")
    with pytest.raises(WeightsMismatch, match=r"NaN or infinity in 0\.0\.weight"):
        weights.load(backbone, tmp_path / "w.safetensors")


class _Code:
    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path("ran"),)


def test_code_in_a_file_does_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rule: a .pth that would run code when unpickled is refused unrun."""
    monkeypatch.chdir(tmp_path)
    torch.save({"conv1.weight": _Code()}, tmp_path / "w.pth")
    with pytest.raises(WeightsMismatch, match="no file of weights that can be read safely"):
        weights.load(build("resnet18"), tmp_path / "w.pth")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("content", [b"", b"no weights at all", b"PK\x03\x04 a broken zip"])
@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_a_file_that_is_none_of_weights_is_refused(content: bytes, suffix: str, tmp_path: Path) -> None:
    """Rule: any other file ends in WeightsMismatch, never in an error of a library."""
    (tmp_path / f"w.{suffix}").write_bytes(content)
    with pytest.raises(WeightsMismatch):
        weights.load(build("reference"), tmp_path / f"w.{suffix}")


def test_a_missing_file_and_an_empty_folder_are_told(tmp_path: Path) -> None:
    """Rule: a path to nothing, or to a folder without a finished training, is WeightsUnavailable."""
    with pytest.raises(WeightsUnavailable, match="no such file"):
        weights.load(build("reference"), tmp_path / "none.pth")
    with pytest.raises(WeightsUnavailable, match=r"best\.safetensors"):
        weights.load(build("reference"), tmp_path)
    torch.save({"epoch": 3}, tmp_path / "w.pth")
    with pytest.raises(WeightsMismatch, match="no tensors"):
        weights.load(build("reference"), tmp_path / "w.pth")
