"""A network's look at pictures of any size: view by view, as the rule of `_views` wants it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from lineament.detectors._merging import Found, merge, to_picture
from lineament.detectors._views import (
    HINT,
    LARGE_FACE,
    SMALL_FACE,
    View,
    ViewSettings,
    cut,
    enlarged,
    pad_to_multiple,
    plan,
)
from lineament.io.inputs import pictures
from lineament.types import Faces, Image, UInt8

Look = tuple[View, Found]
"""A view and what the network found in it, in the view's pixels."""


def detect_views(
    images: Sequence[Image],
    settings: ViewSettings,
    run: Callable[[UInt8], list[Found]],
    *,
    multiple: int,
    opencv: bool = False,
) -> list[Faces]:
    """Faces of each picture from a network ``run`` on uint8 ``(N, H, W, 3)`` of sides ``multiple`` divides.

    Views of one padded shape run together, at most ``settings.batch`` at once.
    """
    images = pictures(images)

    def look(views: Sequence[Sequence[View]]) -> list[list[Look]]:
        return _look(images, views, settings.batch, run, multiple)

    looks = look([plan(image.size_wh, settings) for image in images])
    if settings.enlarge > 1:
        closer = [_closer(image.size_wh, seen, settings) for image, seen in zip(images, looks, strict=True)]
        looks = [seen + more for seen, more in zip(looks, look(closer), strict=True)]
    return [
        merge(
            [to_picture(found, view) for view, found in seen],
            settings,
            opencv=opencv,
            shrunk=[
                (max(view.scale_xy), to_picture(found, replace(view, least=0.0, score=0.0)))
                for view, found in seen
                if view.least
            ],
            too_large=LARGE_FACE / max(seen[0][0].scale_xy),
        )
        for seen in looks
    ]


def _look(
    images: Sequence[Image],
    views: Sequence[Sequence[View]],
    batch: int,
    run: Callable[[UInt8], list[Found]],
    multiple: int,
) -> list[list[Look]]:
    """What the network finds in each view of each picture."""
    results: list[dict[int, Found]] = [{} for _ in images]
    waiting: dict[tuple[int, ...], list[tuple[int, int, UInt8]]] = {}

    def flush(group: list[tuple[int, int, UInt8]]) -> None:
        for (i, j, _), found in zip(group, run(np.stack([p for *_, p in group])), strict=True):
            results[i][j] = found
        group.clear()

    for i, image in enumerate(images):
        for j, view in enumerate(views[i]):
            padded = pad_to_multiple(cut(image.pixels, view), multiple)
            group = waiting.setdefault(padded.shape, [])
            group.append((i, j, padded))
            if len(group) == batch:
                flush(group)
    for group in waiting.values():
        if group:
            flush(group)
    return [
        [(view, found[j]) for j, view in enumerate(planned)]
        for planned, found in zip(views, results, strict=True)
    ]


def _closer(size_wh: tuple[int, int], seen: Sequence[Look], settings: ViewSettings) -> list[View]:
    """The enlarged views that the native one gives reason for, where it shows the whole picture."""
    if max(size_wh) > settings.long_side:
        return []
    _, found = seen[0]
    longer = (found.boxes[:, 2:] - found.boxes[:, :2]).max(axis=1, initial=0)
    hints = (found.scores >= HINT) & (longer <= SMALL_FACE)
    return enlarged(size_wh, found.boxes[hints], settings)
