"""YOLOv8 as a network to train here: its layers and its loss are Ultralytics', everything else is ours.

Ultralytics' own trainer is not used, so nothing of it writes files or reports anywhere; `quietly_imported`
keeps the import from looking for a network connection and from leaving a settings file behind.

The package is under AGPL-3.0, and Ultralytics holds that networks trained with it are too.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch import nn

from lineament.errors import MissingExtra, WeightsMismatch, WeightsUnavailable
from lineament.io.catalog import InputContract
from lineament.io.digests import sha256_of
from lineament.training.detection.weights import file_of, put_fitting

LICENCE = "AGPL-3.0 (Ultralytics YOLOv8), and that of the training data"
DIVISOR = 32
_GAINS = {"box": 7.5, "cls": 0.5, "dfl": 1.5}
"""What the parts of the loss are multiplied with: Ultralytics' defaults for YOLOv8."""


class YoloNetwork(nn.Module):
    """YOLOv8 for the given classes, with random weights.

    Takes float32 RGB in [0, 1], ``(N, 3, S, S)``. In training it answers what `losses` takes, else
    ``(N, 4 + classes, anchors)``: centre, width and height in pixels, then probabilities.
    """

    licence = LICENCE

    def __init__(self, name: str, classes: int, size: int) -> None:
        super().__init__()
        quietly_imported()
        from ultralytics.nn.tasks import DetectionModel
        from ultralytics.utils.loss import v8DetectionLoss

        # Its weights come from torch's random numbers, which the caller has seeded.
        self.net = DetectionModel(f"{name}.yaml", ch=3, nc=classes, verbose=False)
        self.net.args = SimpleNamespace(**_GAINS)
        self.net.model[-1].dynamic = True  # its grid follows the input, not the last one it saw
        self.classes, self.size = classes, size
        self.contract = InputContract("RGB", size, DIVISOR, (0.0, 0.0, 0.0), (255.0, 255.0, 255.0))
        self._loss_of = v8DetectionLoss
        self._loss: Any = None

    def forward(self, pixels: torch.Tensor) -> Any:
        """See the class."""
        answer = self.net(pixels)
        return answer if self.training else answer[0]

    def evaluated(self, pixels: torch.Tensor) -> tuple[torch.Tensor, Any]:
        """In evaluation mode: the decoded answer, and what `losses` takes."""
        decoded, raw = self.net(pixels)
        return decoded, raw

    def losses(
        self, raw: Any, boxes: torch.Tensor, labels: torch.Tensor
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Loss and its parts; ``boxes`` ``(N, M, 4)`` xyxy in pixels, ``labels`` ``(N, M)``, -1: none."""
        if self._loss is None or self._loss.device != boxes.device:
            self._loss = self._loss_of(self.net)
        there = labels >= 0
        picture = torch.nonzero(there)[:, 0]
        chosen = boxes[there]
        shares = (
            torch.cat([(chosen[:, :2] + chosen[:, 2:]) / 2, chosen[:, 2:] - chosen[:, :2]], 1) / self.size
        )
        targets = {"batch_idx": picture.float(), "cls": labels[there].float(), "bboxes": shares}
        loss, parts = self._loss(raw, targets)
        return loss.sum() / len(labels), {name: part.detach() for name, part in parts.items()}

    def load(self, weights: str) -> str | None:
        """Put weights of a file or run folder into the network; returns what a card says of them.

        A state dictionary (.pth, .safetensors), or a checkpoint of Ultralytics (.pt), whose classes are
        checked against a list before any is built. Layers for other classes are left out. Raises
        `WeightsUnavailable` or `WeightsMismatch`.
        """
        if weights in ("none", "random"):
            return None
        if weights == "imagenet":
            raise WeightsUnavailable(
                "YOLOv8: there are no ImageNet weights; give a file such as yolov8n.pt, or --weights none"
            )
        from lineament.training.architectures import weights as files

        path = file_of(weights)
        state = _checkpoint(path) if path.suffix == ".pt" else dict(files.read(path))
        put_fitting(self.net, state, str(path))
        return f"{path.name}, sha256 {sha256_of(path)}"


def quietly_imported() -> None:
    """Import Ultralytics so that it stays offline and leaves nothing behind; raises `MissingExtra`.

    On import it would look names up on the network, write a settings file in the user's home, and replace
    torch's ``save``. Its settings go into a temporary folder and are removed.
    """
    if "ultralytics.utils" in sys.modules:
        return
    import cv2
    import numpy as np

    save, threads, printing = torch.save, cv2.getNumThreads(), np.get_printoptions()
    settings = Path(tempfile.mkdtemp(prefix="lineament-"))
    environment = dict(os.environ)
    os.environ |= {
        "YOLO_CONFIG_DIR": str(settings),
        "YOLO_OFFLINE": "true",
        "YOLO_AUTOINSTALL": "false",
        "YOLO_VERBOSE": "false",
    }
    try:
        from ultralytics.utils import SETTINGS

        SETTINGS["sync"] = False
    except ImportError as error:
        raise MissingExtra("YOLOv8", "yolo") from error
    finally:
        torch.save = save
        cv2.setNumThreads(threads)
        np.set_printoptions(**printing)
        torch.set_printoptions(profile="default")
        for name in set(os.environ) - set(environment):
            del os.environ[name]
        os.environ.update(environment)
        shutil.rmtree(settings, ignore_errors=True)


def _checkpoint(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of an Ultralytics checkpoint; of pickled classes only those it knows are built."""
    from ultralytics.nn import tasks

    if not tasks._SafeLoad.SUPPORTED:
        raise WeightsMismatch(f"{path}: this version of torch cannot read it without running its code")
    try:
        checkpoint, _ = tasks.torch_safe_load(str(path), safe_only=True)
        model = checkpoint.get("ema") or checkpoint["model"]
        state: dict[str, torch.Tensor] = model.float().state_dict()
    except Exception as error:  # many kinds, by what is wrong with the file
        raise WeightsMismatch(f"{path}: no checkpoint of Ultralytics: {str(error)[:200]}") from error
    return state
