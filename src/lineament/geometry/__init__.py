"""Pure NumPy geometry: boxes, landmarks, alignment, rotation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lineament.lazily import lazily

if TYPE_CHECKING:
    from lineament.geometry.alignment import similarity_transform
    from lineament.geometry.boxes import area, center, clip, iou, nearest_to, nms
    from lineament.geometry.crop_style import CropStyle
    from lineament.geometry.crops import cut
    from lineament.geometry.landmarks import flip_horizontally, interocular_distance, roll
    from lineament.geometry.letterbox import Placement
    from lineament.geometry.rotation import enclosing_boxes, rotate_about_center

__all__ = [
    "CropStyle",
    "Placement",
    "area",
    "center",
    "clip",
    "cut",
    "enclosing_boxes",
    "flip_horizontally",
    "interocular_distance",
    "iou",
    "nearest_to",
    "nms",
    "roll",
    "rotate_about_center",
    "similarity_transform",
]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "lineament.geometry.alignment": ("similarity_transform",),
        "lineament.geometry.boxes": ("area", "center", "clip", "iou", "nearest_to", "nms"),
        "lineament.geometry.crop_style": ("CropStyle",),
        "lineament.geometry.crops": ("cut",),
        "lineament.geometry.landmarks": ("flip_horizontally", "interocular_distance", "roll"),
        "lineament.geometry.letterbox": ("Placement",),
        "lineament.geometry.rotation": ("enclosing_boxes", "rotate_about_center"),
    },
)
