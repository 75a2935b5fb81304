"""What every ledger asks before it writes: whether it was decided of this state, and fits the model."""

from __future__ import annotations

from lineament.errors import Conflict, InvalidArray, ModelMismatch
from lineament.records import Bound, Changes, Revision


def require_expected(expect: Revision | None, now: Revision) -> None:
    """Raise `Conflict` unless nothing is expected, or the ledger stands where it was expected to."""
    if expect not in (None, now):
        raise Conflict(
            "somebody else wrote to the gallery since it was decided what to write; nothing was written, "
            "try again"
        )


def require_fitting(changes: Changes, bound: Bound | None) -> Bound | None:
    """The model of the ledger once the changes are made.

    Raises `ModelMismatch` for another one, or for embeddings before there is one, and `InvalidArray` for
    vectors of another dimension.
    """
    if bound is not None and changes.bind is not None:
        bound.require(changes.bind)
    bound = bound or changes.bind
    if bound is None and changes.put:
        raise ModelMismatch("the gallery has no model yet; bind one before writing embeddings")
    for record in changes.put:
        if bound is not None and len(record.vector) != bound.dimension:
            raise InvalidArray(
                f"record {record.id}: {len(record.vector)} numbers, expected {bound.dimension}"
            )
    return bound
