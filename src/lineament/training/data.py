"""Pictures of a manifest as batches: decoded when needed, augmented anew each epoch, the same for a seed.

What a batch holds depends on seed, epoch and position alone, not on the number of loading processes, so a
resumed training sees what an undisturbed one would have. A picture that cannot be read is left out of its
batch and reported with it.
"""

from __future__ import annotations

import gc
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from lineament.datasets.augment.materialise import faces_of
from lineament.datasets.augment.pipeline import Pipeline
from lineament.datasets.augment.view import View
from lineament.errors import LineamentError, NotEnoughSamples, PictureError, TrainingError
from lineament.io import images
from lineament.io.manifest import Manifest, ManifestRow
from lineament.io.opencv import import_cv2
from lineament.shown import shown
from lineament.types import UInt8

Fit = Literal["cover", "stretch"]
Target = Callable[[ManifestRow, View], Mapping[str, Any]]
Key = tuple[int, int]
"""Position in the data set, and epoch."""


@dataclass(slots=True)
class Batch:
    """``pixels`` uint8 ``(N, 3, S, S)`` RGB or features ``(N, D)``; ``targets`` by name, first axis N.

    ``index`` int64 ``(N,)`` are positions in the data set; ``refused`` the pictures that could not be read,
    by row id.
    """

    pixels: torch.Tensor
    targets: dict[str, torch.Tensor]
    index: torch.Tensor
    refused: dict[str, str] = field(default_factory=dict)

    __repr__ = shown

    def __len__(self) -> int:
        return len(self.index)

    def to(self, device: torch.device) -> Batch:
        """The same on a device."""
        moved = {name: value.to(device, non_blocking=True) for name, value in self.targets.items()}
        return Batch(self.pixels.to(device, non_blocking=True), moved, self.index, self.refused)


class Pictures(Dataset[Any]):
    """Rows as uint8 ``(size, size, 3)`` with what ``target`` makes of each row and its changed view.

    ``fit``: cover fills the square from the picture's middle, stretch bends the sides. Boxes and landmarks
    of the view are in pixels of the result. A row is seen as often as its ``repeats`` says, each time
    augmented differently. With ``whole`` the view has all labelled faces of the picture, in the order of
    their ids, and is drawn as `dataset augment` draws it.
    """

    def __init__(
        self,
        manifest: Manifest,
        rows: Sequence[ManifestRow],
        target: Target,
        *,
        size: int,
        fit: Fit = "cover",
        augment: Pipeline | None = None,
        whole: bool = False,
    ) -> None:
        self.manifest = manifest
        self.entries = [(row, copy) for row in rows for copy in range(row.repeats)]
        if not self.entries:
            raise NotEnoughSamples("a split holds no pictures; see: lineament dataset split")
        self.target, self.size, self.fit, self.augment = target, size, fit, augment
        self._faces: dict[str, list[ManifestRow]] = {}
        paths = {row.path for row in rows} if whole else set()
        for row in manifest:
            if row.path in paths and row.outcome == "ok":
                self._faces.setdefault(row.path, []).append(row)

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, key: Key) -> Any:
        index, epoch = key
        row, copy = self.entries[index]
        try:
            pixels = images.load(self.manifest.file(row)).pixels
        except PictureError as error:
            return row.id, f"{type(error).__name__}: {error}"
        faces = self._faces.get(row.path, [row])
        view = faces_of(pixels, faces)
        if self.augment is not None:
            name = faces[0].id if copy == 0 else f"{faces[0].id}#{copy}"
            view = self.augment(view.pixels, view.boxes, view.landmarks, key=name, epoch=epoch)
        view = fitted(view, self.size, self.fit)
        return view.pixels, self.target(row, view), index


def fitted(view: View, size: int, fit: Fit) -> View:
    """The view as a square of ``size`` pixels, boxes and landmarks with it."""
    import cv2

    w, h = view.size_wh
    if (w, h) == (size, size):
        return view
    if fit == "cover":
        side = min(w, h)
        x0, y0, w, h = (w - side) // 2, (h - side) // 2, side, side
    else:
        x0 = y0 = 0
    shrinks = w > size or h > size
    part = view.pixels[y0 : y0 + h, x0 : x0 + w]
    pixels: UInt8 = cv2.resize(
        part, (size, size), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    )  # type: ignore[assignment]
    scale = np.array([size / w, size / h], np.float32)
    origin = np.array([x0, y0], np.float32)
    boxes = (view.boxes - np.tile(origin, 2)) * np.tile(scale, 2)
    return View(pixels, boxes, (view.landmarks - origin) * scale, view.shares)


def collate(samples: Sequence[Any]) -> Batch:
    """Samples to a batch; those that are (row id, reason) end in ``refused``."""
    refused = {s[0]: s[1] for s in samples if len(s) == 2}
    good = [s for s in samples if len(s) == 3]
    names = good[0][1] if good else {}
    pixels = np.stack([s[0] for s in good]) if good else np.zeros((0, 1, 1, 3), np.uint8)
    tensor = torch.from_numpy(pixels)
    if tensor.ndim == 4:
        tensor = tensor.permute(0, 3, 1, 2)
    targets = {name: torch.as_tensor(np.stack([np.asarray(s[1][name]) for s in good])) for name in names}
    return Batch(tensor, targets, torch.tensor([s[2] for s in good], dtype=torch.int64), refused)


Plan = Callable[[int], Sequence[Sequence[int]]]
"""The batches of an epoch, each the positions of its samples."""


