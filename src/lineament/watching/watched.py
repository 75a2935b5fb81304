"""What is told of all the videos that were watched."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lineament.answers import Answer, Table
from lineament.gallery.answers import decided_by
from lineament.gallery.gallery import Gallery
from lineament.watching.appearances import Appearance, WatchCounts

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Watched(Answer):
    """Appearances, each added when it is over, and the counts of each video."""

    COLUMNS = ("track", "subject", "from", "to", "frames", "similarity", "probability")

    def __init__(self, gallery: Gallery) -> None:
        self._gallery = gallery
        self.appearances: list[Appearance] = []
        self.counts: list[tuple[str, WatchCounts]] = []

    def to_json(self) -> dict[str, Any]:
        """How the watching of each video went."""
        return {"videos": [{"source": name, "counts": counts.to_json()} for name, counts in self.counts]}

    def told(self) -> Iterator[str | Table]:
        """A row an appearance, the counts of each video, and what decided."""
        yield Table(None, self.COLUMNS, [_cells(one) for one in self.appearances])
        for name, counts in self.counts:
            yield f"{name}: {counts}"
        thresholds = [counts.threshold for _, counts in self.counts if counts.threshold is not None]
        if thresholds:
            yield from decided_by(thresholds[-1], self._gallery.people)

    def figures(self) -> Mapping[str, Figure]:
        """The timeline of all that was seen."""
        from lineament.plots.timeline import timeline_figure

        spans = [(one.subject, one.track.from_s, one.track.to_s) for one in self.appearances]
        seconds = max([counts.seconds for _, counts in self.counts] + [end for *_, end in spans], default=0)
        return {"timeline": timeline_figure(spans, seconds)}


def _cells(one: Appearance) -> Sequence[object]:
    naming, track = one.naming, one.track
    nearest = naming.nearest
    who = one.subject or (f"- (nearest: {nearest.subject})" if nearest is not None else "-")
    sure = None if naming.probability is None else f"{naming.probability:.3f}"
    times = f"{track.from_s:.2f}", f"{track.to_s:.2f}"
    return track.number, who, *times, len(track), naming.similarity, sure
