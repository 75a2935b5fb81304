"""Real sources on this machine for the asset tests: a folder as pip's index, and a TLS server."""

from __future__ import annotations

import hashlib
import ssl
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from certificates import certificate
from lineament.io.catalog import InputContract, ModelCard, Source

CERTIFICATE = certificate()
CONTENT = bytes(range(256)) * 2000
MEMBER = "demo_weights/model.onnx"


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def card_of(content: bytes = CONTENT, *sources: Source, **changes: object) -> ModelCard:
    values = {
        "name": "demo",
        "job": "detection",
        "title": "a file of the tests",
        "file": "model.onnx",
        "sha256": sha256(content),
        "bytes": len(content),
        "licence": "CC0-1.0",
        "commercial_use": True,
        "licence_url": "https://example.invalid/licence",
        "origin": "made by the tests",
        "sources": sources,
        "input": InputContract("RGB"),
    }
    return ModelCard(**{**values, **changes})  # type: ignore[arg-type]


def build_wheel(folder: Path, content: bytes = CONTENT, name: str = "demo_weights") -> Source:
    """A tiny wheel in ``folder`` that carries ``content``, and the pinned source for it."""
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}-1.0-py3-none-any.whl"
    info = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:
        wheel.writestr(f"{name}/__init__.py", "raise SystemExit('a wheel of weights was imported')\n")
        wheel.writestr(MEMBER, content)
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
    wheel_bytes = path.read_bytes()
    return Source("wheel", name, "1.0", MEMBER, sha256=sha256(wheel_bytes), bytes=len(wheel_bytes))


def client_context() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(CERTIFICATE))


class Server:
    """Serves ``CONTENT`` under every path; ``behave`` may answer a request in another way."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.requests: list[tuple[str, str | None]] = []
        self.behave: Callable[[BaseHTTPRequestHandler, int], bool] = lambda handler, number: False


@contextmanager
def tls_server(content: bytes = CONTENT) -> Iterator[Server]:
    """An HTTPS server with Range support that counts its requests."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            server.requests.append((self.path, wanted))
            if server.behave(self, len(server.requests)):
                return
            start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted else 0
            if start >= len(content) and wanted:
                self.send_error(416)
                return
            self.send_response(206 if wanted else 200)
            if wanted:
                self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            self.send_header("Content-Length", str(len(content) - start))
            self.end_headers()
            self.wfile.write(content[start:])

        def log_message(self, *_: object) -> None:
            pass

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            pass  # a client that was killed, which is what some tests do

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    with Quiet(("127.0.0.1", 0), Handler) as listener:
        listener.socket = context.wrap_socket(listener.socket, server_side=True)
        server = Server(f"https://127.0.0.1:{listener.server_port}")
        thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            listener.shutdown()
            thread.join()
