"""SSDlite of torchvision as a network to train: the detector whose licence (BSD) asks for nothing.

``ssdlite_mobilenet_v2`` and its sisters are put together here from torchvision's parts: maps of strides 8
to 128 instead of 16 to 512, and smaller default boxes, because faces are small. Their backbones can start
from ImageNet. ``ssdlite320_mobilenet_v3_large`` is torchvision's own, to start from its COCO weights.

SSD: Liu et al. 2016; SSDlite: Sandler et al. 2018, "MobileNetV2".
"""

from __future__ import annotations

from collections import OrderedDict
from functools import partial
from typing import Any

import torch
from torch import nn

from lineament.config import did_you_mean
from lineament.errors import UnknownName, WeightsMismatch, WeightsUnavailable
from lineament.io.catalog import InputContract
from lineament.io.digests import sha256_of
from lineament.training import architectures
from lineament.training.architectures import weights as files
from lineament.training.detection.weights import file_of, put_fitting

LICENCE = "that of the training data; the network is torchvision's (BSD-3-Clause)"
OWN = "ssdlite320_mobilenet_v3_large"
ASSEMBLED = {
    "ssdlite_mobilenet_v2": "mobilenet_v2",
    "ssdlite_mobilenet_v3_large": "mobilenet_v3_large",
    "ssdlite_mobilenet_v3_small": "mobilenet_v3_small",
}
NAMES = (*ASSEMBLED, OWN)
DIVISOR = 32
_SCALES = [0.03, 0.08, 0.18, 0.36, 0.64, 0.95]
"""Sides of the default boxes, as shares of the input's, a level."""
_RATIO = 1.4
"""Faces are about so much taller than wide, or wider than tall when turned."""
_LARGEST_STEP = 4.0
"""Logarithm of the largest factor between a box and its default box."""


