"""Train a localizer: one network with two answers, is there a face, and where is it.

The face's answer has binary cross-entropy; the box's has squared differences of corners and of width and
height, as shares of the picture's sides, over the pictures that hold a face. Pictures without a box are "no
face" pictures; of several faces the largest counts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import nn

from lineament.counting import quantity
from lineament.datasets.augment.pipeline import Pipeline
from lineament.datasets.augment.sight import in_sight
from lineament.datasets.augment.view import View
from lineament.datasets.splitting.held_out import exam_of, telling
from lineament.detectors.localizer import BOX, FACE
from lineament.errors import NotEnoughSamples
from lineament.io.manifest import Manifest, ManifestRow
from lineament.io.trained import Head, TrainedCard
from lineament.kinds import is_face, noun
from lineament.protocols import Advance
from lineament.training import distributed, transfer
from lineament.training.answers import plain
from lineament.training.architectures import Backbone, build, weights
from lineament.training.callbacks import Curves, TensorBoard, turning_point
from lineament.training.data import Batch, Batches, Pictures, in_order, normalised, shuffled
from lineament.training.detection import localizer_scores
from lineament.training.detection.results import LocalizerResult
from lineament.training.detection.scenes import classes_of, empty_rows
from lineament.training.detection.settings import LocalizerSettings
from lineament.training.lacking import BOX as BOXED
from lineament.training.lacking import counted
from lineament.training.loop import fit
from lineament.training.predictions import predict
from lineament.training.runs import cards
from lineament.training.runs.export import export
from lineament.training.runs.folder import open_run
from lineament.training.splits import require_no_leak, rows_of, splits_of


class LocalizerNetwork(transfer.Transferred):
    """A backbone's last feature map, whole, because pooling it would lose where things are; two answers."""

    def __init__(self, backbone: Backbone, settings: LocalizerSettings) -> None:
        super().__init__(backbone, settings.method, settings.fine_tuning)
        self._kept: list[torch.Tensor] = []
        body: Any = backbone.body
        self._alone = isinstance(getattr(body, "features", None), nn.Module)
        if self._alone:
            # What comes after the map is of no use here; in VGG16 it is nine tenths of the weights.
            for name in [name for name, _ in body.named_children() if name != "features"]:
                setattr(body, name, nn.Identity())
        else:
            backbone.get_submodule(backbone.maps).register_forward_hook(self._keep)
        self.eval()
        with torch.no_grad():
            _, depth, high, wide = self._map(torch.zeros(1, 3, settings.size, settings.size)).shape
        self.train()
        self.narrow = nn.Conv2d(depth, 64, 1)
        self.hidden = nn.Linear(64 * high * wide, settings.width)
        self.dropout = nn.Dropout(settings.dropout)
        self.face, self.box = nn.Linear(settings.width, 1), nn.Linear(settings.width, 4)

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """float32 ``(N, 3, S, S)`` -> the face's logits ``(N, 1)``, boxes ``(N, 4)`` xyxy in [0, 1]."""
        narrow = torch.relu(self.narrow(self._map(pixels)))
        hidden = self.dropout(torch.relu(self.hidden(torch.flatten(narrow, 1))))
        return self.face(hidden), torch.sigmoid(self.box(hidden))

    def new_layers(self) -> list[nn.Module]:
        """The layers after the backbone."""
        return [self.narrow, self.hidden, self.face, self.box]

    def _map(self, pixels: torch.Tensor) -> torch.Tensor:
        if self._alone:
            found: torch.Tensor = self.backbone.body.features(pixels)  # type: ignore[operator]
            return found
        self._kept.clear()
        self.backbone(pixels)
        return self._kept.pop()

    def _keep(self, _module: nn.Module, _inputs: Any, output: torch.Tensor) -> None:
        self._kept.append(output)


