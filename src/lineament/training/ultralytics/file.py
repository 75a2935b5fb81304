"""Detectors that Ultralytics saved (.pt): their layers are built anew from the numbers in the file.

The file is a pickle of Ultralytics' own objects. `lineament.io.torch_files` reads it as data; here the
names of its layers choose layers of ours. Neither Ultralytics nor any code of the file runs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from lineament.errors import WeightsMismatch
from lineament.io import torch_files
from lineament.io.torch_files import Made
from lineament.training.ultralytics import layers as ours

DEFAULT_SIZE = 640
_MOST = 512
"""The largest number of kernels, strides and the like that a layer may have."""
_POINTS = ((5, 2), (5, 3))
"""Landmarks that the runtime understands: five, each x and y, perhaps with a visibility."""
_HOMES = ("ultralytics.nn.", "torch.nn.modules.")
_MODELS = ("DetectionModel", "PoseModel")


@dataclass(frozen=True, slots=True)
class YoloFile:
    """What a file holds: the tree of its layers, its ``classes`` in order, and the ``size`` of training.

    The sides of a picture are multiples of ``divisor``.
    ``licence`` and ``version`` are what Ultralytics wrote into it, empty where it did not.
    """

    path: Path
    model: Made
    classes: tuple[str, ...]
    size: int
    divisor: int
    architecture: str
    licence: str
    version: str

    def network(self, chosen: Sequence[int]) -> ours.LayeredNetwork:
        """The network with the file's weights and the ``chosen`` classes; raises `WeightsMismatch`."""
        try:
            return _Builder(self.path, chosen, len(self.classes)).network(self.model)
        except (KeyError, TypeError, ValueError, IndexError, AttributeError, RuntimeError) as error:
            raise WeightsMismatch(f"{self.path}: its layers do not fit together: {error!s:.200}") from None


def read(path: Path) -> YoloFile:
    """A detector's file; raises `WeightsMismatch` for any other, saying what it is."""
    checkpoint = torch_files.read(path)
    model = checkpoint
    if isinstance(checkpoint, Mapping):
        # The averaged weights, where a training left both.
        model = checkpoint.get("ema") or checkpoint.get("model")
        if model is None and any(isinstance(value, np.ndarray) for value in checkpoint.values()):
            raise WeightsMismatch(
                f"{path}: a bare state dictionary, which does not say how its layers are joined; use it "
                "with lineament train detector --weights"
            )
    if not isinstance(model, Made) or not str(model.what).startswith(_HOMES[0]):
        what = model.what if isinstance(model, Made) else type(model).__name__
        raise WeightsMismatch(f"{path}: no detector that Ultralytics saved, but {what!s:.80}")
    if model.what.name not in _MODELS:
        raise WeightsMismatch(f"{path}: {model.what.name} answers no boxes of faces; a detector is needed")
    told = checkpoint if isinstance(checkpoint, Mapping) else {}
    return YoloFile(
        path,
        model,
        _classes(path, model),
        _size(model, told),
        _divisor(path, model),
        _architecture(model),
        str(told.get("license") or "")[:200],
        str(told.get("version") or "")[:40],
    )


def _classes(path: Path, model: Made) -> tuple[str, ...]:
    names = model.get("names")
    if isinstance(names, Mapping) and sorted(names) == list(range(len(names))):
        names = [names[i] for i in range(len(names))]
    if not isinstance(names, list) or not names or len(names) > 10_000:
        raise WeightsMismatch(f"{path}: does not name its classes")
    return tuple(str(name)[:200] for name in names)


def _size(model: Made, checkpoint: Mapping[str, Any]) -> int:
    """Of the pictures it was trained on: Ultralytics keeps it with the training's settings."""
    for told in (model.get("args"), checkpoint.get("train_args")):
        values = told.state if isinstance(told, Made) else told
        size = values.get("imgsz") if isinstance(values, Mapping) else None
        if isinstance(size, int) and not isinstance(size, bool) and size > 0:
            return size
    return DEFAULT_SIZE


def _divisor(path: Path, model: Made) -> int:
    strides = model.get("stride")
    largest = float(strides.max()) if isinstance(strides, np.ndarray) and strides.size else 0.0
    if not (1 <= largest <= _MOST and largest.is_integer()):
        raise WeightsMismatch(f"{path}: does not say by what its answers lie apart")
    return int(largest)