class SsdNetwork(nn.Module):
    """An SSDlite for the given classes, with random weights.

    Takes float32 RGB of its ``contract``, ``(N, 3, S, S)``. In training it answers what `losses` takes,
    else ``(N, 4 + classes, anchors)``: centre, width and height in pixels, then probabilities.
    """

    licence = LICENCE
    anchors: torch.Tensor

    def __init__(self, name: str, classes: int, size: int) -> None:
        super().__init__()
        if name not in NAMES:
            raise UnknownName(f"no detector of torchvision named {name!r} here{did_you_mean(name, NAMES)}")
        self.name, self.classes, self.size = name, classes, size
        # In a list so that its parameters are not registered twice.
        self._backbone: list[architectures.Backbone] = []
        if name == OWN:
            from torchvision.models.detection import ssdlite320_mobilenet_v3_large

            self.ssd = ssdlite320_mobilenet_v3_large(
                weights=None, weights_backbone=None, num_classes=classes + 1
            )
            half = (127.5, 127.5, 127.5)
            self.contract = InputContract("RGB", size, DIVISOR, half, half)
        else:
            backbone = architectures.build(ASSEMBLED[name])
            self._backbone = [backbone]
            self.ssd = _assembled(backbone, classes, size)
            mean, std = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
            self.contract = InputContract("RGB", size, DIVISOR, mean, std)
        self.register_buffer("anchors", self._default_boxes(), persistent=False)

    def forward(self, pixels: torch.Tensor) -> Any:
        """See the class."""
        raw = self.ssd.head(list(self.ssd.backbone(pixels).values()))
        return raw if self.training else self._decoded(raw)

    def evaluated(self, pixels: torch.Tensor) -> tuple[torch.Tensor, Any]:
        """In evaluation mode: the decoded answer, and what `losses` takes."""
        raw = self.ssd.head(list(self.ssd.backbone(pixels).values()))
        return self._decoded(raw), raw

    def losses(
        self, raw: Any, boxes: torch.Tensor, labels: torch.Tensor
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Loss and its parts; ``boxes`` ``(N, M, 4)`` xyxy in pixels, ``labels`` ``(N, M)``, -1: none."""
        from torchvision.ops import box_iou

        targets, matched = [], []
        for some, kinds in zip(boxes, labels, strict=True):
            there = kinds >= 0
            targets.append({"boxes": some[there], "labels": kinds[there] + 1})
            if there.any():
                matched.append(self.ssd.proposal_matcher(box_iou(some[there], self.anchors)))
            else:
                matched.append(torch.full((len(self.anchors),), -1, device=boxes.device))
        parts = self.ssd.compute_loss(targets, raw, [self.anchors] * len(boxes), matched)
        box, kind = parts["bbox_regression"], parts["classification"]
        return box + kind, {"box_loss": box.detach(), "cls_loss": kind.detach()}

    def load(self, weights: str) -> str | None:
        """Put weights into the network; returns what a card says of them.

        ``imagenet``: the backbone's; else a file or run folder, of the whole detector (torchvision's COCO
        weights too, without their class layer) or of the backbone. Raises `WeightsUnavailable` or
        `WeightsMismatch`.
        """
        if weights in ("none", "random"):
            return None
        if weights == "imagenet":
            if not self._backbone:
                raise WeightsUnavailable(
                    f"{OWN}: start it from torchvision's COCO weights, a file, or take another: "
                    f"{', '.join(ASSEMBLED)}"
                )
            return files.load(self._backbone[0], "imagenet")
        path = file_of(weights)
        state = files.read(path)
        try:
            put_fitting(self.ssd, state, str(path))
        except WeightsMismatch:
            if not self._backbone:
                raise
            files.put(self._backbone[0], state, str(path))
        return f"{path.name}, sha256 {sha256_of(path)}"

    def _default_boxes(self) -> torch.Tensor:
        """xyxy in pixels, ``(anchors, 4)``: the same for every picture of the size."""
        from torchvision.models.detection.image_list import ImageList

        training = self.training
        self.eval()
        with torch.no_grad():
            empty = torch.zeros(1, 3, self.size, self.size)
            maps = list(self.ssd.backbone(empty).values())
            boxes: torch.Tensor = self.ssd.anchor_generator(
                ImageList(empty, [(self.size, self.size)]), maps
            )[0]
        self.train(training)
        return boxes

    def _decoded(self, raw: Any) -> torch.Tensor:
        low, high = self.anchors[:, :2], self.anchors[:, 2:]
        sides = high - low
        x, y, w, h = self.ssd.box_coder.weights
        offsets = raw["bbox_regression"]
        center = (low + high) / 2 + offsets[..., :2] / torch.tensor([x, y]).to(offsets) * sides
        growth = offsets[..., 2:] / torch.tensor([w, h]).to(offsets)
        size = torch.exp(torch.clamp(growth, max=_LARGEST_STEP)) * sides
        probabilities = torch.softmax(raw["cls_logits"], dim=-1)[..., 1:]
        return torch.cat([center, size, probabilities], dim=-1).transpose(1, 2)


class _Maps(nn.Module):
    """A MobileNet's last map of strides 8, 16 and 32, and two smaller ones after it."""

    def __init__(self, features: nn.Sequential) -> None:
        super().__init__()
        from torchvision.models.detection.ssdlite import _extra_block

        sides, x = [], torch.zeros(1, 3, 256, 256)
        with torch.no_grad():
            for block in features.eval():
                x = block(x)
                sides.append(x.shape[-1])
        features.train()
        ends = [max(i for i, s in enumerate(sides) if s == side) + 1 for side in (32, 16, 8)]
        starts = [0, *ends[:-1]]
        self.parts = nn.ModuleList([features[start:end] for start, end in zip(starts, ends, strict=True)])
        norm = partial(nn.BatchNorm2d, eps=0.001, momentum=0.03)
        self.extra = nn.ModuleList([_extra_block(x.shape[1], 256, norm), _extra_block(256, 128, norm)])

    def forward(self, pixels: torch.Tensor) -> OrderedDict[str, torch.Tensor]:
        maps = []
        for part in (*self.parts, *self.extra):
            pixels = part(pixels)
            maps.append(pixels)
        return OrderedDict((str(i), x) for i, x in enumerate(maps))


def _assembled(backbone: architectures.Backbone, classes: int, size: int) -> Any:
    from torchvision.models.detection.anchor_utils import DefaultBoxGenerator
    from torchvision.models.detection.ssd import SSD
    from torchvision.models.detection.ssdlite import SSDLiteHead

    maps = _Maps(backbone.body.features)  # type: ignore[arg-type]
    with torch.no_grad():
        maps.eval()
        widths = [x.shape[1] for x in maps(torch.zeros(1, 3, 128, 128)).values()]
        maps.train()
    anchors = DefaultBoxGenerator([[_RATIO]] * len(widths), scales=_SCALES)
    norm = partial(nn.BatchNorm2d, eps=0.001, momentum=0.03)
    head = SSDLiteHead(widths, anchors.num_anchors_per_location(), classes + 1, norm)
    return SSD(maps, anchors, (size, size), classes + 1, head=head)
