"""Learning that starts from learned weights: which parts train, and how fast.

``scratch`` trains everything alike. ``feature-extraction`` keeps the backbone as it is and trains the class
layer on its features. ``fine-tuning`` trains all stages, the first ones slowest: what they see (edges,
colours) serves any pictures, what the last ones see is of the old task (Yosinski et al. 2014, "How
transferable are features in deep neural networks?"; Howard and Ruder 2018 for the falling rates).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from lineament.counting import quantity
from lineament.errors import ConfigError
from lineament.training.architectures import Backbone
from lineament.training.settings import FineTuning, Method


class Transferred(nn.Module):
    """A backbone of which parts may be held still, whatever mode the whole is put in, and layers after it.

    Subclasses add those layers and say in `answer` what they make of features.
    """

    def __init__(self, backbone: Backbone, method: Method, tuning: FineTuning) -> None:
        super().__init__()
        if tuning.frozen_stages >= len(backbone.stages):
            raise ConfigError(
                f"frozen_stages: {backbone.name} has {quantity(len(backbone.stages), 'stage')}; to learn "
                "none of them take the method feature-extraction"
            )
        self.backbone = backbone
        still: list[nn.Module] = []
        if method == "feature-extraction":
            still = [backbone]
        elif method == "fine-tuning":
            still = list(backbone.stages[: tuning.frozen_stages])
        for module in still:
            module.requires_grad_(False)
        if method == "fine-tuning" and tuning.batch_norm == "keep":
            still += [m for m in backbone.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
        self._still = [still]  # in a list so that the modules are not registered twice

    def train(self, mode: bool = True) -> Transferred:
        """Like any module's, but what is held still stays in evaluation mode."""
        super().train(mode)
        for module in self._still[0]:
            module.eval()
        return self

    def answer(self, features: torch.Tensor) -> Any:
        """Features ``(N, D)`` -> the network's output, or a tuple of outputs."""
        raise NotImplementedError

    def forward(self, pixels: torch.Tensor) -> Any:
        """float32 ``(N, 3, S, S)`` -> what `answer` makes of its features."""
        return self.answer(self.backbone(pixels))


class NewLayers(nn.Module):
    """The layers after a backbone, alone: trained on features computed before. Shares them with the whole.

    Their names are those of the whole, and the whole's weights can be loaded: the backbone's are passed
    over.
    """

    def __init__(self, whole: Transferred) -> None:
        super().__init__()
        for name, child in whole.named_children():
            if name != "backbone":
                self.add_module(name, child)
        self._whole = [whole]  # in a list so that the backbone is no part of this module

    def forward(self, features: torch.Tensor) -> Any:
        """Features ``(N, D)`` -> what the whole makes of them."""
        return self._whole[0].answer(features)

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> Any:
        """Like any module's, without the backbone's weights."""
        new = {name: value for name, value in state_dict.items() if not name.startswith("backbone.")}
        return super().load_state_dict(new, strict=strict, assign=assign)


def groups(
    backbone: Backbone, new: list[nn.Module], method: Method, tuning: FineTuning
) -> list[dict[str, Any]]:
    """Parameter groups for the optimiser: the backbone's stages by `FineTuning`, and the ``new`` layers."""
    added = {"params": [p for module in new for p in module.parameters()], "scale": 1.0}
    if method != "fine-tuning":
        return [added] if method == "feature-extraction" else [{"params": [*backbone.parameters()]}, added]
    stages = [list(stage.parameters()) for stage in backbone.stages]
    known = {id(p) for stage in stages for p in stage}
    # Parameters of the network itself, such as a transformer's position embedding, belong to its input.
    stages[0] += [p for p in backbone.parameters() if id(p) not in known]
    step = (tuning.first_stage / tuning.last_stage) ** (1 / max(len(stages) - 1, 1))
    scales = [tuning.last_stage * step ** (len(stages) - 1 - i) for i in range(len(stages))]
    return [
        *({"params": stage, "scale": scale} for stage, scale in zip(stages, scales, strict=True)),
        added,
    ]
