"""YuNet_n, the larger of the two networks of YuNet's author: what `yunet` does, surer of small faces."""

from __future__ import annotations

from dataclasses import dataclass

from lineament.detectors._views import ViewSettings
from lineament.detectors.yunet import YuNet
from lineament.registry import detectors


@dataclass(frozen=True, slots=True)
class YuNetNConfig(ViewSettings):
    """Settings: see `ViewSettings`. A second, doubled view is there for small faces."""

    enlarge: float = 2.0


@detectors.register("yunet_n", YuNetNConfig)
class YuNetN(YuNet):
    """Finds faces of about 8 px and more, with landmarks. Safe to call from several threads."""

    card = "yunet_n"
    settings = YuNetNConfig
