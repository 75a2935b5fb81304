"""The strongest simple mark a classifier of people has to beat: SFace embeddings and a linear classifier.

Nothing of a network is trained: logistic regression (scikit-learn) on unit-length embeddings, its strength
of regularisation chosen on the validation split.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lineament import registry
from lineament.datasets.splitting.held_out import exam_of, telling
from lineament.errors import MissingExtra, NoFaceFound, PictureError
from lineament.geometry.crop_style import CropStyle
from lineament.io import images
from lineament.io.manifest import Manifest, ManifestRow
from lineament.scoring import proportions
from lineament.training.classification.classes import Classes, classes_of
from lineament.training.classification.settings import SUBJECT
from lineament.training.splits import require_no_leak, rows_of, splits_of
from lineament.training.whole_pictures import require_cut_out, require_cut_out_unless_split
from lineament.types import Float32, Image, UInt8

STRENGTHS = (0.1, 1.0, 10.0, 100.0, 1000.0)
"""Inverse strengths of regularisation to choose from."""


def embedding_baseline(
    manifest: Manifest, *, label: str = SUBJECT, embedder: str = "sface:precision=exact"
) -> dict[str, Any]:
    """Accuracy by split with intervals clustered by subject, and what was chosen; as JSON can hold it.

    A face is aligned by the row's landmarks, or by those of the face that YuNet finds. A picture that
    cannot be read or shows no face counts as a mistake, and is counted in ``failed``. Raises `SplitError`
    for leaking splits, `NotEnoughSamples`, `MissingExtra`, and `AssetUnavailable`.
    """
    try:
        from sklearn.linear_model import LogisticRegression
    except ImportError as error:
        raise MissingExtra("the baseline", "train") from error
    require_no_leak(manifest)
    require_cut_out_unless_split(manifest)
    rows_by = {split: rows_of(manifest, split) for split in splits_of(manifest)}
    require_cut_out(manifest, [row for found in rows_by.values() for row in found])
    classes = classes_of(rows_by, label)
    aligner = _Aligner(manifest)
    vectors, failed = {}, {}
    network = registry.embedders.create(embedder)
    for split, rows in classes.rows.items():
        vectors[split], failed[split] = _embeddings(network, aligner, rows)
    truth = {split: np.array([classes.of(row) for row in rows]) for split, rows in classes.rows.items()}
    there = {split: np.isfinite(vectors[split]).all(axis=1) for split in vectors}
    best: tuple[float, Any, float] | None = None
    for strength in STRENGTHS:
        model = LogisticRegression(C=strength, max_iter=2000)
        model.fit(vectors["train"][there["train"]], truth["train"][there["train"]])
        right = float(_right(model, vectors["val"], truth["val"]).mean())
        if best is None or right > best[0]:
            best = (right, model, strength)
    assert best is not None
    figures = {
        split: {"accuracy": _accuracy(_right(best[1], vectors[split], truth[split]), classes, split)}
        for split in classes.rows
    }
    return {
        "embedder": embedder,
        "classifier": "logistic regression",
        "strength": best[2],
        "failed": failed,
        **figures,
        **telling(exam_of(figures)),
    }


class _Aligner:
    """Rows as crops on the ArcFace template."""

    def __init__(self, manifest: Manifest) -> None:
        self.manifest = manifest
        self.style = CropStyle(size=112, align=True)
        self._detector: Any = None

    def crop(self, row: ManifestRow) -> UInt8:
        """uint8 ``(112, 112, 3)``; raises `PictureError` or `NoFaceFound`."""
        image = images.load(self.manifest.file(row))
        if row.box is not None and row.landmarks is not None:
            box, points = np.array(row.box, np.float32), np.array(row.landmarks, np.float32)
        else:
            box, points = self._found(image)
        return self.style.cut(image.pixels, self.style.transform(box, points, 0.0))

    def _found(self, image: Image) -> tuple[Float32, Float32]:
        if self._detector is None:
            self._detector = registry.detectors.create("yunet")
        faces = self._detector.detect([image])[0]
        if not len(faces):
            raise NoFaceFound("no face found")
        sizes = (faces.boxes[:, 2:] - faces.boxes[:, :2]).prod(axis=1)
        largest = int(sizes.argmax())
        return faces.boxes[largest], faces.landmarks[largest]


def _embeddings(network: Any, aligner: _Aligner, rows: Sequence[ManifestRow]) -> tuple[Float32, int]:
    """Unit-length embeddings ``(N, D)``, NaN for rows without, and how many those are."""
    found = np.full((len(rows), network.dimension), np.nan, np.float32)
    for number, row in enumerate(rows):
        try:
            crop = aligner.crop(row)
        except (PictureError, NoFaceFound):
            continue
        vector = network.embed(crop[None])[0]
        found[number] = vector / max(float(np.linalg.norm(vector)), 1e-12)
    return found, int(np.isnan(found[:, 0]).sum())


def _right(model: Any, vectors: Float32, truth: Any) -> Any:
    there = np.isfinite(vectors).all(axis=1)
    right = np.zeros(len(truth), bool)
    if there.any():
        right[there] = model.predict(vectors[there]) == truth[there]
    return right


def _accuracy(right: Any, classes: Classes, split: str) -> Mapping[str, float | int | None]:
    whose = [row.subject or row.parent or row.id for row in classes.rows[split]]
    return proportions.of_flags(right, whose).to_json()
