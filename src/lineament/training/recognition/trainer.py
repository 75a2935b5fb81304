"""Train an embedder: photos of a person near each other, also of people it never saw."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from lineament.datasets.augment.pipeline import Pipeline
from lineament.datasets.splitting.held_out import exam_of, telling
from lineament.errors import ConfigError
from lineament.geometry.crop_style import CropStyle
from lineament.io.catalog import InputContract
from lineament.io.manifest import Manifest, ManifestRow
from lineament.io.trained import Head, TrainedCard
from lineament.plots import canvas
from lineament.plots.roc import roc_figure
from lineament.protocols import Advance
from lineament.training import distributed
from lineament.training.answers import plain
from lineament.training.architectures import build, weights
from lineament.training.architectures.backbone import count_parameters
from lineament.training.callbacks import Curves, TensorBoard
from lineament.training.data import Batches, Pictures, in_order, shuffled
from lineament.training.data import Plan as BatchPlan
from lineament.training.loop import fit
from lineament.training.predictions import predict
from lineament.training.recognition.result import EmbedderResult, Strangers
from lineament.training.recognition.samplers import balanced
from lineament.training.recognition.settings import EmbedderSettings
from lineament.training.recognition.task import EmbedderNet, EmbedderTask
from lineament.training.recognition.unseen import (
    People,
    Verified,
    people_of,
    rate_for,
    require_apart,
    supported,
    verify,
)
from lineament.training.runs import cards, export
from lineament.training.runs.folder import RunFolder, open_run
from lineament.training.splits import require_no_leak, rows_of, splits_of
from lineament.training.whole_pictures import require_cut_out, require_cut_out_unless_split

HEAD = "embedding"
_GREY = ((127.5,) * 3, (127.5,) * 3)


def train_embedder(
    manifest: Manifest, out: Path, settings: EmbedderSettings, *, advance: Advance | None = None
) -> EmbedderResult | None:
    """Train, verify and export into the run folder ``out``; returns the result, also of a finished run.

    A further process of torchrun gets None: the first one measures.

    Needs the splits train and val with no person in both; test, with further people, is measured when it is
    there. ``advance`` is told of each finished batch; see `length`. Raises `SplitError` for people or
    pictures in several splits, `InsufficientData` when val cannot support the false match rate, and the
    errors of `weights.load`, `fit` and `export`.
    """
    data = _Data(manifest, settings)
    with open_run(out, "embedder", settings, manifest) as run:
        if (done := run.result()) is not None:
            return EmbedderResult.from_json(done, out)
        return _train(manifest, data, run, settings, advance or _nothing)


def length(manifest: Manifest, settings: EmbedderSettings) -> int:
    """How many batches `train_embedder` tells of at most; training may end early."""
    return settings.loop.epochs * len(_Data(manifest, settings).plan(0))


class _Data:
    """What is trained on and judged by, and how it was cut."""

    def __init__(self, manifest: Manifest, settings: EmbedderSettings) -> None:
        require_no_leak(manifest)
        self.crop = _aligned(manifest, settings)
        require_cut_out_unless_split(manifest)
        rows = {name: rows_of(manifest, name) for name in splits_of(manifest)}
        require_cut_out(manifest, [row for found in rows.values() for row in found])
        require_apart(rows["train"], **{name: some for name, some in rows.items() if name != "train"})
        kept = [row for row in rows["train"] if row.repeats]
        self.train = people_of({**rows, "train": kept}, "train", at_least=settings.at_least)
        self.train.left_out["rows that balancing took out"] = len(rows["train"]) - len(kept)
        once = {name: _once(some) for name, some in rows.items()}
        self.val = people_of(once, "val")
        self.test = people_of(once, "test") if "test" in rows else None
        self.fmr = rate_for(self.val, settings.fmr, "val")
        self.entries, self.plan = self._batches(settings)

    def _batches(self, settings: EmbedderSettings) -> tuple[list[ManifestRow], BatchPlan]:
        """Training rows with their repeats, and the plan over them."""
        loop = settings.loop
        if settings.sampler == "shuffled":
            count = sum(row.repeats for row in self.train.rows)
            return list(self.train.rows), shuffled(count, loop.batch_size, loop.seed)
        # A subject with fewer photos than a batch wants of it shows each in several changed forms.
        sizes = [len(group) for group in self.train.groups]
        rows = [
            replace(row, repeats=-(-settings.photos_each // sizes[number]))
            for row, number in zip(self.train.rows, self.train.numbers, strict=True)
        ]
        groups: list[list[int]] = [[] for _ in sizes]
        position = 0
        for row, number in zip(rows, self.train.numbers, strict=True):
            groups[number] += range(position, position := position + row.repeats)
        subjects = loop.batch_size // settings.photos_each
        return rows, balanced(groups, subjects, settings.photos_each, loop.seed)


def _once(rows: Sequence[ManifestRow]) -> list[ManifestRow]:
    return [replace(row, repeats=1) for row in rows]


def _aligned(manifest: Manifest, settings: EmbedderSettings) -> CropStyle | None:
    """How the crops were cut; raises `ConfigError` unless they are aligned as the analyzer aligns faces."""
    crop, _ = cards.crop_of(manifest)
    if crop is None and settings.aligned:
        return None
    if crop is None or not crop.align or crop.margin:
        how = "nothing says how the faces were cut" if crop is None else "the crops are not aligned"
        raise ConfigError(
            f"{how}; an embedder is trained on what it will be given: "
            f"lineament dataset extract PHOTOS OUT --align --size {settings.size}"
            + ("; crops aligned elsewhere to the ArcFace template: aligned=true" if crop is None else "")
        )
    return crop


@dataclass(frozen=True, slots=True)
class SubjectTarget:
    """A row's number among the people of the training, -1 for others; any process can be sent it."""

    numbers: Mapping[str, int]

    def __call__(self, row: ManifestRow, _view: object) -> dict[str, int]:
        """The number under the name ``subject``."""
        return {"subject": self.numbers.get(str(row.subject), -1)}


