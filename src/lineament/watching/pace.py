"""How many frames apart faces are looked for: as few as the measured cost allows."""

from __future__ import annotations

import math
from collections import deque
from statistics import median

from lineament.config import require_whole

_SHARE = 0.6
"""Of the time between two frames that looking for faces may take: the rest is for decoding and looks."""

_LONGEST_S = 0.25
"""Between two searches, however slow they are: a face that is followed moves on meanwhile."""


class Pace:
    """Frames come ``rate`` times a second; ``every`` fixes the stride, None lets the cost decide."""

    def __init__(self, every: int | None = None) -> None:
        if every is not None:
            require_whole("every", every)
        self._every = every
        self._costs: deque[float] = deque(maxlen=9)
        self._times: deque[float] = deque(maxlen=26)

    def saw(self, seconds: float) -> None:
        """A frame, by its time in the video."""
        self._times.append(seconds)

    def took(self, seconds: float) -> None:
        """What one search cost."""
        self._costs.append(seconds)

    @property
    def stride(self) -> int:
        """Frames from one search to the next."""
        if self._every is not None:
            return self._every
        if len(self._costs) < 3 or len(self._times) < 3 or self._times[-1] <= self._times[0]:
            return 1
        rate = (len(self._times) - 1) / (self._times[-1] - self._times[0])
        wanted = math.ceil(median(self._costs) * rate / _SHARE)
        return max(1, min(wanted, math.floor(_LONGEST_S * rate)))
