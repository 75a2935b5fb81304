from __future__ import annotations

import pytest
import torch

from lineament.errors import ConfigError, UnknownName
from lineament.training.architectures import build, names
from lineament.training.architectures.middle import ended_at

NAMED = (
    "reference",
    "resnet18",
    "resnet50",
    "alexnet",
    "vgg16",
    "squeezenet1_0",
    "densenet121",
    "inception_v3",
    "mobilenet_v2",
)
FAMILIES = (
    "convnext_tiny",
    "efficientnet_b0",
    "googlenet",
    "maxvit_t",
    "mnasnet0_5",
    "mobilenet_v3_small",
    "regnet_y_400mf",
    "shufflenet_v2_x0_5",
    "squeezenet1_1",
    "swin_t",
    "vgg11_bn",
    "vit_b_16",
)


@pytest.mark.parametrize("name", NAMED)
def test_a_named_architecture_gives_one_vector_a_picture_at_every_usual_size(name: str) -> None:
    """Rule: at 96 and at 299 pixels the output is (N, dimension), and no layer of 1,000 classes is left.

    Shapes alone are computed here, without values; benchmarks/train_classifier.py runs and exports each.
    """
    with torch.device("meta"), torch.inference_mode():
        backbone = build(name).eval()
        for size in (96, 299):
            assert backbone(torch.empty(2, 3, size, size)).shape == (2, backbone.dimension)
    widths = [getattr(m, "out_features", getattr(m, "out_channels", None)) for m in backbone.modules()]
    assert 1000 not in widths


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_of_torchvision_is_a_backbone(name: str) -> None:
    """Rule: a model of each family builds without its class layer, and its last map is made last: it is a
    sixteenth of the picture's side, or tokens (ViT)."""
    made: list[tuple[int, ...]] = []
    # RegNet computes with values while it is built.
    with torch.device("cpu" if name.startswith("regnet") else "meta"), torch.inference_mode():
        backbone = build(name).eval()
        backbone.get_submodule(backbone.maps).register_forward_hook(
            lambda _m, _i, output: made.append(tuple(output.shape))
        )
        assert backbone(torch.empty(1, 3, 224, 224)).shape == (1, backbone.dimension)
    (shape,) = made
    assert shape[1] * shape[2] <= 197 if name == "swin_t" else len(shape) == 3 or max(shape[2:]) <= 14


@pytest.mark.parametrize(("name", "size", "says"), [("vit_b_16", 96, "224"), ("inception_v3", 64, "75")])
def test_pictures_of_a_side_that_a_network_does_not_take_are_refused(
    name: str, size: int, says: str
) -> None:
    """Rule: a side too short, or another than the only one, is a ConfigError that tells the right one."""
    with torch.device("meta"):
        backbone = build(name)
    with pytest.raises(ConfigError, match=says):
        backbone.require_size(size)
    backbone.require_size(224)


def test_a_network_without_a_known_class_layer_is_refused_with_others_to_take(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Rule: a network of a newer torchvision whose layers are named otherwise ends in UnknownName, which
    names networks that can be taken."""
    from torchvision import models

    odd = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3))
    monkeypatch.setattr(models, "get_model", lambda *_args, **_settings: odd)
    with pytest.raises(UnknownName, match=r"resnet18.*class layer.*mobilenet_v2"):
        build("resnet18")
    odd.fc = torch.nn.Linear(8, 1000)
    with pytest.raises(UnknownName, match=r"resnet18.*feature map.*mobilenet_v2"):
        build("resnet18")


@pytest.mark.parametrize("name", [*NAMED, "vit_b_16", "convnext_tiny"])
def test_stages_hold_every_parameter_of_a_layer_once(name: str) -> None:
    """Rule: no parameter is in two stages, and what is in none belongs to the network itself."""
    with torch.device("meta"):
        backbone = build(name)
    inside = [id(p) for stage in backbone.stages for p in stage.parameters()]
    own = {id(p) for p in backbone.body.parameters(recurse=False)}
    assert len(inside) == len(set(inside))
    assert {id(p) for p in backbone.parameters()} - own == set(inside)


@pytest.mark.parametrize("name", ["reference", "squeezenet1_0", "mobilenet_v2"])
def test_values_are_finite_and_differ_between_pictures(name: str) -> None:
    """Rule: a network that was just built answers two different pictures differently."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    backbone = build(name).eval()
    with torch.inference_mode():
        first, second = backbone(torch.randn(2, 3, 64, 64))
    assert torch.isfinite(first).all()
    assert not torch.allclose(first, second, atol=0)


def test_inception_converts_its_input_as_its_published_weights_expect() -> None:
    """Rule: it is built as torchvision builds it for its weights, so that one input serves all networks."""
    with torch.device("meta"):
        assert build("inception_v3").body.transform_input
        assert build("googlenet").body.transform_input


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    """Rule: a typo ends in UnknownName that tells the right word."""
    with pytest.raises(UnknownName, match="mobilenet_v2"):
        build("mobilenet_v22")
    assert set(NAMED) <= set(names())


@pytest.mark.parametrize(
    ("name", "layer"), [("resnet18", "layer2"), ("resnet18", "layer3.0"), ("mobilenet_v2", "features.13")]
)
def test_a_network_ended_at_a_layer_gives_its_map(name: str, layer: str) -> None:
    """Rule: the features are the whole network's map at that layer, place by place; later layers are gone,
    the weights that stay keep their names, and each lies in one stage."""
    torch.manual_seed(0)
    whole = build(name).eval()
    seen: list[torch.Tensor] = []
    whole.body.get_submodule(layer).register_forward_hook(lambda *args: seen.append(args[2]))
    pixels = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        whole(pixels)
        beginning = ended_at(whole, layer, 64)
        features = beginning.eval()(pixels)
    assert torch.equal(features, seen[0].flatten(1))
    assert features.shape == (2, beginning.dimension)
    assert set(beginning.state_dict()) < set(whole.state_dict())
    staged = [id(p) for stage in beginning.stages for p in stage.parameters()]
    assert sorted(staged) == sorted(id(p) for p in beginning.parameters())


def test_a_layer_that_a_network_lacks_is_answered_with_the_nearest() -> None:
    """Rule: it is a usage error that names the nearest layer and the first ones."""
    with pytest.raises(ConfigError, match=r"no layer 'layer22'.*layer2.*begins with conv1"):
        ended_at(build("resnet18"), "layer22", 64)
