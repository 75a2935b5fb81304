"""CenterFace (Xu et al. 2019, arXiv 1911.03599): boxes and five landmarks, slower and surer than YuNet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lineament.detectors._looking import detect_views
from lineament.detectors._merging import Found
from lineament.detectors._views import ViewSettings
from lineament.io import assets, catalog
from lineament.io.derived import derived
from lineament.io.onnx import open_session
from lineament.io.pixel_input import take_rgb_bytes
from lineament.registry import detectors
from lineament.types import Faces, Image, UInt8

_STRIDE = 4
_DIVISOR = 32
_HEATMAP, _SIZE, _OFFSET, _LANDMARKS = "537", "538", "539", "540"


@dataclass(frozen=True, slots=True)
class CenterFaceConfig(ViewSettings):
    """Settings: see `ViewSettings`."""

    score: float = 0.5
    large_score: float = 0.7


@detectors.register("centerface", CenterFaceConfig)
class CenterFace:
    """Finds faces with landmarks at a stride of 4 pixels. Safe to call from several threads."""

    gives_landmarks = True

    def __init__(self, config: CenterFaceConfig | None = None) -> None:
        self.config = config or CenterFaceConfig()
        self.score = self.config.score
        path = derived(assets.fetch(catalog.card("centerface")), "rgb8-dynamic-1", _open_dimensions)
        self._session = open_session(path, pinned=True)

    def detect(self, images: Sequence[Image]) -> list[Faces]:
        """Faces of each picture, best first; boxes may reach a little over the picture's edge."""
        return detect_views(images, self.config, self._run, multiple=_DIVISOR)

    def _run(self, batch: UInt8) -> list[Found]:
        outputs = self._session.run({"pixels": batch})
        found = []
        for heat, size, offset, points in zip(
            *(outputs[name] for name in (_HEATMAP, _SIZE, _OFFSET, _LANDMARKS)), strict=True
        ):
            # Every map holds y before x.
            rows, columns = np.nonzero(heat[0] >= self.config.lowest)
            cell = np.stack([columns, rows], axis=1).astype(np.float32)
            center = (cell + offset[::-1, rows, columns].T + 0.5) * _STRIDE
            # No face is wider than exp(12) cells; the bound keeps hostile pixels from making infinities.
            size_wh = np.exp(np.minimum(size[::-1, rows, columns].T, 12)) * _STRIDE
            corner = center - size_wh / 2
            share = points[:, rows, columns].T.reshape(-1, 5, 2)[..., ::-1]
            found.append(
                Found(
                    boxes=np.concatenate([corner, corner + size_wh], axis=1),
                    scores=heat[0, rows, columns],
                    landmarks=corner[:, None] + share * size_wh[:, None],
                )
            )
        return found


def _open_dimensions(source: Path, target: Path) -> None:
    import onnx

    model = onnx.load(source)
    take_rgb_bytes(model, reverse_channels=False)
    onnx.checker.check_model(model)
    onnx.save(model, target)
