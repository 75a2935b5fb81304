"""A service in this process, by its real models, and small photos to send it."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from starlette.testclient import TestClient

from lineament.gallery.gallery import Gallery
from lineament.io import images
from lineament.service.access import Access, ByKeys
from lineament.service.app import create_service
from lineament.service.gate import Gate
from lineament.service.keys import KeyFile
from lineament.service.logs import Log
from lineament.service.settings import Limits, ServiceSettings
from lineament.settings import AnalyzerSettings, GallerySettings

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
ADA, ADA_AGAIN, BOB = "obama_2012_portrait.jpg", "biden_2010_white_house.jpg", "collins_nasa.png"


@cache
def photo(name: str, longest: int = 360) -> bytes:
    """A sample, made small: fast to analyse, its face found still."""
    import cv2

    pixels = images.load(SAMPLES / name).pixels
    factor = longest / max(pixels.shape[:2])
    size = (round(pixels.shape[1] * factor), round(pixels.shape[0] * factor))
    return images.encode_jpeg(np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8))


def empty() -> bytes:
    """A picture without a face."""
    return images.encode_jpeg(np.full((120, 160, 3), 128, np.uint8))


@dataclass(eq=False)
class Served:
    """A service with its keys and its log."""

    app: Gate
    keys: KeyFile
    admin: str
    log: io.StringIO
    client: TestClient

    def gallery(self) -> Gallery:
        """The gallery that is served, from inside."""
        opened: Gallery = self.app._app.state.service.galleries.open(None)  # type: ignore[attr-defined]
        return opened

    def as_(self, secret: str) -> TestClient:
        """A client with this key, in a service that runs."""
        made = TestClient(self.app, base_url="http://service.test", raise_server_exceptions=False)
        made.headers.update(bearer(secret))
        made.portal = self.client.portal
        return made


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


@contextmanager
def served(
    folder: Path,
    *,
    limits: Limits | None = None,
    access: Access | None = None,
    gallery: str = "memory:",
    **settings: Any,
) -> Iterator[Served]:
    """A service that runs, and its client with the admin's key."""
    keys, log = KeyFile(folder / "keys.db"), io.StringIO()
    admin = keys.new(label="test")[1]
    made = ServiceSettings(
        GallerySettings(gallery, AnalyzerSettings(workers=2)), limits=limits or Limits(), **settings
    )
    app = create_service(made, access or ByKeys(keys), log=Log(log))
    assert isinstance(app, Gate)
    with TestClient(app, base_url="http://service.test", raise_server_exceptions=False) as client:
        client.headers.update(bearer(admin))
        while client.get("/readyz").json() == {"status": "starting"}:
            time.sleep(0.01)
        yield Served(app, keys, admin, log, client)
