"""YuNet_n, the larger of the two networks of YuNet's author: what `yunet` does, surer of small faces."""

from __future__ import annotations

from dataclasses import dataclass

from lineament.detectors.yunet import YuNet, YuNetConfig
from lineament.registry import detectors


@dataclass(frozen=True, slots=True)
class YuNetNConfig(YuNetConfig):
    """Settings: see `ViewSettings`. Small faces are looked for enlarged, larger ones at half size too."""

    nms: float = 0.4
    enlarge: float = 2.0
    half: bool = True
    average: bool = True


@detectors.register("yunet_n", YuNetNConfig)
class YuNetN(YuNet):
    """Finds faces of about 8 px and more, with landmarks. Safe to call from several threads."""

    card = "yunet_n"
    settings = YuNetNConfig
