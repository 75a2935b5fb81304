"""Keys in a file of their own: 256 random bits each, of which only the SHA-256 is kept.

A key has so many random bits that a plain digest cannot be guessed back. Each is for some scopes and one
gallery, may be revoked or rotated, and tells when it was last used. The file is read at every request, so
that a key revoked by another program is worth nothing from then on.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import threading
import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

import apsw

from lineament.config import did_you_mean
from lineament.errors import ConfigError, StoreError, UsageError
from lineament.io.permissions import file_mode, make_folders

PREFIX = "lineament_"
_APPLICATION = 0x6C6E6B79
_COLUMNS = "id, label, scopes, gallery, kind, created_at, ends_at, revoked_at, last_used_at"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS keys (
  id TEXT PRIMARY KEY, digest BLOB NOT NULL UNIQUE, label TEXT NOT NULL, scopes TEXT NOT NULL,
  gallery TEXT, kind TEXT NOT NULL, created_at TEXT NOT NULL, ends_at TEXT, revoked_at TEXT,
  last_used_at TEXT
) STRICT
"""


class Scope(StrEnum):
    """What a key is for; ``admin`` is for everything."""

    READ = "read"
    IDENTIFY = "identify"
    ENROL = "enrol"
    ADMIN = "admin"


class Kind(StrEnum):
    """For which interface a key is: our own, or one service of CompreFace's."""

    OWN = "own"
    COMPREFACE = "compreface"


@dataclass(frozen=True, slots=True)
class Key:
    """A key as it is kept: never the key itself. ``gallery`` is a URL, None for the one that is served."""

    id: str
    label: str
    scopes: frozenset[Scope]
    gallery: str | None
    kind: Kind
    created_at: str
    ends_at: str | None = None
    revoked_at: str | None = None
    last_used_at: str | None = None

    @property
    def valid(self) -> bool:
        """Whether it opens anything now."""
        return self.revoked_at is None and (self.ends_at is None or self.ends_at > _now())

    def to_json(self) -> dict[str, Any]:
        """Everything that may be shown of it."""
        return {
            "id": self.id,
            "label": self.label,
            "scopes": sorted(self.scopes),
            "gallery": self.gallery,
            "kind": self.kind,
            "valid": self.valid,
            "created_at": self.created_at,
            "ends_at": self.ends_at,
            "revoked_at": self.revoked_at,
            "last_used_at": self.last_used_at,
        }


def default_path() -> Path:
    """Where keys are kept when nobody says: beside the user's own gallery."""
    from platformdirs import user_data_dir

    return Path(user_data_dir("lineament", appauthor=False)) / "keys.db"


