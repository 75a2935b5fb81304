"""Train a detector: pictures with boxes in, a network for the `yolo` detector out.

Networks: YOLOv8 (``yolov8n`` ... ``yolov8x``, AGPL) and torchvision's SSDlite
(``torchvision:ssdlite_mobilenet_v2``). Both answer in the same shape, so one runtime serves both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import torch
from torch import nn

from lineament.datasets.augment.pipeline import Pipeline
from lineament.datasets.splitting.held_out import exam_of, telling
from lineament.errors import ExportMismatch
from lineament.io.catalog import InputContract
from lineament.io.manifest import Manifest
from lineament.io.trained import Head, TrainedCard, open_trained
from lineament.protocols import Advance
from lineament.training import distributed, optimisers
from lineament.training.averaging import WeightAverage
from lineament.training.callbacks import Curves, TensorBoard, turning_point
from lineament.training.data import Batch, Batches, in_order, normalised, shuffled
from lineament.training.detection import figures as detector_figures
from lineament.training.detection import torchvision as detector_torchvision
from lineament.training.detection import yolo as detector_yolo
from lineament.training.detection.results import DetectorResult
from lineament.training.detection.scenes import (
    Scene,
    Scenes,
    classes_of,
    require_boxes,
    scenes_of,
    unlabelled,
)
from lineament.training.detection.scores import Found, collect, monitored, summary
from lineament.training.detection.settings import TORCHVISION, DetectorSettings
from lineament.training.lacking import BOX
from lineament.training.loop import fit
from lineament.training.runs import cards
from lineament.training.runs.export import TOLERANCE, export
from lineament.training.runs.folder import RunFolder, open_run
from lineament.training.splits import require_no_leak, rows_of, splits_of

OUTPUT = "detections"


class Network(Protocol):
    """What `detector_yolo` and `detector_torchvision` have in common."""

    contract: InputContract
    licence: str

    def losses(
        self, raw: Any, boxes: torch.Tensor, labels: torch.Tensor
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """The loss to minimise and its parts."""

    def evaluated(self, pixels: torch.Tensor) -> tuple[torch.Tensor, Any]:
        """Decoded answer and what `losses` takes, in evaluation mode."""

    def load(self, weights: str) -> str | None:
        """Put weights in; returns what the card says of them."""


class DetectionTask:
    """A detector's loss, and its mean average precision on the validation scenes."""

    monitor = "map50_95"
    better: Literal["low", "high"] = "high"

    def __init__(self, model: Any, val: Scenes, settings: DetectorSettings, classes: Sequence[str]) -> None:
        self.model: nn.Module = model
        self.network: Network = model
        self.held = WeightAverage(model) if settings.average_weights else None
        self.judged: nn.Module = self.model if self.held is None else self.held.model
        self.val, self.settings, self.classes = val, settings, tuple(classes)

    def groups(self) -> list[dict[str, Any]]:
        """All parameters alike."""
        return optimisers.parameters(self.model)

    def loss(self, model: nn.Module, batch: Batch) -> tuple[torch.Tensor, Mapping[str, torch.Tensor]]:
        """The network's own loss."""
        raw = model(self._input(batch))
        return self.network.losses(raw, batch.targets["boxes"], batch.targets["labels"])

    def evaluate(self, device: torch.device) -> Mapping[str, float]:
        """Loss, mAP50 and mAP50-95 of the validation scenes."""
        found, losses, _ = self.look(self.val, device, self.judged)
        return {**losses, **monitored(found, self.classes), **detector_figures.at_best(found)}

    def look(
        self, scenes: Scenes, device: torch.device, model: Any = None
    ) -> tuple[list[Found], dict[str, float], dict[str, str]]:
        """What a network finds in each scene that can be read, the mean losses, and refused pictures.

        The network is the one trained, which after `fit` has the best weights, or ``model``.
        """
        network: Any = self.model if model is None else model
        network.to(device).eval()
        batches = Batches(scenes, in_order(len(scenes), self.settings.loop.batch_size))
        found: list[Found] = []
        refused: dict[str, str] = {}
        sums: dict[str, float] = {}
        count = 0
        with torch.no_grad():
            for batch in batches.epoch():
                refused.update(batch.refused)
                if not len(batch):
                    continue
                there = batch.to(device)
                decoded, raw = network.evaluated(self._input(there))
                loss, parts = network.losses(raw, there.targets["boxes"], there.targets["labels"])
                for name, value in {"loss": loss, **parts}.items():
                    sums[name] = sums.get(name, 0.0) + float(value) * len(batch)
                count += len(batch)
                found += collect(decoded, batch, scenes.scenes, self.classes, self.settings.nms)
        return found, {name: value / max(count, 1) for name, value in sums.items()}, refused

    def _input(self, batch: Batch) -> torch.Tensor:
        contract = self.network.contract
        return normalised(batch.pixels, contract.mean, contract.std)


