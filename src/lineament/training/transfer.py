"""Learning that starts from learned weights: which parts train, and how fast.

``scratch`` trains everything alike. ``feature-extraction`` keeps the backbone as it is and trains the class
layer on its features. ``fine-tuning`` trains all stages, the first ones slowest: what they see (edges,
colours) serves any pictures, what the last ones see is of the old task (Yosinski et al. 2014, "How
transferable are features in deep neural networks?"; Howard and Ruder 2018 for the falling rates).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import nn

from lineament.counting import quantity
from lineament.errors import ConfigError
from lineament.training.architectures import Backbone

Method = Literal["scratch", "feature-extraction", "fine-tuning"]
BatchNorm = Literal["adapt", "keep"]


@dataclass(frozen=True, slots=True)
class FineTuning:
    """How ``fine-tuning`` treats the backbone.

    The class layer learns at the loop's rate, the last stage at ``last_stage`` times it, the first at
    ``first_stage`` times it, the stages between at rates that fall evenly in their logarithm. The first
    ``frozen_stages`` do not learn at all, nor do their batch-norm statistics move. ``batch_norm``: adapt
    lets the statistics of the learning stages follow the new pictures, keep leaves them as they came
    (for batches below about 8); scale and shift of those layers learn either way.
    """

    last_stage: float = 1.0
    first_stage: float = 0.1
    frozen_stages: int = 0
    batch_norm: BatchNorm = "adapt"

    def __post_init__(self) -> None:
        if not 0 < self.first_stage <= self.last_stage:
            raise ConfigError("fine-tuning: 0 < first_stage <= last_stage")
        if self.frozen_stages < 0:
            raise ConfigError("fine-tuning: frozen_stages is at least 0")


def require_learned(method: Method, start: str, tuning: FineTuning | None = None) -> None:
    """Raise `ConfigError` where what stays as it is would be random weights that nobody asked for.

    ``start`` is what training begins with: ``none`` are random weights, and so are ``random``, asked for.
    """
    frozen = method == "fine-tuning" and tuning is not None and tuning.frozen_stages > 0
    if start == "none" and (method == "feature-extraction" or frozen):
        what = "frozen_stages keep" if frozen else "the method feature-extraction keeps"
        raise ConfigError(
            f"{what} weights as they are, and these would be random: they have learnt nothing. Train them "
            "with --method scratch, give learned ones with --weights FILE, or ask for it: --weights random"
        )


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
