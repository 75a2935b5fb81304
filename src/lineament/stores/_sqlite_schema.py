"""The tables of a SQLite gallery as steps: a new file takes all of them, an older one those it lacks."""

from __future__ import annotations

import unicodedata
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any

import apsw

from lineament.errors import StoreError, StoreVersionError

APPLICATION_ID = 0x4C4E4D54  # "LNMT", in the header of the file

# revision grows with every write and erasures with every erasure, so that a process can tell from two
# numbers which vectors it has not yet seen; purged is the last erasure whose traces were wiped.
_FIRST = f"""
CREATE TABLE state (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    revision INTEGER NOT NULL,
    erasures INTEGER NOT NULL,
    purged INTEGER NOT NULL);
INSERT INTO state VALUES (1, 0, 0, 0);
CREATE TABLE model (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    name TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    dimension INTEGER NOT NULL);
CREATE TABLE subject (
    number INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE);
CREATE TABLE record (
    id TEXT NOT NULL UNIQUE,
    subject INTEGER NOT NULL REFERENCES subject (number),
    kind TEXT NOT NULL,
    vector BLOB NOT NULL,
    source TEXT NOT NULL,
    picture TEXT NOT NULL,
    quality REAL,
    created_at TEXT NOT NULL,
    revision INTEGER NOT NULL);
CREATE INDEX record_of_subject ON record (subject);
CREATE INDEX record_of_kind ON record (kind);
CREATE INDEX record_by_revision ON record (revision);
PRAGMA application_id = {APPLICATION_ID};
"""

# Where a face lies in its photo; names in the form in which two spellings are equal; and how many records
# there are of each kind, kept by triggers, because counting them takes longer the more there are.
_SECOND = """
ALTER TABLE record ADD COLUMN box BLOB;
ALTER TABLE record ADD COLUMN width INTEGER;
ALTER TABLE record ADD COLUMN height INTEGER;
ALTER TABLE subject ADD COLUMN folded TEXT NOT NULL DEFAULT '';
UPDATE subject SET folded = nfc(name);
CREATE INDEX subject_by_folded ON subject (folded);
DROP INDEX record_of_subject;
CREATE INDEX record_of_subject ON record (subject, kind);
CREATE INDEX record_of_picture ON record (picture) WHERE picture <> '';
CREATE TABLE tally (kind TEXT PRIMARY KEY, records INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO tally SELECT kind, count(*) FROM record GROUP BY kind;
CREATE TRIGGER record_added AFTER INSERT ON record BEGIN
    INSERT INTO tally VALUES (NEW.kind, 1) ON CONFLICT (kind) DO UPDATE SET records = records + 1;
END;
CREATE TRIGGER record_removed AFTER DELETE ON record BEGIN
    UPDATE tally SET records = records - 1 WHERE kind = OLD.kind;
END;
CREATE TRIGGER record_of_other_kind AFTER UPDATE OF kind ON record WHEN NEW.kind <> OLD.kind BEGIN
    UPDATE tally SET records = records - 1 WHERE kind = OLD.kind;
    INSERT INTO tally VALUES (NEW.kind, 1) ON CONFLICT (kind) DO UPDATE SET records = records + 1;
END;
"""

_STEPS = (_FIRST, _SECOND)
VERSION = len(_STEPS)
"""The format this lineament writes; in the header of the file as ``user_version``."""


def folded(name: str) -> str:
    """The form (NFC) in which two spellings of one name are equal."""
    return unicodedata.normalize("NFC", name)


def version(db: apsw.Connection, path: Path) -> int:
    """The format of a gallery file, 0 for a file that holds nothing yet.

    Raises `StoreError` for the database of another program and for tables, indexes, triggers or views that
    are not exactly those of the format, `StoreVersionError` for a newer format.
    """
    owner = _one(db, "PRAGMA application_id")
    found = int(_one(db, "PRAGMA user_version"))
    declared = _declared(db)
    if owner == 0 and found == 0 and not declared:
        return 0
    if owner != APPLICATION_ID:
        raise StoreError(f"{path}: the database of another program; it was not touched")
    if found > VERSION:
        raise StoreVersionError(
            f"{path}: written by a newer lineament "
            f"(format {found}, this one reads up to {VERSION}); upgrade lineament"
        )
    if found < 1:
        raise StoreError(f"{path}: a gallery of no format (version {found}); it was not touched")
    if strange := declared ^ _ours(found):
        kind, name, *_ = min(strange)
        raise StoreError(
            f"{path}: its tables are not those of a gallery (the {kind} {name[:60]!r} differs, is missing "
            "or is not ours); it was not touched: do not use a gallery of unknown origin"
        )
    if db.execute(_UNSOUND).fetchall() or _one(db, "SELECT count(*) FROM state") != 1:
        raise StoreError(
            f"{path}: damaged: its state, its model, a name or an id is none; restore a backup"
        )
    return found


# SQLite keeps any kind of value in any column.
_UNSOUND = """
SELECT 1 FROM state WHERE typeof(revision) || typeof(erasures) || typeof(purged) <> 'integerintegerinteger'
UNION ALL SELECT 1 FROM model WHERE typeof(name) || typeof(sha256) || typeof(dimension) <> 'texttextinteger'
    OR dimension NOT BETWEEN 1 AND 65536
UNION ALL SELECT 1 FROM subject WHERE typeof(name) <> 'text'
UNION ALL SELECT 1 FROM record WHERE typeof(id) <> 'text'
LIMIT 1
"""


def distrust(db: apsw.Connection) -> None:
    """Before the first statement: what stands in the file's schema may call nothing and reach nothing."""
    for setting, value in (
        (apsw.SQLITE_DBCONFIG_DEFENSIVE, 1),
        (apsw.SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0),
        (apsw.SQLITE_DBCONFIG_ENABLE_VIEW, 0),
        (apsw.SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0),
    ):
        db.config(setting, value)
    db.execute("PRAGMA cell_size_check = ON")


Declared = frozenset[tuple[str, str, str, str]]


def _declared(db: apsw.Connection) -> Declared:
    """Everything a file declares: kind, name, table, and its SQL without regard to blanks."""
    rows = db.execute("SELECT type, name, tbl_name, sql FROM sqlite_schema")
    return frozenset((str(a), str(b), str(c), " ".join(str(d).split())) for a, b, c, d in rows)


@cache
def _ours(version: int) -> Declared:
    """What a gallery of a format declares, by making one."""
    with closing(apsw.Connection(":memory:")) as db:
        db.create_scalar_function("nfc", _nfc, 1, deterministic=True)
        for step in _STEPS[:version]:
            db.execute(step)
        return _declared(db)


def bring_up_to_date(db: apsw.Connection, path: Path) -> None:
    """Take the steps that a file lacks, all of them in one transaction or none."""
    if version(db, path) == VERSION:
        return
    db.create_scalar_function("nfc", _nfc, 1, deterministic=True)
    db.execute("BEGIN IMMEDIATE")
    try:
        # Asked again: another process may have been faster.
        for step in _STEPS[version(db, path) :]:
            db.execute(step)
        db.execute(f"PRAGMA user_version = {VERSION}")
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def _nfc(*values: Any) -> str:
    """`folded`, as SQLite calls a function."""
    return folded(str(values[0]))


def _one(db: apsw.Connection, query: str) -> Any:
    return db.execute(query).fetchall()[0][0]