def shuffled(count: int, batch_size: int, seed: int) -> Plan:
    """Every sample once an epoch in an order of its own; the last batch may be smaller.

    One sample that would be left alone joins the batch before it: it could not be normalised over a batch.
    """

    def plan(epoch: int) -> list[list[int]]:
        order = np.random.default_rng([seed, epoch]).permutation(count).tolist()
        batches = [order[i : i + batch_size] for i in range(0, count, batch_size)]
        if batch_size > 1 and len(batches) > 1 and len(batches[-1]) == 1:
            batches[-2:] = [batches[-2] + batches[-1]]
        return batches

    return plan


def in_order(count: int, batch_size: int) -> Plan:
    """Every sample once, in order: for evaluation."""
    return lambda _epoch: [list(range(i, min(i + batch_size, count))) for i in range(0, count, batch_size)]


class Batches:
    """Batches of a data set by a plan; the loading processes live from epoch to epoch."""

    def __init__(self, data: Dataset[Any], plan: Plan, *, workers: int = 0) -> None:
        self.data = data
        self._order = _Order(plan)
        self._loader: DataLoader[Any] = DataLoader(
            _Guarded(data),
            batch_sampler=self._order,
            num_workers=workers,
            collate_fn=_collate_or_fail,
            # Started anew, a process takes twenty times as long; elsewhere they cannot be forked safely.
            multiprocessing_context="fork" if workers and sys.platform == "linux" else None,
            persistent_workers=workers > 0,
            worker_init_fn=_prepare_worker if workers else None,
            prefetch_factor=4 if workers else None,
        )

    def length(self, epoch: int = 0) -> int:
        """How many batches an epoch has."""
        return len(self._order.plan(epoch))

    def largest(self, epoch: int = 0, world: int = 1) -> int:
        """The most pictures that a batch of an epoch gives one of several processes."""
        return max((-(-len(batch) // world) for batch in self._order.plan(epoch)), default=0)

    def close(self) -> None:
        """End the loading processes; the next epoch starts others."""
        iterator, self._loader._iterator = self._loader._iterator, None
        if iterator is not None:
            # A process that died is told of again and again, until torch has forgotten all of them.
            with suppress(RuntimeError):
                iterator._shutdown_workers()  # type: ignore[attr-defined]

    def epoch(self, number: int = 0, *, start: int = 0, rank: int = 0, world: int = 1) -> Iterator[Batch]:
        """The batches of an epoch from the ``start``-th on; of several processes each takes its share.

        Raises what the data set raises, and `TrainingError` when a loading process died.
        """
        self._order.now = (number, start, rank, world)
        with deaths_named():
            for item in self._loader:
                if isinstance(item, LineamentError):
                    raise item
                yield item


@contextmanager
def deaths_named() -> Iterator[None]:
    """Turn torch's error for a loading process that died, raised anywhere, into `TrainingError`."""
    try:
        yield
    except RuntimeError as error:
        if "DataLoader worker" not in str(error):
            raise
        raise TrainingError(_DIED) from error
    except (EOFError, ConnectionError, FileNotFoundError) as error:
        # It died while handing over a batch: the other end of its socket is gone.
        if not _in_loader(error):
            raise
        raise TrainingError(_DIED) from error


_DIED = (
    "a process that loads pictures died, perhaps out of memory or of shared memory (/dev/shm); "
    "set loop.workers lower, then go on with the same command"
)


def _in_loader(error: BaseException) -> bool:
    """Whether an error arose where torch receives a batch from another process."""
    frames = (frame.f_code.co_name for frame, _ in traceback.walk_tb(error.__traceback__))
    return "_try_get_data" in frames


class _Order:
    """What the loader asks for next: keys of one batch at a time."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.now = (0, 0, 0, 1)

    def __iter__(self) -> Iterator[list[Key]]:
        epoch, start, rank, world = self.now
        for batch in self.plan(epoch)[start:]:
            yield [(index, epoch) for index in batch[rank::world]]

    def __len__(self) -> int:
        return len(self.plan(self.now[0])) - self.now[1]


class _Guarded(Dataset[Any]):
    """Hands over a named error as a value: raised in a worker it would arrive with a traceback as text."""

    def __init__(self, data: Dataset[Any]) -> None:
        self.data = data

    def __getitem__(self, key: Any) -> Any:
        try:
            return self.data[key]
        except LineamentError as error:
            return error


def _collate_or_fail(samples: Sequence[Any]) -> Batch | LineamentError:
    failures = [s for s in samples if isinstance(s, LineamentError)]
    return failures[0] if failures else collate(samples)


def _prepare_worker(_worker: int) -> None:
    # What the training holds, or left as garbage, is not this process's to end: its threads are not here,
    # and OpenVINO would wait for them for ever.
    gc.freeze()
    # Ctrl-C reaches all processes of a terminal; the training ends its step first, then these.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    import_cv2().setNumThreads(1)
    torch.set_num_threads(1)


def normalised(
    pixels: torch.Tensor, mean: Sequence[float] = (0.0,), std: Sequence[float] = (255.0,)
) -> torch.Tensor:
    """uint8 ``(N, 3, H, W)`` -> float32 ``(value - mean) / std``, mean and std in grey levels."""
    # Colours of a pixel side by side, as pictures come: depthwise convolutions train 1.4 times as fast.
    values = pixels.to(torch.float32).contiguous(memory_format=torch.channels_last)
    shape = (1, -1, 1, 1)
    return (values - torch.tensor(mean, device=pixels.device).reshape(shape)) / torch.tensor(
        std, device=pixels.device
    ).reshape(shape)
