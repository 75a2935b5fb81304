"""Keys of the service: kept as digests, for some scopes, ended at once."""

from __future__ import annotations

import json
import sqlite3
import stat
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lineament.cli.main import app
from lineament.errors import ConfigError, StoreError, UnknownName, UsageError
from lineament.service.keys import PREFIX, KeyFile, Kind, Scope

UUID = "0f4a1c5e-9d35-4b8e-8a76-0123456789ab"


@pytest.fixture
def keys(tmp_path: Path) -> KeyFile:
    return KeyFile(tmp_path / "keys.db")


def test_a_key_is_long_and_known_by_its_beginning(keys: KeyFile) -> None:
    """256 random bits behind a prefix that a search for leaked secrets finds; no two are equal."""
    secrets = {keys.new()[1] for _ in range(20)}
    assert len(secrets) == 20
    assert all(one.startswith(PREFIX) and len(one) == len(PREFIX) + 43 for one in secrets)


def test_no_file_holds_a_key(keys: KeyFile, tmp_path: Path) -> None:
    """Whoever reads the file of keys, its log beside it, or a list of them, learns no key; others
    cannot."""
    secrets = [keys.new(label="one")[1], keys.new_compreface(secret=UUID)[1]]
    keys.used(keys.list()[0])
    keys.flush()
    written = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    shown = json.dumps([key.to_json() for key in keys.list()])
    for secret in secrets:
        assert secret.encode() not in written and secret not in shown
        assert secret.removeprefix(PREFIX).encode() not in written
    assert stat.S_IMODE((tmp_path / "keys.db").stat().st_mode) == 0o600


def test_a_key_is_found_by_its_index(keys: KeyFile) -> None:
    """SQLite looks a key up by the index of its digest, however many there are."""
    keys.new()
    with sqlite3.connect(keys.path) as db:
        plan = db.execute("EXPLAIN QUERY PLAN SELECT id FROM keys WHERE digest = x'00'").fetchall()
    assert "USING" in str(plan) and "INDEX" in str(plan) and "SCAN" not in str(plan)


def test_what_a_key_is_for_is_kept(keys: KeyFile) -> None:
    """Scopes, gallery, label and last use are read again as they were written, by another process too."""
    made, secret = keys.new(["read", Scope.ENROL], label="door", gallery="sqlite:door.db")
    found = KeyFile(keys.path).find(secret)
    assert found == made and found.scopes == {Scope.READ, Scope.ENROL} and found.gallery == "sqlite:door.db"
    assert found.last_used_at is None
    keys.used(found)
    keys.flush()
    assert keys.list()[0].last_used_at is not None
    assert keys.find(secret + "x") is None and keys.find("") is None and keys.find("\udcff") is None


def test_a_revoked_or_ended_key_is_not_valid(keys: KeyFile) -> None:
    """Revoked by another process, or past its days, a key is found and is worth nothing."""
    made, secret = keys.new()
    KeyFile(keys.path).revoke(made.id)
    short = keys.new(days=0)[1]
    for one in (secret, short):
        found = keys.find(one)
        assert found is not None and not found.valid


def test_a_rotated_key_hands_its_rights_on(keys: KeyFile) -> None:
    """The new one has scopes, label and gallery of the old, which ends now, or later where asked for."""
    old, old_secret = keys.new(["enrol"], label="door", gallery="memory:")
    new, new_secret = keys.rotate(old.id)
    assert (new.scopes, new.label, new.gallery) == (old.scopes, old.label, old.gallery)
    assert new_secret != old_secret and not keys.find(old_secret).valid  # type: ignore[union-attr]
    later, later_secret = keys.rotate(new.id, hours=1)
    assert keys.find(new_secret).valid and keys.find(later_secret).valid  # type: ignore[union-attr]
    with pytest.raises(UsageError, match="not valid"):
        keys.rotate(old.id)
    assert later.id != new.id


def test_a_key_of_an_old_installation_is_taken_over(keys: KeyFile) -> None:
    """A UUID of CompreFace's is imported once, in any case; what is none is refused."""
    made, secret = keys.new_compreface(secret=UUID.upper(), gallery="memory:")
    assert secret == UUID and made.kind is Kind.COMPREFACE and keys.find(UUID) == made
    with pytest.raises(UsageError, match="known already"):
        keys.new_compreface(secret=UUID)
    with pytest.raises(UsageError, match="UUID"):
        keys.new_compreface(secret="secret")
    assert not keys.has_admin()


def test_wrong_keys_and_files_are_refused(keys: KeyFile, tmp_path: Path) -> None:
    """A scope or id that is none, and a file of something else, which is left as it is."""
    with pytest.raises(ConfigError, match="read, identify, enrol, admin"):
        keys.new(["write"])
    with pytest.raises(ConfigError, match="needs a scope"):
        keys.new([])
    with pytest.raises(UsageError, match="no key 'nobody'"):
        keys.revoke("nobody")
    other = tmp_path / "other.db"
    with sqlite3.connect(other) as db:
        db.execute("CREATE TABLE t (x)")
    before = other.read_bytes()
    with pytest.raises(StoreError, match="something else"):
        KeyFile(other)
    assert other.read_bytes() == before
    (tmp_path / "text").write_text("no database, but longer than a header" * 10)
    with pytest.raises(StoreError):
        KeyFile(tmp_path / "text")


def test_the_commands_make_list_rotate_and_revoke(tmp_path: Path) -> None:
    """Each command says in JSON what it did; the key itself stands in the answer that made it, only
    there."""
    file = str(tmp_path / "keys.db")

    def run(*words: str) -> list[dict[str, object]]:
        result = CliRunner().invoke(app, ["keys", *words, "--keys", file, "--json", "-"])
        assert result.exit_code == 0, result.output
        return [json.loads(line) for line in result.stdout.splitlines()]

    [made] = run("new", "--scope", "read", "--scope", "enrol", "--label", "door")
    assert str(made["key"]).startswith(PREFIX) and made["scopes"] == ["enrol", "read"]
    [old] = run("new", "--compreface", "--uuid", UUID)
    assert old["key"] == UUID and old["kind"] == "compreface"
    [rotated] = run("rotate", str(made["id"]))
    assert rotated["label"] == "door" and rotated["key"] != made["key"]
    [ended] = run("revoke", str(rotated["id"]))
    assert ended["valid"] is False
    listed = run("list")
    assert [one["valid"] for one in listed] == [False, True, False] and not any(
        "key" in one for one in listed
    )
    unknown = CliRunner().invoke(app, ["keys", "new", "--gallery", "people.db", "--keys", file])
    assert isinstance(unknown.exception, UnknownName)
    (tmp_path / "x").mkdir()
    [placed] = run("new", "--gallery", f"sqlite:{tmp_path}/x/../people.db")
    assert placed["gallery"] == f"sqlite:{tmp_path / 'people.db'}"
    refused = CliRunner().invoke(app, ["keys", "new", "--uuid", UUID, "--keys", file])
    assert isinstance(refused.exception, UsageError)
