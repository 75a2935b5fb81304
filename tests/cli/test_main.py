"""The program as a process: exit statuses, and what reaches the streams and the network."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import lineament
from lineament import pipelines
from lineament.io import assets, catalog

SAMPLES = Path(__file__).resolve().parents[2] / "samples"


def lineament_process(
    *words: str, before: tuple[str, ...] = (), home: Path | None = None
) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if k not in ("CI", "TF_BUILD", "JENKINS_URL")}
    if home is not None:
        # A home without an opt-out file; the models stay where they are.
        environment |= {"HOME": str(home), "LINEAMENT_CACHE": str(assets.cache_folder())}
    return subprocess.run(
        [*before, sys.executable, "-m", "lineament", *words],
        capture_output=True,
        text=True,
        check=False,
        env={**environment, "COLUMNS": "120"},
    )


def test_exit_statuses(tmp_path: Path) -> None:
    """0 for success, 2 for wrong usage, 1 for a named failure told in one line without a traceback."""
    assert lineament_process("--version").stdout.strip() == lineament.__version__
    for words in (["nonsense"], ["detect"], ["detect", "x.jpg", "--detector", "nonsense"]):
        wrong = lineament_process(*words)
        assert wrong.returncode == 2 and "Traceback" not in wrong.stderr, words
    failed = lineament_process("verify", str(tmp_path / "a"), str(tmp_path / "b"))
    assert failed.returncode == 1
    assert failed.stderr.startswith("PictureNotFound: ") and failed.stderr.count("\n") == 1


def test_strange_file_names_are_shown_escaped(tmp_path: Path) -> None:
    """Terminal escapes and bytes that are no UTF-8 in a file's name reach no terminal."""
    name = os.fsencode(tmp_path) + b"/\x1b[31mred\xff.jpg"
    shutil.copyfile(SAMPLES / "collins_nasa.png", name)
    shown = lineament_process("detect", os.fsdecode(name))
    assert shown.returncode == 0, shown.stderr
    assert "\x1b" not in shown.stdout and "\\x1b[31mred\\xff.jpg" in shown.stdout.replace("\n", "")


def test_nothing_is_sent_anywhere(tmp_path: Path) -> None:
    """Analysing pictures opens no network socket, though OpenVINO on its own would report its import.

    Its telemetry stays silent under CI, so the variables that tell of CI are taken away.
    """
    for card in pipelines.card(pipelines.DEFAULT).cards:
        assets.fetch(card)
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is not installed: system calls cannot be watched")
    trace = (strace, "-f", "-qq", "-e", "trace=connect,sendto,sendmsg", "-e", "signal=none")
    run = lineament_process("analyze", str(SAMPLES), "--json", "-", before=trace, home=tmp_path)
    if "Operation not permitted" in run.stderr:
        pytest.skip("strace may not trace here")
    assert run.returncode == 0 and run.stdout.count('"outcome": "ok"') == 6
    sent = [line for line in run.stderr.splitlines() if "AF_INET" in line]
    assert sent == []


def test_telemetry_is_not_even_imported() -> None:
    """The runtime's telemetry package stays unloaded, and can still be imported by who wants it."""
    program = (
        "import sys\nfrom lineament import Analyzer\n"
        f"assert Analyzer().analyze_one({str(SAMPLES / 'collins_nasa.png')!r}).faces\n"
        "print([m for m in sys.modules if m.startswith('openvino_telemetry')])\n"
        "import openvino_telemetry"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_onnxruntime_keeps_nothing_to_send(tmp_path: Path) -> None:
    """Run through lineament, onnxruntime leaves no identifier and no queue of reports in the home folder;
    by itself it does, from 1.29 on and where no variable tells of CI."""
    onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    model = assets.fetch(catalog.card("sface"))
    opening = {
        "ours": "from lineament.io.onnx import open_session; open_session(path, runtime='onnxruntime')",
        "its own": "import onnxruntime; onnxruntime.InferenceSession(path)",
    }
    left = {}
    for who, code in opening.items():
        home = tmp_path / who
        home.mkdir()
        told = {"HOME": str(home), "XDG_CACHE_HOME": str(home / ".cache"), "PATH": os.environ["PATH"]}
        # A proxy that is not there: what would be sent does not leave the machine either way.
        told |= {"PYTHONPATH": os.pathsep.join(sys.path), "https_proxy": "http://127.0.0.1:9"}
        program = f"from pathlib import Path; path = Path({str(model)!r}); {code}"
        subprocess.run([sys.executable, "-c", program], env=told, check=True, capture_output=True)
        left[who] = [path.name for path in home.rglob("*") if path.is_file()]
    assert left["ours"] == []
    if tuple(map(int, onnxruntime.__version__.split(".")[:2])) >= (1, 29):
        assert "deviceid" in left["its own"]


def test_onnxruntime_is_imported_in_one_place_only() -> None:
    """Whoever imports it elsewhere would have it report."""
    package = Path(lineament.__file__).parent
    found = [
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if re.search(r"import onnxruntime\b|import_module\(.onnxruntime", path.read_text("utf-8"))
    ]
    assert found == ["io/onnx.py"]
