"""Face detectors, one file each; create them by name with `lineament.registry.detectors`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lineament.lazily import lazily

if TYPE_CHECKING:
    from lineament.detectors.centerface import CenterFace, CenterFaceConfig
    from lineament.detectors.haar import Haar, HaarConfig
    from lineament.detectors.landmarked import Landmarked, LandmarkedConfig
    from lineament.detectors.localizer import Localizer, LocalizerConfig
    from lineament.detectors.retry import Retry, RetryConfig
    from lineament.detectors.yolo import Yolo, YoloConfig
    from lineament.detectors.yunet import YuNet, YuNetConfig

__all__ = [
    "CenterFace",
    "CenterFaceConfig",
    "Haar",
    "HaarConfig",
    "Landmarked",
    "LandmarkedConfig",
    "Localizer",
    "LocalizerConfig",
    "Retry",
    "RetryConfig",
    "Yolo",
    "YoloConfig",
    "YuNet",
    "YuNetConfig",
]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "lineament.detectors.centerface": ("CenterFace", "CenterFaceConfig"),
        "lineament.detectors.haar": ("Haar", "HaarConfig"),
        "lineament.detectors.landmarked": ("Landmarked", "LandmarkedConfig"),
        "lineament.detectors.localizer": ("Localizer", "LocalizerConfig"),
        "lineament.detectors.retry": ("Retry", "RetryConfig"),
        "lineament.detectors.yolo": ("Yolo", "YoloConfig"),
        "lineament.detectors.yunet": ("YuNet", "YuNetConfig"),
    },
)
