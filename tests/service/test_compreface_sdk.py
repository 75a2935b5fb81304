"""CompreFace's own Python client against a service that runs; see the variable for where it is."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="not installed: fastapi (pip install 'lineament[serve]')")

from served import ADA, BOB, photo
from serving_process import Process

from lineament.service.keys import KeyFile

PYTHON = os.environ.get("LINEAMENT_COMPREFACE_PYTHON", "")


@pytest.mark.skipif(
    not PYTHON,
    reason="LINEAMENT_COMPREFACE_PYTHON names no Python with compreface-sdk and urllib3<2 "
    "(they cannot be installed beside the development environment)",
)
def test_every_call_of_the_client_is_answered(tmp_path: Path) -> None:
    """Its calls get the fields that it and those who build on it read, and the codes that they know."""
    _, key = KeyFile(tmp_path / "keys.db").new_compreface()
    (tmp_path / "ann.jpg").write_bytes(photo(ADA))
    (tmp_path / "bob.jpg").write_bytes(photo(BOB))
    process = Process(tmp_path, "--key-file", str(tmp_path / "admin.key"))
    try:
        process.wait_until_ready()
        script = Path(__file__).with_name("compreface_calls.py")
        words = [PYTHON, str(script), "http://127.0.0.1", str(process.port), key]
        answer = subprocess.run(
            [*words, str(tmp_path / "ann.jpg"), str(tmp_path / "bob.jpg")],
            capture_output=True,
            check=False,
            text=True,
            timeout=120,
            env={"PATH": os.environ["PATH"]},
        )
        assert answer.returncode == 0, answer.stderr
    finally:
        process.end()
    told = json.loads(answer.stdout)
    face = told["add face"]
    assert told["add subject"] == {"subject": "Ann Lee"} and face["subject"] == "Ann Lee"
    assert told["list faces"]["faces"] == [face] and told["list subjects"] == {"subjects": ["Ann Lee"]}
    for name in ("recognise", "of bytes"):
        [one] = told[name]["result"]
        assert one["subjects"][0]["subject"] == "Ann Lee" and one["subjects"][0]["similarity"] > 0.9
        assert {"age", "gender", "landmarks", "embedding", "execution_time"} <= set(one)
    assert told["verify face"]["result"][0]["similarity"] > 0.9
    assert len(told["detect"]["result"]) == 1
    assert told["verify"]["result"][0]["face_matches"][0]["similarity"] < 0.5
    assert told["rename"] == {"updated": True} and told["delete face"]["image_id"] == face["image_id"]
    assert told["add again"]["subject"] == "Ann" and told["delete faces"] == {"deleted": 1}
    assert told["delete subject"]["code"] == 42 and told["delete all"] == {"deleted": 0}
    assert told["wrong key"]["code"] == 26
