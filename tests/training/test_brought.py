"""Weights brought along for a sweep: found by network, and all checked before anything trains."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from lineament.errors import ConfigError, WeightsUnavailable
from lineament.training.architectures import build
from lineament.training.sweeping import brought
from lineament.training.sweeping.settings import SweepSettings
from lineament.training.sweeping.sweep import cells


@pytest.mark.parametrize(
    ("network", "name"),
    [
        ("resnet50", "resnet50.pth"),
        ("resnet50", "resnet50-11ad3fa6.pth"),
        ("vgg16_bn", "vgg16_bn-6c64b313.pth"),
        ("mobilenet_v2", "MobileNet_v2-b0353104.pth"),
        ("efficientnet_b0", "efficientnet_b0_rwightman-7f5810bc.pth"),
        ("resnet18", "resnet18/best.safetensors"),
        ("reference", "reference.safetensors"),
    ],
)
def test_a_folder_gives_each_network_its_file(tmp_path: Path, network: str, name: str) -> None:
    """Files named as they are published or after the network, and run folders; not those of a network whose
    name begins alike, and no notes that lie beside."""
    for other in (name, "resnet501.pth", "vgg16-397923af.pth", "notes-resnet50.txt", "resnet50.txt"):
        (tmp_path / other).parent.mkdir(exist_ok=True)
        (tmp_path / other).write_bytes(b"")
    found = brought.weights_for(network, [str(tmp_path)])
    assert found is not None and tmp_path / name in (Path(found), Path(found) / "best.safetensors")
    assert brought.weights_for("densenet121", [str(tmp_path)]) is None


def test_what_is_named_comes_first_and_two_are_asked_about(tmp_path: Path) -> None:
    """NETWORK=FILE beats a folder; two files of one network, a file alone and a run folder are refused with
    what to write."""
    for name in ("resnet18-a.pth", "resnet18-b.pth"):
        (tmp_path / name).write_bytes(b"")
    assert brought.weights_for("resnet18", [str(tmp_path), "resnet18=x.pth"]) == "x.pth"
    with pytest.raises(ConfigError, match=r"resnet18-b\.pth are all of resnet18; say which: NETWORK=FILE"):
        brought.weights_for("resnet18", [str(tmp_path)])
    with pytest.raises(ConfigError, match="no folder of weights; of one network: NETWORK="):
        brought.weights_for("resnet18", [str(tmp_path / "resnet18-a.pth")])
    with pytest.raises(ConfigError, match="'resnet19', which is not among"):
        cells(SweepSettings(architectures=("resnet18",), weights=("resnet19=x",)))


def test_weights_are_checked_before_the_first_cell(tmp_path: Path) -> None:
    """Each network's weights are loaded once before anything trains, and all that fail are named; the cells
    take what was brought, and training from scratch takes none."""
    torch.save(build("reference").state_dict(), tmp_path / "reference.pth")
    (tmp_path / "resnet18.pth").write_bytes(b"broken")
    told = SweepSettings(
        architectures=("reference", "resnet18:fine-tuning", "squeezenet1_0:fine-tuning"),
        methods=("scratch", "fine-tuning"),
        augmentations=("none",),
        seeds=(0, 1),
        weights=(str(tmp_path), f"squeezenet1_0={tmp_path / 'nowhere.pth'}"),
        baseline="none",
    )
    starts = {(cell.architecture, cell.method): cell.settings.weights for cell in cells(told)}
    assert starts["reference", "scratch"] == "auto"
    assert starts["reference", "fine-tuning"] == str(tmp_path / "reference.pth")
    with pytest.raises(WeightsUnavailable) as raised:
        brought.require_loadable(
            (cell.architecture, cell.settings.weights) for cell in cells(told) if cell.method != "scratch"
        )
    lines = str(raised.value).splitlines()
    assert [line.split(":")[0] for line in lines[1:]] == ["resnet18", "squeezenet1_0"]
