"""What a service is made of: the gallery it serves, and how much it takes before it says no."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, fields

from lineament.config import require_whole
from lineament.errors import ConfigError
from lineament.settings import AnalyzerSettings, GallerySettings

MIB = 2**20


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one request, one key and all of them together may cost.

    A body of pictures has at most ``body_bytes``, in ``parts`` parts, one without them ``document_bytes``;
    each comes within ``receive_seconds``;
    all bodies that are held at one time have at most ``held_bytes``. At most ``waiting`` pictures wait for
    the models, none of them longer than ``answer_seconds``. A key may ask ``requests_a_minute`` times, and
    half of that at once. At most ``connections`` are open.
    """

    body_bytes: int = 32 * MIB
    document_bytes: int = 64 * 1024
    parts: int = 32
    held_bytes: int = 512 * MIB
    receive_seconds: float = 30.0
    answer_seconds: float = 60.0
    waiting: int = 64
    requests_a_minute: int = 3000
    connections: int = 1000

    def __post_init__(self) -> None:
        for one in fields(self):
            value = getattr(self, one.name)
            if not one.name.endswith("_seconds"):
                require_whole(one.name, value)
            elif isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
                raise ConfigError(f"{one.name}: a number above 0 is needed, not {value!r:.80}")


@dataclass(frozen=True, slots=True)
class ServiceSettings:
    """A gallery over HTTP: which, by which models, to whom and how much.

    ``gallery`` is the one served to keys that name none. ``fetch_from`` are the hosts from which a picture
    may be named by its URL, none by default; ``origins`` the web pages that may call (CORS), none by
    default. ``batch`` is the most pictures that go through the networks together. ``attributes`` are given
    by ``/v1/analyze`` and the CompreFace plug-ins ``age`` and ``gender``, loaded when first asked for.

    Raises `ConfigError` for settings of the wrong kind, and for a gallery given as an object.
    """

    gallery: GallerySettings = field(default_factory=GallerySettings)
    attributes: tuple[str, ...] = ("age", "gender")
    fetch_from: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    batch: int = 8
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        require_whole("batch", self.batch)
        for name in ("attributes", "fetch_from", "origins"):
            given = getattr(self, name)
            if isinstance(given, str) or not isinstance(given, Iterable):
                raise ConfigError(f"{name}: a list is needed, not {given!r:.80}")
            object.__setattr__(self, name, tuple(given))
        if not isinstance(self.gallery.analyzer, AnalyzerSettings):
            raise ConfigError("a service makes its analyzer itself; give AnalyzerSettings")
        if not isinstance(self.gallery.store, str | None):
            raise ConfigError("a service opens its gallery itself; give its URL")

    @property
    def recognising(self) -> AnalyzerSettings:
        """The steps that enrolling and searching take."""
        assert isinstance(self.gallery.analyzer, AnalyzerSettings)
        return self.gallery.analyzer.changed(attributes=())

    @property
    def detecting(self) -> AnalyzerSettings:
        """The steps that find faces, and no more."""
        return self.recognising.changed(embedder=None, quality=False)

    @property
    def describing(self) -> AnalyzerSettings:
        """All steps, attributes with them."""
        return self.recognising.changed(attributes=self.attributes)
