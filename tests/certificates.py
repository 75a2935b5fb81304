"""A certificate for localhost, made when the tests run."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

import trustme

_folder = tempfile.TemporaryDirectory(prefix="lineament-tests-")


@cache
def certificate() -> Path:
    """A PEM file with a self-signed chain and key for localhost and 127.0.0.1."""
    authority = trustme.CA()
    issued = authority.issue_cert("localhost", "127.0.0.1")
    path = Path(_folder.name) / "localhost.pem"
    parts = [issued.private_key_pem, *issued.cert_chain_pems, authority.cert_pem]
    path.write_bytes(b"".join(part.bytes() for part in parts))
    return path
