"""Filters, feature maps and Grad-CAM of exported models, where the answer is known."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from planted import COLOURS, DEEP_HEADS, SIZE, Blobs, Deep, picture, run_of
from typer.testing import CliRunner

from lineament.cli.main import app
from lineament.errors import ConfigError, ModelRefused, UnknownName
from lineament.explain.activations import feature_maps
from lineament.explain.filters import first_filters
from lineament.explain.graph import Graph
from lineament.explain.saliency import grad_cam
from lineament.io import images
from lineament.io.trained import Head


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def blobs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run_of(Blobs(), tmp_path_factory.mktemp("runs") / "blobs", (Head("tint", "classes", COLOURS),))


@pytest.fixture(scope="module")
def deep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run_of(Deep(), tmp_path_factory.mktemp("runs") / "deep", DEEP_HEADS)


@pytest.mark.parametrize(("target", "rows"), [("red", slice(0, 16)), ("green", slice(16, 32))])
def test_points_at_what_the_class_is_made_of(blobs: Path, target: str, rows: slice) -> None:
    """A network that counts colours: red's heat lies on the red square, green's on the green one."""
    found = grad_cam(Graph.of_run(blobs), picture(), target=target)
    assert found.target == target
    assert found.heat.shape == (SIZE, SIZE) and found.heat.max() == 1
    assert found.heat[rows, rows].sum() > 0.99 * found.heat.sum()
    y, x = np.unravel_index(found.heat.argmax(), found.heat.shape)
    assert rows.start + 4 <= y < rows.start + 12 and rows.start + 4 <= x < rows.start + 12


def test_nothing_speaks_for_what_is_not_there(blobs: Path) -> None:
    """Where no place speaks for a class the map is empty, not noise stretched to 1."""
    found = grad_cam(Graph.of_run(blobs), picture(), target="blue")
    assert not found.heat.any() and not found.map.any()


def test_the_likeliest_class_is_explained(blobs: Path) -> None:
    """Without a class the network's own answer is."""
    pixels = picture()
    pixels[16:] = 90
    assert grad_cam(Graph.of_run(blobs), pixels).target == "red"


@pytest.mark.parametrize(("head", "target"), [("kind", "c"), ("level", None)])
def test_equals_backpropagation(deep: Path, head: str, target: str | None) -> None:
    """Slopes measured on the exported model are the gradients of the network it came from, through layers
    that bend and around a connection that skips."""
    model = Deep().eval()
    crop = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3), np.uint8)
    maps = model.maps(torch.from_numpy(crop.transpose(2, 0, 1)[None].astype(np.float32) / 255)).detach()
    maps.requires_grad_()
    kind, level = model.answers(maps)
    value = kind[0, 2] if head == "kind" else level[0, 0]
    value.backward()
    assert maps.grad is not None
    weights = maps.grad.mean(dim=(2, 3), keepdim=True)
    wanted = torch.relu((weights * maps.detach()).sum(dim=1))[0].numpy()
    assert wanted.max() > 0
    found = grad_cam(Graph.of_run(deep), crop, head=head, target=target)
    assert found.value == pytest.approx(float(value.detach()), abs=1e-4)
    np.testing.assert_allclose(found.map, wanted, atol=0.02 * wanted.max())
    heat = cv2.resize(wanted, (SIZE, SIZE), interpolation=cv2.INTER_LINEAR)
    np.testing.assert_allclose(found.heat, heat / heat.max(), atol=0.03)


def test_filters_are_the_weights(deep: Path) -> None:
    """The first layer's filters are those of the network, from the run folder or its ONNX file."""
    wanted = Deep().first.weight.detach().numpy()
    for source in (deep, deep / "model.onnx"):
        layer = first_filters(source)
        np.testing.assert_allclose(layer.weights, wanted, atol=1e-6)
    assert first_filters(deep).name == "first"


def test_feature_maps_are_the_layers_answers(deep: Path) -> None:
    """Each layer's maps, after its activation, are what the network computes."""
    model = Deep().eval()
    crop = picture()
    first, second = feature_maps(Graph.of_run(deep), crop)
    pixels = torch.from_numpy(crop.transpose(2, 0, 1)[None].astype(np.float32) / 255)
    with torch.no_grad():
        one = torch.relu(model.first(pixels))
        two = torch.relu(model.second(one))
    assert (first.layer, second.layer) == ("first", "second")
    np.testing.assert_allclose(first.maps, one[0].numpy(), atol=1e-4)
    np.testing.assert_allclose(second.maps, two[0].numpy(), atol=1e-4)
    (only,) = feature_maps(Graph.of_run(deep), crop, ["second"])
    np.testing.assert_array_equal(only.maps, second.maps)


def test_wrong_questions_are_named(blobs: Path, deep: Path, tmp_path: Path) -> None:
    """A layer, head or class that is not there, a head that must be named, a file that is no model."""
    with pytest.raises(UnknownName, match="second"):
        feature_maps(Graph.of_run(deep), picture(), ["secnd"])
    with pytest.raises(ConfigError, match="--head"):
        grad_cam(Graph.of_run(deep), picture())
    with pytest.raises(UnknownName):
        grad_cam(Graph.of_run(deep), picture(), head="knd")
    with pytest.raises(UnknownName):
        grad_cam(Graph.of_run(blobs), picture(), target="violet")
    with pytest.raises(ConfigError, match="no classes"):
        grad_cam(Graph.of_run(deep), picture(), head="level", target="a")
    (tmp_path / "no.onnx").write_bytes(b"nonsense" * 99)
    with pytest.raises(ModelRefused, match="ONNX"):
        first_filters(tmp_path / "no.onnx")


def test_from_the_command_line(blobs: Path, tmp_path: Path) -> None:
    """Each command writes its picture and its arrays, and JSON that tells what they are."""
    photo = tmp_path / "photo.png"
    images.save(photo, picture())
    out = tmp_path / "out"
    told = tmp_path / "told.json"
    for name, more in (
        ("filters", []),
        ("activations", [str(photo), "--whole"]),
        ("saliency", [str(photo), "--whole", "--class", "green"]),
    ):
        arguments = ["explain", name, str(blobs), *more, "--out", str(out), "--json", str(told)]
        answer = CliRunner().invoke(app, arguments, catch_exceptions=False)
        assert answer.exit_code == 0
        assert images.load(out / f"{name}.png").pixels.std() > 5
        assert json.loads(told.read_text())["figure"] == str(out / f"{name}.png")
    assert np.load(out / "filters.npy").shape == (3, 3, 4, 4)
    assert np.load(out / "activations-00.npy").shape == (3, 8, 8)
    assert np.load(out / "saliency.npy")[16:, 16:].sum() > 0
    assert not np.load(out / "saliency.npy")[:16, :16].any()