def train_detector(
    manifest: Manifest,
    out: Path,
    settings: DetectorSettings | None = None,
    *,
    advance: Advance | None = None,
) -> DetectorResult | None:
    """Train, export and measure; None in a further process of torchrun.

    Figures are of the test split, or of the validation split where there is no test split: these flatter,
    because epoch and score were chosen there, and the result says so. Raises `TrainingError` and its kinds,
    `SplitError`, `MissingExtra`.
    """
    settings = settings or DetectorSettings()
    require_no_leak(manifest)
    classes = classes_of(rows_of(manifest, "train", BOX), settings.classes, one_class=settings.one_class)
    scenes = {
        split: scenes_of(manifest, split, classes, min_side=settings.min_side, one_class=settings.one_class)
        for split in splits_of(manifest, BOX)
    }
    rows_of(manifest, "val", BOX)
    require_boxes(scenes, settings.min_side)
    with open_run(out, "detector", settings, manifest) as run:
        if (done := run.result()) is not None:
            return DetectorResult.from_json(done, out)
        torch.manual_seed(settings.loop.seed)
        network: Any = _network(settings, len(classes))
        trained_from = network.load(settings.weights)
        _follow_quickly(network)
        augment = Pipeline(settings.augment, seed=settings.loop.seed) if settings.augment else None
        training = Scenes(manifest, scenes["train"], size=settings.size, augment=augment)
        task = DetectionTask(
            network, Scenes(manifest, scenes["val"], size=settings.size), settings, classes
        )
        plan = shuffled(len(training), settings.loop.batch_size, settings.loop.seed)
        names = ("loss", "box_loss", "cls_loss", "map50", "map50_95", "precision", "recall")
        progress = fit(
            task,
            Batches(training, plan, workers=settings.loop.workers),
            run,
            settings.loop,
            callbacks=[TensorBoard(run.path / "events"), Curves(run.path / "curves.png", names)],
            advance=advance,
        )
        if not distributed.is_first():
            return None
        measured, refused = _measured(manifest, task, scenes, run)
        refused = {"train": progress.refused, **refused}
        run.write_refused(manifest, refused)
        result = DetectorResult(
            folder=run.path,
            **measured,
            model=settings.model,
            **progress.end,
            overfits_from=turning_point(progress.history),
            train_loss=(progress.history[0]["train_loss"], progress.history[-1]["train_loss"]),
            unlabelled=unlabelled(manifest),
            trained_from=trained_from,
            pictures={split: len(some) for split, some in scenes.items()},
            refused={split: len(some) for split, some in refused.items()},
        )
        card = _card(manifest, settings, task.network, classes, trained_from, result)
        card = export(task.model, card, run)
        require_probabilities(task.model, card, run)
        telling_tolerance(card, run).save(run.path)
        run.finish(result.to_json())
        return result


def length(manifest: Manifest, settings: DetectorSettings) -> int:
    """How many batches a training has."""
    classes = classes_of(rows_of(manifest, "train", BOX), settings.classes, one_class=settings.one_class)
    pictures = len(scenes_of(manifest, "train", classes, one_class=settings.one_class))
    return settings.loop.epochs * len(shuffled(pictures, settings.loop.batch_size, 0)(0))


