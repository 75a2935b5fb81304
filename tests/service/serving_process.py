"""`lineament serve` as a process of its own."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import httpx


class Process:
    """`lineament serve` with its own keys and gallery."""

    def __init__(self, folder: Path, *words: str) -> None:
        self.gallery, self.key_file = f"sqlite:{folder / 'people.db'}", folder / "admin.key"
        command = [sys.executable, "-m", "lineament", "serve", "--port", "0", "--json", "-"]
        self.began = time.monotonic()
        self.process = subprocess.Popen(
            [*command, "--gallery", self.gallery, "--keys", str(folder / "keys.db"), *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.told: dict[str, Any] = json.loads(self.process.stdout.readline())
        self.errors: list[str] = []
        threading.Thread(target=self._drain, daemon=True).start()

    def _drain(self) -> None:
        assert self.process.stderr is not None
        self.errors.extend(self.process.stderr)

    @property
    def port(self) -> int:
        return int(self.told["address"].rpartition(":")[2])

    def client(self, key: str) -> httpx.Client:
        return httpx.Client(
            base_url=self.told["address"], headers={"Authorization": f"Bearer {key}"}, timeout=60
        )

    def wait_until_ready(self) -> None:
        with self.client("none") as client:
            while client.get("/readyz").status_code != 200:
                time.sleep(0.02)

    def end(self, sign: int = signal.SIGKILL) -> int:
        self.process.send_signal(sign)
        return self.process.wait(30)