class KeyFile:
    """The keys of one file; safe from several threads and processes. Raises `StoreError`."""

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        self.path = default_path() if path is None else Path(path)
        self._lock = threading.Lock()
        self._used: dict[str, str] = {}
        try:
            make_folders(self.path.parent)
            os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, file_mode()))
            self._db = apsw.Connection(str(self.path))
            self._db.set_busy_timeout(5_000)
            self._prepare()
        except (apsw.Error, OSError) as error:
            raise StoreError(f"{self.path}: cannot be used as a file of keys: {error}") from error

    def _prepare(self) -> None:
        application = self._db.pragma("application_id")
        tables = self._db.execute("SELECT count(*) FROM sqlite_schema").get
        if application != _APPLICATION and tables:
            raise StoreError(f"{self.path}: holds something else than keys; name another file")
        self._db.pragma("journal_mode", "wal")
        self._db.pragma("synchronous", "full")
        with self._db:
            self._db.pragma("application_id", _APPLICATION)
            self._db.execute(_SCHEMA)

    def new(
        self,
        scopes: Iterable[Scope | str] = (Scope.ADMIN,),
        *,
        label: str = "",
        gallery: str | None = None,
        days: float | None = None,
    ) -> tuple[Key, str]:
        """A new key and the secret itself, which nobody can be told again."""
        secret = PREFIX + secrets.token_urlsafe(32)
        return self._added(secret, Kind.OWN, _scopes(scopes), label, gallery, days), secret

    def new_compreface(
        self, *, secret: str | None = None, label: str = "", gallery: str | None = None
    ) -> tuple[Key, str]:
        """A key in the form of a UUID for ``/api/v1``: a new one, or that of an old installation."""
        try:
            chosen = str(
                uuid.UUID(secret) if secret is not None else uuid.UUID(bytes=os.urandom(16), version=4)
            )
        except ValueError:
            raise UsageError(
                "a key of CompreFace is a UUID, as 00000000-0000-0000-0000-000000000000"
            ) from None
        known = self.find(chosen)
        if known is not None:
            raise UsageError(f"this key is known already, as {known.id}")
        scopes = frozenset({Scope.READ, Scope.IDENTIFY, Scope.ENROL, Scope.ADMIN})
        return self._added(chosen, Kind.COMPREFACE, scopes, label, gallery, None), chosen

    def _added(
        self,
        secret: str,
        kind: Kind,
        scopes: frozenset[Scope],
        label: str,
        gallery: str | None,
        days: float | None,
    ) -> Key:
        ends = None if days is None else _now(days * 86_400)
        key = Key(secrets.token_hex(4), label[:200], scopes, gallery, kind, _now(), ends)
        with self._writing():
            self._db.execute(
                "INSERT INTO keys (id, digest, label, scopes, gallery, kind, created_at, ends_at) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    key.id, _digest(secret), key.label, " ".join(sorted(scopes)), gallery, str(kind),
                    key.created_at, ends,
                ),
            )  # fmt: skip
        return key

    def find(self, secret: str) -> Key | None:
        """The key of this secret, valid or not; found by its digest and compared in constant time."""
        digest = _digest(secret)
        with self._reading():
            row = self._db.execute(
                f"SELECT digest, {_COLUMNS} FROM keys WHERE digest = ?", (digest,)
            ).fetchone()
        if row is None or not hmac.compare_digest(row[0], digest):
            return None
        return _key(row[1:])

    def used(self, key: Key) -> None:
        """Remember that a key was used; `flush` writes it down."""
        self._used[key.id] = _now()

    def flush(self) -> None:
        """Write down when keys were used last."""
        used, self._used = self._used, {}
        if used:
            with self._writing():
                self._db.executemany(
                    "UPDATE keys SET last_used_at = ? WHERE id = ?", [(at, id_) for id_, at in used.items()]
                )

    def list(self) -> list[Key]:
        """All keys, the oldest first."""
        with self._reading():
            return [_key(row) for row in self._db.execute(f"SELECT {_COLUMNS} FROM keys ORDER BY rowid")]

    def revoke(self, id_: str) -> Key:
        """End a key now; raises `UsageError` for an id that is none."""
        key = self._known(id_)
        with self._writing():
            self._db.execute(
                "UPDATE keys SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL", (_now(), id_)
            )
        return self._known(key.id)

    def rotate(self, id_: str, *, hours: float = 0.0) -> tuple[Key, str]:
        """A new key with the rights of an old one, which ends in so many hours."""
        old = self._known(id_)
        if not old.valid:
            raise UsageError(f"the key {id_} is not valid any more; make a new one")
        if old.kind is Kind.COMPREFACE:
            made = self.new_compreface(label=old.label, gallery=old.gallery)
        else:
            made = self.new(old.scopes, label=old.label, gallery=old.gallery)
        if hours <= 0:
            self.revoke(id_)
        else:
            with self._writing():
                self._db.execute("UPDATE keys SET ends_at = ? WHERE id = ?", (_now(hours * 3600), id_))
        return made

    def has_admin(self) -> bool:
        """Whether anybody can administer the service's own interface."""
        return any(k.valid and Scope.ADMIN in k.scopes and k.kind is Kind.OWN for k in self.list())

    def close(self) -> None:
        """Write down what is to be kept, and let go of the file."""
        self.flush()
        with self._lock:
            self._db.close()

    def _known(self, id_: str) -> Key:
        keys = {key.id: key for key in self.list()}
        if id_ not in keys:
            raise UsageError(
                f"there is no key {id_!r}{did_you_mean(id_, keys)}; `lineament keys list` shows all"
            )
        return keys[id_]

    def _reading(self) -> _Named:
        return _Named(self, writes=False)

    def _writing(self) -> _Named:
        return _Named(self, writes=True)


class _Named:
    """One use of the file, alone, with every failure named."""

    def __init__(self, file: KeyFile, *, writes: bool) -> None:
        self._file, self._writes = file, writes

    def __enter__(self) -> None:
        self._file._lock.acquire()
        if self._writes:
            self._file._db.__enter__()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> None:
        try:
            if self._writes:
                self._file._db.__exit__(kind, error, trace)
        finally:
            self._file._lock.release()
        if isinstance(error, apsw.Error):
            raise StoreError(f"{self._file.path}: {error}") from error


def _scopes(given: Iterable[Scope | str]) -> frozenset[Scope]:
    try:
        found = frozenset(Scope(one) for one in given)
    except ValueError as error:
        raise ConfigError(f"{error}; scopes are {', '.join(Scope)}") from None
    if not found:
        raise ConfigError(f"a key needs a scope: {', '.join(Scope)}")
    return found


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def _key(row: Any) -> Key:
    id_, label, scopes, gallery, kind, created, ends, revoked, used = row
    return Key(
        id_, label, frozenset(map(Scope, scopes.split())), gallery, Kind(kind), created, ends, revoked, used
    )


def _now(ahead_s: float = 0.0) -> str:
    return datetime.fromtimestamp(time.time() + ahead_s, UTC).isoformat(timespec="seconds")
