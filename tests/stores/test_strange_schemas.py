"""A gallery whose tables are not exactly ours is refused before anything in it is used."""

from __future__ import annotations

import shutil
from pathlib import Path

import apsw
import numpy as np
import pytest
from typer.testing import CliRunner

from lineament.errors import StoreError, StoreVersionError
from lineament.records import Bound, Changes, Record, RecordKind
from lineament.stores import _sqlite_schema as schema
from lineament.stores.sqlite import SqliteLedger
from lineament.types import ModelId

FORMAT_1 = Path(__file__).parent / "data" / "format1.db"

STRANGE = {
    "a trigger that copies names": (
        "CREATE TABLE kept (name TEXT)",
        "CREATE TRIGGER keep BEFORE DELETE ON subject BEGIN INSERT INTO kept VALUES (OLD.name); END",
    ),
    "a trigger that undoes": (
        "CREATE TRIGGER undo AFTER DELETE ON record BEGIN SELECT RAISE(IGNORE); END",
    ),
    "one of ours, changed": (
        "DROP TRIGGER record_removed",
        "CREATE TRIGGER record_removed AFTER DELETE ON record BEGIN UPDATE tally SET records = 9; END",
    ),
    "a trigger that is missing": ("DROP TRIGGER record_added",),
    "a view": ("CREATE VIEW people AS SELECT name FROM subject",),
    "a table": ("CREATE TABLE notes (text TEXT)",),
    "a virtual table": ("CREATE VIRTUAL TABLE words USING fts5(text)",),
    "an index": ("CREATE INDEX more ON record (source)",),
    "an index of an expression": ("CREATE INDEX more ON subject (upper(name))",),
    "an index that is missing": ("DROP INDEX record_of_kind",),
    "a column": ("ALTER TABLE subject ADD COLUMN note TEXT",),
    "a generated column": ("ALTER TABLE subject ADD COLUMN loud TEXT AS (upper(name))",),
    "a column with a default of its own": ("ALTER TABLE subject ADD COLUMN n INTEGER DEFAULT 7",),
    "a table of ours as a view": (
        "ALTER TABLE model RENAME TO hidden",
        "CREATE VIEW model AS SELECT * FROM hidden",
    ),
    "a column of another name": ("ALTER TABLE record RENAME COLUMN source TO origin",),
    "statistics": ("ANALYZE",),
    "a format that never was": ("PRAGMA user_version = 0",),
    "a format below the first": ("PRAGMA user_version = -1",),
    "a state that is none": ("DELETE FROM state",),
    "a revision that is text": ("UPDATE state SET revision = 'x'",),
    "a dimension of nothing": ("UPDATE model SET dimension = 0",),
    "a dimension that is text": ("UPDATE model SET dimension = 'x'",),
}


def gallery(path: Path) -> Path:
    vector = np.eye(8, dtype=np.float32)[0]
    store = SqliteLedger(path)
    store.commit(Changes(bind=Bound(ModelId("m", "0" * 64), 8)))
    store.commit(
        Changes(put=[Record("1", "Ann", vector, RecordKind.SAMPLE, "a.jpg", "", 0.5, "now", None, None)])
    )
    store.close()
    return path


def changed(path: Path, *statements: str) -> Path:
    database = apsw.Connection(str(path))
    for statement in statements:
        database.execute(statement)
    database.close()
    return path


@pytest.mark.parametrize("old", [False, True], ids=["this format", "the first format"])
@pytest.mark.parametrize("what", STRANGE)
def test_refused(what: str, old: bool, tmp_path: Path) -> None:
    """Whatever was added, changed or taken away is refused by name, of each format, and the file stays."""
    path = tmp_path / "people.db"
    gallery(path)
    if old:
        shutil.copy(FORMAT_1, path)
    try:
        changed(path, *STRANGE[what])
    except apsw.SQLError:
        pytest.skip("that format has nothing of the kind")
    before = path.read_bytes()
    with pytest.raises(StoreError, match=r"people\.db"):
        SqliteLedger(path)
    path.chmod(0o400)
    assert path.read_bytes() == before


@pytest.mark.parametrize("what", STRANGE)
def test_refused_where_it_is_only_read(what: str, tmp_path: Path) -> None:
    """So it is where the file cannot be written."""
    from lineament.stores._sqlite_reading import open_to_read

    path = changed(gallery(tmp_path / "people.db"), *STRANGE[what])
    with pytest.raises(StoreError, match=r"people\.db"):
        open_to_read(path)


VALUES = {
    "a name that is bytes": "UPDATE subject SET name = x'ff00'",
    "a vector that is text": "UPDATE record SET vector = 'abcd'",
    "a vector that is short": "UPDATE record SET vector = x'00000000'",
    "a vector of odd length": "UPDATE record SET vector = x'000000'",
    "a box that is short": "UPDATE record SET box = x'00'",
    "a quality that is text": "UPDATE record SET quality = 'good'",
    "a kind of its own": "UPDATE record SET kind = 'other'",
    "a source that is bytes": "UPDATE record SET source = x'ff'",
    "a width that is text": "UPDATE record SET width = 'wide', height = 1",
}


@pytest.mark.parametrize("command", ["list", "status", "show", "rename", "remove"])
@pytest.mark.parametrize("what", VALUES)
def test_values_of_the_wrong_kind(what: str, command: str, tmp_path: Path) -> None:
    """SQLite keeps any value in any column: one that no lineament wrote ends in a named error."""
    from lineament.cli.commands import app
    from lineament.errors import LineamentError

    path = changed(gallery(tmp_path / "people.db"), VALUES[what])
    with pytest.raises(StoreError, match=r"people\.db"):
        list(SqliteLedger(path).read())
    words = {"list": [], "show": ["Ann"], "rename": ["Ann", "Bo"], "remove": ["Ann"], "status": []}
    told = ["gallery", command, *words[command], "--gallery", str(path)]
    ended = CliRunner().invoke(app, told).exception
    assert ended is None or isinstance(ended, LineamentError | SystemExit), ended


def test_ours_pass(tmp_path: Path) -> None:
    """A gallery of this format and one of the first, brought up to date, open as before and are equal."""
    old, new = Path(shutil.copy(FORMAT_1, tmp_path / "old.db")), gallery(tmp_path / "new.db")
    for path in (old, new):
        SqliteLedger(path).close()
        SqliteLedger(path).close()
    declared = [schema._declared(apsw.Connection(str(path))) for path in (old, new)]
    assert declared[0] == declared[1] == schema._ours(schema.VERSION)


def test_a_newer_format_is_called_that(tmp_path: Path) -> None:
    """A gallery of a newer lineament is no stranger's."""
    path = changed(gallery(tmp_path / "people.db"), "CREATE TABLE more (x)", "PRAGMA user_version = 99")
    with pytest.raises(StoreVersionError, match="newer"):
        SqliteLedger(path)


def test_the_schema_is_not_trusted(tmp_path: Path) -> None:
    """Connections are defensive, call no functions from the schema, and load nothing."""
    store = SqliteLedger(gallery(tmp_path / "people.db"))
    db = store._db
    assert db.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, -1) == 1
    assert db.config(apsw.SQLITE_DBCONFIG_TRUSTED_SCHEMA, -1) == 0
    assert db.config(apsw.SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, -1) == 0
    assert db.execute("PRAGMA cell_size_check").fetchall() == [(1,)]
    assert db.execute("PRAGMA trusted_schema").fetchall() == [(0,)]
    with pytest.raises(apsw.SQLError):
        db.execute("SELECT load_extension('x')")
    store.close()
