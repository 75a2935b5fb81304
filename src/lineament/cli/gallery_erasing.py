"""What `gallery remove` and `gallery merge` say of an erasure, for people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from lineament.counting import quantity

if TYPE_CHECKING:
    from lineament.gallery.erasing import Receipt, Trace
    from lineament.types import Threshold

AlikeOption = Annotated[
    str | None,
    typer.Option(
        "--alike",
        metavar="WHICH",
        help="Which records of others go when they only look alike: list (none), disputes, all. "
        "Default: disputes for people, list for --id and merge. What stays is listed.",
    ),
]


def told(receipt: Receipt) -> Iterator[str]:
    """The lines behind the count: what went and stays under other names, and what was not looked at."""
    from lineament.gallery.erasing import Why

    for trace in receipt.traces:
        if trace.erased and trace.why is not Why.OWN:
            yield f"erased too: {_record(trace)}, {_why(trace)}"
    if receipt.to_decide and receipt.threshold is not None:
        yield _about(len(receipt.to_decide), receipt.threshold)
    for trace in receipt.to_decide:
        yield (
            f"to decide: {_record(trace)}, {_why(trace)}{_rarity(trace, receipt.threshold)}; erase it with "
            f"`gallery remove --id {trace.id}`, or leave it"
        )
    forgotten = sum(trace.file_name_forgotten for trace in receipt.traces)
    if forgotten:
        yield f"file names of {quantity(forgotten, 'other record')} forgotten"
    yield f"files wiped: {', '.join(receipt.files) or 'none, the gallery is in memory'}"
    yield from (f"not looked at: {what}" for what in receipt.not_looked_at)


def _about(count: int, threshold: Threshold) -> str:
    """Why records of others are listed, and what they probably are."""
    what = quantity(count, "record of another person looks", "records of other people look")
    return (
        f"{what} alike at the threshold for two faces ({threshold.value:.3f}, {threshold.kind} "
        f"{threshold.target_rate:g}): it is low, so that no photo of the person erased is overlooked under "
        "another name. Where few photos are enrolled, what is near it is probably of other people; look at "
        "the photos before you erase"
    )


def _rarity(trace: Trace, threshold: Threshold | None) -> str:
    """How many pairs of different people are so alike, by what was measured."""
    from lineament.gallery.searching import smallest_fmr

    if threshold is None or threshold.kind != "FMR" or trace.similarity is None:
        return ""
    rate = smallest_fmr(threshold, trace.similarity)
    return (
        f", as at most 1 in {quantity(round(1 / rate), 'pair')} of different people do" if rate > 0 else ""
    )


def _record(trace: Trace) -> str:
    return f"{trace.kind} {trace.id} of {trace.subject}"


def _why(trace: Trace) -> str:
    from lineament.gallery.erasing import Why

    if trace.why is Why.LEFT_ALONE:
        return "no sample of whom is left"
    what = "the same face" if trace.why is Why.SAME_FACE else "looks alike"
    return what if trace.similarity is None else f"{what} ({trace.similarity:.3f})"
