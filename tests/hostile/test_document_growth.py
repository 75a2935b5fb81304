"""JSON, TOML and YAML of any shape cost by their length; cards and manifests are read through these."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from growth import require_linear
from lineament.documents import Malformed, json_of, toml_of, yaml_of

DOCUMENTS: dict[str, tuple[Callable[[str], object], Callable[[int], str]]] = {
    "JSON list": (json_of, lambda n: "[" + "1," * n + "1]"),
    "JSON object": (json_of, lambda n: "{" + ",".join(f'"k{i}":{i}' for i in range(n)) + "}"),
    "JSON quotes": (json_of, lambda n: '"' + '\\"' * n + '"'),
    "JSON brackets": (json_of, lambda n: "[" * n),
    "card of many heads": (
        json_of,
        lambda n: '{"heads": [' + '{"name": "a", "kind": "number"},' * n + "{}]}",
    ),
    "TOML keys": (toml_of, lambda n: "\n".join(f"k{i} = {i}" for i in range(n))),
    "TOML dots": (toml_of, lambda n: "a." * n + "b = 1"),
    "TOML open string": (toml_of, lambda n: 'a = """' + '"" ' * n),
    "YAML list": (yaml_of, lambda n: "- a\n" * n),
    "YAML flow": (yaml_of, lambda n: "[" * n),
    "YAML anchors": (yaml_of, lambda n: "".join(f"k{i}: &a{i} 1\n" for i in range(n))),
}


@pytest.mark.parametrize("kind", DOCUMENTS)
def test_documents_cost_by_their_length(kind: str) -> None:
    """Twice the text, at most two and a half times the time, whether it is read or refused."""
    read, written = DOCUMENTS[kind]

    def make(n: int) -> Callable[[], object]:
        text = written(n)

        def act() -> None:
            try:
                read(text)
            except Malformed as error:
                str(error)

        return act

    require_linear(make, 1 << 8, 1 << 15)
