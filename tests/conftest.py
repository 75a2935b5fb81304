"""Being here puts this folder on the import path, so that every test can use ``hostile``.

A test marked ``alone`` runs in a fresh process: one whose other tests have run inference, browsers and
trainings died of a signal that a fresh process handles (docs/reference/training.md).
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

_ALONE = "LINEAMENT_TEST_ALONE"


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    if pyfuncitem.get_closest_marker("alone") is None or _ALONE in os.environ:
        return None
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "-p",
            "no:xdist",
            pyfuncitem.nodeid,
        ],
        cwd=pyfuncitem.config.rootpath,
        env={**{k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")}, _ALONE: "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    return True