def loss_of(
    face: torch.Tensor, box: torch.Tensor, there: torch.Tensor, truth: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Cross-entropy of the face ``(N, 1)``, and the box's loss over pictures with one.

    ``there`` float32 ``(N,)`` is 1 for a face, ``truth`` ``(N, 4)`` its box.
    """
    entropy = nn.functional.binary_cross_entropy_with_logits(face[:, 0], there)
    sides = (box[:, 2:] - box[:, :2]) - (truth[:, 2:] - truth[:, :2])
    each = ((box - truth) ** 2).sum(dim=1) + (sides**2).sum(dim=1)
    return entropy, (each * there).sum() / there.sum().clamp(min=1)


class LocalizerTask:
    """Both losses together; the best epoch has the lowest on the validation split."""

    monitor = "loss"
    better: Literal["low", "high"] = "low"

    def __init__(self, model: LocalizerNetwork, val: Batches, settings: LocalizerSettings) -> None:
        self.model: nn.Module = model
        self.network, self.val, self.settings = model, val, settings
        contract = cards.contract(settings.size, settings.normalise)
        self._mean, self._std = contract.mean, contract.std

    def groups(self) -> list[dict[str, Any]]:
        """Rates by `transfer.groups`, without the layers that were taken off the backbone."""
        held = {id(p) for p in self.model.parameters()}
        settings = self.settings
        groups = transfer.groups(
            self.network.backbone, self.network.new_layers(), settings.method, settings.fine_tuning
        )
        kept = [{**group, "params": [p for p in group["params"] if id(p) in held]} for group in groups]
        return [group for group in kept if group["params"]]

    def loss(self, model: nn.Module, batch: Batch) -> tuple[torch.Tensor, Mapping[str, torch.Tensor]]:
        """The sum of both losses, and each."""
        face, box = model(self.prepare(batch.pixels))
        entropy, place = loss_of(face, box, batch.targets["face"], batch.targets["box"])
        parts = {"face_loss": entropy.detach(), "box_loss": place.detach()}
        return entropy + self.settings.box_weight * place, parts

    def evaluate(self, device: torch.device) -> Mapping[str, float]:
        """Both losses, accuracy and mean IoU on the validation split."""
        found = predict(self.model, self.val, device, self.prepare)
        face, box = (torch.from_numpy(values) for values in found.outputs)
        there, truth = (torch.from_numpy(found.targets[name]) for name in ("face", "box"))
        entropy, place = loss_of(face, box, there, truth)
        return {
            "loss": float(entropy + self.settings.box_weight * place),
            "face_loss": float(entropy),
            "box_loss": float(place),
            **localizer_scores.monitored(found),
        }

    def prepare(self, pixels: torch.Tensor) -> torch.Tensor:
        """The network's input of a batch's pixels."""
        return normalised(pixels, self._mean, self._std)


def rows_for(manifest: Manifest, split: str) -> list[ManifestRow]:
    """One row a picture of a split, ordered by path: that of its largest face, or one without a box.

    Raises `NotEnoughSamples` where none has a box.
    """
    grouped: dict[str, list[ManifestRow]] = defaultdict(list)
    for row in [*rows_of(manifest, split, BOXED), *empty_rows(manifest, split)]:
        grouped[row.path].append(row)
    return [max(grouped[path], key=_area) for path in sorted(grouped)]


def several(manifest: Manifest) -> int:
    """How many pictures with a split have more than one box."""
    count: dict[str, int] = defaultdict(int)
    for row in manifest:
        if row.split is not None and row.box is not None and row.outcome == "ok":
            count[row.path] += 1
    return sum(number > 1 for number in count.values())


def train_localizer(
    manifest: Manifest,
    out: Path,
    settings: LocalizerSettings | None = None,
    *,
    advance: Advance | None = None,
) -> LocalizerResult | None:
    """Train, export and measure on the test split, or val without; None in a further process of torchrun.

    Raises `NotEnoughSamples` when the training pictures all have a face, or those of train or val none;
    otherwise as the other trainers do.
    """
    settings = settings or LocalizerSettings()
    require_no_leak(manifest)
    rows = {split: rows_for(manifest, split) for split in splits_of(manifest, BOXED)}
    _require_empty(rows)
    with open_run(out, "localizer", settings, manifest) as run:
        if (done := run.result()) is not None:
            return LocalizerResult.from_json(done, out)
        torch.manual_seed(settings.loop.seed)
        backbone = build(settings.architecture)
        backbone.require_size(settings.size)
        trained_from = weights.load(backbone, settings.starting_weights)
        network = LocalizerNetwork(backbone, settings)
        augment = Pipeline(settings.augment, seed=settings.loop.seed) if settings.augment else None
        size, many = settings.size, settings.loop.batch_size
        train = Pictures(
            manifest, rows["train"], target, size=size, fit="stretch", augment=augment, whole=True
        )
        task = LocalizerTask(network, _in_order(manifest, rows["val"], settings), settings)
        names = ("loss", "face_loss", "box_loss", "iou", "accuracy", "precision", "recall", "auc")
        progress = fit(
            task,
            Batches(train, shuffled(len(train), many, settings.loop.seed), workers=settings.loop.workers),
            run,
            settings.loop,
            callbacks=[TensorBoard(run.path / "events"), Curves(run.path / "curves.png", names)],
            advance=advance,
        )
        if not distributed.is_first():
            return None
        device = next(network.parameters()).device
        exam = exam_of(rows)
        found = predict(network, _in_order(manifest, rows[exam], settings), device, task.prepare)
        measured = localizer_scores.summary(found, rows[exam], _mean_box(manifest, rows["train"]))
        finds = _other_kind(manifest) or (FACE,)
        localizer_scores.draw(run.path / "predictions.png", manifest, found, rows[exam], noun(finds, 1))
        refused = {"train": progress.refused, exam: found.refused}
        run.write_refused(manifest, refused)
        export(network, _card(manifest, settings, trained_from, {**plain(measured), **telling(exam)}), run)
        result = LocalizerResult(
            folder=run.path,
            **measured,
            **telling(exam),
            architecture=settings.architecture,
            method=settings.method,
            **progress.end,
            overfits_from=turning_point(progress.history),
            trained_from=trained_from,
            pictures={
                split: {
                    "face": sum(r.box is not None for r in some),
                    "no_face": sum(r.box is None for r in some),
                }
                for split, some in rows.items()
            },
            several_faces=several(manifest),
            finds=finds,
            refused={split: len(some) for split, some in refused.items()},
        )
        run.finish(result.to_json())
        return result


def length(manifest: Manifest, settings: LocalizerSettings) -> int:
    """How many batches a training has at most."""
    count = sum(row.repeats for row in rows_for(manifest, "train"))
    return settings.loop.epochs * len(shuffled(count, settings.loop.batch_size, 0)(0))


def target(row: ManifestRow, view: View) -> Mapping[str, Any]:
    """``face`` 1 or 0, and ``box``, the largest still in the picture, as shares of the sides."""
    box = np.zeros(4, np.float32)
    if row.box is not None:
        w, h = view.size_wh
        sides = view.boxes[:, 2:] - view.boxes[:, :2]
        areas = np.where(in_sight(view), sides.prod(axis=1), -1.0)
        largest = view.boxes[int(np.nanargmax(areas))]
        box = np.clip(largest / np.array([w, h, w, h], np.float32), 0, 1).astype(np.float32)
    return {"face": np.float32(row.box is not None), "box": box}


def _in_order(manifest: Manifest, rows: Sequence[ManifestRow], settings: LocalizerSettings) -> Batches:
    once = [replace(row, repeats=1) for row in rows]
    pictures = Pictures(manifest, once, target, size=settings.size, fit="stretch")
    return Batches(pictures, in_order(len(pictures), settings.loop.batch_size))


def _mean_box(manifest: Manifest, rows: Sequence[ManifestRow]) -> Any:
    shares = [
        np.array(row.box) / np.tile(row.size_wh, 2) for row in rows if row.box is not None and row.size_wh
    ]
    return np.clip(np.mean(shares, axis=0), 0, 1) if shares else np.array([0.0, 0.0, 1.0, 1.0])


def _require_empty(rows: Mapping[str, Sequence[ManifestRow]]) -> None:
    empty = {split: sum(row.box is None for row in some) for split, some in rows.items()}
    if not empty["train"]:
        raise NotEnoughSamples(
            f"of {quantity(len(rows['train']), 'training picture')} every picture has a face; a localizer "
            f"learns from pictures with and without (pictures without a face: {counted(empty)}); add "
            "pictures of the same places without anybody, and split again with --exact"
        )


def _area(row: ManifestRow) -> float:
    return 0.0 if row.box is None else (row.box[2] - row.box[0]) * (row.box[3] - row.box[1])


def _other_kind(manifest: Manifest) -> tuple[str, ...]:
    """The class of the boxes, where they are not of faces."""
    kinds = classes_of(rows_of(manifest, "train", BOXED), (), one_class=True)
    return () if is_face(kinds[0]) else kinds


def _card(
    manifest: Manifest,
    settings: LocalizerSettings,
    trained_from: str | None,
    measured: Mapping[str, Any],
) -> TrainedCard:
    return TrainedCard(
        name=f"localizer-{settings.architecture}",
        job="localizer",
        architecture=settings.architecture,
        file="",
        sha256="",
        input=cards.contract(settings.size, settings.normalise),
        heads=(Head(FACE, "face", _other_kind(manifest)), Head(BOX, "box")),
        data=cards.data_of(manifest),
        trained_from=trained_from,
        fit="stretch",
        measured=dict(measured),
        notes="At most one face a picture; the picture is bent to a square; no landmarks.",
    )
