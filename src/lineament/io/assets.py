"""Model files by card: fetched once, checked against the pinned SHA-256, kept in a cache, checked on use.

The cache is the folder in ``LINEAMENT_CACHE``, or ``models`` in the user's cache directory. What it lacks
is looked for in the folders of `lineament.io.model_folders`, and used there, before any source is asked.
With ``LINEAMENT_OFFLINE=1`` the network is never touched. A file enters the cache whole or not at all, and
two processes at once fetch it once.
"""

from __future__ import annotations

import os
import shutil
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from lineament.errors import AssetUnavailable, DigestMismatch, LicenceRefused
from lineament.io import model_folders
from lineament.io.catalog import GRAPH, ModelCard
from lineament.io.delivery import Progress, SourceFailed, deliver
from lineament.io.digests import sha256_of
from lineament.io.writing import sync

Policy = Literal["any", "commercial"]

_checked: set[tuple[str, str, int, int, int]] = set()


def cache_folder() -> Path:
    """Where model files are kept; it may not exist yet."""
    chosen = os.environ.get("LINEAMENT_CACHE")
    if chosen:
        return Path(chosen).expanduser()
    import platformdirs

    return platformdirs.user_cache_path("lineament") / "models"


def offline_by_environment() -> bool:
    """Whether ``LINEAMENT_OFFLINE`` forbids the network."""
    return os.environ.get("LINEAMENT_OFFLINE", "").strip().lower() not in ("", "0", "false", "no", "off")


def cached_path(card: ModelCard) -> Path:
    """Where the card's file is or would be; its name holds the digest, so versions never collide."""
    name = Path(card.file)
    return cache_folder() / f"{name.stem}-{card.sha256[:12]}{name.suffix}"


def here(card: ModelCard) -> Path | None:
    """Where the card's file lies, in the cache or a models folder; None unless all files of the model do.

    What is in a file of the cache is not looked at.
    """
    found = [_here(one) for one in card.files]
    return found[0] if None not in found else None


def _here(card: ModelCard) -> Path | None:
    path = cached_path(card)
    return path if path.exists() else model_folders.find(card.sha256, card.bytes)


def fetch(
    card: ModelCard,
    *,
    offline: bool | None = None,
    progress: Progress | None = None,
    accept_licence: bool = False,
    policy: Policy = "any",
    replace: bool = False,
    copy: bool = False,
    ssl_context: ssl.SSLContext | None = None,
) -> Path:
    """The card's file, from the cache or from the first of its sources that delivers the pinned bytes.

    Of a model of two files both are had, and the path of the weights is the answer. A file that a models
    folder holds is the answer as it lies there; with ``copy``, or where a licence has to be accepted, it is
    copied into the cache, which remembers that. ``offline`` None follows ``LINEAMENT_OFFLINE``.
    ``accept_licence`` is needed once for cards that ask for it: a file in the cache counts as accepted.
    ``policy`` "commercial" refuses weights whose terms forbid commercial use, cached or not. ``replace``
    fetches anew when the cached file is damaged.

    Raises `LicenceRefused`, `AssetUnavailable` (naming what each source said), or `DigestMismatch` when
    the cached file is not the pinned one.
    """
    require_policy(card, policy)
    offline = offline_by_environment() if offline is None else offline
    first, *_ = [
        _fetched(one, offline, progress, accept_licence, replace, copy, ssl_context) for one in card.files
    ]
    return first


def _fetched(
    card: ModelCard,
    offline: bool,
    progress: Progress | None,
    accept_licence: bool,
    replace: bool,
    copy: bool,
    ssl_context: ssl.SSLContext | None,
) -> Path:
    """One file, of the card of that file alone."""
    path = cached_path(card)
    if _usable(card, path, replace):
        return path
    require_acceptance(card, accept_licence)
    if (found := model_folders.find(card.sha256, card.bytes)) is not None:
        # What is damaged in the cache is replaced there.
        return _adopted(card, found) if copy or card.accept_licence or path.exists() else found
    if offline:
        looked = ", ".join(map(str, (path.parent, *model_folders.folders())))
        raise AssetUnavailable(
            f"{card.name}: not in {looked}, and offline mode forbids the network; {_bring(card)}"
        )

    def from_sources(target: Path) -> None:
        failures = []
        for source in card.sources:
            target.unlink(missing_ok=True)
            try:
                deliver(source, card.bytes, card.sha256, target, progress=progress, ssl_context=ssl_context)
            except (SourceFailed, DigestMismatch, OSError) as error:
                failures.append(f"\n  {source}: {error}")
            else:
                return
        raise AssetUnavailable(
            f"{card.name}: no source could deliver it:{''.join(failures) or ' none'}\n{_bring(card)}"
        )

    return _install(card, path, from_sources, progress, replace)


