"""Run command lines, each in a process that has imported nothing yet, and tell what its threads import.

``python cold_workers.py COMMANDS`` reads a JSON list of command lines and prints a JSON line for each:
``code``, ``imports`` by threads other than the main one, and ``said``. The processes are forked from one
that knows the command line alone, which makes fifty cold starts cheap.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
import threading
import traceback
from pathlib import Path
from typing import Any

seen: list[str] = []


def note(event: str, details: tuple[Any, ...]) -> None:
    """Keep what a thread begins to import for the first time; Python raises this event for nothing else."""
    if event == "import" and threading.current_thread() is not threading.main_thread():
        frames = [f for f in traceback.extract_stack(limit=40)[:-1] if not f.filename.startswith("<frozen")]
        at = " < ".join(f"{Path(f.filename).name}:{f.lineno}" for f in frames[-1:-5:-1])
        seen.append(f"{details[0]} at {at}")


def main(commands: list[list[str]]) -> None:
    """One child after the other."""
    import numpy  # noqa: F401  # of no interest here, and a tenth of a second

    from lineament.cli.main import main as run

    sys.addaudithook(note)
    for command in commands:
        sys.stdout.flush()
        child = os.fork()
        if child == 0:
            said = io.TextIOWrapper(io.BytesIO(), "utf-8", errors="surrogateescape", write_through=True)
            sys.argv, code = ["lineament", *command], None
            with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
                try:
                    run()
                except SystemExit as ended:
                    code = ended.code
                except BaseException:
                    traceback.print_exc(file=said)
            text = said.buffer.getvalue().decode("utf-8", "replace")  # type: ignore[attr-defined]
            print(json.dumps({"code": code, "imports": seen, "said": text[-4000:]}), flush=True)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if status:
            print(json.dumps({"code": f"status {status}", "imports": [], "said": ""}), flush=True)


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text()))
