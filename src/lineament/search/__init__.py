"""Vector indexes, one file each: what finds the records nearest to a vector, made of a ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lineament.lazily import lazily

if TYPE_CHECKING:
    from lineament.search.exact import ExactIndex, similarities
    from lineament.search.int8 import Int8Index

__all__ = [
    "ExactIndex",
    "Int8Index",
    "similarities",
]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "lineament.search.exact": ("ExactIndex", "similarities"),
        "lineament.search.int8": ("Int8Index",),
    },
)