def adopt(card: ModelCard, file: Path, *, accept_licence: bool = False, policy: Policy = "any") -> Path:
    """Copy a local file into the cache as the card's, if it is the pinned one.

    Of a model of two files ``file`` is the weights, and the other lies beside it under its own name. Raises
    `LicenceRefused`, `AssetUnavailable` when it cannot be read, `DigestMismatch` when it differs.
    """
    require_policy(card, policy)
    require_acceptance(card, accept_licence)

    first, *others = card.files
    path = _adopted(first, file)
    for other in others:
        _adopted(other, file.with_name(other.file))
    return path


def _adopted(card: ModelCard, file: Path) -> Path:
    def from_file(target: Path) -> None:
        if not file.is_file():
            raise AssetUnavailable(f"{card.name}: {file} is not a file")
        try:
            shutil.copyfile(file, target)
        except OSError as error:
            raise AssetUnavailable(f"{card.name}: cannot copy {file}: {error}") from error
        verify(card, target, str(file))

    return _install(card, cached_path(card), from_file, None, replace=True)


def verify(card: ModelCard, path: Path, what: str | None = None) -> None:
    """Raise `DigestMismatch` unless ``path`` holds the card's pinned bytes.

    ``what`` names where they came from; without it ``path`` is a file in the cache.
    """
    actual = sha256_of(path)
    if actual == card.sha256:
        return
    if what is None:
        raise _damaged(card, path, actual)
    raise DigestMismatch(what, card.sha256, actual)


def require_policy(card: ModelCard, policy: Policy) -> None:
    """Raise `LicenceRefused` where ``policy`` forbids the card's terms."""
    if policy == "commercial" and not card.commercial_use:
        raise LicenceRefused(
            f"{card.name}: its licence ({card.licence}) does not permit commercial use without further "
            f"terms, which the policy 'commercial' requires; see {card.licence_url}"
        )


def require_acceptance(card: ModelCard, accepted: bool) -> None:
    """Raise `LicenceRefused` where a card wants its licence accepted and it was not."""
    if card.accept_licence and not accepted:
        raise LicenceRefused(
            f"{card.name}: its licence must be accepted first: {card.licence}; read {card.licence_url}, "
            f"then run `lineament models pull {card.name} --accept-licence`"
        )


def _usable(card: ModelCard, path: Path, replace: bool) -> bool:
    """Whether the cache holds the file; hashes it on first use in this process and after any change."""
    try:
        now = path.stat()
        seen = (str(path), card.sha256, now.st_size, now.st_mtime_ns, now.st_ino)
        if seen in _checked:
            return True
        actual = sha256_of(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise AssetUnavailable(f"{card.name}: cannot read {path}: {error.strerror or error}") from error
    if actual == card.sha256:
        _checked.add(seen)
        return True
    if replace:
        return False
    raise _damaged(card, path, actual)


def _bring(card: ModelCard) -> str:
    """How a file comes to a machine that reaches none of its sources."""
    model = card.name.removesuffix(GRAPH)
    return (
        f"a folder that holds {card.file} serves: set {model_folders.VARIABLE} to it, or say --models-dir; "
        f"or on a machine with a network run `lineament models bundle models.zip {model}`, bring the file "
        "here and run `lineament models pull --bundle models.zip`"
    )


def _damaged(card: ModelCard, path: Path, actual: str) -> DigestMismatch:
    advice = f"run `lineament models pull {card.name.removesuffix(GRAPH)}` to replace it"
    return DigestMismatch(str(path), card.sha256, actual, advice)


def _install(
    card: ModelCard,
    path: Path,
    bring: Callable[[Path], None],
    progress: Progress | None,
    replace: bool,
) -> Path:
    """Let ``bring`` write the verified file into a work folder, then move it into place."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _locked(path, card, progress):
            if _usable(card, path, replace):
                return path  # another process was faster
            work = path.with_name(f".{path.name}.work")
            work.mkdir(exist_ok=True)
            target = work / path.name
            try:
                bring(target)
                with target.open("rb+") as file:
                    os.fsync(file.fileno())
                target.replace(path)
                sync(path.parent)
                shutil.rmtree(work, ignore_errors=True)
            finally:
                target.unlink(missing_ok=True)  # a partial download beside it is kept to be resumed
    except OSError as error:
        raise AssetUnavailable(
            f"{card.name}: cannot keep files in {path.parent} ({error.strerror or error}); "
            f"set LINEAMENT_CACHE to a folder that can be written to"
        ) from error
    _usable(card, path, replace=False)
    return path


@contextmanager
def _locked(path: Path, card: ModelCard, progress: Progress | None) -> Iterator[None]:
    """Hold the file's lock; the system drops it when a process dies, so none is ever stale."""
    from filelock import FileLock, Timeout

    lock = FileLock(path.with_name(f".{path.name}.lock"))
    while True:
        try:
            lock.acquire(timeout=0.5, poll_interval=0.05)
            break
        except Timeout:
            if progress is not None:
                progress(f"{card.name}: another process is fetching it", 0, None)
    try:
        yield
    finally:
        lock.release()