def _network(settings: DetectorSettings, classes: int) -> nn.Module:
    if settings.is_agpl:
        return detector_yolo.YoloNetwork(settings.model, classes, settings.size)
    return detector_torchvision.SsdNetwork(settings.model.removeprefix(TORCHVISION), classes, settings.size)


def _follow_quickly(network: nn.Module) -> None:
    """Let batch normalisation's running means follow within tens of steps.

    Both families set a momentum of 0.03, for trainings of 100,000 steps: after 50 steps the means still are
    mostly those of the start, and a deep network answers the same to every picture.
    """
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 0.1


def _measured(
    manifest: Manifest, task: DetectionTask, scenes: Mapping[str, list[Scene]], run: RunFolder
) -> tuple[dict[str, Any], dict[str, dict[str, str]]]:
    """Figures of the held-out split at the score chosen on val, and refused pictures by split; drawings."""
    device = next(task.model.parameters()).device
    on_val, _, unread = task.look(task.val, device)
    refused = {"val": unread}
    exam = exam_of({split for split, some in scenes.items() if some})
    found = on_val
    if exam != "val":
        found, _, refused[exam] = task.look(Scenes(manifest, scenes[exam], size=task.settings.size), device)
    score = detector_figures.best_score(on_val)
    result = summary(found, task.classes, score)
    result["score_chosen_on"] = sum(int((~one.scene.ignored).sum()) for one in on_val)
    detector_figures.draw(run.path, manifest, found, task.classes, score)
    return {**result, **telling(exam)}, refused


def _card(
    manifest: Manifest,
    settings: DetectorSettings,
    network: Network,
    classes: Sequence[str],
    trained_from: str | None,
    result: DetectorResult,
) -> TrainedCard:
    kept = ("score", "map50", "map50_95", "classes", "measured_on", "note")
    told = result.to_json()
    return TrainedCard(
        name=f"detector-{settings.model.removeprefix(TORCHVISION)}",
        job="detection",
        architecture=settings.model,
        file="",
        sha256="",
        input=network.contract,
        heads=(Head(OUTPUT, "yolo", tuple(classes)),),
        data=cards.data_of(manifest),
        licence=network.licence,
        trained_from=trained_from,
        fit="letterbox",
        measured={name: told[name] for name in kept if name in told},
        notes="Sees a picture once, whole, letterboxed; gives no landmarks.",
    )


def require_probabilities(model: nn.Module, card: TrainedCard, run: RunFolder) -> None:
    """Raise `ExportMismatch` unless probabilities agree to 1e-4 too: beside pixels they count little."""
    size = card.input.size
    assert size is not None
    noise = np.random.default_rng(1).standard_normal((1, 3, size, size)).astype(np.float32)
    session = open_trained(run.path, "detection").session
    with torch.no_grad():
        wanted = model.to("cpu").eval()(torch.from_numpy(noise)).numpy()
    gap = float(np.abs(session.run({session.input_names[0]: noise})[OUTPUT] - wanted)[:, 4:].max())
    if not gap <= TOLERANCE:
        raise ExportMismatch(f"{card.name}: ONNX and torch differ by {gap:.2g} in the probabilities")


def telling_tolerance(card: TrainedCard, run: RunFolder) -> TrainedCard:
    """The card with a tolerance that a wrong colour order or normalisation does not pass.

    Most of the answer is where the boxes stand, which hardly depends on the picture: the usual 2 % would
    let wrong input pass.
    """
    from lineament.io import golden
    from lineament.io.trained import TrainedModel

    assert card.golden is not None
    session = open_trained(run.path, "detection").session
    mean, std = card.input.mean, card.input.std
    wrong = [
        replace(card.input, colour="BGR"),
        replace(card.input, mean=tuple(m + 20 for m in mean)),
        replace(card.input, std=tuple(s * 1.5 for s in std)),
    ]
    gaps = [
        golden.difference(card, TrainedModel(replace(card, input=contract), session).run)
        for contract in wrong
    ]
    tolerance = float(np.clip(min(gaps) / 3, 2e-5, card.golden.tolerance))
    return replace(card, golden=replace(card.golden, tolerance=tolerance))
