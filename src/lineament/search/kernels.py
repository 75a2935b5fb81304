"""Scalar products of int8 rows: by a library of SIMD kernels where one is installed, else by NumPy.

A kernel is taken only if it gives here what NumPy gives: wheels are built for many processors, and
a wrong product would be a wrong person.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import cache
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lineament.types import Float32

Int8: TypeAlias = NDArray[np.int8]
Kernel: TypeAlias = Callable[[Int8, Int8], Float32]
"""Products of rows int8 ``(N, D)`` with queries ``(Q, D)``, float32 ``(N, Q)``; see `MOST_NUMBERS`."""

MOST_NUMBERS = (1 << 24) // 127**2
"""Numbers a row up to which every product is a whole number that float32 holds."""

_MANY = 8
"""Queries from which on a product of matrices is faster than one query after another."""


@cache
def kernel() -> tuple[str, Kernel]:
    """The fastest kernel that works here and its library's name, ``numpy`` where there is no other."""
    for name, make in (("numkong", _numkong), ("simsimd", _simsimd)):
        try:
            made = make(importlib.import_module(name))
            if _agrees(made):
                return name, made
        except Exception:  # a library that lacks or refuses something here is as good as none
            continue
    return "numpy", by_numpy


def by_numpy(rows: Int8, queries: Int8) -> Float32:
    """The products by way of float32, which is exact as long as the sums are."""
    product: Float32 = rows.astype(np.float32) @ queries.astype(np.float32).T
    return product


def _numkong(library: Any) -> Kernel:
    def products(rows: Int8, queries: Int8) -> Float32:
        if len(queries) < _MANY:
            return np.asarray(library.cdist(rows, queries, "dot")).astype(np.float32)
        return np.asarray(library.dots_packed(rows, library.dots_pack(queries))).astype(np.float32)

    return products


def _simsimd(library: Any) -> Kernel:
    def products(rows: Int8, queries: Int8) -> Float32:
        return np.asarray(library.cdist(rows, queries, "inner")).astype(np.float32)

    return products


def _agrees(products: Kernel) -> bool:
    """Whether a kernel gives what NumPy gives, for rows of usual and of odd widths and extreme numbers."""
    rng = np.random.default_rng(0)
    for width in (1, 31, 128, 512, MOST_NUMBERS):
        rows = rng.integers(-127, 128, (33, width), np.int8)
        rows[0], rows[1] = 127, -127
        for many in (1, 3, _MANY + 1):
            queries = np.ascontiguousarray(rows[-many:])
            queries[0] = 127
            want = rows.astype(np.int64) @ queries.astype(np.int64).T
            if not np.array_equal(products(rows, queries), want):
                return False
    return True