def _architecture(model: Made) -> str:
    told = model.get("yaml")
    name = told.get("yaml_file") if isinstance(told, Mapping) else None
    return str(name).removesuffix(".yaml")[:40] if name else "Ultralytics " + model.what.name


class _Builder:
    def __init__(self, path: Path, chosen: Sequence[int], classes: int) -> None:
        self.path, self.chosen, self.classes = path, tuple(chosen), classes
        self.makers: Mapping[str, Callable[[Made], nn.Module]] = {
            "Conv": self._conv,
            "DWConv": self._conv,
            "Conv2d": self._conv2d,
            "BatchNorm2d": self._norm,
            "Bottleneck": self._bottleneck,
            "C2f": self._split_stage,
            "C3k2": self._split_stage,
            "C3": self._two_way,
            "C3k": self._two_way,
            "SPPF": self._pooled,
            "C2": lambda m: self._half(m, first=True),
            "C2PSA": lambda m: self._half(m, first=False),
            "PSABlock": self._attention_block,
            "Attention": self._attention,
            "Sequential": lambda m: nn.Sequential(*self._children(m)),
            "MaxPool2d": lambda m: nn.MaxPool2d(
                _pair(m, "kernel_size"), _pair(m, "stride"), _pair(m, "padding")
            ),
            "Upsample": self._upsample,
            "Concat": self._concat,
            "Detect": self._answer,
            "Pose": self._answer,
            "SiLU": lambda _: nn.SiLU(),
            "ReLU": lambda _: nn.ReLU(),
            "LeakyReLU": lambda m: nn.LeakyReLU(float(m.get("negative_slope"))),
            "Identity": lambda _: nn.Identity(),
        }

    def network(self, model: Made) -> ours.LayeredNetwork:
        row = self._named(model, "model")
        layers, sources = [], []
        for number, layer in enumerate(self._made_children(row)):
            given = layer.get("f", -1)
            given = tuple(given) if isinstance(given, (list, tuple)) else (given,)
            # Counted back from here, or from the beginning.
            given = tuple(i if i == -1 or i >= 0 else number + i for i in given)
            if not all(isinstance(i, int) and -1 <= i < number for i in given):
                raise ValueError(f"layer {number} is fed by {given}")
            sources.append(given)
            layers.append(self.build(layer))
        if not layers or not isinstance(layers[-1], ours.Answer):
            raise WeightsMismatch(f"{self.path}: its last layer answers no boxes")
        return ours.LayeredNetwork(layers, sources).eval()

    def build(self, made: Made) -> nn.Module:
        what = str(made.what)
        maker = self.makers.get(made.what.name) if what.startswith(_HOMES) else None
        if maker is None:
            raise WeightsMismatch(
                f"{self.path}: has a layer {what[:80]!r}, which is not among those of YOLOv8 and YOLO11 "
                "that are known here; export it to ONNX where it was trained"
            )
        return maker(made)

    def _named(self, made: Made, name: str) -> Made:
        child = made.get("_modules", {})[name]
        if not isinstance(child, Made):
            raise ValueError(f"{made.what.name} without {name}")
        return child

    def _parts(self, made: Made, *names: str) -> list[nn.Module]:
        return [self.build(self._named(made, name)) for name in names]

    def _made_children(self, made: Made) -> list[Made]:
        return [self._named(made, name) for name in made.get("_modules", {})]

    def _children(self, made: Made) -> list[nn.Module]:
        return [self.build(child) for child in self._made_children(made)]

    def _conv(self, made: Made) -> nn.Module:
        there = made.get("_modules", {})
        # A file that was sped up has no normalisation of its own any more.
        return nn.Sequential(*self._parts(made, *(name for name in ("conv", "bn", "act") if name in there)))

    def _conv2d(self, made: Made) -> nn.Module:
        if made.get("padding_mode", "zeros") != "zeros":
            raise ValueError("a convolution that does not pad with zeros")
        steps = ours.Steps(
            _pair(made, "stride"),
            _pair(made, "padding"),
            _pair(made, "dilation"),
            _whole(made.get("groups"), 65_536),
        )
        return ours.Convolution(_tensor(made, "weight"), _optional_tensor(made, "bias"), steps)

    def _norm(self, made: Made) -> nn.Module:
        return ours.Normalisation(
            _tensor(made, "weight"),
            _tensor(made, "bias"),
            _tensor(made, "running_mean"),
            _tensor(made, "running_var"),
            float(made.get("eps")),
        )

    def _bottleneck(self, made: Made) -> nn.Module:
        cv1, cv2 = self._parts(made, "cv1", "cv2")
        return ours.Bottleneck(cv1, cv2, _flag(made, "add"))

    def _split_stage(self, made: Made) -> nn.Module:
        cv1, cv2 = self._parts(made, "cv1", "cv2")
        return ours.SplitStage(cv1, cv2, self._children(self._named(made, "m")))

    def _two_way(self, made: Made) -> nn.Module:
        return ours.TwoWayStage(*self._parts(made, "cv1", "cv2", "cv3", "m"))

    def _half(self, made: Made, *, first: bool) -> nn.Module:
        cv1, cv2, blocks = self._parts(made, "cv1", "cv2", "m")
        return ours.HalfStage(cv1, cv2, blocks, first)

    def _pooled(self, made: Made) -> nn.Module:
        cv1, cv2, pool = self._parts(made, "cv1", "cv2", "m")
        return ours.PooledStage(cv1, cv2, pool, _whole(made.get("n", 3), 16), _flag(made, "add"))

    def _attention(self, made: Made) -> nn.Module:
        qkv, proj, pe = self._parts(made, "qkv", "proj", "pe")
        heads, key, head = (_whole(made.get(name), 65_536) for name in ("num_heads", "key_dim", "head_dim"))
        return ours.Attention(qkv, proj, pe, heads, key, head)

    def _attention_block(self, made: Made) -> nn.Module:
        attention, after = self._parts(made, "attn", "ffn")
        return ours.AttentionBlock(attention, after, _flag(made, "add"))

    def _upsample(self, made: Made) -> nn.Module:
        scale, mode = made.get("scale_factor"), made.get("mode")
        if scale not in (2, 4) or mode != "nearest":
            raise ValueError(f"an enlargement by {scale}, {mode}")
        return nn.Upsample(scale_factor=float(scale), mode="nearest")

    def _concat(self, made: Made) -> nn.Module:
        if made.get("d") != 1:
            raise ValueError("inputs joined along another side than that of the channels")
        return ours.Joined()

    def _answer(self, made: Made) -> nn.Module:
        if made.get("end2end") or "one2one_cv2" in made.get("_modules", {}):
            raise WeightsMismatch(
                f"{self.path}: a network that suppresses overlapping boxes itself (YOLOv10, YOLO26), which "
                "is not known here; export it to ONNX where it was trained"
            )
        if made.get("nc") != self.classes:
            raise ValueError(f"its names are {self.classes}, its nc is {made.get('nc')}")
        points, per_point = [], 0
        if made.what.name == "Pose":
            shape = tuple(made.get("kpt_shape"))
            if shape not in _POINTS:
                raise WeightsMismatch(
                    f"{self.path}: gives {shape[0]} points; landmarks of a face are five (right eye, left "
                    "eye, nose, right and left mouth corner)"
                )
            points, per_point = self._children(self._named(made, "cv4")), int(shape[1])
        return ours.Answer(
            self._children(self._named(made, "cv2")),
            self._children(self._named(made, "cv3")),
            points,
            [float(value) for value in np.asarray(made.get("stride"), np.float32)],
            _whole(made.get("reg_max"), _MOST),
            per_point,
            self.chosen,
        )


def _tensor(made: Made, name: str) -> torch.Tensor:
    value = made.get("_parameters", {}).get(name)
    value = made.get("_buffers", {}).get(name) if value is None else value
    if not isinstance(value, np.ndarray) or not np.isfinite(value).all():
        raise ValueError(f"{made.what.name}: {name} is missing, or not finite")
    return torch.from_numpy(np.array(value, np.float32))


def _optional_tensor(made: Made, name: str) -> torch.Tensor | None:
    return None if made.get("_parameters", {}).get(name) is None else _tensor(made, name)


def _pair(made: Made, name: str) -> tuple[int, int]:
    value = made.get(name)
    pair = tuple(value) if isinstance(value, (list, tuple)) else (value, value)
    if len(pair) != 2:
        raise ValueError(f"{made.what.name}: {name} is {value!r:.40}")
    return _whole(pair[0], _MOST), _whole(pair[1], _MOST)


def _whole(value: Any, most: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
        raise ValueError(f"{value!r:.40} where a number up to {most} is expected")
    return value


def _flag(made: Made, name: str) -> bool:
    return bool(made.get(name, False))