def _train(
    manifest: Manifest, data: _Data, run: RunFolder, settings: EmbedderSettings, advance: Advance
) -> EmbedderResult | None:
    loop, path = settings.loop, run.path
    if settings.loss == "triplet" and settings.photos_each < 2 * int(os.environ.get("WORLD_SIZE", "1")):
        raise ConfigError("triplets of several processes need photos_each of twice their number")
    began = time.monotonic()
    torch.manual_seed(loop.seed)
    backbone = build(settings.architecture)
    backbone.require_size(settings.size)
    trained_from = weights.load(backbone, settings.weights)
    contract = _contract(settings)
    model = EmbedderNet(backbone, settings.dimension, settings.dropout, settings.frozen_stages)
    augment = Pipeline(settings.augment, seed=loop.seed) if settings.augment else None
    target = SubjectTarget({name: i for i, name in enumerate(data.train.names)})

    def pictures(rows: Sequence[ManifestRow], changed: Pipeline | None) -> Pictures:
        return Pictures(manifest, rows, target, size=settings.size, augment=changed)

    def in_turn(people: People) -> Batches:
        plan = in_order(len(people.rows), max(32, loop.batch_size))
        return Batches(pictures(people.rows, None), plan, workers=loop.workers)

    val = in_turn(data.val)
    task = EmbedderTask(model, settings, len(data.train.names), contract, data.val, val, data.fmr)
    first = distributed.is_first()
    state = fit(
        task,
        Batches(pictures(data.entries, augment), data.plan, workers=loop.workers),
        run,
        loop,
        callbacks=[TensorBoard(path / "events"), Curves(path / "curves.png", ("loss", "fnmr"))]
        if first
        else [],
        advance=advance,
    )
    if not first:
        return None
    device = distributed.device_for(loop.device, distributed.Place())
    measured = {"val": verify(data.val, predict(model, val, device, task.prepare), supported(data.val))}
    if data.test is not None:
        found = predict(model, in_turn(data.test), device, task.prepare)
        measured["test"] = verify(data.test, found, supported(data.test) or [data.fmr])
    _draw(measured, path)
    figures = {split: _figures(found) for split, found in measured.items()}
    exam = exam_of(figures)
    run.write_refused(manifest, {"train": state.refused, **{k: v.refused for k, v in measured.items()}})
    card = TrainedCard(
        name=path.name or "embedder",
        job="embedding",
        architecture=settings.architecture,
        file="",
        sha256="",
        input=contract,
        heads=(Head(HEAD, "embedding"),),
        data=cards.data_of(manifest),
        trained_from=trained_from,
        crop=data.crop,
        measured={
            **{
                split: plain({key: getattr(found, key) for key in ("people", "photos", "fnmr_at_fmr")})
                for split, found in figures.items()
            },
            **telling(exam),
        },
        notes="Trained on aligned crops. No threshold is calibrated: lineament calibrate makes one.",
    )
    export.export(model, card, run)
    splits = {"train": data.train, "val": data.val, **({"test": data.test} if data.test else {})}
    result = EmbedderResult(
        folder=path,
        architecture=settings.architecture,
        loss=settings.loss,
        fmr=data.fmr,
        best_fnmr=state.best,
        **state.end,
        people={name: len(part.names) for name, part in splits.items()},
        photos={name: len(part.rows) for name, part in splits.items()},
        left_out={name: {k: v for k, v in part.left_out.items() if v} for name, part in splits.items()},
        refused={"train": len(state.refused), **{name: found.refused for name, found in figures.items()}},
        val=figures["val"],
        test=figures.get("test"),
        seconds={
            "training": sum(r["seconds"] + r["validation_seconds"] for r in state.history),
            "all": time.monotonic() - began,
        },
        trained_from=trained_from,
        **telling(exam),
        **count_parameters(model),
    )
    run.finish(result.to_json())
    return result


def _contract(settings: EmbedderSettings) -> InputContract:
    mean, std = _GREY
    if settings.weights == "imagenet":
        plain = cards.contract(settings.size)
        mean, std = plain.mean, plain.std  # type: ignore[assignment]
    return InputContract("RGB", size=settings.size, mean=mean, std=std, alignment="arcface_112")


def _figures(found: Verified) -> Strangers:
    comparisons = found.comparisons
    points = [point for point in found.points if point.supported]
    return Strangers(
        people=len(comparisons.samples),
        photos=len(comparisons.codes),
        mated=len(comparisons.mated),
        non_mated=comparisons.total,
        refused=len(found.refused),
        fnmr_at_fmr={f"{p.target_rate:g}": p.fnmr.rate for p in points},
        thresholds={f"{p.target_rate:g}": p.threshold for p in points},
    )


def _draw(measured: Mapping[str, Verified], path: Path) -> None:
    for split, found in measured.items():
        if len(found.comparisons.mated):
            curve, _ = found.comparisons.roc()
            title = f"Verification, split {split}"
            canvas.save(
                roc_figure(curve, nonmated=found.comparisons.total, title=title), path / f"roc_{split}.png"
            )


def _nothing(_count: int) -> None:
    pass
